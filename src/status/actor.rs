//! What is known of one actor: its name, its state, its figures.

use std::fmt;
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
}

impl Default for ActorStatus {
    fn default() -> Self {
        Self {
            state: ActorState::Idle,
            reason: None,
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
        }
    }
}
