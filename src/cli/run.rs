//! `carrier-sync run`: the service.

use clap::Args;

use super::{CliError, Exit};
use crate::config::Config;

const AFTER_HELP: &str = "\
Runs until SIGTERM or Ctrl-C, then starts no new sync, gives running ones shutdown.drain_timeout to \
finish, writes what they read, and exits 0. A second signal ends it at once; the next start repairs.

New and changed integrations are noticed within supervisor.discover_interval.

Examples:
  carrier-sync run
  DATABASE_URL=postgres://carrier_sync@db/fleet carrier-sync run --config /etc/carrier-sync.toml

Next:
  carrier-sync check                    is everything in place? (before the first run)
  carrier-sync integrations list        last outcome of every integration";

/// Run the service: sync every integration on its own timer
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {}

/// Runs the service until it is told to stop.
pub(super) fn run(_: &RunArgs, _: Config) -> Result<Exit, CliError> {
    Err(CliError::new("not wired yet"))
}
