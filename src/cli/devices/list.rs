//! `carrier-sync devices list`: pages from the store, printed as they come.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::{
    cli::{
        CliError, Exit, Output, open, output,
        table::{Column, Table},
    },
    clock::{Clock, SystemClock},
    config::Config,
    device::{IntegrationId, TenantId},
    store::{DeviceFilter, DeviceRow},
    words,
};

/// Rows that are held in memory at once.
const PAGE_ROWS: u32 = 1000;

const AFTER_HELP: &str = "\
Empty cells are unknown, not zero. With --json each device is one object on one line, with everything that \
is stored, bytes exact.

Examples:
  carrier-sync devices list
  carrier-sync devices list --integration ID --limit 20
  carrier-sync devices list --json | jq -r 'select(.sim_status == \"suspended\") | .device_id'";

/// List devices with their usage, cycle and statuses
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ListArgs {
    /// Only those linked to this integration
    #[arg(long, value_name = "ID")]
    integration: Option<IntegrationId>,
    /// Only this tenant's
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// At most this many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print one JSON object per device and line
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &ListArgs, config: &Config) -> Result<Exit, CliError> {
    let store = open(config).await?;
    let mut filter = DeviceFilter {
        tenant_id: args.tenant.clone(),
        integration_id: args.integration.clone(),
        limit: PAGE_ROWS,
        ..DeviceFilter::default()
    };
    let mut printer = Printer::new(args.json);
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        filter.limit = u32::try_from(left).unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
        let rows = store.devices(&filter).await?;
        let Some(last) = rows.last() else { break };
        filter.after = Some((last.tenant_id.clone(), last.device_id.clone()));
        left = left.saturating_sub(rows.len() as u64);
        printer.print(&rows)?;
    }
    store.close().await;
    if filter.after.is_none() && !args.json {
        output::note("no devices");
        output::note("hint: carrier-sync devices import FILE.csv --integration ID");
    }
    Ok(Exit::Success)
}

struct Printer {
    output: Output,
    table: Option<Table<9>>,
}

impl Printer {
    fn new(is_json: bool) -> Self {
        let columns = [
            Column::text("TENANT", 6),
            Column::whole("DEVICE"),
            Column::text("INTEGRATION", 11),
            Column::whole("AT CARRIER"),
            Column::whole("SIM"),
            Column::whole("NETWORK"),
            Column::number("USED MB"),
            Column::whole("CYCLE ENDS"),
            Column::number("READ"),
        ];
        let table = (!is_json).then(|| Table::new(columns, output::terminal_width()));
        Self {
            output: Output::stdout(),
            table,
        }
    }

    fn print(&mut self, rows: &[DeviceRow]) -> Result<(), CliError> {
        match &mut self.table {
            None => rows.iter().try_for_each(|row| self.output.json(row))?,
            Some(table) => {
                let now = SystemClock.now();
                for line in table.page(rows.iter().map(|row| cells(row, now)).collect()) {
                    self.output.line(line)?;
                }
            }
        }
        self.output.flush() // a page at a time, so that a reader who has enough ends the reading
    }
}

fn cells(row: &DeviceRow, now: DateTime<Utc>) -> [String; 9] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        row.tenant_id.to_string(),
        row.device_id.to_string(),
        row.carrier_integration_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        text(&row.carrier_device_id),
        text(&row.sim_status),
        text(&row.network_status),
        row.data_used_mb
            .map(|mb| format!("{mb:.2}"))
            .unwrap_or_default(),
        row.billing_cycle_end
            .map(|end| end.format("%Y-%m-%d").to_string())
            .unwrap_or_default(),
        row.data_used_updated_at
            .map(|at| words::ago(now - at))
            .unwrap_or_default(),
    ]
}
