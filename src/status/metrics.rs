//! What is counted and measured when it happens, as Prometheus reads it; what is, is `gauges.rs`'s. No label grows
//! with integrations or devices.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::actor::{ActorName, ActorStatus};
use super::gauges;
use crate::device::FreshnessCounts;
use crate::integration::{CallResult, Outcome};

/// Seconds; a sync may wait for a carrier's limits for hours.
const SYNC_SECONDS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0,
];
const LATE_SECONDS: &[f64] = &[0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// From a rate's pace to a pause that is waited out.
const WAIT_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];
const FLUSH_SECONDS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];
const BATCH_ROWS: &[f64] = &[1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0];

/// What the text is served as.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// A family that cannot be made, or registered twice: a defect, found by the first test that runs.
#[expect(
    clippy::expect_used,
    reason = "names and buckets are constants of this file"
)]
pub(super) fn sound<T>(made: prometheus::Result<T>) -> T {
    made.expect("a sound family")
}

/// A sync that has ended.
#[derive(Debug, Clone, Copy)]
pub struct SyncEnded<'a> {
    /// Its carrier's code.
    pub carrier: &'a str,
    /// How.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: Duration,
    /// How long after its time it had begun.
    pub start_late: Duration,
}

/// A transaction of device rows that has ended.
#[derive(Debug, Clone, Copy)]
pub struct FlushEnded {
    /// Rows committed.
    pub written: usize,
    /// Rows left out, and rows of transactions that failed.
    pub failed: usize,
    /// How long it took, its retries included.
    pub elapsed: Duration,
}

/// All that is counted. One per process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    syncs: Syncs,
    calls: Calls,
    writes: Writes,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let build = Opts::new("carrier_sync_build_info", "The running program; always 1.");
        let build = registered(&registry, IntGaugeVec::new(build, &["version"]));
        build
            .with_label_values(&[env!("CARRIER_SYNC_VERSION")])
            .set(1);
        Self {
            syncs: Syncs::of(&registry),
            calls: Calls::of(&registry),
            writes: Writes::of(&registry),
            registry,
        }
    }
}

#[derive(Debug)]
struct Syncs {
    ended: IntCounterVec,
    seconds: HistogramVec,
    start_late_seconds: Histogram,
}

impl Syncs {
    fn of(registry: &Registry) -> Self {
        let ended = Opts::new("carrier_sync_syncs_total", "Syncs that ended.");
        let seconds = HistogramOpts::new(
            "carrier_sync_sync_duration_seconds",
            "How long syncs took, waiting for limits included.",
        );
        let seconds = seconds.buckets(SYNC_SECONDS.to_vec());
        let late = HistogramOpts::new(
            "carrier_sync_sync_start_late_seconds",
            "How long after their time syncs began.",
        );
        let late = late.buckets(LATE_SECONDS.to_vec());
        Self {
            ended: registered(registry, IntCounterVec::new(ended, &["carrier", "outcome"])),
            seconds: registered(registry, HistogramVec::new(seconds, &["carrier"])),
            start_late_seconds: registered(registry, Histogram::with_opts(late)),
        }
    }
}

#[derive(Debug)]
struct Calls {
    ended: IntCounterVec,
    waited_seconds: CounterVec,
    wait_seconds: HistogramVec,
}

impl Calls {
    fn of(registry: &Registry) -> Self {
        let ended = Opts::new(
            "carrier_sync_carrier_calls_total",
            "Attempts to call carriers by how they ended; each retry, redirect and purchase of a token is one.",
        );
        let waited = Opts::new(
            "carrier_sync_permits_waited_seconds_total",
            "Time that calls waited for limits and pauses, all together.",
        );
        let wait = HistogramOpts::new(
            "carrier_sync_permit_wait_seconds",
            "How long a call waited for limits and pauses, of those that waited for a millisecond or more.",
        );
        let wait = wait.buckets(WAIT_SECONDS.to_vec());
        Self {
            ended: registered(registry, IntCounterVec::new(ended, &["carrier", "result"])),
            waited_seconds: registered(registry, CounterVec::new(waited, &["carrier"])),
            wait_seconds: registered(registry, HistogramVec::new(wait, &["carrier"])),
        }
    }
}

#[derive(Debug)]
struct Writes {
    rows_written: IntCounter,
    rows_failed: IntCounter,
    flush_seconds: Histogram,
    batch_rows: Histogram,
}

