//! `carrier-sync integrations list`.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use crate::{
    cli::{
        CliError, Exit, Output, open, output,
        table::{Column, Table},
    },
    clock::{Clock, SystemClock},
    config::Config,
    device::TenantId,
    integration::IntegrationRow,
    words,
};

const AFTER_HELP: &str = "\
ON is yes, no (disabled), paused (its timer is off) or \"no key\". Errors are cut to the terminal's \
width; --json has them whole.

With --json each integration is one object on one line. Keys are never shown, only whether one is set \
(has_api_key, has_api_secret).

Examples:
  carrier-sync integrations list
  carrier-sync integrations list --tenant acme
  carrier-sync integrations list --json | jq 'select(.last_sync_status == \"error\")'";

/// List the carrier accounts and how their last sync ended
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ListArgs {
    /// Only this tenant's
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Print one JSON object per integration and line
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &ListArgs, config: &Config) -> Result<Exit, CliError> {
    let store = open(config).await?;
    let mut rows = store.integrations().await?;
    store.close().await;
    if let Some(tenant) = &args.tenant {
        rows.retain(|row| row.tenant_id == *tenant);
    }
    let mut output = Output::stdout();
    if args.json {
        rows.iter()
            .try_for_each(|row| output.json(&Listed::from(row)))?;
    } else if rows.is_empty() {
        output::note("no integrations");
        output::note("hint: carrier-sync integrations add --tenant ID --carrier hologram");
    } else {
        for line in lines(&rows, SystemClock.now(), output::terminal_width()) {
            output.line(line)?;
        }
    }
    output.flush()?;
    Ok(Exit::Success)
}

fn lines(rows: &[IntegrationRow], now: DateTime<Utc>, width: Option<usize>) -> Vec<String> {
    let mut table = Table::new(
        [
            Column::whole("ID"),
            Column::text("TENANT", 6),
            Column::whole("CARRIER"),
            Column::text("NAME", 6),
            Column::whole("ON"),
            Column::number("EVERY"),
            Column::whole("LAST"),
            Column::number("SYNCED"),
            Column::text("ERROR", 16),
        ],
        width,
    );
    table.page(rows.iter().map(|row| cells(row, now)).collect())
}

fn cells(row: &IntegrationRow, now: DateTime<Utc>) -> [String; 9] {
    [
        row.id.to_string(),
        row.tenant_id.to_string(),
        row.carrier_name.clone(),
        row.display_name.clone().unwrap_or_default(),
        state(row).to_owned(),
        format!("{}m", row.sync_interval_minutes),
        row.last_sync_status.clone(),
        row.last_sync_at
            .map_or_else(|| "never".to_owned(), |at| words::ago(now - at)),
        row.last_sync_error.clone().unwrap_or_default(),
    ]
}

fn state(row: &IntegrationRow) -> &'static str {
    match (row.enabled, row.sync_enabled, &row.api_key) {
        (false, ..) => "no",
        (true, _, None) => "no key",
        (true, false, Some(_)) => "paused",
        (true, true, Some(_)) => "yes",
    }
}

/// An integration without its keys.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    integration_id: &'a str,
    tenant_id: &'a str,
    carrier: &'a str,
    name: Option<&'a str>,
    enabled: bool,
    sync_enabled: bool,
    sync_interval_minutes: i64,
    has_api_key: bool,
    has_api_secret: bool,
    base_url: Option<&'a str>,
    account_id: Option<&'a str>,
    last_sync_at: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    last_sync_status: &'a str,
    last_sync_error: Option<&'a str>,
}

impl<'a> From<&'a IntegrationRow> for Listed<'a> {
    fn from(row: &'a IntegrationRow) -> Self {
        Self {
            integration_id: row.id.as_str(),
            tenant_id: row.tenant_id.as_str(),
            carrier: &row.carrier_name,
            name: row.display_name.as_deref(),
            enabled: row.enabled,
            sync_enabled: row.sync_enabled,
            sync_interval_minutes: row.sync_interval_minutes,
            has_api_key: row.api_key.is_some(),
            has_api_secret: row.api_secret.is_some(),
            base_url: row.api_base_url.as_deref(),
            account_id: row.account_id.as_deref(),
            last_sync_at: row.last_sync_at,
            last_success_at: row.last_success_at,
            last_sync_status: &row.last_sync_status,
            last_sync_error: row.last_sync_error.as_deref(),
        }
    }
}
