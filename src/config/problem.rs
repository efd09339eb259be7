//! What is wrong with a configuration, in words that let a person repair it.
//!
//! A value is shown unless it may be a secret; the database's URL never is, only where it points.

use std::{fmt, io, path::PathBuf};

use config::ValueKind;

use super::{
    database_url::masked,
    layer::{Layer, Setting},
    origin::Origin,
};

/// Longest value that is repeated in a message.
const MAX_SHOWN_CHARS: usize = 60;

/// Words in a key's name that make its value unfit for messages.
const SECRET_WORDS: [&str; 8] = [
    "key",
    "secret",
    "token",
    "password",
    "pass",
    "url",
    "dsn",
    "credential",
];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file given with `--config` cannot be read.
    #[error("cannot read the configuration file {}", file.display())]
    Unreadable {
        /// As given.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{}, line {line}, column {column}: {message}", file.display())]
    Syntax {
        /// As given.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// Counted from one, in characters.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// TOML with a number that no setting can hold.
    #[error("{}: a number is out of range (64-bit integers and finite decimals fit)", file.display())]
    Number {
        /// As given.
        file: PathBuf,
    },
    /// TOML, but not a configuration: every problem that was found.
    #[error("{}", Listed(.0))]
    Invalid(Vec<Problem>),
    /// The program contradicts itself.
    #[error("the configuration could not be read: {0}")]
    Defect(String),
}

/// One thing to repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    key: String,
    text: String,
}

impl Problem {
    /// The key it is about; of a contradiction, the first.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A key without its value.
    pub(super) fn at(key: &str, origin: &Origin, reason: &str) -> Self {
        Self {
            key: key.to_owned(),
            text: format!("{key} ({origin}): {reason}"),
        }
    }

    /// A setting whose value is not allowed.
    pub(super) fn of_value(key: &str, setting: &Setting, allowed: &str) -> Self {
        let text = format!("{} is not allowed; expected {allowed}", told(key, setting));
        Self {
            key: key.to_owned(),
            text,
        }
    }

    /// A key that does not exist. Its value may be a secret that was put in the wrong place.
    pub(super) fn of_unknown(key: &str, setting: &Setting, reason: &str) -> Self {
        Self {
            key: key.to_owned(),
            text: format!("{}: {reason}", told(key, setting)),
        }
    }

    /// Two settings that exclude each other.
    pub(super) fn contradiction(
        settings: &Layer,
        key: &str,
        relation: &str,
        other: &str,
        because: &str,
    ) -> Self {
        let tell = |key| {
            settings
                .get(key)
                .map_or_else(String::new, |setting| told(key, setting))
        };
        let text = format!("{} {relation} {}: {because}", tell(key), tell(other));
        Self {
            key: key.to_owned(),
            text,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn told(key: &str, setting: &Setting) -> String {
    format!(
        "{key} = {} ({})",
        shown(key, &setting.value),
        setting.origin
    )
}

/// The value as it may be printed.
fn shown(key: &str, value: &ValueKind) -> String {
    match value {
        ValueKind::String(text) if key == "database.url" => masked(text),
        ValueKind::String(text) if may_be_secret(key, text) => "(not shown)".to_owned(),
        ValueKind::String(text) if text.chars().count() > MAX_SHOWN_CHARS => {
            format!(
                "{:?}…",
                text.chars().take(MAX_SHOWN_CHARS).collect::<String>()
            )
        }
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "{ … }".to_owned(),
        ValueKind::Array(_) => "[ … ]".to_owned(),
        other => other.to_string(),
    }
}

/// As [`shown`], with the texts of a list: for a setting that is known, and so has no secret by mistake.
pub(super) fn shown_whole(key: &str, value: &ValueKind) -> String {
    match value {
        ValueKind::Array(items) => {
            let items = items.iter().map(|item| shown(key, &item.kind));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        value => shown(key, value),
    }
}

fn may_be_secret(key: &str, text: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) || text.contains("://") || text.contains('@')
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [only] => write!(f, "configuration: {only}"),
            all => {
                write!(f, "configuration: {} problems", all.len())?;
                all.iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}
