//! What the board's actors are doing, as Prometheus reads it: made anew whenever someone asks. No label grows with
//! devices; with integrations only up to a bound.

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

use super::actor::{ActorName, ActorState, ActorStatus};
use super::metrics::registered;
use crate::device::{Freshness, FreshnessCounts};
use crate::integration::Outcome;

/// The board's figures, in families of this moment.
pub(super) fn of(
    actors: &[(ActorName, ActorStatus)],
    devices: Option<FreshnessCounts>,
    max_integrations: usize,
) -> Registry {
    let registry = Registry::new();
    if let Some(devices) = devices {
        by_freshness(&registry, devices);
    }
    let gauge = |name: &str, help: &str, labels: &[&str]| {
        registered(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
    };
    let states = gauge(
        "carrier_sync_integrations",
        "Integrations by what they are doing.",
        &["state"],
    );
    for state in ActorState::ALL {
        states.with_label_values(&[state.as_str()]).set(0);
    }
    let outcomes = gauge(
        "carrier_sync_integrations_last_outcome",
        "Integrations by how their last sync ended; never: none has ended since the process began.",
        &["outcome"],
    );
    let devices = gauge(
        "carrier_sync_devices",
        "Linked devices at the last look, and those of them that the present or last sync has read.",
        &["what"],
    );
    let restarts = gauge(
        "carrier_sync_actor_restarts",
        "Times that the present actors were started again after they had died.",
        &["actor"],
    );
    let writer = gauge(
        "carrier_sync_writer",
        "The writer: rows that wait, and transactions under way.",
        &["what"],
    );
    let integrations = actors
        .iter()
        .filter(|(name, _)| matches!(name, ActorName::Integration(_)));
    for (name, status) in actors {
        let kind = match name {
            ActorName::Supervisor => "supervisor",
            ActorName::Writer => "writer",
            ActorName::Integration(_) => "integration",
        };
        let count = i64::try_from(status.restarts).unwrap_or(i64::MAX);
        restarts.with_label_values(&[kind]).add(count);
        match name {
            ActorName::Supervisor => {}
            ActorName::Writer => {
                writer
                    .with_label_values(&["rows_waiting"])
                    .set(signed(status.queue_depth));
                writer
                    .with_label_values(&["transactions"])
                    .set(signed(status.in_flight));
            }
            ActorName::Integration(_) => {
                states.with_label_values(&[status.state.as_str()]).inc();
                let outcome = status.last_outcome.map_or("never", Outcome::as_str);
                outcomes.with_label_values(&[outcome]).inc();
                devices
                    .with_label_values(&["linked"])
                    .add(signed(status.devices));
                devices
                    .with_label_values(&["synced"])
                    .add(signed(status.synced));
            }
        }
    }
    if integrations.clone().count() <= max_integrations {
        one_by_one(&registry, integrations);
    }
    registry
}

fn by_freshness(registry: &Registry, devices: FreshnessCounts) {
    let family = IntGaugeVec::new(
        Opts::new(
            "carrier_sync_devices_by_freshness",
            "Linked devices of the whole database by the age of their usage, as they were counted last.",
        ),
        &["freshness"],
    );
    let family = registered(registry, family);
    for (freshness, count) in [
        (Freshness::Fresh, devices.fresh),
        (Freshness::Stale, devices.stale),
        (Freshness::Never, devices.never),
    ] {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        family.with_label_values(&[freshness.as_str()]).set(count);
    }
}

fn one_by_one<'a>(
    registry: &Registry,
    integrations: impl Iterator<Item = &'a (ActorName, ActorStatus)>,
) {
    const WHO: &[&str] = &["integration", "tenant", "carrier"];
    let gauge = |name: &str, help: &str, labels: &[&str]| {
        registered(registry, GaugeVec::new(Opts::new(name, help), labels))
    };
    let state = gauge(
        "carrier_sync_integration_state",
        "What an integration is doing: 1 for its state.",
        &["integration", "tenant", "carrier", "state"],
    );
    let last_success = gauge(
        "carrier_sync_integration_last_success_timestamp_seconds",
        "When the last successful sync was started.",
        WHO,
    );
    let interval = gauge(
        "carrier_sync_integration_interval_seconds",
        "Time between syncs.",
        WHO,
    );
    let devices = gauge(
        "carrier_sync_integration_devices",
        "Linked devices at the last look.",
        WHO,
    );
    let calls_left = gauge(
        "carrier_sync_integration_calls_left",
        "What its budget of calls had left after its last sync.",
        &["integration", "tenant", "carrier", "budget"],
    );
    for (name, status) in integrations {
        let ActorName::Integration(id) = name else {
            continue;
        };
        let tenant = status
            .tenant_id
            .as_ref()
            .map_or("", |tenant| tenant.as_str());
        let carrier = status.carrier.as_deref().unwrap_or("");
        let who = [id.as_str(), tenant, carrier];
        let with = |last| [id.as_str(), tenant, carrier, last];
        state
            .with_label_values(&with(status.state.as_str()))
            .set(1.0);
        if let Some(at) = status.last_success_at {
            last_success
                .with_label_values(&who)
                .set(at.timestamp() as f64);
        }
        if let Some(time) = status.interval {
            interval.with_label_values(&who).set(time.as_secs_f64());
        }
        devices.with_label_values(&who).set(status.devices as f64);
        for (budget, left) in [
            ("day", status.calls_left_today),
            ("month", status.calls_left_this_month),
        ] {
            if let Some(left) = left {
                calls_left.with_label_values(&with(budget)).set(left as f64);
            }
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
