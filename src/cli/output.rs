//! The only place that writes to stdout and, logs apart, to stderr.
//!
//! `println!` panics when the reader is gone; here that is an error like any other, so that
//! `carrier-sync devices list | head` ends quietly.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
};

use serde::Serialize;

use super::CliError;

/// Results on stdout, buffered; call [`flush`](Self::flush) at the end.
#[derive(Debug)]
pub struct Output {
    stdout: BufWriter<Stdout>,
}

impl Output {
    /// This process's stdout.
    #[must_use]
    pub fn stdout() -> Self {
        Self {
            stdout: BufWriter::new(io::stdout()),
        }
    }

    /// One line.
    ///
    /// # Errors
    /// [`CliError::OutputClosed`] when nobody reads any more.
    pub fn line(&mut self, line: impl Display) -> Result<(), CliError> {
        Ok(writeln!(self.stdout, "{line}")?)
    }

    /// One object on one line.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn json(&mut self, object: &impl Serialize) -> Result<(), CliError> {
        let object = serde_json::to_string(object)
            .map_err(|error| CliError::new("cannot write JSON").because(error))?;
        self.line(object)
    }

    /// Hands on what was buffered.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.stdout.flush()?)
    }
}

/// Columns of the terminal that reads stdout; `None`: a file or a pipe, where nothing is cut.
pub(super) fn terminal_width() -> Option<usize> {
    io::stdout()
        .is_terminal()
        .then(|| usize::from(console::Term::stdout().size().1))
}

/// A line for the person at the terminal, on stderr. Nobody there is no error.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
