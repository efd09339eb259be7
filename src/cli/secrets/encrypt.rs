//! `carrier-sync secrets encrypt`.

use clap::Args;

use super::{
    keys,
    reseal::{Goal, Reseal},
};
use crate::{
    cli::{CliError, Exit, Output, open},
    config::Config,
};

const AFTER_HELP: &str = "\
Seals every api_key and api_secret that is in clear text with the current key, the first configured one. \
What is sealed already stays as it is, so it can be run again at any time, also while the service runs: a \
key that someone changes in the meantime is kept. In SQLite the file is rewritten, so that no clear text \
is left in it. Needs the rights that administer the tables.

Exit codes:
  0   success   nothing is in clear text any more
  1   error     nothing was sealed
  2   partial   some could not be; they are named
  64  usage     the command line made no sense

Examples:
  carrier-sync secrets encrypt

Next:
  carrier-sync secrets status
  carrier-sync check                    do all integrations work with the key that is configured?";

/// Seal the credentials that are stored in clear text
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct EncryptArgs {}

pub(super) async fn encrypt(_: &EncryptArgs, config: &Config) -> Result<Exit, CliError> {
    reseal(config, Goal::NothingClear).await
}

/// What `encrypt` and `rotate` share.
pub(super) async fn reseal(config: &Config, goal: Goal) -> Result<Exit, CliError> {
    let ring = keys(config)?;
    let Some(current) = ring.current() else {
        return Err(CliError::new("no key is configured"));
    };
    let store = open(config).await?;
    let reseal = Reseal {
        store: &store,
        ring: &ring,
        current,
        goal,
    };
    let tally = reseal.all().await?;
    let (text, exit) = reseal.finish(&tally).await?;
    store.close().await;
    let mut output = Output::stdout();
    output.line(text)?;
    output.flush()?;
    Ok(exit)
}
