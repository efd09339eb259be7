//! Keeps this process's place among those that share the database: registered, renewed, and how long
//! its leases hold if the database is not heard of again.
//!
//! Not an actor: the supervisor asks it on a beat, and so does a single round of syncs. What to claim
//! and what to give up is decided elsewhere (`supervision/sharing.rs`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;

use crate::device::IntegrationId;
use crate::store::StoreError;
use crate::store::leases::{Census, Leases, Lot, Process, ProcessId};
use crate::tenure::{Deadline, Epoch, Tenure};

/// How a process takes part.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long a lease holds without being renewed.
    pub duration: Duration,
    /// Between two renewals.
    pub heartbeat: Duration,
    /// Whether it takes its part of the integrations.
    pub shares: bool,
}

/// How things stand after a beat.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Our name.
    pub me: ProcessId,
    /// We have just registered: whatever we held before may be another's.
    pub is_new: bool,
    /// Everyone who was there before us has looked since and counts us in. Until then nobody leaves
    /// us our part of what a host allows, and we must not call it.
    pub is_counted_in: bool,
    /// Who is there and who owns what.
    pub census: Census,
}

/// One registration.
#[derive(Debug, Clone)]
struct Membership {
    id: ProcessId,
    deadline: Arc<Deadline>,
    /// When we were first seen by ourselves, by the database's clock: who renews later sees us too.
    seen_at_us: Option<i64>,
}

/// This process's place among those that share the database.
#[derive(Debug)]
pub struct LeaseKeeper {
    leases: Arc<dyn Leases>,
    terms: Terms,
    address: String,
    /// One question at a time: an answer that is overtaken would undo a later one.
    turn: Turn<()>,
    membership: Mutex<Option<Membership>>,
    has_left: AtomicBool,
}

impl LeaseKeeper {
    /// A keeper that has not registered.
    #[must_use]
    pub fn new(leases: Arc<dyn Leases>, terms: Terms) -> Self {
        Self {
            leases,
            terms,
            address: address(),
            turn: Turn::default(),
            membership: Mutex::default(),
            has_left: AtomicBool::new(false),
        }
    }

    /// As given.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Renews everything, or registers (anew), and looks who is there.
    ///
    /// # Errors
    /// [`StoreError`] when the database did not answer or refused; what is held runs out by itself.
    pub async fn beat(&self) -> Result<Standing, StoreError> {
        let _turn = self.turn.lock().await;
        if self.has_left.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the process is ending".to_owned()));
        }
        if let Some(member) = self.member() {
            if let Some(standing) = self.renew(member, false).await? {
                return Ok(standing);
            }
            self.give_up();
        }
        let member = self.register().await?;
        let standing = self.renew(member, true).await?;
        standing.ok_or_else(|| {
            StoreError::Unavailable("the lease ran out before the database had answered".to_owned())
        })
    }

    async fn register(&self) -> Result<Membership, StoreError> {
        let id = ProcessId::draw();
        let process = Process {
            id: id.clone(),
            address: self.address.clone(),
            shares: self.terms.shares,
        };
        self.leases.register(&process, self.terms.duration).await?;
        let member = Membership {
            id,
            // A new one: tenures of an earlier registration must not come alive again.
            deadline: Arc::default(),
            seen_at_us: None,
        };
        *self.lock() = Some(member.clone());
        Ok(member)
    }

    async fn renew(
        &self,
        mut member: Membership,
        is_new: bool,
    ) -> Result<Option<Standing>, StoreError> {
        let asked = Instant::now();
        let Some(census) = self.leases.renew(&member.id, self.terms.duration).await? else {
            return Ok(None);
        };
        member.deadline.renewed(asked, self.terms.duration);
        let seen_at_us = *member.seen_at_us.get_or_insert(census.taken_at_us);
        let me = member.id.clone();
        *self.lock() = Some(member);
        let is_counted_in = census
            .live
            .iter()
            .all(|other| other.process.id == me || other.renewed_at_us > seen_at_us);
        Ok(Some(Standing {
            me,
            is_new,
            is_counted_in,
            census,
        }))
    }

    /// Claims what is free of `lots`, each wholly or not at all; answers what is ours now.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was claimed, the next beat tells.
    pub async fn claim(&self, lots: &[Lot]) -> Result<Vec<(IntegrationId, Epoch)>, StoreError> {
        let _turn = self.turn.lock().await;
        match self.member() {
            Some(member) => self.leases.claim(&member.id, lots).await,
            None => Ok(Vec::new()),
        }
    }

    /// Gives integrations up, whose syncs must have ended.
    ///
    /// # Errors
    /// [`StoreError`]; whether they were given up, the next beat tells.
    pub async fn release(&self, integrations: &[IntegrationId]) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        match self.member() {
            Some(member) => self.leases.release(&member.id, integrations).await,
            None => Ok(()),
        }
    }

    /// Gives everything up and is no longer known: others take over at their next beat.
    pub async fn leave(&self) {
        let _turn = self.turn.lock().await;
        self.has_left.store(true, Ordering::Release);
        let Some(member) = self.member() else {
            return;
        };
        self.give_up();
        if let Err(error) = self.leases.leave(&member.id).await {
            tracing::warn!(%error, "leases could not be released; they run out by themselves");
        }
    }

    /// The right to an integration that was claimed with this epoch.
    #[must_use]
    pub fn tenure(&self, epoch: Epoch) -> Tenure {
        let deadline = self.member().map(|member| member.deadline);
        Tenure::leased(epoch, deadline.unwrap_or_default())
    }

    /// How long everything is still held, if the database is not heard of again.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.member().map_or(Duration::ZERO, |member| {
            member.deadline.left(Instant::now())
        })
    }

    fn give_up(&self) {
        if let Some(member) = self.lock().take() {
            member.deadline.lost();
        }
    }

    fn member(&self) -> Option<Membership> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Membership>> {
        // Replaced as a whole, so a panic cannot have left it half changed.
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an operator finds this process.
fn address() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    format!("{host}:{}", std::process::id())
}
