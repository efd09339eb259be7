//! Turns settings into types, one by one, and keeps every refusal.
//!
//! A refused value is answered by a placeholder so that reading goes on; [`super::Config::load`]
//! then throws the whole result away and tells all problems at once.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use config::ValueKind;

use super::{
    layer::{Layer, Setting},
    origin::Origin,
    problem::Problem,
};

/// Shortest duration other than none: databases count their timeouts in milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
/// Longest duration; beyond it arithmetic on instants could overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Rates above this are indistinguishable from no limit at all.
const MAX_PER_SECOND: f64 = 1_000_000.0;
/// Rates below this are one call in almost twelve days.
const MIN_PER_SECOND: f64 = 0.000_001;

/// Reads typed values out of merged layers.
pub(super) struct Reader<'a> {
    settings: &'a Layer,
    read: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader that has met no problem yet.
    pub(super) fn new(settings: &'a Layer) -> Self {
        Self {
            settings,
            read: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Everything that was refused.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) fn keys_read(&self) -> &BTreeSet<String> {
        &self.read
    }

    /// The one way a value is read: `parse` says what it is, `allowed` what it should have been.
    pub(super) fn value<T>(
        &mut self,
        key: &str,
        allowed: &str,
        placeholder: T,
        parse: impl FnOnce(&Setting) -> Option<T>,
    ) -> T {
        self.read.insert(key.to_owned());
        let Some(setting) = self.settings.get(key) else {
            self.problems
                .push(Problem::at(key, &Origin::CompiledIn, "has no default"));
            return placeholder;
        };
        parse(setting).unwrap_or_else(|| {
            self.problems.push(Problem::of_value(key, setting, allowed));
            placeholder
        })
    }

    /// A duration of at least a millisecond.
    pub(super) fn duration(&mut self, key: &str) -> Duration {
        let allowed = "a duration from 1 ms to 365 days, such as \"30s\" or \"5m\"";
        self.value(key, allowed, SHORTEST, |setting| {
            duration(setting).filter(|duration| *duration >= SHORTEST)
        })
    }

    /// A duration, or `"0s"` for none.
    pub(super) fn duration_or_zero(&mut self, key: &str) -> Duration {
        let allowed = "\"0s\", or a duration up to 365 days, such as \"30s\" or \"5m\"";
        self.value(key, allowed, Duration::ZERO, duration)
    }

    /// How often per second; above zero and finite.
    pub(super) fn rate(&mut self, key: &str) -> f64 {
        let allowed = "a number of calls per second above zero, from 0.000001 to 1000000";
        self.value(key, allowed, 1.0, |setting| {
            number(setting).filter(|rate| (MIN_PER_SECOND..=MAX_PER_SECOND).contains(rate))
        })
    }

    /// A whole number of at least one.
    pub(super) fn count(&mut self, key: &str) -> NonZeroU32 {
        self.count_up_to(key, u32::MAX)
    }

    /// A whole number from one to `most`.
    pub(super) fn count_up_to(&mut self, key: &str, most: u32) -> NonZeroU32 {
        let allowed = format!("a whole number from 1 to {most}");
        self.value(key, &allowed, NonZeroU32::MIN, |setting| {
            let count = u32::try_from(integer(setting)?)
                .ok()
                .filter(|count| *count <= most)?;
            NonZeroU32::new(count)
        })
    }

    /// A whole number of at least one, as a size in memory.
    pub(super) fn size(&mut self, key: &str) -> usize {
        self.count(key).get() as usize
    }

    /// A whole number; zero is meant.
    pub(super) fn count_or_zero(&mut self, key: &str) -> u32 {
        let allowed = format!("a whole number from 0 to {}", u32::MAX);
        self.value(key, &allowed, 0, |setting| {
            u32::try_from(integer(setting)?).ok()
        })
    }

    /// A whole number that may be beyond 32 bits; zero is meant.
    pub(super) fn long_count_or_zero(&mut self, key: &str) -> u64 {
        let allowed = format!("a whole number from 0 to {}", i64::MAX);
        self.value(key, &allowed, 0, |setting| {
            u64::try_from(integer(setting)?).ok()
        })
    }

    /// A list: `split` makes texts of it, `parse` a value of each or says what is wrong with one.
    pub(super) fn each<T>(
        &mut self,
        key: &str,
        allowed: &str,
        split: impl FnOnce(&Setting) -> Option<Vec<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let list = self.value(key, allowed, Vec::new(), split);
        let mut values = Vec::new();
        for text in list {
            match (parse(&text), self.settings.get(key)) {
                (Ok(value), _) => values.push(value),
                (Err(wrong), Some(setting)) => {
                    let reason = format!("{wrong}; expected {allowed}");
                    self.problems
                        .push(Problem::at(key, &setting.origin, &reason));
                }
                (Err(_), None) => {}
            }
        }
        values
    }

    /// The names right below `section` that have each of these settings.
    pub(super) fn sections_below(&self, section: &str, settings: &[&str]) -> BTreeSet<String> {
        let is_whole = |name: &str| {
            let key = |setting: &&str| format!("{section}.{name}.{setting}");
            settings
                .iter()
                .all(|setting| self.settings.get(&key(setting)).is_some())
        };
        let below = self.settings.keys().filter_map(|key| {
            let rest = key.strip_prefix(section)?.strip_prefix('.')?;
            Some(rest.split_once('.')?.0)
        });
        below
            .filter(|name| is_whole(name))
            .map(str::to_owned)
            .collect()
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.value(key, "true or false", false, boolean)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)], placeholder: T) -> T {
        let list: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let allowed = format!("one of {}", list.join(", "));
        self.value(key, &allowed, placeholder, |setting| {
            let text = text(setting)?;
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
        })
    }
}

/// Text as written.
pub(super) fn text(setting: &Setting) -> Option<&str> {
    match &setting.value {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

/// A list of texts; commas separate them in a source that knows nothing but text.
pub(super) fn texts(setting: &Setting) -> Option<Vec<String>> {
    if let Some(list) = untyped(setting) {
        return Some(list.split(',').map(|text| text.trim().to_owned()).collect());
    }
    let ValueKind::Array(values) = &setting.value else {
        return None;
    };
    let each = values.iter().map(|value| match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        _ => None,
    });
    each.collect()
}

/// The text of a source that knows nothing but text.
fn untyped(setting: &Setting) -> Option<&str> {
    text(setting)
        .filter(|_| setting.origin.is_text_only())
        .map(str::trim)
}

fn duration(setting: &Setting) -> Option<Duration> {
    humantime::parse_duration(text(setting)?)
        .ok()
        .filter(|duration| *duration <= LONGEST)
}

/// A whole number.
pub(super) fn integer(setting: &Setting) -> Option<i64> {
    match setting.value {
        ValueKind::I64(integer) => Some(integer),
        _ => untyped(setting)?.parse().ok(),
    }
}

fn number(setting: &Setting) -> Option<f64> {
    match setting.value {
        ValueKind::Float(number) => Some(number),
        // Rates are small: every integer up to a million is exact.
        ValueKind::I64(integer) => i32::try_from(integer).ok().map(f64::from),
        _ => untyped(setting)?.parse().ok(),
    }
}

fn boolean(setting: &Setting) -> Option<bool> {
    match setting.value {
        ValueKind::Boolean(boolean) => Some(boolean),
        _ => untyped(setting)?.parse().ok(),
    }
}
