//! `carrier-sync simulate`: the carrier simulator alone.

use std::process::ExitCode;

use clap::Args;

use super::CliError;

/// Run the carrier simulator alone
#[derive(Debug, Args)]
pub struct SimulateArgs {}

/// Runs the simulator until it is told to stop.
pub(super) fn execute(args: SimulateArgs) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::new("cannot start").because(error))?;
    runtime.block_on(run(args))
}

async fn run(_: SimulateArgs) -> Result<ExitCode, CliError> {
    Err(CliError::new("not wired yet"))
}
