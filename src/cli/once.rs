//! `carrier-sync once`: sync now and exit.

use std::fmt;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::output::note;
use super::run::listen;
use super::runtime::in_system;
use super::sync_bar::SyncBar;
use super::{CliError, Exit, Output};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::device::{IntegrationId, TenantId};
use crate::integration::Outcome;
use crate::sync::SyncReport;

const AFTER_HELP: &str = "\
Exit codes:
  0   success   every linked device of every integration was read and written
  1   error     nothing was written, or the command could not start
  2   partial   some devices or integrations were written, some were not
  64  usage     the command line made no sense

With --json each integration is one object on one line:
  integration_id, tenant_id, carrier, status (success, partial, error), devices, synced, failed,
  api_calls, elapsed_ms, error (null when there was none)

Examples:
  carrier-sync once
  carrier-sync once --integration acme-main --integration acme-spare
  carrier-sync once --json | jq 'select(.status != \"success\")'

Next:
  carrier-sync devices list             what was written
  carrier-sync run                      keep doing it";

/// Sync now and exit, whatever the timers say
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OnceArgs {
    /// Sync this integration only; may be given several times. Also syncs one whose timer is
    /// paused [default: every enabled integration]
    #[arg(long = "integration", value_name = "ID")]
    pub integrations: Vec<IntegrationId>,
    /// Print one JSON object per integration and line instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Syncs once.
pub(super) fn once(args: &OnceArgs, config: Config) -> Result<Exit, CliError> {
    in_system(async {
        let app = App::new(config, Arc::new(SystemClock))?;
        let stop = listen()?;
        let _alone = app.sole_use()?;
        app.prepare().await?;
        let rows = app.choose(&args.integrations).await?;
        if rows.is_empty() {
            note("no integration to sync; add one with `carrier-sync integrations add`");
        }
        let bar = SyncBar::new();
        let mut output = Output::stdout();
        let mut told = Ok(());
        let observe = || bar.observer();
        let round = app.sync_once(rows, &observe, &stop, |report| {
            let line = bar.suspend(|| tell(args.json, report, &mut output));
            if told.is_ok() {
                told = line;
            }
        });
        let reports = tokio::select! {
            reports = round => reports?,
            () = stop.forced.cancelled() => {
                return Err(CliError::new("ended at once by a second signal"));
            }
        };
        bar.finish();
        app.store.close().await;
        told?;
        Ok(exit(&reports))
    })
}

/// One integration's result, as scripts read it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    integration_id: &'a IntegrationId,
    tenant_id: &'a TenantId,
    carrier: &'a str,
    status: Outcome,
    devices: usize,
    synced: usize,
    failed: usize,
    api_calls: u64,
    elapsed_ms: u64,
    error: Option<&'a str>,
}

fn tell(json: bool, report: &SyncReport, output: &mut Output) -> Result<(), CliError> {
    let line = Line {
        integration_id: &report.integration_id,
        tenant_id: &report.tenant_id,
        carrier: &report.carrier,
        status: report.outcome,
        devices: report.devices,
        synced: report.synced,
        failed: report.failed(),
        api_calls: report.api_calls,
        elapsed_ms: u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        error: report.error.as_deref(),
    };
    if json {
        output.json(&line)?;
    } else {
        output.line(line)?;
    }
    // A long round is followed line by line, also through a pipe.
    output.flush()
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {} ({}, {}): {} of {} devices, {} calls, {:.1} s",
            self.status.as_str(),
            self.integration_id,
            self.tenant_id,
            self.carrier,
            self.synced,
            self.devices,
            self.api_calls,
            self.elapsed_ms as f64 / 1000.0
        )?;
        self.error
            .map_or(Ok(()), |error| write!(f, "\n         {error}"))
    }
}

/// The round's exit: all, none, or some.
fn exit(reports: &[SyncReport]) -> Exit {
    let all = |outcome| reports.iter().all(|report| report.outcome == outcome);
    if all(Outcome::Success) {
        Exit::Success
    } else if all(Outcome::Error) {
        Exit::Error
    } else {
        Exit::Partial
    }
}
