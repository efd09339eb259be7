//! `carrier-sync demo`: the real service on simulated carriers, with nothing to set up.

use std::time::Duration;

use clap::Args;

use super::{CliError, Exit};
use crate::config::Config;

const AFTER_HELP: &str = "\
Starts a simulated carrier on this machine, an embedded database in a temporary folder, and the real \
service between them; shows what it does until the time is over or Ctrl-C. Nothing leaves this machine \
and nothing stays on it.

Examples:
  carrier-sync demo
  carrier-sync demo --devices 50000 --tenants 10 --for 5m

Next:
  carrier-sync integrations add --tenant acme --carrier hologram
                                        connect a real account";

/// See it work: simulated carriers, an embedded database, and the real service
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    /// Devices of the simulated fleet, over all tenants
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,
    /// Tenants that share the fleet, each with an account at the carrier
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub tenants: u32,
    /// How long, such as 60s or 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "60s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Port of the status page on this machine
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
}

/// Runs the demo.
pub(super) fn demo(_: &DemoArgs, _: Config) -> Result<Exit, CliError> {
    Err(CliError::new("not wired yet"))
}
