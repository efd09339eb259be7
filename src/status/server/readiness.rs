//! Whether the service can do its work: its database answers as it should, its writer is alive, and it is not
//! about to end. Asks no actor.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::status::asked::{Asked, Terms};
use crate::status::{ActorName, ActorState, Board};
use crate::store::Store;

/// However many ask, the database is asked once a second.
const CHECKS: Terms = Terms {
    holds: Duration::from_secs(1),
    serves: Duration::ZERO,
    patience: Duration::from_secs(2),
    is_costly: false,
};

/// What readiness is judged by.
#[derive(Debug)]
pub struct Readiness {
    store: Arc<dyn Store>,
    /// As for the service's start.
    allow_privileged_role: bool,
    board: Arc<Board>,
    stopping: CancellationToken,
    /// Where the store's connections live; the server's own runtime may end before they do.
    runtime: Handle,
    database: Arc<Asked<()>>,
}

impl Readiness {
    /// Judged by what `store` answers on `runtime` (`allow_privileged_role`: as at the service's start), what the
    /// actors have said last, and whether the service has been asked to stop.
    #[must_use]
    pub fn new(
        (store, allow_privileged_role): (Arc<dyn Store>, bool),
        board: Arc<Board>,
        stopping: CancellationToken,
        runtime: Handle,
    ) -> Self {
        Self {
            store,
            allow_privileged_role,
            board,
            stopping,
            runtime,
            database: Asked::new(CHECKS),
        }
    }

    /// Why the service is not ready, in words; empty: it is.
    pub async fn reasons(&self) -> Vec<String> {
        let database = self.database().await;
        let is_stopping = self.stopping.is_cancelled();
        let stopping = is_stopping.then(|| "the service is stopping".to_owned());
        let reasons = [stopping, database, self.writer()];
        reasons.into_iter().flatten().collect()
    }

    async fn database(&self) -> Option<String> {
        let ask = || {
            let (store, allow) = (Arc::clone(&self.store), self.allow_privileged_role);
            async move { store.check(allow).await.map_err(|error| error.to_string()) }
        };
        let told = self.database.get(&self.runtime, ask).await;
        let never = || "the database has not answered yet".to_owned();
        told.failure.or_else(|| told.value.is_none().then(never))
    }

    fn writer(&self) -> Option<String> {
        let Some(writer) = self.board.get(&ActorName::Writer) else {
            return Some("the writer has not started".to_owned());
        };
        let reason = writer
            .reason
            .unwrap_or_else(|| "no reason given".to_owned());
        match writer.state {
            ActorState::Idle | ActorState::Syncing => None,
            ActorState::Draining => Some("the writer is draining".to_owned()),
            state => Some(format!("the writer is {}: {reason}", state.as_str())),
        }
    }
}
