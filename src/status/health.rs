//! The health log: every actor's snapshot as one structured event, on a beat and at each change of
//! state. Operators alert on these fields, so their names are a contract (`docs/operating.md`).

use chrono::{DateTime, Utc};

use super::actor::{ActorName, ActorState, ActorStatus};

/// Logs a snapshot.
pub fn log_snapshot(name: &ActorName, status: &ActorStatus, now: DateTime<Utc>) {
    log(name, status, None, now);
}

/// Logs a change of state.
pub fn log_transition(
    name: &ActorName,
    status: &ActorStatus,
    before: ActorState,
    now: DateTime<Utc>,
) {
    log(name, status, Some(before), now);
}

fn log(name: &ActorName, status: &ActorStatus, before: Option<ActorState>, now: DateTime<Utc>) {
    let success_age_s = status.last_success_at.map(|at| (now - at).num_seconds());
    tracing::info!(
        target: "health",
        actor = %name,
        state = status.state.as_str(),
        was = before.map(ActorState::as_str),
        reason = status.reason.as_deref(),
        tenant.id = status.tenant_id.as_ref().map(|id| id.as_str()),
        carrier = status.carrier.as_deref(),
        last_outcome = status.last_outcome.map(|outcome| outcome.as_str()),
        last_success_age_s = success_age_s,
        devices = status.devices,
        synced = status.synced,
        runs = status.runs,
        restarts = status.restarts,
        in_flight = status.in_flight,
        queue_depth = status.queue_depth,
        permits_waited_ms = u64::try_from(status.permits_waited.as_millis()).unwrap_or(u64::MAX),
        calls_made = status.calls_made,
        "health"
    );
}
