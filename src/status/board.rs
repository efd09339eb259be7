//! One snapshot per actor, and what has been counted, kept where an actor's death does not take it along.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use rpds::RedBlackTreeMapSync;

use super::actor::{ActorName, ActorStatus};
use super::health;
use super::metrics::Metrics;
use super::summary::Summary;

/// Whoever looks takes all of it at once, however many there are, and holds nobody up; what is changed while somebody
/// still looks is changed in a copy of its own.
type Actors = RedBlackTreeMapSync<ActorName, Arc<ActorStatus>>;

/// Every actor's snapshot.
#[derive(Debug)]
pub struct Board {
    actors: Mutex<Actors>,
    /// With more integrations than this, those that are well are told in sum.
    max_told: usize,
    /// What has been counted.
    pub metrics: Metrics,
}

impl Board {
    /// An empty board, of which up to `max_told` integrations are logged one by one.
    #[must_use]
    pub fn new(max_told: usize) -> Self {
        Self {
            actors: Mutex::new(Actors::new_sync()),
            max_told,
            metrics: Metrics::default(),
        }
    }

    /// Changes one actor's snapshot; a change of state is a health event.
    pub fn update(
        &self,
        name: &ActorName,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut ActorStatus),
    ) {
        let (before, after, is_routine) = {
            let mut actors = self.lock();
            if !actors.contains_key(name) {
                let since = Some(now);
                let status = ActorStatus {
                    since,
                    ..ActorStatus::default()
                };
                actors.insert_mut(name.clone(), Arc::new(status));
            }
            let is_crowd = integrations(&actors) > self.max_told;
            let Some(status) = actors.get_mut(name).map(Arc::make_mut) else {
                return;
            };
            let before = status.state;
            change(status);
            if status.state == before {
                return;
            }
            status.since = Some(now);
            let is_routine = is_crowd
                && matches!(name, ActorName::Integration(_))
                && before.is_well()
                && status.state.is_well();
            if is_routine && !health::tells_routine() {
                return;
            }
            (before, status.clone(), is_routine)
        };
        health::log_transition(name, &after, (before, is_routine), now);
    }

    /// Forgets an integration whose row is gone.
    pub fn remove(&self, name: &ActorName) {
        self.lock().remove_mut(name);
    }

    /// One actor's snapshot.
    #[must_use]
    pub fn get(&self, name: &ActorName) -> Option<ActorStatus> {
        self.lock().get(name).map(|status| (**status).clone())
    }

    /// Every snapshot, the supervisor first, then the writer, then integrations by id.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(ActorName, Arc<ActorStatus>)> {
        self.look()
            .iter()
            .map(|(name, status)| (name.clone(), Arc::clone(status)))
            .collect()
    }

    /// Logs the state of everyone now: one by one, or of many integrations those in trouble, and all of
    /// them in sum.
    pub fn log_health(&self, now: DateTime<Utc>) {
        let actors = self.look();
        let is_crowd = integrations(&actors) > self.max_told;
        for (name, status) in &actors {
            let is_one_of_many = is_crowd && matches!(name, ActorName::Integration(_));
            if !is_one_of_many || !status.state.is_well() {
                health::log_snapshot(name, status, now);
            }
        }
        if is_crowd {
            Summary::of(integration_statuses(&actors)).log(now);
        }
    }

    /// All of it, as it is now.
    fn look(&self) -> Actors {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Actors> {
        // A snapshot is replaced field by field by its own actor; a panic leaves at worst an old one.
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn integrations(actors: &Actors) -> usize {
    let others = [ActorName::Supervisor, ActorName::Writer];
    actors.size()
        - others
            .iter()
            .filter(|name| actors.contains_key(name))
            .count()
}

fn integration_statuses(actors: &Actors) -> impl Iterator<Item = &ActorStatus> {
    actors
        .iter()
        .filter(|(name, _)| matches!(name, ActorName::Integration(_)))
        .map(|(_, status)| &**status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::status::ActorState;

    /// A page may be put together for as long as it takes: nobody waits for it, and what it holds stands still.
    #[test]
    fn whoever_looks_keeps_what_there_was_and_holds_nobody_up() {
        let board = Board::new(0);
        let post = |state| {
            board.update(&ActorName::Writer, DateTime::UNIX_EPOCH, |it| {
                it.state = state
            })
        };
        post(ActorState::Syncing);
        let looked = board.snapshot();
        post(ActorState::BackingOff);
        let now = board.get(&ActorName::Writer).unwrap();
        assert_eq!(now.state, ActorState::BackingOff);
        assert_eq!(looked[0].1.state, ActorState::Syncing);
    }
}
