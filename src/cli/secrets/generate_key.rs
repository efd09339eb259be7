//! `carrier-sync secrets generate-key`.

use clap::Args;
use secrecy::ExposeSecret;

use crate::{
    cli::{CliError, Exit, Output, output},
    secrets::Key,
};

const AFTER_HELP: &str = "\
Prints 32 random bytes in base64, one line, to stdout, and the key's id to stderr. Nothing is stored.

Examples:
  (umask 077; carrier-sync secrets generate-key > /etc/carrier-sync/keys)

Next:
  set secrets.key_file to that file
  carrier-sync secrets encrypt";

/// Print a new key
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct GenerateKeyArgs {}

pub(super) fn generate_key(_: &GenerateKeyArgs) -> Result<Exit, CliError> {
    let failed = |error: String| CliError::new("cannot make a key").because(error);
    let text = Key::generate().map_err(|error| failed(error.to_string()))?;
    let key = Key::parse(text.expose_secret()).map_err(|error| failed(error.to_string()))?;
    let mut output = Output::stdout();
    output.line(text.expose_secret())?;
    output.flush()?;
    output::note(format_args!(
        "this is key {}; keep it where only the service can read it",
        key.id()
    ));
    Ok(Exit::Success)
}
