//! Questions to the person at the terminal. Without a terminal nothing is asked.

use std::io::{self, BufRead, IsTerminal, Write};

use secrecy::SecretString;

use super::CliError;

/// Whether there is someone to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a secret without showing it.
pub(super) fn secret(question: &str) -> Result<SecretString, CliError> {
    rpassword::prompt_password(question)
        .map(SecretString::from)
        .map_err(|error| CliError::new("cannot read from the terminal").because(error))
}

/// Asks yes or no; anything but yes is no.
pub(super) fn confirm(question: &str) -> Result<bool, CliError> {
    let unreadable = |error| CliError::new("cannot read from the terminal").because(error);
    let mut terminal = io::stderr();
    write!(terminal, "{question} [y/N] ")
        .and_then(|()| terminal.flush())
        .map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(unreadable)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
