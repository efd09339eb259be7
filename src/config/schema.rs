//! Which keys exist: exactly those of `config/default.toml`. Finds the ones that do not.

use config::ValueKind;

use super::{
    layer::{Layer, Setting},
    problem::Problem,
};
use crate::carriers::registry;

/// One problem for each key of the upper layers that is not a setting.
pub(super) fn unknown_keys(known: &Layer, upper: &[Layer]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (key, setting) in upper.iter().flat_map(Layer::iter) {
        if known.get(key).is_some() || is_empty_section(known, key, setting) {
            continue;
        }
        let problem = describe(known, key, setting);
        // A section of an unknown carrier is one mistake, however many keys it has.
        if !problems.iter().any(|known| known.key() == problem.key()) {
            problems.push(problem);
        }
    }
    problems
}

fn is_empty_section(known: &Layer, key: &str, setting: &Setting) -> bool {
    matches!(setting.value, ValueKind::Table(_)) && is_section(known, key)
}

fn describe(known: &Layer, key: &str, setting: &Setting) -> Problem {
    if let Some(carrier) = unknown_carrier(key) {
        let names: Vec<&str> = registry::carriers()
            .iter()
            .map(|carrier| carrier.code())
            .collect();
        let reason = format!("no such carrier; carriers: {}", names.join(", "));
        return Problem::at(&format!("carriers.{carrier}"), &setting.origin, &reason);
    }
    if is_section(known, key) {
        let reason = format!(
            "is a section, not a setting; it has: {}",
            names_in(known, key)
        );
        return Problem::of_unknown(key, setting, &reason);
    }
    let parent = key.rsplit_once('.').map_or("", |(parent, _)| parent);
    if let Some(real) = known.get(parent) {
        let reason = format!(
            "{parent} is a setting, not a section; its default: {}",
            real.value
        );
        return Problem::of_unknown(key, setting, &reason);
    }
    let mut reason = "unknown setting".to_owned();
    if let Some(closest) = closest(known, key) {
        reason += &format!("; did you mean {closest}?");
    }
    reason += &match (is_section(known, parent), parent.is_empty()) {
        (true, _) => format!("; [{parent}] has: {}", names_in(known, parent)),
        (false, true) => format!("; sections: {}", sections(known).join(", ")),
        (false, false) => format!(
            "; there is no section [{parent}]; sections: {}",
            sections(known).join(", ")
        ),
    };
    Problem::of_unknown(key, setting, &reason)
}

/// The carrier's name where the key lies in `[carriers.<name>]` and no such carrier is registered.
fn unknown_carrier(key: &str) -> Option<&str> {
    let name = key.strip_prefix("carriers.")?.split('.').next()?;
    registry::carriers()
        .iter()
        .all(|carrier| carrier.code() != name)
        .then_some(name)
}

fn is_section(known: &Layer, key: &str) -> bool {
    !key.is_empty() && known.keys().any(|other| below(other, key).is_some())
}

fn below<'a>(key: &'a str, section: &str) -> Option<&'a str> {
    key.strip_prefix(section)?.strip_prefix('.')
}

fn names_in(known: &Layer, section: &str) -> String {
    let mut names: Vec<&str> = known
        .keys()
        .filter_map(|key| below(key, section))
        .filter_map(|rest| rest.split('.').next())
        .collect();
    names.dedup();
    names.join(", ")
}

fn sections(known: &Layer) -> Vec<&str> {
    let mut sections: Vec<&str> = known
        .keys()
        .filter_map(|key| key.rsplit_once('.').map(|(section, _)| section))
        .collect();
    sections.dedup();
    sections
}

/// The known key that was probably meant: the same name in another section, or a few letters off.
fn closest<'a>(known: &'a Layer, key: &str) -> Option<&'a str> {
    let name = key.rsplit('.').next();
    if let Some(elsewhere) = known.keys().find(|known| known.rsplit('.').next() == name) {
        return Some(elsewhere);
    }
    let distance = |other: &str| strsim::damerau_levenshtein(key, other);
    let nearest = known.keys().min_by_key(|other| distance(other))?;
    (distance(nearest) <= 2.max(key.len() / 4)).then_some(nearest)
}