impl Writes {
    fn of(registry: &Registry) -> Self {
        let written = Opts::new("carrier_sync_rows_written_total", "Device rows committed.");
        let failed = Opts::new(
            "carrier_sync_rows_failed_total",
            "Device rows that were not written: refused, gone, or of a transaction that failed.",
        );
        let seconds = HistogramOpts::new(
            "carrier_sync_flush_duration_seconds",
            "How long transactions of device rows took, their retries included.",
        );
        let seconds = seconds.buckets(FLUSH_SECONDS.to_vec());
        let rows = HistogramOpts::new("carrier_sync_batch_rows", "Device rows per transaction.");
        let rows = rows.buckets(BATCH_ROWS.to_vec());
        Self {
            rows_written: registered(registry, IntCounter::with_opts(written)),
            rows_failed: registered(registry, IntCounter::with_opts(failed)),
            flush_seconds: registered(registry, Histogram::with_opts(seconds)),
            batch_rows: registered(registry, Histogram::with_opts(rows)),
        }
    }
}

pub(super) fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    let family = sound(made);
    sound(registry.register(Box::new(family.clone())));
    family
}

impl Metrics {
    /// Counts a sync.
    pub fn sync_ended(&self, ended: SyncEnded<'_>) {
        let (carrier, outcome) = (ended.carrier, ended.outcome.as_str());
        self.syncs
            .ended
            .with_label_values(&[carrier, outcome])
            .inc();
        self.syncs
            .seconds
            .with_label_values(&[carrier])
            .observe(ended.elapsed.as_secs_f64());
        let late = ended.start_late.as_secs_f64();
        self.syncs.start_late_seconds.observe(late);
    }

    /// Counts an attempt to call a carrier. With its first one a carrier has a figure for every result: a figure
    /// that appears with the first failure has not grown in the eyes of `rate`.
    pub fn call_ended(&self, carrier: &str, result: CallResult) {
        let of = |result: CallResult| {
            let labels = &[carrier, result.as_str()];
            self.calls.ended.with_label_values(labels)
        };
        let ended = of(result);
        if ended.get() == 0 {
            for other in CallResult::ALL {
                // Made by being asked for.
                drop(of(other));
            }
        }
        ended.inc();
    }

    /// Counts a call's wait for its permits.
    pub fn permits_waited(&self, carrier: &str, waited: Duration) {
        let (calls, seconds) = (&self.calls, waited.as_secs_f64());
        let carrier = &[carrier];
        calls
            .waited_seconds
            .with_label_values(carrier)
            .inc_by(seconds);
        calls
            .wait_seconds
            .with_label_values(carrier)
            .observe(seconds);
    }

    /// Counts a transaction.
    pub fn flush_ended(&self, ended: FlushEnded) {
        let writes = &self.writes;
        writes.rows_written.inc_by(ended.written as u64);
        writes.rows_failed.inc_by(ended.failed as u64);
        writes.flush_seconds.observe(ended.elapsed.as_secs_f64());
        let rows = ended.written + ended.failed;
        writes.batch_rows.observe(rows as f64);
    }

