//! `carrier-sync integrations`: the carrier accounts that are synced.
//!
//! A key comes from a prompt, a file or the environment, never from the command line, where every
//! user of the machine could read it; and it is never printed.

mod add;
mod fields;
mod list;
mod remove;
mod sealing;
mod secret;
mod set;
mod test;

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{CliError, Exit, block_on};
use crate::{config::Config, device::IntegrationId, integration::IntegrationRow, store::Store};

const AFTER_HELP: &str = "\
Examples:
  carrier-sync integrations add --tenant acme --carrier hologram --account-id 1234
  carrier-sync integrations list
  carrier-sync integrations test ID
  carrier-sync integrations set ID --interval-minutes 15
  carrier-sync integrations set ID --new-api-key
  carrier-sync integrations remove ID";

/// List, add, change, remove and test carrier accounts
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct IntegrationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Add(add::AddArgs),
    Set(set::SetArgs),
    Remove(remove::RemoveArgs),
    Test(test::TestArgs),
}

/// Does what the command says.
pub(super) fn execute(args: IntegrationsArgs, config: Config) -> Result<Exit, CliError> {
    match args.command {
        Command::List(args) => block_on(list::list(&args, &config)),
        Command::Add(args) => block_on(add::add(args, &config)),
        Command::Set(args) => block_on(set::set(args, &config)),
        Command::Remove(args) => block_on(remove::remove(&args, &config)),
        Command::Test(args) => test::test(&args, config),
    }
}

/// The row of an id.
pub(super) async fn find(
    store: &Arc<dyn Store>,
    id: &IntegrationId,
) -> Result<IntegrationRow, CliError> {
    let rows = store.integrations().await?;
    rows.into_iter()
        .find(|row| row.id == *id)
        .ok_or_else(|| unknown(id))
}

fn unknown(id: &IntegrationId) -> CliError {
    CliError::new(format!("there is no integration {:?}", id.as_str()))
        .hint("carrier-sync integrations list shows every id")
}
