//! `carrier-sync secrets rotate`.

use clap::Args;

use super::{encrypt::reseal, reseal::Goal};
use crate::{
    cli::{CliError, Exit},
    config::Config,
};

const AFTER_HELP: &str = "\
Opens every secret with whichever configured key has sealed it and seals it with the current key, the \
first configured one; clear text is sealed as well. Put the new key in the first line of the key file and \
leave the old one below it: the service keeps running and opens what either has sealed. Can be run again \
at any time. Needs the rights that administer the tables.

Exit codes:
  0   success   everything is sealed with the current key; the others are no longer needed
  1   error     nothing was sealed
  2   partial   some could not be; they are named
  64  usage     the command line made no sense

Examples:
  carrier-sync secrets rotate

Next:
  carrier-sync secrets status           is anything still sealed with an old key?
  remove the old key's line";

/// Seal everything with the current key
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RotateArgs {}

pub(super) async fn rotate(_: &RotateArgs, config: &Config) -> Result<Exit, CliError> {
    reseal(config, Goal::CurrentKeyOnly).await
}
