//! What a running service follows: a configuration that is read anew, and the database's notices.

use std::sync::Arc;

use tokio::sync::watch;

use super::{App, all_carrier_settings, store_options};
use crate::actors::messages::UseSettings;
use crate::config::{Change, Config};
use crate::store::connect_notices;
use crate::store::notices::Notices;

impl App {
    /// The configuration as it is now.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Takes over what a running service can of `next`, and answers what differs. Limits hold at once, also for
    /// calls that wait; a sync under way goes on, and the next one has the other settings.
    pub fn reload(&self, next: &Config) -> Vec<Change> {
        let (config, changes) = self.config().changed_to(next);
        if changes.iter().all(|change| change.needs_restart) {
            return changes;
        }
        self.builder.change(all_carrier_settings(&config));
        self.slots.change(config.supervisor.max_concurrent_syncs);
        self.config.send_replace(Arc::new(config));
        changes
    }

    /// What the database tells by itself. Without it changes wait for the next look, as they may at any time.
    pub(super) fn notices(&self) -> Option<Box<dyn Notices>> {
        match connect_notices(&store_options(&self.config())) {
            Ok(Some(notices)) => Some(notices),
            Ok(None) if self.store.engine() == "sqlite" => None,
            Ok(None) => {
                let every_s = self.config().supervisor.discover_interval.as_secs_f64();
                tracing::info!(
                    every_s,
                    "no notices reach us through a pooler: changes are noticed at the next look"
                );
                None
            }
            Err(error) => {
                tracing::warn!(%error, "no notices from the database");
                None
            }
        }
    }

    /// The health log's beat: for ever, in a task of its own. Another interval counts from when it came.
    pub(super) fn log_health_on_a_beat(&self) -> impl Future<Output = ()> + use<> {
        let (board, clock) = (Arc::clone(&self.board), Arc::clone(&self.clock));
        let mut config = self.config.subscribe();
        async move {
            loop {
                let interval = config.borrow_and_update().health.interval;
                tokio::select! {
                    () = tokio::time::sleep(interval) => board.log_health(clock.now()),
                    () = next_of(&mut config) => {}
                }
            }
        }
    }
}

/// Tells the supervisor of every change, for ever.
pub(super) async fn tell_of_changes(
    mut config: watch::Receiver<Arc<Config>>,
    tell: impl Fn(UseSettings) + Send,
) {
    loop {
        next_of(&mut config).await;
        let supervisor = config.borrow_and_update().supervisor.clone();
        tell(UseSettings {
            discover_interval: supervisor.discover_interval,
            start_spread: supervisor.start_spread,
            parked_retry: supervisor.parked_retry,
        });
    }
}

/// Waits for another configuration; without anyone who could give one, for ever.
async fn next_of(config: &mut watch::Receiver<Arc<Config>>) {
    if config.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
