//! What operators ask of the service by its status server, passed on to its supervisor and its database.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Addr;
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::Supervisor;
use super::messages::{LookNow, SyncAnswer, SyncIntegration};
use crate::device::IntegrationId;
use crate::status::control::{Control, NotDone, SyncAsked};
use crate::store::{Store, StoreError};

/// Passes on what is asked for.
#[derive(Debug)]
pub struct ServiceControl {
    store: Arc<dyn Store>,
    /// Who is asked, and where the store's connections live: whoever asks may be on another runtime. `None`: the
    /// service has not begun.
    service: Mutex<Option<(Addr<Supervisor>, Handle)>>,
}

impl ServiceControl {
    /// Asks nobody until there is a supervisor.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            service: Mutex::default(),
        }
    }

    /// From now on `supervisor` is asked. Called where the service runs.
    pub fn serve(&self, supervisor: Addr<Supervisor>) {
        *self.lock() = Some((supervisor, Handle::current()));
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Addr<Supervisor>, Handle)>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store, to the end, whether or not somebody still waits for the answer.
    async fn ask<T, A>(runtime: &Handle, asked: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let ended = |_| StoreError::Unavailable("the service is ending".to_owned());
        runtime.spawn(asked).await.map_err(ended)?
    }
}

#[async_trait]
impl Control for ServiceControl {
    async fn sync_now(&self, id: &IntegrationId) -> Result<SyncAsked, NotDone> {
        let Some((supervisor, runtime)) = self.lock().clone() else {
            return Ok(SyncAsked::Nobody);
        };
        match supervisor.send(SyncIntegration(id.clone())).await {
            Ok(SyncAnswer::Begun) => Ok(SyncAsked::Begun),
            Ok(SyncAnswer::UnderWay) => Ok(SyncAsked::UnderWay),
            Ok(SyncAnswer::Misconfigured(reason)) => Err(NotDone::Misconfigured(reason)),
            Ok(SyncAnswer::NotHere) => {
                let (store, id) = (Arc::clone(&self.store), id.clone());
                let asked = Self::ask(&runtime, async move { store.ask_to_sync(&id).await });
                match asked.await? {
                    true => Ok(SyncAsked::PassedOn),
                    false => Ok(SyncAsked::Nobody),
                }
            }
            // It has ended, with the service.
            Err(_) => Ok(SyncAsked::Nobody),
        }
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), NotDone> {
        let Some((supervisor, runtime)) = self.lock().clone() else {
            let reason = "the service is starting; try again in a moment".to_owned();
            return Err(StoreError::Unavailable(reason).into());
        };
        let (store, id) = (Arc::clone(&self.store), id.clone());
        let asked = async move { store.set_sync_enabled(&id, sync_enabled).await };
        Self::ask(&runtime, asked).await?;
        supervisor.do_send(LookNow);
        Ok(())
    }
}
