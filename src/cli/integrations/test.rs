//! `carrier-sync integrations test`: one harmless call with an integration's credentials.

use std::sync::Arc;

use clap::Args;

use crate::app::App;
use crate::cli::runtime::in_system;
use crate::cli::verdict::Verdict;
use crate::cli::{CliError, Exit, Output};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::device::IntegrationId;

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

pub(super) fn test(args: &TestArgs, mut config: Config) -> Result<Exit, CliError> {
    // Nothing is written, so whoever has just added the account, as the tables' owner, may test it.
    config.database.allow_privileged_role = true;
    in_system(async {
        let app = App::new(config, Arc::new(SystemClock))?;
        app.prepare().await?;
        let rows = app.choose(std::slice::from_ref(&args.id)).await?;
        let mut output = Output::stdout();
        let mut exit = Exit::Success;
        for row in &rows {
            let verdict = Verdict::of(&app, row).await;
            if !verdict.ok {
                exit = Exit::Error;
            }
            if args.json {
                output.json(&verdict)?
            } else {
                output.line(verdict)?
            }
        }
        output.flush()?;
        app.store.close().await;
        Ok(exit)
    })
}
