//! Many integrations in one health event: how many are in which state, and the worst figures among
//! them. Its fields are a contract as those of `health.rs` are.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::actor::{ActorState, ActorStatus};
use crate::integration::Outcome;

/// Integrations, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    integrations: usize,
    idle: usize,
    syncing: usize,
    backing_off: usize,
    needs_credentials: usize,
    parked: usize,
    draining: usize,
    ended_success: usize,
    ended_partial: usize,
    ended_error: usize,
    never_ended: usize,
    never_succeeded: usize,
    oldest_success_at: Option<DateTime<Utc>>,
    devices: usize,
    runs: u64,
    restarts: u64,
    calls_made: u64,
    least_calls_left_today: Option<u64>,
    least_calls_left_this_month: Option<u64>,
    start_late: Duration,
}

impl Summary {
    /// Counts them.
    #[must_use]
    pub fn of<'a>(integrations: impl Iterator<Item = &'a ActorStatus>) -> Self {
        let mut summary = Self::default();
        for status in integrations {
            summary.add(status);
        }
        summary
    }

    fn add(&mut self, status: &ActorStatus) {
        self.integrations += 1;
        *match status.state {
            ActorState::Idle => &mut self.idle,
            ActorState::Syncing => &mut self.syncing,
            ActorState::BackingOff => &mut self.backing_off,
            ActorState::NeedsCredentials => &mut self.needs_credentials,
            ActorState::Parked => &mut self.parked,
            ActorState::Draining => &mut self.draining,
        } += 1;
        *match status.last_outcome {
            Some(Outcome::Success) => &mut self.ended_success,
            Some(Outcome::Partial) => &mut self.ended_partial,
            Some(Outcome::Error) => &mut self.ended_error,
            None => &mut self.never_ended,
        } += 1;
        match (self.oldest_success_at, status.last_success_at) {
            (_, None) => self.never_succeeded += 1,
            (None, at) => self.oldest_success_at = at,
            (Some(oldest), Some(at)) => self.oldest_success_at = Some(oldest.min(at)),
        }
        self.devices += status.devices;
        self.runs += status.runs;
        self.restarts += status.restarts;
        self.calls_made += status.calls_made;
        self.least_calls_left_today = least(self.least_calls_left_today, status.calls_left_today);
        self.least_calls_left_this_month = least(
            self.least_calls_left_this_month,
            status.calls_left_this_month,
        );
        self.start_late = self.start_late.max(status.start_late);
    }

    /// Logs it.
    pub fn log(&self, now: DateTime<Utc>) {
        tracing::info!(
            target: "health",
            actor = "integrations",
            integrations = self.integrations,
            idle = self.idle,
            syncing = self.syncing,
            backing_off = self.backing_off,
            needs_credentials = self.needs_credentials,
            parked = self.parked,
            draining = self.draining,
            ended_success = self.ended_success,
            ended_partial = self.ended_partial,
            ended_error = self.ended_error,
            never_ended = self.never_ended,
            never_succeeded = self.never_succeeded,
            last_success_age_s = self.oldest_success_at.map(|at| (now - at).num_seconds()),
            devices = self.devices,
            runs = self.runs,
            restarts = self.restarts,
            calls_made = self.calls_made,
            calls_left_today = self.least_calls_left_today,
            calls_left_this_month = self.least_calls_left_this_month,
            start_late_ms = u64::try_from(self.start_late.as_millis()).unwrap_or(u64::MAX),
            "health"
        );
    }
}

/// Of those that there are.
fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn everyone_is_counted_once_by_state_and_once_by_outcome() {
        let at = |minute| Utc.with_ymd_and_hms(2026, 11, 23, 12, minute, 0).single();
        let status = |state, last_outcome, last_success_at| ActorStatus {
            state,
            last_outcome,
            last_success_at,
            devices: 10,
            start_late: Duration::from_secs(last_success_at.is_some().into()),
            calls_left_today: match state {
                ActorState::Idle => Some(9),
                ActorState::Parked => Some(7),
                _ => None,
            },
            ..ActorStatus::default()
        };
        let all = [
            status(ActorState::Idle, Some(Outcome::Success), at(5)),
            status(ActorState::Syncing, Some(Outcome::Partial), at(3)),
            status(ActorState::BackingOff, Some(Outcome::Error), at(4)),
            status(ActorState::NeedsCredentials, Some(Outcome::Error), None),
            status(ActorState::Parked, None, None),
            status(ActorState::Draining, None, None),
        ];
        let expected = Summary {
            integrations: 6,
            idle: 1,
            syncing: 1,
            backing_off: 1,
            needs_credentials: 1,
            parked: 1,
            draining: 1,
            ended_success: 1,
            ended_partial: 1,
            ended_error: 2,
            never_ended: 2,
            never_succeeded: 3,
            oldest_success_at: at(3),
            devices: 60,
            least_calls_left_today: Some(7),
            start_late: Duration::from_secs(1),
            ..Summary::default()
        };
        assert_eq!(Summary::of(all.iter()), expected);
    }
}
