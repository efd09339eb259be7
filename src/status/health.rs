//! The health log: every actor's snapshot as one structured event, on a beat and at each change of
//! state. Operators alert on these fields, so their names are a contract (`docs/operating.md`).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board::{ActorName, ActorState, ActorStatus, Board};
use crate::clock::Clock;

/// Logs every snapshot every `interval`, for ever: run it in a task of its own.
pub async fn log_on_a_beat(board: Arc<Board>, clock: Arc<dyn Clock>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        log_all(&board, clock.now());
    }
}

/// Logs every snapshot now.
pub fn log_all(board: &Board, now: DateTime<Utc>) {
    for (name, status) in board.snapshot() {
        log(&name, &status, None, now);
    }
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
