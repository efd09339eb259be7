//! Errors as a person reads them: what went wrong, why, and what to do next.

use std::{error::Error, fmt, io, process::ExitCode};

use console::style;

use super::{Exit, output};
use crate::{app::AppError, config::ConfigError, secrets::KeyFileError, store::StoreError};

/// Ends a command.
#[derive(Debug)]
pub enum CliError {
    /// The reader of our output went away (`| head`). Not worth a word.
    OutputClosed,
    /// To be told.
    Told(Box<Told>),
}

/// What is told.
#[derive(Debug)]
pub struct Told {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    hint: Option<String>,
    exit: Exit,
}

impl CliError {
    /// An error in words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Told(Box::new(Told {
            message,
            source: None,
            hint: None,
            exit: Exit::Error,
        }))
    }

    /// A command line that makes no sense, in a way that its grammar cannot say.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(message).with(|told| told.exit = Exit::Usage)
    }

    /// The reason, whose own reasons are told with it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.with(|told| told.source = Some(source.into()))
    }

    /// What to do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.with(|told| told.hint = Some(hint.into()))
    }

    /// What was being done, in front of what went wrong.
    #[must_use]
    pub fn context(self, doing: &str) -> Self {
        self.with(|told| told.message = format!("{doing}: {}", told.message))
    }

    fn with(mut self, change: impl FnOnce(&mut Told)) -> Self {
        if let Self::Told(told) = &mut self {
            change(told);
        }
        self
    }

    /// Tells it on stderr, once, and answers with the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let Self::Told(told) = self else {
            return Exit::Success.into();
        };
        output::note(format_args!(
            "{} {told}",
            style("error:").for_stderr().red().bold()
        ));
        if let Some(hint) = &told.hint {
            output::note(format_args!(
                "{} {hint}",
                style("hint:").for_stderr().cyan().bold()
            ));
        }
        told.exit.into()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut source = self.source.as_ref().map(|source| &**source as &dyn Error);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputClosed => f.write_str("the output was closed"),
            Self::Told(told) => told.fmt(f),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let hint = match error {
            ConfigError::Unreadable { .. } => {
                "--config takes a TOML file; leave it out for defaults"
            }
            ConfigError::Defect(_) => "this is a defect of carrier-sync; please report it",
            _ => "config/default.toml explains every setting; config/example.toml is one to copy",
        };
        let source = error.source().map(ToString::to_string);
        let told = Self::new(error.to_string()).hint(hint);
        match source {
            Some(source) => told.because(source),
            None => told,
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let told = Self::new(error.to_string());
        match error {
            StoreError::Unavailable(_) => told.hint(
                "check that the database runs and that DATABASE_URL or --database-url names it",
            ),
            StoreError::SchemaNotMigrated(_) => {
                told.hint("create or upgrade the tables: carrier-sync migrate")
            }
            StoreError::SchemaConflict(_) => told.hint(
                "nothing was changed; resolve the conflict, then run carrier-sync migrate again",
            ),
            // Too many rights and too few are opposite mistakes; the error itself says which it is.
            StoreError::Role(_) => told.hint(
                "the tables' owner administers, a role of its own runs the service: \
                 carrier-sync migrate --help",
            ),
            StoreError::Invalid(_) => told,
            StoreError::Rejected(_) => told.hint(
                "does this role own the tables (administration needs that)? If so, please report \
                 this with what CARRIER_SYNC__LOG__LEVEL=debug shows",
            ),
        }
    }
}

impl From<KeyFileError> for CliError {
    fn from(error: KeyFileError) -> Self {
        let text = error.to_string();
        let told = Self::new(text)
            .hint("secrets.key_file names it; carrier-sync secrets --help shows how it is made");
        match error {
            KeyFileError::Unreadable { source, .. } => told.because(source),
            _ => told,
        }
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Store(error) => error.into(),
            AppError::KeyFile(error) => error.into(),
            AppError::Transport(_) => Self::new("cannot set up the HTTP client").because(error),
            AppError::Status { address, source } => {
                let hint = if source.kind() == io::ErrorKind::AddrInUse {
                    "another program has it; set status.listen to another address, or to \"off\""
                } else {
                    "set status.listen to an address of this machine, or to \"off\""
                };
                let what = format!("cannot serve the status at {address} (status.listen)");
                Self::new(what).because(source).hint(hint)
            }
            AppError::UnknownIntegration(_) => {
                Self::new(error.to_string()).hint("carrier-sync integrations list shows the ids")
            }
            AppError::NotEnabled(_) => Self::new(error.to_string())
                .hint("carrier-sync integrations set ID --enable switches it on"),
        }
    }
}

/// Output that cannot be written.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::new("cannot write the output").because(error)
        }
    }
}
