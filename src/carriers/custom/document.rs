//! A manifest's text: what is read of it, and where in it each mistake stands.
//!
//! A mistake is told with file, line, key, and what is allowed. The manifest itself holds no places: a key is
//! looked up in the text only when there is a mistake to tell. Knows no key's meaning.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::manifest::Manifest;

/// Characters of a manifest's name: it becomes a file's name.
const NAME_CHARACTERS: &str = "letters, digits, - and _";

/// A manifest that cannot be interpreted: where, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The manifest's name or file.
    pub file: String,
    /// From 1; `None` where the fault has no place.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Reads a manifest; every mistake that can be told apart is told, the first of the file first.
///
/// # Errors
/// [`ManifestError`]s, at least one.
pub(super) fn parse(file: &str, text: &str) -> Result<Manifest, Vec<ManifestError>> {
    let error = |at: Option<usize>, reason| ManifestError {
        file: file.to_owned(),
        line: at.map(|at| line_of(text, at)),
        reason,
    };
    let document = Document::of(text);
    let manifest: Manifest = toml::from_str(text).map_err(|found| {
        // A key that is missing at the top has no place: the parser's is the beginning, where another stands.
        let has_place = |span: &Range<usize>| document.is_broken || !span.is_empty();
        let at = found.span().filter(has_place);
        let at = at.map(|span| span.start);
        let key = at.and_then(|at| document.key_at(at));
        // What is no TOML has no keys to tell: the text itself must do, as far as its line goes.
        let written = found.span().filter(|_| document.is_broken);
        let written = written.and_then(|span| text.get(span)?.lines().next());
        let key = key.or_else(|| written.filter(|text| !text.is_empty()).map(str::to_owned));
        let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
        let reason = format!("{key}{}", one_line(found.message()));
        vec![error(at, reason)]
    })?;
    let mut mistakes: Vec<_> = manifest
        .mistakes()
        .into_iter()
        .map(|mistake| (document.place_of(mistake.key()), mistake))
        .collect();
    if mistakes.is_empty() {
        return Ok(manifest);
    }
    mistakes.sort_by_key(|(at, _)| *at);
    let told = mistakes.into_iter();
    Err(told
        .map(|(at, mistake)| error(at, mistake.to_string()))
        .collect())
}

/// Where the keys of a text stand.
struct Document<'t> {
    root: DeTable<'t>,
    /// Whether the text is no TOML: then there is no root, and the parser's own words must do.
    is_broken: bool,
}

impl<'t> Document<'t> {
    fn of(text: &'t str) -> Self {
        let root = DeTable::parse(text).map(Spanned::into_inner);
        Self {
            is_broken: root.is_err(),
            root: root.unwrap_or_default(),
        }
    }

    /// Where a key stands, in bytes; one that is missing is told where it should be.
    fn place_of(&self, key: &[String]) -> Option<usize> {
        let (mut table, mut place) = (&self.root, None);
        for part in key {
            let mut entries = table.iter();
            let Some((name, value)) = entries.find(|(name, _)| name.get_ref() == part) else {
                break;
            };
            place = Some(name.span().start);
            let DeValue::Table(inner) = value.get_ref() else {
                break;
            };
            table = inner;
        }
        place
    }

    /// The key that a byte of the text belongs to, with those that it stands below.
    fn key_at(&self, at: usize) -> Option<String> {
        let (mut table, mut key) = (&self.root, Vec::new());
        while let Some((name, value)) = entry_at(table, at) {
            key.push(name);
            let DeValue::Table(inner) = value else {
                break;
            };
            table = inner;
        }
        (!key.is_empty()).then(|| key.join("."))
    }
}

/// The entry of a table that a byte of the text belongs to: of its key, its value, or one below.
fn entry_at<'d>(table: &'d DeTable<'_>, at: usize) -> Option<(&'d str, &'d DeValue<'d>)> {
    let mut entries = table.iter();
    let (name, value) = entries.find(|(name, value)| {
        let is_own = name.span().contains(&at) || value.span().contains(&at);
        let is_below = || match value.get_ref() {
            DeValue::Table(inner) => entry_at(inner, at).is_some(),
            _ => false,
        };
        is_own || is_below()
    })?;
    Some((name.get_ref().as_ref(), value.get_ref()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether a manifest may be called so.
///
/// # Errors
/// What names are made of.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "a manifest's name has 1 to 64 characters: {NAME_CHARACTERS}"
    ))
}
