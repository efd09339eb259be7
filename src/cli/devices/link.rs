//! `carrier-sync devices link`.

use clap::Args;

use super::names;
use super::rows::parse_iccid;
use crate::{
    cli::{CliError, Exit, Output, integrations, open},
    config::Config,
    device::{CarrierDeviceId, DeviceId, IntegrationId},
    store::{DeviceLink, LinkReceipt},
};

const AFTER_HELP: &str = "\
The device is made where it is missing. Its carrier-device-id is what the carrier calls it; Hologram: the \
number in the device's address in the dashboard.

Examples:
  carrier-sync devices link --integration ID --device-id pump-7 --carrier-device-id 4711

Next:
  carrier-sync once --integration ID";

/// Link one device to an integration
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct LinkArgs {
    /// The integration, as `carrier-sync integrations list` names it
    #[arg(long, value_name = "ID")]
    integration: IntegrationId,
    /// Name of the device in your fleet
    #[arg(long, value_name = "ID")]
    device_id: DeviceId,
    /// Name of the device at the carrier
    #[arg(long, value_name = "ID")]
    carrier_device_id: CarrierDeviceId,
    /// Number of the SIM, where you know it
    #[arg(long, value_name = "ICCID", value_parser = parse_iccid)]
    iccid: Option<String>,
}

pub(super) async fn link(args: LinkArgs, config: &Config) -> Result<Exit, CliError> {
    let link = DeviceLink {
        device_id: args.device_id,
        carrier_device_id: args.carrier_device_id,
        sim_iccid: args.iccid,
    };
    let store = open(config).await?;
    let row = integrations::find(&store, &args.integration).await?;
    names::check(
        names::dialect(&row, config),
        link.carrier_device_id.as_str(),
    )
    .map_err(CliError::new)?;
    let receipt = store
        .link_devices(&args.integration, std::slice::from_ref(&link))
        .await?;
    store.close().await;
    let mut output = Output::stdout();
    output.line(format_args!(
        "linked {} to integration {} as {} ({})",
        link.device_id,
        args.integration,
        link.carrier_device_id,
        what_happened(&receipt)
    ))?;
    output.flush()?;
    Ok(Exit::Success)
}

fn what_happened(receipt: &LinkReceipt) -> &'static str {
    if receipt.created > 0 {
        "a new device"
    } else {
        "a known device"
    }
}
