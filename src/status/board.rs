//! One snapshot per actor, kept where the actor's death does not take it along.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::actor::{ActorName, ActorStatus};
use super::health;

/// Every actor's snapshot.
#[derive(Debug, Default)]
pub struct Board {
    actors: Mutex<BTreeMap<ActorName, ActorStatus>>,
}

impl Board {
    /// Changes one actor's snapshot; a change of state is a health event.
    pub fn update(
        &self,
        name: &ActorName,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut ActorStatus),
    ) {
        let (before, after) = {
            let mut actors = self.lock();
            let status = actors.entry(name.clone()).or_default();
            let before = status.state;
            change(status);
            if status.state == before {
                return;
            }
            (before, status.clone())
        };
        health::log_transition(name, &after, before, now);
    }

    /// Forgets an integration whose row is gone.
    pub fn remove(&self, name: &ActorName) {
        self.lock().remove(name);
    }

    /// One actor's snapshot.
    #[must_use]
    pub fn get(&self, name: &ActorName) -> Option<ActorStatus> {
        self.lock().get(name).cloned()
    }

    /// Every snapshot, the supervisor first, then the writer, then integrations by id.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(ActorName, ActorStatus)> {
        self.lock()
            .iter()
            .map(|(name, status)| (name.clone(), status.clone()))
            .collect()
    }

    /// Logs every snapshot now.
    pub fn log_health(&self, now: DateTime<Utc>) {
        for (name, status) in self.snapshot() {
            health::log_snapshot(&name, &status, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ActorName, ActorStatus>> {
        // A snapshot is replaced field by field by its own actor; a panic leaves at worst an old one.
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
