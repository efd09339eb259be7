//! `carrier-sync devices`: which device of the fleet is which at its carrier.

mod import;
mod link;
mod list;
mod names;
mod rows;

use clap::{Args, Subcommand};

use super::{CliError, Exit};
use crate::config::Config;

const AFTER_HELP: &str = "\
Examples:
  carrier-sync devices import devices.csv --integration ID
  carrier-sync devices link --integration ID --device-id pump-7 --carrier-device-id 4711
  carrier-sync devices list --integration ID";

/// List, link and import devices
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DevicesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Link(link::LinkArgs),
    Import(import::ImportArgs),
}

/// Does what the command says.
pub(super) async fn execute(args: DevicesArgs, config: &Config) -> Result<Exit, CliError> {
    match args.command {
        Command::List(args) => list::list(&args, config).await,
        Command::Link(args) => link::link(args, config).await,
        Command::Import(args) => import::import(&args, config).await,
    }
}