    /// Everything, with what `actors` have said last, as it is `now`; up to `max_integrations` of them one by one, beyond it
    /// none.
    #[must_use]
    pub fn text(
        &self,
        actors: &[(ActorName, Arc<ActorStatus>)],
        devices: Option<FreshnessCounts>,
        max_integrations: usize,
        now: DateTime<Utc>,
    ) -> String {
        let mut families = self.registry.gather();
        families.extend(gauges::of(actors, devices, max_integrations, now).gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::new();
        sound(TextEncoder::new().encode(&families, &mut text));
        String::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeDelta;

    use super::*;
    use crate::device::{IntegrationId, TenantId};
    use crate::status::ActorState;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn integration(number: usize, state: ActorState) -> (ActorName, Arc<ActorStatus>) {
        let id = IntegrationId::parse(&format!("i{number}")).unwrap();
        let status = ActorStatus {
            state,
            tenant_id: Some(TenantId::parse("<a \"b\"\\>").unwrap()),
            carrier: Some("hologram".to_owned()),
            devices: 10,
            synced: 7,
            restarts: 1,
            interval: Some(Duration::from_secs(3_600)),
            // The first succeeded too long ago, the second should have for the first time.
            last_success_at: (number == 1).then(|| NOW - TimeDelta::minutes(191)),
            next_sync_at: Some(NOW - TimeDelta::minutes(if number == 2 { 191 } else { 190 })),
            calls_left_today: Some(100 * number as u64),
            ..ActorStatus::default()
        };
        (ActorName::Integration(id), Arc::new(status))
    }

    #[track_caller]
    fn assert_tells(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(
                text.lines().any(|told| told == *line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn what_happened_is_counted_and_what_is_is_told() {
        let metrics = Metrics::default();
        metrics.sync_ended(SyncEnded {
            carrier: "1nce",
            outcome: Outcome::Partial,
            elapsed: Duration::from_secs(2),
            start_late: Duration::from_millis(50),
        });
        metrics.call_ended("1nce", CallResult::Ok);
        metrics.call_ended("1nce", CallResult::Timeout);
        metrics.permits_waited("1nce", Duration::from_millis(1_500));
        metrics.flush_ended(FlushEnded {
            written: 998,
            failed: 2,
            elapsed: Duration::from_millis(3),
        });
        let backing_off = ActorStatus {
            state: ActorState::BackingOff,
            ..ActorStatus::default()
        };
        let actors = [
            (ActorName::Writer, Arc::new(backing_off)),
            integration(1, ActorState::Idle),
            integration(2, ActorState::Parked),
        ];
        let devices = FreshnessCounts {
            fresh: 5,
            stale: 2,
            never: 1,
        };
        let text = metrics.text(&actors, Some(devices), 2, NOW);
        assert_tells(
            &text,
            &[
                "carrier_sync_syncs_total{carrier=\"1nce\",outcome=\"partial\"} 1",
                "carrier_sync_sync_duration_seconds_bucket{carrier=\"1nce\",le=\"1\"} 0",
                "carrier_sync_sync_duration_seconds_bucket{carrier=\"1nce\",le=\"5\"} 1",
                "carrier_sync_sync_start_late_seconds_count 1",
                "carrier_sync_carrier_calls_total{carrier=\"1nce\",result=\"ok\"} 1",
                "carrier_sync_carrier_calls_total{carrier=\"1nce\",result=\"timeout\"} 1",
                "carrier_sync_carrier_calls_total{carrier=\"1nce\",result=\"unauthorized\"} 0",
                "carrier_sync_permit_wait_seconds_bucket{carrier=\"1nce\",le=\"1\"} 0",
                "carrier_sync_permit_wait_seconds_bucket{carrier=\"1nce\",le=\"5\"} 1",
                "carrier_sync_permits_waited_seconds_total{carrier=\"1nce\"} 1.5",
                "carrier_sync_rows_written_total 998",
                "carrier_sync_rows_failed_total 2",
                "carrier_sync_batch_rows_sum 1000",
                "carrier_sync_actor_state{actor=\"writer\",state=\"backing_off\"} 1",
                "carrier_sync_actor_state{actor=\"writer\",state=\"idle\"} 0",
                "carrier_sync_integrations{state=\"idle\"} 1",
                "carrier_sync_integrations{state=\"parked\"} 1",
                "carrier_sync_integrations{state=\"syncing\"} 0",
                "carrier_sync_integrations_last_outcome{outcome=\"never\"} 2",
                "carrier_sync_integrations_last_outcome{outcome=\"success\"} 0",
                "carrier_sync_integrations_late 2",
                "carrier_sync_least_calls_left{budget=\"day\",carrier=\"hologram\"} 100",
                "carrier_sync_devices{what=\"linked\"} 20",
                "carrier_sync_devices{what=\"synced\"} 14",
                "carrier_sync_devices_by_freshness{freshness=\"fresh\"} 5",
                "carrier_sync_devices_by_freshness{freshness=\"stale\"} 2",
                "carrier_sync_devices_by_freshness{freshness=\"never\"} 1",
                "carrier_sync_actor_restarts{actor=\"integration\"} 2",
                "carrier_sync_integration_state{carrier=\"hologram\",integration=\"i2\",state=\"parked\",\
                 tenant=\"<a \\\"b\\\"\\\\>\"} 1",
            ],
        );
    }

    #[test]
    fn of_many_integrations_none_is_told_one_by_one() {
        let actors: Vec<_> = (0..3).map(|n| integration(n, ActorState::Idle)).collect();
        let text = Metrics::default().text(&actors, None, 2, NOW);
        assert!(!text.contains("integration=\""), "{text}");
        // Not counted is not zero.
        assert!(!text.contains("by_freshness"), "{text}");
        assert_tells(&text, &["carrier_sync_integrations{state=\"idle\"} 3"]);
    }
}
