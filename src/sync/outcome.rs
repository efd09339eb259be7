//! How a sync ended: the word, the text and what the timer does next. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::budget::CallsLeft;
use crate::client::CallError;
use crate::device::{IntegrationId, TenantId};
use crate::integration::Outcome;
use crate::runs::RunFigures;
pub use crate::runs::{DeviceFailure, SyncRecord};
use crate::tenure::Epoch;

/// Failing devices that are named in a report; the rest are counted.
pub const MAX_NAMED_FAILURES: usize = 20;

/// Why a sync stopped before it had asked for every device, named by what happens next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Wait for a person to change the credentials.
    #[error("{reason}; set a new key with `carrier-sync integrations set`")]
    Credentials {
        /// What the carrier said.
        reason: String,
    },
    /// Wait for a person to change the integration or the configuration.
    #[error("{reason}")]
    Misconfigured {
        /// What is wrong.
        reason: String,
    },
    /// Come back after `until`.
    #[error("throttled by the carrier until {}", until.format("%H:%M:%S UTC"))]
    Throttled {
        /// When the account may call again.
        until: DateTime<Utc>,
    },
    /// What may be called in a window of time is used up: the next sync comes not before `until`. What it asks one
    /// by one goes on where this one stopped; a listing begins anew.
    #[error("the limit of calls is used up until {}", until.format("%H:%M:%S UTC"))]
    LimitUsedUp {
        /// When the account may call again.
        until: DateTime<Utc>,
    },
    /// Come back after a backoff.
    #[error("{reason}")]
    Outage {
        /// What happened.
        reason: String,
    },
    /// The next sync goes on where this one stopped.
    #[error("{reason}")]
    BudgetSpent {
        /// Which budget.
        reason: String,
    },
    /// The database does not take the rows; come back after a backoff.
    #[error("{reason}")]
    Store {
        /// What happened.
        reason: String,
    },
    /// The service is stopping; the sync is due again at once.
    #[error("stopped before all devices were read")]
    Stopped,
    /// Another process owns the integration by now, and syncs it.
    #[error("the lease of the integration has passed to another process")]
    LeaseLost,
}

impl Halt {
    /// What an error ends the sync with, whatever was asked; `None`: it is about what was asked.
    #[must_use]
    pub fn of(error: &CallError) -> Option<Self> {
        let reason = error.to_string();
        match error {
            CallError::Unauthorized { .. } => Some(Self::Credentials { reason }),
            CallError::Throttled { until } => Some(Self::Throttled { until: *until }),
            CallError::LimitUsedUp { until } => Some(Self::LimitUsedUp { until: *until }),
            CallError::BudgetSpent { .. } | CallError::AllowanceSpent { .. } => {
                Some(Self::BudgetSpent { reason })
            }
            CallError::NotCounted { .. } => Some(Self::Store { reason }),
            CallError::LeaseLost => Some(Self::LeaseLost),
            // The address as written has passed; what a name resolves to may change by itself. And
            // without a token every call would fail alike.
            CallError::Forbidden { .. } | CallError::NoToken { .. } => {
                Some(Self::Outage { reason })
            }
            _ => None,
        }
    }

    /// Whether no more calls may be made, and nothing went wrong.
    #[must_use]
    pub fn is_out_of_calls(&self) -> bool {
        matches!(self, Self::BudgetSpent { .. } | Self::LimitUsedUp { .. })
    }

    /// Whether nothing more can be written.
    #[must_use]
    pub fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::LeaseLost)
    }
}

/// What a sync tells when its rows are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReport {
    /// Which integration.
    pub integration_id: IntegrationId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// Its carrier's code, or the stored name where that is unknown.
    pub carrier: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub elapsed: Duration,
    /// Linked devices.
    pub devices: usize,
    /// Devices whose row is committed with their usage known.
    pub synced: usize,
    /// The first failing devices; [`failed`](Self::failed) counts them all.
    pub failures: Vec<DeviceFailure>,
    /// Calls that the sync set out to make.
    pub planned_calls: u64,
    /// Calls made, retries included.
    pub api_calls: u64,
    /// Calls to buy a token, which are counted apart.
    pub token_calls: u64,
    /// Time spent waiting for permits.
    pub permits_waited: Duration,
    /// What is left of the budgets after it.
    pub calls_left: CallsLeft,
    /// Why it stopped early, if it did.
    pub halt: Option<Halt>,
    /// The outcome.
    pub outcome: Outcome,
    /// Why it was not a success.
    pub error: Option<String>,
}

impl SyncReport {
    /// A report of a sync that could not begin, or ended in a way it could not tell of itself.
    #[must_use]
    pub fn failed_whole(
        (integration_id, tenant_id, carrier): (IntegrationId, TenantId, String),
        (started_at, elapsed): (DateTime<Utc>, Duration),
        devices: usize,
        halt: Halt,
    ) -> Self {
        let error = Some(halt.to_string());
        Self {
            integration_id,
            tenant_id,
            carrier,
            started_at,
            elapsed,
            devices,
            synced: 0,
            failures: Vec::new(),
            planned_calls: 0,
            api_calls: 0,
            token_calls: 0,
            permits_waited: Duration::ZERO,
            calls_left: CallsLeft::default(),
            halt: Some(halt),
            outcome: Outcome::Error,
            error,
        }
    }

