//! What operators ask of the service by its status server, passed on to its supervisor and its database.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;
use async_trait::async_trait;

use super::Supervisor;
use super::messages::{LookNow, SyncAnswer, SyncIntegration};
use crate::device::IntegrationId;
use crate::status::control::{Control, NotDone, SyncAsked};
use crate::store::Store;

/// Passes on what is asked for.
#[derive(Debug)]
pub struct ServiceControl {
    store: Arc<dyn Store>,
    /// `None`: the service has not begun.
    supervisor: Mutex<Option<Addr<Supervisor>>>,
}

impl ServiceControl {
    /// Asks nobody until there is a supervisor.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            supervisor: Mutex::default(),
        }
    }

    /// From now on `supervisor` is asked.
    pub fn serve(&self, supervisor: Addr<Supervisor>) {
        let mut known = self
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(supervisor);
    }

    fn supervisor(&self) -> Option<Addr<Supervisor>> {
        let known = self
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

#[async_trait]
impl Control for ServiceControl {
    async fn sync_now(&self, id: &IntegrationId) -> Result<SyncAsked, NotDone> {
        let Some(supervisor) = self.supervisor() else {
            return Ok(SyncAsked::Nobody);
        };
        match supervisor.send(SyncIntegration(id.clone())).await {
            Ok(SyncAnswer::Begun) => Ok(SyncAsked::Begun),
            Ok(SyncAnswer::UnderWay) => Ok(SyncAsked::UnderWay),
            Ok(SyncAnswer::Misconfigured(reason)) => Err(NotDone::Misconfigured(reason)),
            Ok(SyncAnswer::NotHere) => match self.store.ask_to_sync(id).await? {
                true => Ok(SyncAsked::PassedOn),
                false => Ok(SyncAsked::Nobody),
            },
            // It has ended, with the service.
            Err(_) => Ok(SyncAsked::Nobody),
        }
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), NotDone> {
        self.store.set_sync_enabled(id, sync_enabled).await?;
        if let Some(supervisor) = self.supervisor() {
            supervisor.do_send(LookNow);
        }
        Ok(())
    }
}
