//! `carrier-sync runs`: the history of syncs.

mod list;

use clap::{Args, Subcommand};

use super::{CliError, Exit};
use crate::config::Config;

const AFTER_HELP: &str = "\
Examples:
  carrier-sync runs list
  carrier-sync runs list --integration ID";

/// Look at the history of syncs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
}

/// Does what the command says.
pub(super) async fn execute(args: RunsArgs, config: &Config) -> Result<Exit, CliError> {
    match args.command {
        Command::List(args) => list::list(&args, config).await,
    }
}
