//! `carrier-sync integrations remove`.

use clap::Args;

use super::find;
use crate::{
    cli::{CliError, Exit, Output, open, prompt},
    config::Config,
    device::IntegrationId,
    integration::IntegrationRow,
};

const AFTER_HELP: &str = "\
Its devices stay, with the values they have, but are linked to no integration any more.
To stop syncing without removing: carrier-sync integrations set ID --disable

Examples:
  carrier-sync integrations remove ID
  carrier-sync integrations remove ID --yes";

/// Remove a carrier account; its devices stay, unlinked
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RemoveArgs {
    /// The integration, as `carrier-sync integrations list` names it
    id: IntegrationId,
    /// Do not ask; needed where there is no terminal
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn remove(args: &RemoveArgs, config: &Config) -> Result<Exit, CliError> {
    let store = open(config).await?;
    let row = find(&store, &args.id).await?;
    if !args.yes && !is_confirmed(&row)? {
        return Err(CliError::new("nothing was removed"));
    }
    let unlinked = store.remove_integration(&args.id).await?;
    store.close().await;
    let mut output = Output::stdout();
    output.line(format_args!(
        "removed integration {}; {unlinked} {} now unlinked",
        args.id,
        if unlinked == 1 {
            "device is"
        } else {
            "devices are"
        }
    ))?;
    output.flush()?;
    Ok(Exit::Success)
}

fn is_confirmed(row: &IntegrationRow) -> Result<bool, CliError> {
    if !prompt::can_ask() {
        return Err(
            CliError::new("removing an integration wants a confirmation").hint(format!(
                "if you mean it: carrier-sync integrations remove {} --yes",
                row.id
            )),
        );
    }
    prompt::confirm(&format!(
        "Remove integration {} ({}, tenant {})? Its credentials are lost; its devices stay, unlinked.",
        row.id, row.carrier_name, row.tenant_id
    ))
}
