//! Whether a walk ends where its carrier's rows end.
//!
//! Paging that is half described ends after the first page, and what a complete report leaves out may count as
//! zero: so each kind has its own keys, and no others.

use std::collections::BTreeMap;

use super::super::manifest::{Paging, PagingKind};
use super::super::wire::Path;
use super::Mistake;

/// As they are written.
const KINDS: &str = "page, offset, cursor, next_url";

impl PagingKind {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page => "page",
            Self::Offset => "offset",
            Self::Cursor => "cursor",
            Self::NextUrl => "next_url",
        }
    }

    /// Its keys; `None` has none.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Page => &["parameter", "first", "total_pages", "total_pages_header"],
            Self::Offset => &["parameter", "total"],
            Self::Cursor => &["parameter", "next", "next_header"],
            Self::NextUrl => &["next"],
        }
    }

    /// Those of them that it cannot be without, each with what is allowed in its place.
    fn needs(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::None => &[],
            Self::Page | Self::Offset => &[("parameter", &["parameter"])],
            Self::Cursor => &[
                ("parameter", &["parameter"]),
                ("next", &["next", "next_header"]),
            ],
            Self::NextUrl => &[("next", &["next"])],
        }
    }
}

impl Paging {
    /// The keys that are there, beside the kind.
    fn given(&self) -> Vec<&'static str> {
        let keys = [
            ("parameter", self.parameter.is_some()),
            ("first", self.first.is_some()),
            ("total_pages", self.total_pages.is_some()),
            ("total_pages_header", self.total_pages_header.is_some()),
            ("total", self.total.is_some()),
            ("next", self.next.is_some()),
            ("next_header", self.next_header.is_some()),
        ];
        let given = keys.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(key, _)| key).collect()
    }
}

pub(super) fn of((section, paging): (&str, &Paging), rows: &Path, found: &mut Vec<Mistake>) {
    let (kind, given) = (paging.kind, paging.given());
    let word = kind.word();
    let mut note = |key: &str, reason: String| {
        found.push(Mistake::at(&[section, "paging", key], reason));
    };
    if kind == PagingKind::None {
        if let Some(key) = given.first() {
            note(
                "kind",
                format!("without it {key} says nothing and one page is read; allowed: {KINDS}"),
            );
        }
        return;
    }
    for key in given.iter().filter(|key| !kind.keys().contains(key)) {
        let allowed = kind.keys().join(", ");
        note(
            key,
            format!("no key of kind = {word:?}; allowed: {allowed}"),
        );
    }
    for (key, any) in kind.needs() {
        if !any.iter().any(|key| given.contains(key)) {
            note(
                key,
                format!("missing; kind = {word:?} needs {}", any.join(" or ")),
            );
        }
    }
    let is_counted = matches!(kind, PagingKind::Page | PagingKind::Offset);
    if is_counted && !rows.is_of_one_list() {
        let reason = format!(
            "with paging.kind = {word:?} rows are counted, so all that were served must be read; allowed is the \
             path of one list, such as \"$.data\" or \"$.data[*]\""
        );
        found.push(Mistake::at(&[section, "rows"], reason));
    }
}

/// That the parameter by which a walk goes on has a name, and one of its own.
pub(super) fn parameter(
    (section, paging): (&str, &Paging),
    query: &BTreeMap<String, String>,
    found: &mut Vec<Mistake>,
) {
    let Some(name) = &paging.parameter else {
        return;
    };
    let reason = if name.trim().is_empty() {
        "no name of a parameter".to_owned()
    } else if query.contains_key(name) {
        format!("{section}.query has {name:?} too; each page's would take its place")
    } else {
        return;
    };
    found.push(Mistake::at(&[section, "paging", "parameter"], reason));
}
