//! What Hologram's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use super::wire::{self, BillingRow, DeviceRow, LastSession, Link, SessionRow, Timestamp};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord, UsagePart, UsageRecord,
        lenient::{Field, Object},
        record::{CycleStart, LineUsage},
    },
    device::{ByteCount, CarrierDeviceId, CycleSource, DeviceInfo, NetworkStatus, SimStatus},
};

/// A prepaid period, counted from the activation of the SIM.
const PERIOD: TimeDelta = TimeDelta::days(30);

/// Longest text that is taken for an ICCID, in bytes; the standard has at most 22 digits.
const MAX_ICCID_BYTES: usize = 32;

/// Unmapped values told per page; a carrier that renames a state renames it for the whole fleet.
const MAX_UNMAPPED: usize = 16;

/// A device of the listing, or of a single call.
///
/// Raw values outside the vocabulary are added to `unmapped`, each once.
///
/// # Errors
/// In words: the row has no readable id, so nobody knows which device it is.
pub(super) fn device(
    row: &DeviceRow<'_>,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let Field::Value(id) = row.id else {
        return Err("the device id cannot be read".into());
    };
    let device = CarrierDeviceId::parse(&id.to_string()).map_err(|error| error.to_string())?;
    let session = session(&row.lastsession);
    let mut profiles = profiles(row, unmapped);
    // A stable sort: unreadable links keep their place behind the readable ones.
    profiles.sort_by_key(|profile| Reverse(profile.rank(session)));
    let primary = profiles.first();
    let info = DeviceInfo {
        sim_status: primary.and_then(|profile| profile.sim_status),
        network_status: Some(network_status(
            primary.is_some_and(|profile| profile.is_paused),
            session,
            unmapped,
        )),
        iccid: primary.and_then(|profile| profile.iccid.clone()),
    };
    let lines = profiles.into_iter().map(|profile| profile.line).collect();
    Ok(DeviceRecord {
        device,
        info,
        lines,
    })
}

/// A row of the billing report; `None` for periods that say nothing about the current cycle.
///
/// # Errors
/// In words: without link or period nobody knows what the row counts.
pub(super) fn billing(row: &BillingRow<'_>) -> Result<Option<UsageRecord>, String> {
    let Field::Value(link) = row.linkid else {
        return Err("`linkid` cannot be read".into());
    };
    let Field::Value(periods_back) = row.periods_back else {
        return Err("`periods_back` cannot be read".into());
    };
    let end = time(row.cur_period_end);
    let usage = match periods_back {
        0 => LineUsage {
            used: row.bytes.value(),
            limit: None,
            cycle_end: end,
            cycle_start: end.and_then(|end| derived_start(end, None)),
        },
        // The period before ended where the current one starts.
        1 => LineUsage {
            cycle_start: end.map(|at| CycleStart {
                source: CycleSource::Reported,
                at,
            }),
            ..LineUsage::default()
        },
        _ => return Ok(None),
    };
    Ok(Some(UsageRecord {
        line: LineId::Number(link),
        usage,
    }))
}

/// A row of the session report.
pub(super) fn session_part(row: &SessionRow<'_>) -> UsagePart {
    let id = row
        .record_id
        .as_ref()
        .value()
        .map(|id| id.trim())
        .filter(|id| !id.is_empty());
    UsagePart {
        id: id.map(Into::into),
        used: row.bytes.value(),
    }
}

/// One link with what the choice of the primary one needs.
struct Profile {
    line: LineRecord,
    /// `None`: unreadable; such a link never stands for its device.
    link: Option<u64>,
    sim_status: Option<SimStatus>,
    is_paused: bool,
    iccid: Option<Box<str>>,
}

impl Profile {
    /// Most alive first, then the link of the last session, then the newest. The device's cycle and
    /// statuses are those of the first link.
    fn rank(&self, session: Option<&LastSession>) -> (bool, u8, bool, Option<u64>) {
        let alive = match self.sim_status {
            Some(SimStatus::Active) => 4,
            Some(SimStatus::Ready) => 3,
            Some(SimStatus::Suspended) => 2,
            Some(SimStatus::Unknown) | None => 1,
            Some(SimStatus::Deactivated) => 0,
        };
        let session_link = session.and_then(|session| session.linkid.value());
        let has_session = self.link.is_some() && self.link == session_link;
        (self.link.is_some(), alive, has_session, self.link)
    }

    /// A link that is there but cannot be read. It stands in the record so that the device's usage
    /// becomes unknown instead of too small.
    fn unreadable(what: &str) -> Self {
        let line = LineId::Text(what.into());
        Self {
            line: LineRecord {
                line,
                usage: LineUsage::default(),
            },
            link: None,
            sim_status: None,
            is_paused: false,
            iccid: None,
        }
    }
}

