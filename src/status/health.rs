//! The health log: an actor's snapshot as one structured event, on a beat and at each change of
//! state. Operators alert on these fields, so their names are a contract (`docs/operating.md`).

use chrono::{DateTime, Utc};

use super::actor::{ActorName, ActorState, ActorStatus};

/// Logs a snapshot.
pub fn log_snapshot(name: &ActorName, status: &ActorStatus, now: DateTime<Utc>) {
    log(name, status, (None, false), now);
}

/// Logs a change of state; one of many alike that go their usual way is for whoever asks for details.
pub fn log_transition(
    name: &ActorName,
    status: &ActorStatus,
    (before, is_routine): (ActorState, bool),
    now: DateTime<Utc>,
) {
    log(name, status, (Some(before), is_routine), now);
}

/// Whether anyone listens to changes that are routine.
#[must_use]
pub fn tells_routine() -> bool {
    tracing::enabled!(target: "health", tracing::Level::DEBUG)
}

/// tracing wants the level where the event is written, so the event is written once for every level.
macro_rules! event {
    ($level:expr, $name:ident, $status:ident, $before:ident, $now:ident) => {
        tracing::event!(
            target: "health",
            $level,
            actor = %$name,
            state = $status.state.as_str(),
            was = $before.map(ActorState::as_str),
            reason = $status.reason.as_deref(),
            tenant.id = $status.tenant_id.as_ref().map(|id| id.as_str()),
            carrier = $status.carrier.as_deref(),
            last_outcome = $status.last_outcome.map(|outcome| outcome.as_str()),
            last_success_age_s = $status.last_success_at.map(|at| ($now - at).num_seconds()),
            devices = $status.devices,
            synced = $status.synced,
            runs = $status.runs,
            restarts = $status.restarts,
            in_flight = $status.in_flight,
            queue_depth = $status.queue_depth,
            start_late_ms = u64::try_from($status.start_late.as_millis()).unwrap_or(u64::MAX),
            permits_waited_ms =
                u64::try_from($status.permits_waited.as_millis()).unwrap_or(u64::MAX),
            calls_made = $status.calls_made,
            "health"
        )
    };
}

fn log(
    name: &ActorName,
    status: &ActorStatus,
    (before, is_routine): (Option<ActorState>, bool),
    now: DateTime<Utc>,
) {
    if is_routine {
        event!(tracing::Level::DEBUG, name, status, before, now);
    } else {
        event!(tracing::Level::INFO, name, status, before, now);
    }
}
