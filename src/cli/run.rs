//! `carrier-sync run`: the service.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::task::AbortOnDropHandle;

use super::reloading::Reloading;
use super::runtime::in_system;
use super::{CliError, Exit};
use crate::app::{App, Ending};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::shutdown::{Drained, Hangups, Stop};
use crate::store::{SoleUse, StoreError};

/// Between two tries to lock a database file.
const LOCK_RETRY: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Runs until SIGTERM or Ctrl-C, then starts no new sync, gives running ones shutdown.drain_timeout to \
finish, writes what they read, and exits 0. A second signal ends it at once; the next start repairs.

New and changed integrations are noticed within supervisor.discover_interval; on Postgres at once.

On SIGHUP it reads its configuration anew: carriers.*, supervisor.*, health.interval, shutdown.* and log.level apply \
without losing a sync, what needs a restart is named in the log, and an invalid file changes nothing.

At status.listen (http://127.0.0.1:8080, or \"off\") it serves a status page, /api/v1 (the same for programs), \
/metrics (for Prometheus), /livez (the process lives) and /readyz (503 with the reasons while it cannot do its \
work).

Examples:
  carrier-sync run
  DATABASE_URL=postgres://carrier_sync@db/fleet carrier-sync run --config /etc/carrier-sync.toml

Next:
  carrier-sync check                    is everything in place? (before the first run)
  carrier-sync integrations list        last outcome of every integration";

/// Run the service: sync every integration on its own timer
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {}

/// Runs the service until it is told to stop.
pub(super) fn run(_: &RunArgs, config: Config, reloading: Reloading) -> Result<Exit, CliError> {
    in_system(async {
        // Before anything else: a SIGHUP that comes too early must not end the process.
        let hangups = Hangups::on_signal().map_err(deaf)?;
        let stop = listen()?;
        let app = Arc::new(App::new(config, Arc::new(SystemClock))?);
        let reloaded = Arc::clone(&app);
        let reloads = async move { reloading.on(hangups, &reloaded).await };
        let _reloads = AbortOnDropHandle::new(tokio::spawn(reloads));
        let _alone = sole_use(&app, &stop).await?;
        let _status = app.serve_status(&stop)?;
        tracing::info!(
            version = env!("CARRIER_SYNC_VERSION"),
            "carrier-sync is running"
        );
        exit(app.serve(&stop).await)
    })
}

/// A database file that cannot be made yet is waited for, as any database that is away; a process that has
/// it already is not.
async fn sole_use(app: &App, stop: &Stop) -> Result<Option<SoleUse>, CliError> {
    let mut is_told = false;
    loop {
        match app.sole_use() {
            Err(error @ StoreError::Unavailable(_)) if !stop.asked.is_cancelled() => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::error!(%error, "trying again until it works");
                }
            }
            Err(StoreError::Unavailable(_)) => return Ok(None),
            other => return other.map_err(CliError::from),
        }
        tokio::select! {
            () = stop.asked.cancelled() => {}
            () = tokio::time::sleep(LOCK_RETRY) => {}
        }
    }
}

/// Requests to stop, from signals.
pub(super) fn listen() -> Result<Stop, CliError> {
    Stop::on_signals().map_err(deaf)
}

fn deaf(error: std::io::Error) -> CliError {
    CliError::new("cannot listen to signals").because(error)
}

fn exit(ending: Ending) -> Result<Exit, CliError> {
    match ending {
        Ending::Clean => {
            tracing::info!("carrier-sync has ended; everything that was read is written");
            Ok(Exit::Success)
        }
        Ending::Unfinished(Drained::Forced) => {
            Err(CliError::new("ended at once by a second signal")
                .hint("the next start repairs what was left undone"))
        }
        Ending::Unfinished(_) => Err(CliError::new("not everything was finished in time")
            .hint("the next start repairs it; shutdown.drain_timeout gives more time")),
        Ending::Escalated(reason) => Err(CliError::new(reason)),
    }
}
