//! How a command ended, for scripts.

use std::process::ExitCode;

use crate::integration::Outcome;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything was done.
    Success,
    /// 2: a part was done; the output says which.
    Partial,
    /// 1: nothing was done.
    Error,
    /// 64 (`EX_USAGE`): the command line made no sense. Not clap's own 2, which means partial.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Error => 1,
            Exit::Partial => 2,
            Exit::Usage => 64,
        })
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Partial => Self::Partial,
            Outcome::Error => Self::Error,
        }
    }
}