fn profiles(row: &DeviceRow<'_>, unmapped: &mut Vec<String>) -> Vec<Profile> {
    let links = match &row.links.0 {
        Field::Missing => return Vec::new(),
        Field::Bad => return vec![Profile::unreadable("(unreadable `links`)")],
        Field::Value(links) => links,
    };
    match &links.cellular.0 {
        Field::Missing => Vec::new(),
        Field::Bad => vec![Profile::unreadable("(unreadable `links.cellular`)")],
        Field::Value(links) => links
            .iter()
            .enumerate()
            .map(|(place, link)| profile(place, link, unmapped))
            .collect(),
    }
}

fn profile(place: usize, link: &Object<Link<'_>>, unmapped: &mut Vec<String>) -> Profile {
    let Field::Value(link) = &link.0 else {
        return Profile::unreadable(&format!("#{} (unreadable)", place + 1));
    };
    let Field::Value(id) = link.id else {
        return Profile::unreadable(&format!("#{} (without id)", place + 1));
    };
    let state = link.state.as_ref().map(|state| state.trim());
    Profile {
        line: LineRecord {
            line: LineId::Number(id),
            usage: listed_usage(link),
        },
        link: Some(id),
        sim_status: sim_status(state, unmapped),
        is_paused: state.value().is_some_and(is_paused),
        iccid: link
            .sim
            .as_ref()
            .value()
            .and_then(|iccid| parse_iccid(iccid)),
    }
}

fn listed_usage(link: &Link<'_>) -> LineUsage {
    let end = time(link.whenexpires);
    LineUsage {
        used: link.cur_billing_data_used.value(),
        // -1 means that there is no limit.
        limit: link
            .overagelimit
            .value()
            .and_then(|limit| ByteCount::try_from(limit).ok()),
        cycle_end: end,
        cycle_start: end.and_then(|end| derived_start(end, time(link.whenclaimed))),
    }
}

/// Thirty days before the end, but not before the SIM was claimed.
fn derived_start(end: DateTime<Utc>, claimed: Option<DateTime<Utc>>) -> Option<CycleStart> {
    let period = end.checked_sub_signed(PERIOD)?;
    let at = claimed
        .filter(|claimed| *claimed < end)
        .map_or(period, |claimed| claimed.max(period));
    Some(CycleStart {
        source: CycleSource::Derived,
        at,
    })
}

fn time(field: Field<Timestamp>) -> Option<DateTime<Utc>> {
    field.value().map(|time| time.0)
}

fn parse_iccid(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (!text.is_empty() && text.len() <= MAX_ICCID_BYTES && is_plain).then(|| text.into())
}

fn is_paused(state: &str) -> bool {
    state
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("PAUSED"))
}

/// `None` when the carrier did not say: the stored status stays.
fn sim_status(state: Field<&str>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let state = match state {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "sim state that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(state) => state,
    };
    let is = |word: &str| state.eq_ignore_ascii_case(word);
    Some(if is("LIVE") {
        SimStatus::Active
    } else if is("LIVE-PENDING") || is("INACTIVE") {
        SimStatus::Ready
    } else if is_paused(state) {
        SimStatus::Suspended
    } else if is("DEAD") {
        SimStatus::Deactivated
    } else {
        note(unmapped, format!("sim state {:?}", wire::quote(state)));
        SimStatus::Unknown
    })
}

/// The last session, unless it is empty: the forms of "never had one" are many.
fn session(object: &Object<LastSession>) -> Option<&LastSession> {
    let session = object.0.as_ref().value()?;
    let is_empty = matches!(session.linkid, Field::Missing)
        && matches!(session.session_begin, Field::Missing)
        && matches!(session.session_end, Field::Missing)
        && matches!(session.active, Field::Missing);
    (!is_empty).then_some(session)
}

/// In the order of the fact sheet. A pause does not cut a running session, so a paused SIM can
/// honestly be connected.
fn network_status(
    is_paused: bool,
    session: Option<&LastSession>,
    unmapped: &mut Vec<String>,
) -> NetworkStatus {
    let active = session.map(|session| session.active);
    match active {
        Some(Field::Value(true)) => NetworkStatus::Connected,
        _ if is_paused => NetworkStatus::Suspended,
        Some(Field::Value(false) | Field::Missing) => NetworkStatus::Disconnected,
        Some(Field::Bad) => {
            note(
                unmapped,
                "`lastsession.active` that is not a truth value".into(),
            );
            NetworkStatus::Unknown
        }
        None => NetworkStatus::Unknown,
    }
}

fn note(unmapped: &mut Vec<String>, text: String) {
    if unmapped.len() < MAX_UNMAPPED && !unmapped.contains(&text) {
        unmapped.push(text);
    }
}
