//! What differs between two configurations, setting by setting, and which of it a running service can take
//! over. Values are told unless they may be secrets.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::Config;
use super::layer::Layer;
use super::problem::shown_whole;

/// Sections and settings that a running service takes over; all others are made into connections, files and
/// threads at the start.
const TAKEN_OVER: [&str; 5] = [
    "carriers.",
    "supervisor.",
    "health.interval",
    "shutdown.",
    "log.level",
];

/// The settings as they were written, by key.
#[derive(Clone, Default)]
pub(super) struct Settings(BTreeMap<String, Written>);

#[derive(Clone)]
struct Written {
    /// Compared, never shown.
    value: SecretString,
    shown: String,
}

/// May hold secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings")
    }
}

impl Settings {
    pub(super) fn of(layer: &Layer) -> Self {
        let written = layer.iter().map(|(key, setting)| {
            let written = Written {
                value: setting.value.to_string().into(),
                shown: shown_whole(key, &setting.value),
            };
            (key.to_owned(), written)
        });
        Self(written.collect())
    }
}

/// A setting that has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: String,
    /// Its value before, as it may be printed.
    pub from: String,
    /// Its value now, as it may be printed.
    pub to: String,
    /// Whether it holds only from the next start on.
    pub needs_restart: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.key, self.from, self.to)
    }
}

impl Config {
    /// The configuration of a service that runs with this one and is given `next`, and what differs between
    /// the two. What needs a restart keeps its value, and so differs again the next time.
    #[must_use]
    pub fn changed_to(&self, next: &Self) -> (Self, Vec<Change>) {
        let changes = self.changes(next);
        let mut written = self.written.clone();
        for change in changes.iter().filter(|change| !change.needs_restart) {
            match next.written.0.get(&change.key) {
                Some(now) => written.0.insert(change.key.clone(), now.clone()),
                None => written.0.remove(&change.key),
            };
        }
        let mut taken_over = self.clone();
        taken_over.carriers.clone_from(&next.carriers);
        taken_over.supervisor = next.supervisor.clone();
        taken_over.health.interval = next.health.interval;
        taken_over.shutdown = next.shutdown.clone();
        taken_over.log.level.clone_from(&next.log.level);
        taken_over.written = written;
        (taken_over, changes)
    }

    fn changes(&self, next: &Self) -> Vec<Change> {
        let (before, now) = (&self.written.0, &next.written.0);
        let value = |written: Option<&Written>| written.map(|w| w.value.expose_secret().to_owned());
        let shown = |written: Option<&Written>| {
            written.map_or_else(|| "(none)".to_owned(), |written| written.shown.clone())
        };
        let keys: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
        keys.into_iter()
            .map(|key| (key, before.get(key), now.get(key)))
            .filter(|(_, before, now)| value(*before) != value(*now))
            .map(|(key, before, now)| Change {
                key: key.clone(),
                from: shown(before),
                to: shown(now),
                needs_restart: !TAKEN_OVER.iter().any(|known| key.starts_with(known)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::ConfigSources;

    fn config(settings: &[(&str, &str)]) -> Config {
        let environment = settings.iter().map(|(key, value)| {
            let key = key.to_uppercase().replace('.', "__");
            (format!("CARRIER_SYNC__{key}"), (*value).to_owned())
        });
        let sources = ConfigSources {
            environment: environment.collect(),
            ..ConfigSources::default()
        };
        Config::load(&sources).unwrap()
    }

    #[test]
    fn what_a_running_service_takes_over_is_taken_and_the_rest_is_named_and_stays() {
        let before = config(&[("database.url", "postgres://a:canary@db/fleet")]);
        let next = config(&[
            ("database.url", "postgres://a:Canary@db/other"),
            ("carriers.hologram.requests_per_second", "2.0"),
            ("carriers.hologram.windows", "60/1m"),
            ("log.level", "debug"),
            ("log.format", "json"),
            ("health.interval", "7s"),
            ("status.token", "canary-of-many-letters"),
        ]);
        let (taken, changes) = before.changed_to(&next);
        let of = |needs_restart: bool| -> Vec<_> {
            let such = changes.iter().filter(|c| c.needs_restart == needs_restart);
            such.map(|change| change.key.as_str()).collect()
        };
        let now = [
            "carriers.hologram.requests_per_second",
            "carriers.hologram.windows",
            "health.interval",
            "log.level",
        ];
        assert_eq!(of(false), now);
        assert_eq!(of(true), ["database.url", "log.format", "status.token"]);
        let text = changes.iter().map(ToString::to_string).collect::<String>();
        assert!(!text.to_lowercase().contains("canary"), "{text}");
        let told = "carriers.hologram.requests_per_second 10 → \"2.0\"";
        assert!(text.contains(told), "{text}");
        assert!(text.contains("60/1m"), "{text}");
        assert_eq!(taken.health.interval.as_secs(), 7);
        assert_eq!(taken.log.level, "debug");
        assert_eq!(taken.log.format, before.log.format);
        assert!(taken.status.token.is_none());
        let again = taken.changed_to(&next).1;
        assert!(again.iter().all(|change| change.needs_restart), "{again:?}");
        assert_eq!(again.len(), 3);
        assert!(!format!("{next:?}").contains("canary"));
    }
}
