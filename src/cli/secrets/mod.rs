//! `carrier-sync secrets`: the keys that seal credentials in the database, and what they have sealed.
//! No command shows a secret.

mod encrypt;
mod generate_key;
mod reseal;
mod rotate;
mod status;

use clap::{Args, Subcommand};

use super::{CliError, Exit};
use crate::{
    config::Config,
    secrets::{KeySource, Keyring},
};

const AFTER_HELP: &str = "\
Without a key, api_key and api_secret lie in the database in clear text. To seal them:

  (umask 077; carrier-sync secrets generate-key > /etc/carrier-sync/keys)
  export CARRIER_SYNC__SECRETS__KEY_FILE=/etc/carrier-sync/keys     or [secrets] key_file in --config
  carrier-sync secrets encrypt

Give the service the same setting and restart it once. Keep a copy of the keys apart from the database's \
backups: without them every carrier's credentials must be entered anew.

To change the key while the service runs:

  1. put a new key in the first line of the file and leave the old one below it
  2. carrier-sync secrets rotate
  3. remove the old line once `carrier-sync secrets status` shows nothing sealed with it

The service reads the file again when it meets a key that it does not know. With the keys in \
CARRIER_SYNC__SECRETS__KEY it has to be restarted between 1 and 2.";

/// Seal carrier credentials in the database, change the key, see how they are stored
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SecretsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    GenerateKey(generate_key::GenerateKeyArgs),
    Encrypt(encrypt::EncryptArgs),
    Rotate(rotate::RotateArgs),
    Status(status::StatusArgs),
}

/// Does what the command says.
pub(super) async fn execute(args: SecretsArgs, config: &Config) -> Result<Exit, CliError> {
    match args.command {
        Command::GenerateKey(args) => generate_key::generate_key(&args),
        Command::Encrypt(args) => encrypt::encrypt(&args, config).await,
        Command::Rotate(args) => rotate::rotate(&args, config).await,
        Command::Status(args) => status::status(&args, config).await,
    }
}

/// The configured keys, of which there must be one.
fn keys(config: &Config) -> Result<Keyring, CliError> {
    if matches!(config.secrets.keys, KeySource::None) {
        return Err(CliError::new("no key is configured").hint(
            "make one with carrier-sync secrets generate-key and set secrets.key_file; \
             carrier-sync secrets --help shows how",
        ));
    }
    Ok(config.secrets.keys.read()?)
}

/// A number of secrets in words.
fn count(secrets: usize) -> String {
    match secrets {
        1 => "1 secret".to_owned(),
        many => format!("{many} secrets"),
    }
}
