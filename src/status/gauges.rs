//! What the board's actors are doing, as Prometheus reads it: made anew whenever someone asks. No label grows with
//! devices; with integrations only up to a bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::actor::{ActorName, ActorState, ActorStatus};
use super::metrics::registered;
use crate::device::freshness::fresh_since;
use crate::device::{Freshness, FreshnessCounts, IntegrationId};
use crate::integration::Outcome;

const LAST_OUTCOMES: [Option<Outcome>; 4] = [
    None,
    Some(Outcome::Success),
    Some(Outcome::Partial),
    Some(Outcome::Error),
];

/// An integration and its snapshot.
type Integration<'a> = (&'a IntegrationId, &'a ActorStatus);

/// The board's figures, in families of `now`.
pub(super) fn of(
    actors: &[(ActorName, Arc<ActorStatus>)],
    devices: Option<FreshnessCounts>,
    max_integrations: usize,
    now: DateTime<Utc>,
) -> Registry {
    let registry = Registry::new();
    if let Some(devices) = devices {
        by_freshness(&registry, devices);
    }
    let integrations: Vec<Integration<'_>> = actors
        .iter()
        .filter_map(|(name, status)| match name {
            ActorName::Integration(id) => Some((id, &**status)),
            ActorName::Supervisor | ActorName::Writer => None,
        })
        .collect();
    restarts(&registry, actors);
    single_actors(&registry, actors);
    in_sum(&registry, &integrations);
    late(&registry, &integrations, now);
    least_calls_left(&registry, &integrations);
    if integrations.len() <= max_integrations {
        one_by_one(&registry, &integrations);
    }
    registry
}

