//! One integration as people and their programs read it: its row and its actor's last word, put together. Holds no
//! secret. Pure.
//!
//! Ten thousand are put together at each look, so what a row says is shared with it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{Attention, LastOutcome, State};
use crate::device::freshness::fresh_since;
use crate::device::{FreshnessCounts, IntegrationId, TenantId};
use crate::integration::IntegrationRow;
use crate::status::ActorStatus;

/// What the database says of an integration, without its secrets.
#[derive(Debug, Clone)]
pub(super) struct FleetRow {
    pub(super) id: IntegrationId,
    tenant_id: TenantId,
    carrier: Arc<str>,
    name: Option<Arc<str>>,
    enabled: bool,
    sync_enabled: bool,
    interval_minutes: i64,
    last_sync_at: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    last_outcome: LastOutcome,
    last_error: Option<Arc<str>>,
}

impl From<IntegrationRow> for FleetRow {
    fn from(row: IntegrationRow) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            carrier: row.carrier_name.into(),
            name: row.display_name.map(Into::into),
            enabled: row.enabled,
            sync_enabled: row.sync_enabled,
            interval_minutes: row.sync_interval_minutes,
            last_sync_at: row.last_sync_at,
            last_success_at: row.last_success_at,
            last_outcome: LastOutcome::parse(&row.last_sync_status),
            last_error: row.last_sync_error.map(Into::into),
        }
    }
}

/// One integration.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Integration)]
pub struct IntegrationView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: IntegrationId,
    /// Its owner.
    #[schema(value_type = Option<String>)]
    pub tenant_id: Option<TenantId>,
    /// Its carrier, as its row names it.
    #[schema(value_type = String)]
    pub carrier: Arc<str>,
    /// What its operator calls it.
    #[schema(value_type = Option<String>)]
    pub name: Option<Arc<str>>,
    /// What it is doing.
    pub state: State,
    /// Whether a person must look at it.
    pub attention: Attention,
    /// Why, in words.
    #[schema(value_type = Option<String>)]
    pub reason: Option<Arc<str>>,
    /// What that person can do.
    pub advice: Option<String>,
    /// How its last sync ended.
    pub last_outcome: LastOutcome,
    /// When the last sync that ran to its end was started.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// When the last successful one was.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Minutes between syncs, as stored; null while the database has not been read.
    pub interval_minutes: Option<i64>,
    /// When the next sync is due; null where this process does not know.
    pub next_sync_at: Option<DateTime<Utc>>,
    /// Its linked devices by the age of their usage; null until they have been counted.
    pub devices: Option<DeviceCounts>,
    /// The sync that is under way.
    pub progress: Option<ProgressView>,
    /// Its calls; null where another process makes them.
    pub calls: Option<CallsView>,
}

/// Linked devices by the age of their usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, utoipa::ToSchema)]
pub struct DeviceCounts {
    /// All of them.
    pub linked: u64,
    /// Usage read within three intervals and ten minutes.
    pub fresh: u64,
    /// Read before that.
    pub stale: u64,
    /// Never read.
    pub never: u64,
}

impl From<FreshnessCounts> for DeviceCounts {
    fn from(counts: FreshnessCounts) -> Self {
        Self {
            linked: counts.linked(),
            fresh: counts.fresh,
            stale: counts.stale,
            never: counts.never,
        }
    }
}

/// How far a sync is.
#[derive(Debug, Clone, Copy, serde::Serialize, utoipa::ToSchema)]
pub struct ProgressView {
    /// When it was started.
    pub since: Option<DateTime<Utc>>,
    /// Linked devices.
    pub devices: usize,
    /// Devices whose rows are committed.
    pub synced: usize,
}

/// Calls to the carrier, and what limits them.
#[derive(Debug, Clone, Copy, serde::Serialize, utoipa::ToSchema)]
pub struct CallsView {
    /// Since this process took the integration up.
    pub made: u64,
    /// The configured steady rate of its account.
    pub per_second: Option<f64>,
    /// What the day's budget had left after the last sync; null: it has none, or no sync has ended.
    pub left_today: Option<u64>,
    /// The same of the month's.
    pub left_this_month: Option<u64>,
    /// Milliseconds that its calls have waited for permits since then, all together.
    pub waited_ms: u64,
    /// Milliseconds that its account must still be silent, because the carrier said "too fast" or a limit is
    /// used up; null: it need not.
    pub paused_for_ms: Option<u64>,
    /// Permits that a call takes: 1 at full pace, more after the carrier said "too fast".
    pub permits_per_call: Option<u32>,
    /// Calls that wait for a permit now.
    pub waiting: Option<usize>,
}

/// What is known of one integration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) id: &'a IntegrationId,
    pub(super) row: Option<&'a FleetRow>,
    pub(super) actor: Option<&'a ActorStatus>,
    /// `None`: its devices have not been counted.
    pub(super) devices: Option<FreshnessCounts>,
}

