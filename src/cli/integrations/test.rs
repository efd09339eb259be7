//! `carrier-sync integrations test`: one harmless call with an integration's credentials.

use clap::Args;

use crate::{
    cli::{CliError, Exit},
    config::Config,
    device::IntegrationId,
};

const AFTER_HELP: &str = "\
Makes one call that changes nothing, through the same client and limits as a sync.

Examples:
  carrier-sync integrations test ID

Next:
  carrier-sync once --integration ID";

/// Ask the carrier whether an account's credentials work
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TestArgs {
    /// The integration, as `carrier-sync integrations list` names it
    pub(super) id: IntegrationId,
    /// Print a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn test(_: &TestArgs, _: Config) -> Result<Exit, CliError> {
    Err(CliError::new("not wired yet"))
}
