//! When to stop and how: the requests to stop (and the one that is none), and the order of draining with its deadline.
//!
//! Draining follows the data: no new sync, syncs hand over what they have read, the writer flushes,
//! the store closes. Knows no command and no actor's inside.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Requests to stop. Cloned to whoever must hear them.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Finish what is begun, then end.
    pub asked: CancellationToken,
    /// End at once: the next start repairs.
    pub forced: CancellationToken,
}

impl Stop {
    /// Stops on SIGTERM and SIGINT; a second one forces.
    ///
    /// # Errors
    /// When the process cannot listen to signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Self::default();
        let told = stop.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if told.asked.is_cancelled() {
                    tracing::warn!(signal = name, "second signal: ending at once");
                    told.forced.cancel();
                } else {
                    tracing::info!(signal = name, "stopping: finishing what is begun");
                    told.asked.cancel();
                }
            }
        });
        Ok(stop)
    }
}

/// Requests to read the configuration anew. From when it is made, SIGHUP does not end the process, whether
/// anybody waits for it or not.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Listens to SIGHUP.
    ///
    /// # Errors
    /// When the process cannot listen to signals.
    pub fn on_signal() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next; several that came meanwhile are one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// How draining ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything was finished and written.
    Whole,
    /// The deadline came first.
    TooLate,
    /// A second signal came first.
    Forced,
}

/// Waits for `drain`, at most until `deadline` from now or until forced.
pub async fn drain_within(
    deadline: Duration,
    stop: &Stop,
    drain: impl Future<Output = ()>,
) -> Drained {
    tokio::select! {
        () = drain => Drained::Whole,
        () = tokio::time::sleep(deadline) => Drained::TooLate,
        () = stop.forced.cancelled() => Drained::Forced,
    }
}