impl IntegrationView {
    pub(super) fn of(known: Known<'_>, now: DateTime<Utc>) -> Self {
        let Known { id, row, actor, .. } = known;
        let state = state(row, actor);
        let last_outcome = last_outcome(row, actor);
        let last_success_at = row
            .and_then(|row| row.last_success_at)
            .max(actor.and_then(|actor| actor.last_success_at));
        let interval_minutes = row
            .map(|row| row.interval_minutes)
            .or_else(|| actor.and_then(interval_minutes));
        let since = interval_minutes.map_or(DateTime::<Utc>::MIN_UTC, |it| fresh_since(now, it));
        let success_or_due = last_success_at.or_else(|| actor?.next_sync_at);
        let attention = Attention::of(state, last_outcome, success_or_due, since);
        Self {
            id: id.clone(),
            tenant_id: row
                .map(|row| row.tenant_id.clone())
                .or_else(|| actor.and_then(|actor| actor.tenant_id.clone())),
            carrier: row
                .map(|row| Arc::clone(&row.carrier))
                .or_else(|| actor.and_then(|actor| Some(actor.carrier.as_deref()?.into())))
                .unwrap_or_default(),
            name: row.and_then(|row| row.name.clone()),
            state,
            attention,
            reason: reason(known, state, attention),
            advice: attention.advice(state, id.as_str()),
            last_outcome,
            last_sync_at: row.and_then(|row| row.last_sync_at),
            last_success_at,
            interval_minutes,
            next_sync_at: actor
                .filter(|_| has_a_next_sync(state))
                .and_then(|actor| actor.next_sync_at),
            devices: known.devices.map(DeviceCounts::from),
            progress: actor.filter(|_| state == State::Syncing).map(progress),
            calls: actor.map(calls),
        }
    }

    /// How long ago the last success was, in seconds.
    #[must_use]
    pub fn success_age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.last_success_at.map(|at| now - at)
    }
}

fn state(row: Option<&FleetRow>, actor: Option<&ActorStatus>) -> State {
    match (row, actor) {
        (Some(row), _) if !row.enabled => State::Disabled,
        (Some(row), _) if !row.sync_enabled => State::Paused,
        (_, Some(actor)) => actor.state.into(),
        (_, None) => State::Elsewhere,
    }
}

/// The actor's word is the younger one, where it has one: rows are read now and then.
fn last_outcome(row: Option<&FleetRow>, actor: Option<&ActorStatus>) -> LastOutcome {
    let of_actor = actor.and_then(|actor| actor.last_outcome);
    let of_actor = of_actor.map(|outcome| LastOutcome::parse(outcome.as_str()));
    let of_row = row.map(|row| row.last_outcome);
    of_actor.or(of_row).unwrap_or(LastOutcome::Never)
}

fn reason(known: Known<'_>, state: State, attention: Attention) -> Option<Arc<str>> {
    let of_actor = || Some(Arc::from(known.actor?.reason.as_deref()?));
    let of_row = || known.row.and_then(|row| row.last_error.clone());
    match (state, attention) {
        (State::Paused, _) => Some("its timer is switched off".into()),
        (State::Disabled, _) => Some("it is switched off".into()),
        (_, Attention::Late) => of_actor().or_else(|| Some(why_late(known).into())),
        (State::Elsewhere, Attention::Well) => {
            Some("another process syncs it, or this one has not taken it up yet".into())
        }
        (_, Attention::Well) => of_actor(),
        _ => of_actor().or_else(of_row),
    }
}

fn why_late(known: Known<'_>) -> &'static str {
    let of_row = known.row.and_then(|row| row.last_success_at);
    let of_actor = known.actor.and_then(|actor| actor.last_success_at);
    match of_row.or(of_actor) {
        Some(_) => "its last success is more than three intervals ago",
        None => "it has never succeeded, and has been due for more than three intervals",
    }
}

const fn has_a_next_sync(state: State) -> bool {
    !matches!(
        state,
        State::Syncing | State::Paused | State::Disabled | State::Draining
    )
}

fn interval_minutes(actor: &ActorStatus) -> Option<i64> {
    i64::try_from(actor.interval?.as_secs() / 60).ok()
}

fn progress(actor: &ActorStatus) -> ProgressView {
    ProgressView {
        since: actor.since,
        devices: actor.devices,
        synced: actor.synced,
    }
}

fn calls(actor: &ActorStatus) -> CallsView {
    let milliseconds =
        |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let limiter = actor.limiter.as_ref().map(|limiter| limiter.read());
    CallsView {
        made: actor.calls_made,
        per_second: limiter.map(|limiter| limiter.requests_per_second),
        left_today: actor.calls_left_today,
        left_this_month: actor.calls_left_this_month,
        waited_ms: milliseconds(actor.permits_waited),
        paused_for_ms: limiter
            .and_then(|limiter| limiter.paused_for)
            .map(milliseconds),
        permits_per_call: limiter.map(|limiter| limiter.permits_per_call),
        waiting: limiter.map(|limiter| limiter.waiting),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_that_has_never_succeeded_is_late_when_its_first_sync_is() {
        let id = IntegrationId::parse("i").unwrap();
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let ago = |minutes| Some(now - TimeDelta::minutes(minutes));
        let hour = Some(std::time::Duration::from_secs(3600));
        for (due, success, attention, reason) in [
            (ago(-5), None, Attention::Well, None),
            (ago(190), None, Attention::Well, None),
            (ago(191), None, Attention::Late, Some("never succeeded")),
            (ago(191), ago(1), Attention::Well, None),
            (ago(-5), ago(191), Attention::Late, Some("last success")),
            (None, None, Attention::Well, None),
        ] {
            let actor = ActorStatus {
                interval: hour,
                next_sync_at: due,
                last_success_at: success,
                ..ActorStatus::default()
            };
            let known = Known {
                id: &id,
                row: None,
                actor: Some(&actor),
                devices: None,
            };
            let view = IntegrationView::of(known, now);
            assert_eq!(view.attention, attention, "{due:?} {success:?}");
            let told = view.reason.as_deref();
            let fits = told.zip(reason).map(|(told, part)| told.contains(part));
            assert_eq!(fits, reason.map(|_| true), "{told:?}");
        }
    }
}