fn counts(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn by_freshness(registry: &Registry, devices: FreshnessCounts) {
    let family = counts(
        registry,
        "carrier_sync_devices_by_freshness",
        "Linked devices of the whole database by the age of their usage, as they were counted last.",
        &["freshness"],
    );
    for (freshness, count) in [
        (Freshness::Fresh, devices.fresh),
        (Freshness::Stale, devices.stale),
        (Freshness::Never, devices.never),
    ] {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        family.with_label_values(&[freshness.as_str()]).set(count);
    }
}

fn restarts(registry: &Registry, actors: &[(ActorName, Arc<ActorStatus>)]) {
    let restarts = counts(
        registry,
        "carrier_sync_actor_restarts",
        "Times that the present actors were started again after they had died.",
        &["actor"],
    );
    for (name, status) in actors {
        let count = i64::try_from(status.restarts).unwrap_or(i64::MAX);
        restarts.with_label_values(&[kind(name)]).add(count);
    }
}

/// The supervisor and the writer, of which there is one each: a rule can name them.
fn single_actors(registry: &Registry, actors: &[(ActorName, Arc<ActorStatus>)]) {
    let states = counts(
        registry,
        "carrier_sync_actor_state",
        "What the supervisor and the writer are doing: 1 for the present state, 0 for the others.",
        &["actor", "state"],
    );
    let writer = counts(
        registry,
        "carrier_sync_writer",
        "The writer: rows that wait, and transactions under way.",
        &["what"],
    );
    for (name, status) in actors {
        if matches!(name, ActorName::Integration(_)) {
            continue;
        }
        for state in ActorState::ALL {
            states
                .with_label_values(&[kind(name), state.as_str()])
                .set(i64::from(state == status.state));
        }
        if *name == ActorName::Writer {
            for (what, count) in [
                ("rows_waiting", status.queue_depth),
                ("transactions", status.in_flight),
            ] {
                writer.with_label_values(&[what]).set(signed(count));
            }
        }
    }
}

fn in_sum(registry: &Registry, integrations: &[Integration<'_>]) {
    let states = counts(
        registry,
        "carrier_sync_integrations",
        "Integrations by what they are doing.",
        &["state"],
    );
    let outcomes = counts(
        registry,
        "carrier_sync_integrations_last_outcome",
        "Integrations by how their last sync ended; never: none has ended since the process began.",
        &["outcome"],
    );
    let devices = counts(
        registry,
        "carrier_sync_devices",
        "Linked devices at the last look, and those of them that the present or last sync has read.",
        &["what"],
    );
    // Each looked up once: there may be ten thousand integrations.
    let states = ActorState::ALL.map(|it| (it, states.with_label_values(&[it.as_str()])));
    let outcomes = LAST_OUTCOMES.map(|it| {
        let word = it.map_or("never", Outcome::as_str);
        (it, outcomes.with_label_values(&[word]))
    });
    let [linked, synced] = ["linked", "synced"].map(|what| devices.with_label_values(&[what]));
    for (_, status) in integrations {
        count(&states, status.state);
        count(&outcomes, status.last_outcome);
        linked.add(signed(status.devices));
        synced.add(signed(status.synced));
    }
}

fn count<T: PartialEq>(gauges: &[(T, IntGauge)], value: T) {
    if let Some((_, gauge)) = gauges.iter().find(|(it, _)| *it == value) {
        gauge.inc();
    }
}

/// Where integrations are not named, an alert still sees that one of them is late.
fn late(registry: &Registry, integrations: &[Integration<'_>], now: DateTime<Utc>) {
    let late = IntGauge::new(
        "carrier_sync_integrations_late",
        "Integrations whose last successful sync is more than three intervals and ten minutes ago; of those without \
         one, whose next try has been due for so long.",
    );
    let is_late = |status: &ActorStatus| {
        let minutes = i64::try_from(status.interval?.as_secs() / 60).ok()?;
        let success_or_due = status.last_success_at.or(status.next_sync_at)?;
        Some(success_or_due < fresh_since(now, minutes))
    };
    let count = integrations
        .iter()
        .filter(|(_, it)| is_late(it) == Some(true));
    registered(registry, late).set(signed(count.count()));
}

/// Where integrations are not named, an alert still sees that one of them has hardly any calls left.
fn least_calls_left(registry: &Registry, integrations: &[Integration<'_>]) {
    let family = counts(
        registry,
        "carrier_sync_least_calls_left",
        "The least that the budget of calls of any of a carrier's integrations had left after its last sync.",
        &["carrier", "budget"],
    );
    let mut least: BTreeMap<[&str; 2], u64> = BTreeMap::new();
    for (_, status) in integrations {
        let carrier = status.carrier.as_deref().unwrap_or("");
        for (budget, left) in budgets(status) {
            if let Some(left) = left {
                let least = least.entry([carrier, budget]).or_insert(left);
                *least = left.min(*least);
            }
        }
    }
    for (labels, left) in least {
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        family.with_label_values(&labels).set(left);
    }
}

fn budgets(status: &ActorStatus) -> [(&'static str, Option<u64>); 2] {
    [
        ("day", status.calls_left_today),
        ("month", status.calls_left_this_month),
    ]
}

/// The families that name an integration.
struct OneByOne {
    state: GaugeVec,
    last_success: GaugeVec,
    interval: GaugeVec,
    devices: GaugeVec,
    calls_left: GaugeVec,
}

impl OneByOne {
    fn of(registry: &Registry) -> Self {
        const WHO: &[&str] = &["integration", "tenant", "carrier"];
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, GaugeVec::new(Opts::new(name, help), labels))
        };
        Self {
            state: gauge(
                "carrier_sync_integration_state",
                "What an integration is doing: 1 for its state.",
                &["integration", "tenant", "carrier", "state"],
            ),
            last_success: gauge(
                "carrier_sync_integration_last_success_timestamp_seconds",
                "When the last successful sync was started.",
                WHO,
            ),
            interval: gauge(
                "carrier_sync_integration_interval_seconds",
                "Time between syncs.",
                WHO,
            ),
            devices: gauge(
                "carrier_sync_integration_devices",
                "Linked devices at the last look.",
                WHO,
            ),
            calls_left: gauge(
                "carrier_sync_integration_calls_left",
                "What its budget of calls had left after its last sync.",
                &["integration", "tenant", "carrier", "budget"],
            ),
        }
    }
}

fn one_by_one(registry: &Registry, integrations: &[Integration<'_>]) {
    let families = OneByOne::of(registry);
    for (id, status) in integrations {
        let tenant = status
            .tenant_id
            .as_ref()
            .map_or("", |tenant| tenant.as_str());
        let carrier = status.carrier.as_deref().unwrap_or("");
        let who = [id.as_str(), tenant, carrier];
        let with = |last| [id.as_str(), tenant, carrier, last];
        let set = |family: &GaugeVec, labels: &[&str], value: Option<f64>| {
            if let Some(value) = value {
                family.with_label_values(labels).set(value);
            }
        };
        set(&families.state, &with(status.state.as_str()), Some(1.0));
        let last_success = status.last_success_at.map(|at| at.timestamp() as f64);
        set(&families.last_success, &who, last_success);
        let interval = status.interval.map(|time| time.as_secs_f64());
        set(&families.interval, &who, interval);
        set(&families.devices, &who, Some(status.devices as f64));
        for (budget, left) in budgets(status) {
            let left = left.map(|left| left as f64);
            set(&families.calls_left, &with(budget), left);
        }
    }
}

const fn kind(name: &ActorName) -> &'static str {
    match name {
        ActorName::Supervisor => "supervisor",
        ActorName::Writer => "writer",
        ActorName::Integration(_) => "integration",
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
