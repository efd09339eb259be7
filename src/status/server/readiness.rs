//! Whether the service can do its work: its database answers as it should, its writer is alive, and it is not
//! about to end. Asks no actor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::status::{ActorName, ActorState, Board};
use crate::store::Store;

/// An answer of the database holds for so long: however many ask, it is asked once a second.
const HOLDS: Duration = Duration::from_secs(1);
/// The database has so long to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What readiness is judged by.
#[derive(Debug)]
pub struct Readiness {
    /// The fleet's database.
    pub store: Arc<dyn Store>,
    /// As for the service's start.
    pub allow_privileged_role: bool,
    /// What the actors have said last.
    pub board: Arc<Board>,
    /// The service has been asked to stop.
    pub stopping: CancellationToken,
    /// Where the store's connections live; the server's own runtime may end before they do.
    pub runtime: Handle,
    /// What the database said last, and when.
    pub last: Mutex<Option<(Instant, Option<String>)>>,
}

impl Readiness {
    /// Why the service is not ready, in words; empty: it is.
    pub async fn reasons(&self) -> Vec<String> {
        let database = self.database().await;
        let is_stopping = self.stopping.is_cancelled();
        let stopping = is_stopping.then(|| "the service is stopping".to_owned());
        let reasons = [stopping, database, self.writer()];
        reasons.into_iter().flatten().collect()
    }

    /// Asked by one at a time; those who waited for it share its answer.
    async fn database(&self) -> Option<String> {
        let mut last = self.last.lock().await;
        if let Some((at, said)) = &*last
            && at.elapsed() < HOLDS
        {
            return said.clone();
        }
        let (store, allow) = (Arc::clone(&self.store), self.allow_privileged_role);
        let asked = self.runtime.spawn(async move { store.check(allow).await });
        // Timed here: the runtime that is asked may be stuck.
        let asked = AbortOnDropHandle::new(asked);
        let said = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(_)) => Some("the service is ending".to_owned()),
            Err(_) => Some(format!("the database does not answer within {PATIENCE:?}")),
        };
        *last = Some((Instant::now(), said.clone()));
        said
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
