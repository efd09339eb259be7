//! SIGHUP: the configuration is read anew, from where it came, and the service takes over what it can.

use std::time::Duration;

use crate::app::App;
use crate::config::{Change, Config, ConfigError, ConfigSources};
use crate::logging::LogLevel;
use crate::shutdown::Hangups;

/// A file on a disk that does not answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads it on a thread of its own, which nobody waits for: neither who reloads later nor the end of the
/// process.
async fn read(sources: ConfigSources) -> Option<Result<Config, ConfigError>> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = done.send(Config::load(&sources));
    });
    tokio::time::timeout(PATIENCE, result).await.ok()?.ok()
}

/// What is needed to do it.
#[derive(Debug)]
pub(super) struct Reloading {
    /// Where settings come from; the environment is that of the start.
    pub(super) sources: ConfigSources,
    /// Where the level of the log is changed.
    pub(super) log_level: LogLevel,
}

impl Reloading {
    /// Reads anew whenever it is told to, for ever.
    pub(super) async fn on(self, mut hangups: Hangups, app: &App) {
        loop {
            hangups.next().await;
            match read(self.sources.clone()).await {
                Some(Ok(next)) => self.take_over(app, &next),
                Some(Err(error)) => refuse(&error),
                None => tracing::error!(
                    "the configuration could not be read within {PATIENCE:?}; the service goes on with the one \
                     it has"
                ),
            }
        }
    }

    fn take_over(&self, app: &App, next: &Config) {
        let changes = app.reload(next);
        // First of all, so that the rest is told as the new level says.
        let has_level = changes.iter().any(|change| change.key == "log.level");
        if has_level && let Err(error) = self.log_level.set(&next.log.level) {
            tracing::error!(%error, "the level of the log stays as it was");
        }
        tell(&changes);
    }
}

fn tell(changes: &[Change]) {
    for change in changes.iter().filter(|change| !change.needs_restart) {
        tracing::info!("reloaded: {change}");
    }
    for change in changes.iter().filter(|change| change.needs_restart) {
        let key = &change.key;
        tracing::warn!(key, "changed but needs a restart: {key}");
    }
    let taken_over = changes.iter().filter(|change| !change.needs_restart);
    let taken_over = taken_over.count();
    tracing::info!(
        taken_over,
        need_restart = changes.len() - taken_over,
        "the configuration was read anew"
    );
}

/// Every problem is an event of its own: key, value, place and what is allowed.
fn refuse(error: &ConfigError) {
    let why = match error {
        ConfigError::Invalid(problems) => {
            for problem in problems {
                tracing::error!(key = problem.key(), "{problem}");
            }
            format!("{} problems, told above", problems.len())
        }
        ConfigError::Unreadable { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    };
    tracing::error!(
        reason = why,
        "the configuration was refused; the service goes on with the one it has"
    );
}
