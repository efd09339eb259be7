//! What is known of one actor: its name, its state, its figures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::device::{IntegrationId, TenantId};
use crate::integration::Outcome;

/// Who a status is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorName {
    /// The one that starts the others.
    Supervisor,
    /// The one that writes.
    Writer,
    /// One account's.
    Integration(IntegrationId),
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor => f.write_str("supervisor"),
            Self::Writer => f.write_str("writer"),
            Self::Integration(id) => write!(f, "integration/{id}"),
        }
    }
}

/// What an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorState {
    /// Waiting for its time.
    Idle,
    /// At work: a sync, a flush, a discovery.
    Syncing,
    /// Waiting because the last attempt failed; recovers by itself.
    BackingOff,
    /// Waiting for a person to change the credentials.
    NeedsCredentials,
    /// Waiting for a person, or for a slow retry, because it cannot work as it is.
    Parked,
    /// Finishing what it has begun, then ending.
    Draining,
}

impl ActorState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Syncing,
        Self::BackingOff,
        Self::NeedsCredentials,
        Self::Parked,
        Self::Draining,
    ];

    /// Whether it is as it should be, and no person need look at it.
    #[must_use]
    pub const fn is_well(self) -> bool {
        matches!(self, Self::Idle | Self::Syncing | Self::Draining)
    }

    /// The word in health events and on pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Syncing => "syncing",
            Self::BackingOff => "backing_off",
            Self::NeedsCredentials => "needs_credentials",
            Self::Parked => "parked",
            Self::Draining => "draining",
        }
    }
}

/// One actor's snapshot. Counters run since the process began.
#[derive(Debug, Clone, PartialEq)]
pub struct ActorStatus {
    /// What it is doing.
    pub state: ActorState,
    /// Why, where the state needs a reason.
    pub reason: Option<String>,
    /// Since when it does that.
    pub since: Option<DateTime<Utc>>,
    /// Owner of the account, for an integration.
    pub tenant_id: Option<TenantId>,
    /// Carrier of the account, for an integration.
    pub carrier: Option<String>,
    /// Time between syncs, for an integration.
    pub interval: Option<Duration>,
    /// How its last sync ended.
    pub last_outcome: Option<Outcome>,
    /// When its last successful sync was started.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Linked devices at the last look; for the supervisor, integrations.
    pub devices: usize,
    /// Devices (for the writer, rows) committed in the current or last sync.
    pub synced: usize,
    /// Syncs (for the writer, transactions) that came to an end.
    pub runs: u64,
    /// Times it was started again after it had died.
    pub restarts: u64,
    /// Syncs or transactions under way.
    pub in_flight: usize,
    /// Rows waiting to be written.
    pub queue_depth: usize,
    /// How long after its time the last sync began.
    pub start_late: Duration,
    /// Time spent waiting for permits.
    pub permits_waited: Duration,
    /// Calls made to the carrier.
    pub calls_made: u64,
    /// Calls that its budget of the day had left after the last sync; `None`: it has none.
    pub calls_left_today: Option<u64>,
    /// The same of the month's.
    pub calls_left_this_month: Option<u64>,
    /// When its next sync is due, by its timer; it may have to wait for a slot then.
    pub next_sync_at: Option<DateTime<Utc>>,
    /// How its account's limiter stands, whenever someone looks.
    pub limiter: Option<LimiterWatch>,
}

/// How an account's limiter stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimiterFigures {
    /// The steady rate as it is configured now, before anything slows it.
    pub requests_per_second: f64,
    /// How long the account must still be silent; `None`: it need not.
    pub paused_for: Option<Duration>,
    /// Permits that a call takes: 1 at full pace, more after the carrier said "too fast".
    pub permits_per_call: u32,
    /// Calls that wait for a permit.
    pub waiting: usize,
}

/// A limiter that can be looked at; looking asks no actor and holds nobody up.
pub trait ReadLimiter: fmt::Debug + Send + Sync {
    /// How it stands now.
    fn read(&self) -> LimiterFigures;
}

/// A limiter to look at, whatever has become of the actor that uses it.
#[derive(Debug, Clone)]
pub struct LimiterWatch(Arc<dyn ReadLimiter>);

impl LimiterWatch {
    /// Looks at this one.
    #[must_use]
    pub fn new(limiter: Arc<dyn ReadLimiter>) -> Self {
        Self(limiter)
    }

    /// How it stands now.
    #[must_use]
    pub fn read(&self) -> LimiterFigures {
        self.0.read()
    }
}

impl PartialEq for LimiterWatch {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for ActorStatus {
    fn default() -> Self {
        Self {
            state: ActorState::Idle,
            reason: None,
            since: None,
            tenant_id: None,
            carrier: None,
            interval: None,
            last_outcome: None,
            last_success_at: None,
            devices: 0,
            synced: 0,
            runs: 0,
            restarts: 0,
            in_flight: 0,
            queue_depth: 0,
            start_late: Duration::ZERO,
            permits_waited: Duration::ZERO,
            calls_made: 0,
            calls_left_today: None,
            calls_left_this_month: None,
            next_sync_at: None,
            limiter: None,
        }
    }
}
