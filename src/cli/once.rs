//! `carrier-sync once`: sync now and exit.

use clap::Args;

use super::{CliError, Exit};
use crate::{config::Config, device::IntegrationId};

const AFTER_HELP: &str = "\
Exit codes:
  0   success   every linked device of every integration was read and written
  1   error     nothing was written, or the command could not start
  2   partial   some devices or integrations were written, some were not
  64  usage     the command line made no sense

With --json each integration is one object on one line:
  integration_id, tenant_id, carrier, status (success, partial, error), devices, synced, failed,
  api_calls, elapsed_ms, error (null when there was none)

Examples:
  carrier-sync once
  carrier-sync once --integration acme-main --integration acme-spare
  carrier-sync once --json | jq 'select(.status != \"success\")'

Next:
  carrier-sync devices list             what was written
  carrier-sync run                      keep doing it";

/// Sync now and exit, whatever the timers say
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OnceArgs {
    /// Sync this integration only; may be given several times. Also syncs one whose timer is
    /// paused [default: every enabled integration]
    #[arg(long = "integration", value_name = "ID")]
    pub integrations: Vec<IntegrationId>,
    /// Print one JSON object per integration and line instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Syncs once.
pub(super) fn once(_: &OnceArgs, _: Config) -> Result<Exit, CliError> {
    Err(CliError::new("not wired yet"))
}