    /// Devices that were not brought up to date.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.devices - self.synced
    }

    /// Whether the next sync should come later for it: nothing was synced, or carrier or database
    /// were in trouble when it ended, even if a part had been written by then.
    #[must_use]
    pub fn is_setback(&self) -> bool {
        let in_trouble = !matches!(
            self.halt,
            None | Some(
                Halt::BudgetSpent { .. }
                    | Halt::LimitUsedUp { .. }
                    | Halt::Stopped
                    | Halt::LeaseLost
            )
        );
        in_trouble
            || self.outcome == Outcome::Error && !self.was_ended() && !self.was_out_of_calls()
    }

    /// Whether it is nobody's failure that nothing was synced: a budget was spent, or a window's limit.
    fn was_out_of_calls(&self) -> bool {
        self.halt.as_ref().is_some_and(Halt::is_out_of_calls)
    }

    /// Whether it was ended by us and not by what it met.
    fn was_ended(&self) -> bool {
        matches!(self.halt, Some(Halt::Stopped | Halt::LeaseLost))
    }

    /// What the store keeps of it: nothing of a sync that was ended by us, which is no failure and is
    /// due again at once, here or at the integration's new owner.
    #[must_use]
    pub fn record(&self, epoch: Option<Epoch>) -> Option<SyncRecord> {
        (!self.was_ended()).then(|| SyncRecord {
            tenant_id: self.tenant_id.clone(),
            integration_id: self.integration_id.clone(),
            epoch,
            run: Some(RunFigures {
                started_at: self.started_at,
                elapsed: self.elapsed,
                devices: self.devices,
                synced: self.synced,
                carrier_calls: self.api_calls + self.token_calls,
                throttled: self.permits_waited,
                failures: self.failures.clone(),
            }),
            outcome: self.outcome,
            error: self.error.clone(),
        })
    }
}

/// The word for what happened: all is `success`, nothing is `error`, and only some is `partial`.
///
/// With every device synced a halt was about devices of others; with none linked it is all there is.
#[must_use]
pub fn outcome(devices: usize, synced: usize, halt: Option<&Halt>) -> Outcome {
    match (synced, halt) {
        (0, None) if devices == 0 => Outcome::Success,
        (0, _) => Outcome::Error,
        (synced, _) if synced == devices => Outcome::Success,
        _ => Outcome::Partial,
    }
}

/// One line that says why a sync was not a success; `None` when it was.
#[must_use]
pub fn error_text(
    devices: usize,
    synced: usize,
    halt: Option<&Halt>,
    failures: &[DeviceFailure],
) -> Option<String> {
    if outcome(devices, synced, halt) == Outcome::Success {
        return None;
    }
    let failed = devices - synced;
    let counted = match failures.first() {
        Some(first) if failed > 0 => Some(format!(
            "{failed} of {devices} devices not synced, first {}: {}",
            first.device_id, first.reason
        )),
        _ => None,
    };
    match (halt, counted) {
        (Some(halt), Some(_)) => Some(format!("{halt} ({failed} of {devices} devices not synced)")),
        (Some(halt), None) => Some(halt.to_string()),
        (None, counted) => counted,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::DeviceId;

    #[test]
    fn the_outcome_says_what_happened() {
        let halt = Halt::Stopped;
        let table = [
            ((0, 0, None), Outcome::Success),
            ((3, 3, None), Outcome::Success),
            ((3, 2, None), Outcome::Partial),
            ((3, 0, None), Outcome::Error),
            ((0, 0, Some(&halt)), Outcome::Error),
            ((3, 0, Some(&halt)), Outcome::Error),
            ((3, 2, Some(&halt)), Outcome::Partial),
            ((3, 3, Some(&halt)), Outcome::Success),
        ];
        for ((devices, synced, halt), expected) in table {
            assert_eq!(
                outcome(devices, synced, halt),
                expected,
                "{devices} {synced} {halt:?}"
            );
        }
    }

    #[test]
    fn whatever_is_not_a_success_has_a_reason() {
        let failure = DeviceFailure {
            device_id: DeviceId::parse("d-1").unwrap(),
            reason: "gone".into(),
        };
        let text = error_text(3, 2, None, std::slice::from_ref(&failure)).unwrap();
        assert_eq!(text, "1 of 3 devices not synced, first d-1: gone");
        let text = error_text(3, 2, Some(&Halt::Stopped), &[failure]).unwrap();
        assert_eq!(
            text,
            "stopped before all devices were read (1 of 3 devices not synced)"
        );
        assert_eq!(error_text(3, 3, None, &[]), None);
    }

    #[test]
    fn a_partial_sync_that_ended_in_trouble_comes_later_and_a_stopped_one_is_not_recorded() {
        let report = |halt: Option<Halt>, outcome| SyncReport {
            outcome,
            halt,
            ..SyncReport::failed_whole(
                (
                    IntegrationId::parse("i").unwrap(),
                    TenantId::parse("t").unwrap(),
                    "c".into(),
                ),
                (DateTime::UNIX_EPOCH, Duration::ZERO),
                3,
                Halt::Stopped,
            )
        };
        let outage = || Some(Halt::Outage { reason: "x".into() });
        let budget = || Some(Halt::BudgetSpent { reason: "x".into() });
        let table = [
            (None, Outcome::Success, false),
            (None, Outcome::Partial, false),
            (None, Outcome::Error, true),
            (outage(), Outcome::Partial, true),
            (budget(), Outcome::Partial, false),
            (budget(), Outcome::Error, false),
            (Some(Halt::Stopped), Outcome::Error, false),
            (Some(Halt::LeaseLost), Outcome::Error, false),
        ];
        for (halt, outcome, expected) in table {
            let report = report(halt, outcome);
            assert_eq!(
                report.is_setback(),
                expected,
                "{:?} {outcome:?}",
                report.halt
            );
            assert_eq!(
                report.record(None).is_none(),
                matches!(report.halt, Some(Halt::Stopped | Halt::LeaseLost))
            );
        }
    }
}
