//! Where a value was written, in words that let a person go there and change it.

use std::{fmt, path::PathBuf};

/// The place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// `config/default.toml` as compiled in.
    CompiledIn,
    /// The file given with `--config`.
    File {
        /// As given.
        path: PathBuf,
        /// Counted from one.
        line: Option<usize>,
    },
    /// An environment variable, by name.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl Origin {
    /// Environment variables are text: there `"5"` is the number five, in a file it is a mistake.
    pub(super) fn is_text_only(&self) -> bool {
        matches!(self, Self::Variable(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompiledIn => f.write_str("the default"),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}, line {line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
