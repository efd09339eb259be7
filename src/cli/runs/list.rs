//! `carrier-sync runs list`: pages from the store, printed as they come.

use std::time::Duration;

use clap::Args;

use crate::{
    cli::{
        CliError, Exit, Output, open, output,
        table::{Column, Table},
    },
    config::Config,
    device::{IntegrationId, TenantId},
    runs::{RunFilter, RunRow},
    words,
};

/// Rows that are held in memory at once.
const PAGE_ROWS: u64 = 500;

const AFTER_HELP: &str = "\
The latest first, times in UTC. WAITED is what calls waited for the carrier's limits, all together. Errors are cut \
to the terminal's width; --json has them whole, with the first failing devices and why each failed. What is kept is \
set by runs.keep and runs.per_integration.

With --json each run is one object on one line.

Examples:
  carrier-sync runs list
  carrier-sync runs list --integration ID --limit 100
  carrier-sync runs list --json --limit 1000 | jq 'select(.outcome != \"success\") | .failures'";

/// List syncs with their outcome, devices and calls
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ListArgs {
    /// Only this integration's
    #[arg(long, value_name = "ID")]
    integration: Option<IntegrationId>,
    /// Only this tenant's
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Print one JSON object per run and line
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &ListArgs, config: &Config) -> Result<Exit, CliError> {
    let store = open(config).await?;
    let mut filter = RunFilter {
        tenant_id: args.tenant.clone(),
        integration_id: args.integration.clone(),
        after: None,
        limit: 0,
    };
    let mut output = Output::stdout();
    let mut table = Table::new(COLUMNS, output::terminal_width());
    let mut left = args.limit;
    while left > 0 {
        filter.limit = u32::try_from(left.min(PAGE_ROWS)).unwrap_or(u32::MAX);
        let rows = store.runs(&filter).await?;
        let Some(last) = rows.last() else { break };
        filter.after = Some(last.key());
        left = left.saturating_sub(rows.len() as u64);
        if args.json {
            rows.iter().try_for_each(|row| output.json(row))?;
        } else {
            let lines = table.page(rows.iter().map(cells).collect());
            lines.iter().try_for_each(|line| output.line(line))?;
        }
        output.flush()?; // a page at a time, so that a reader who has enough ends the reading
    }
    store.close().await;
    if filter.after.is_none() && !args.json {
        output::note("no runs");
        output::note("hint: carrier-sync once");
    }
    Ok(Exit::Success)
}

const COLUMNS: [Column; 11] = [
    Column::whole("STARTED"),
    Column::whole("INTEGRATION"),
    Column::text("TENANT", 6),
    Column::whole("OUTCOME"),
    Column::number("TOOK"),
    Column::number("DEVICES"),
    Column::number("SYNCED"),
    Column::number("FAILED"),
    Column::number("CALLS"),
    Column::number("WAITED"),
    Column::text("ERROR", 16),
];

fn cells(row: &RunRow) -> [String; 11] {
    let took = (row.finished_at - row.started_at).to_std();
    [
        row.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        row.integration_id.to_string(),
        row.tenant_id.to_string(),
        row.outcome.as_str().to_owned(),
        words::took(took.unwrap_or_default()),
        row.devices.to_string(),
        row.synced.to_string(),
        row.failed.to_string(),
        row.carrier_calls.to_string(),
        words::took(Duration::from_millis(row.throttled_ms)),
        row.error.clone().unwrap_or_default(),
    ]
}
