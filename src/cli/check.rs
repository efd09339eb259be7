//! `carrier-sync check`: is everything in place?

use clap::Args;

use super::{CliError, Exit};
use crate::config::Config;

const AFTER_HELP: &str = "\
Reads the configuration, looks at the schema and at the rights of the database role, and makes one \
harmless call with every enabled integration's credentials. Nothing is written.

Exit codes:
  0   success   all is well
  1   error     configuration, database or role are wrong, or no integration works
  2   partial   some integrations work, some do not
  64  usage     the command line made no sense

Examples:
  carrier-sync check
  carrier-sync check --config /etc/carrier-sync.toml --json

Next:
  carrier-sync migrate                  where the schema is missing or old
  carrier-sync integrations set ID --new-api-key
                                        where a carrier refuses the credentials";

/// Check configuration, schema, database role and every integration's credentials
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CheckArgs {
    /// Print one JSON object per check and line
    #[arg(long)]
    pub json: bool,
}

/// Checks everything and writes nothing.
pub(super) fn check(_: &CheckArgs, _: Config) -> Result<Exit, CliError> {
    Err(CliError::new("not wired yet"))
}
