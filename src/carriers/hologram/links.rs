//! The links of a device: which one stands for it, and what is kept of those that are broken.
//!
//! A link is a SIM profile attached to a device; an eUICC device has several.

use std::cmp::Reverse;

use super::{
    normalise::{derived_start, time},
    status,
    wire::{DeviceRow, LastSession, Link},
};
use crate::{
    carriers::{
        LineId, LineRecord,
        lenient::{Field, Object},
        record::LineUsage,
    },
    device::{ByteCount, SimStatus},
};

/// Longest text that is taken for an ICCID, in bytes; the standard has at most 22 digits.
const MAX_ICCID_BYTES: usize = 32;

/// One link with what the choice of the primary one needs.
pub(super) struct Profile<'a> {
    pub(super) line: LineRecord,
    /// `None`: unreadable; such a link never stands for its device.
    link: Option<u64>,
    pub(super) sim_status: Option<SimStatus>,
    pub(super) is_paused: bool,
    pub(super) iccid: Option<&'a str>,
}

impl Profile<'_> {
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

/// Every link of the row, the one that stands for the device first.
pub(super) fn profiles<'a>(
    row: &'a DeviceRow<'_>,
    session: Option<&LastSession>,
    unmapped: &mut Vec<String>,
) -> Vec<Profile<'a>> {
    let links = match &row.links.0 {
        Field::Missing => return Vec::new(),
        Field::Bad => return vec![Profile::unreadable("(unreadable `links`)")],
        Field::Value(links) => &links.cellular.0,
    };
    let links = match links {
        Field::Missing => return Vec::new(),
        Field::Bad => return vec![Profile::unreadable("(unreadable `links.cellular`)")],
        Field::Value(links) => links,
    };
    let mut profiles: Vec<Profile<'_>> = links
        .iter()
        .enumerate()
        .map(|(place, link)| profile(place, link, unmapped))
        .collect();
    // A stable sort: unreadable links keep their place behind the readable ones.
    profiles.sort_by_key(|profile| Reverse(profile.rank(session)));
    profiles
}

/// The link whose statuses are the device's. Behind an unreadable link may stand a more alive one, so
/// then only an active link can speak for the device; `None`: the stored values stay.
pub(super) fn primary<'p, 'a>(profiles: &'p [Profile<'a>]) -> Option<&'p Profile<'a>> {
    let all_readable = profiles.iter().all(|profile| profile.link.is_some());
    let is_active = |profile: &&Profile<'_>| profile.sim_status == Some(SimStatus::Active);
    profiles
        .first()
        .filter(|first| all_readable || is_active(first))
}

fn profile<'a>(
    place: usize,
    link: &'a Object<Link<'_>>,
    unmapped: &mut Vec<String>,
) -> Profile<'a> {
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
        sim_status: status::sim_status(state, unmapped),
        is_paused: state.value().is_some_and(status::is_paused),
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

fn parse_iccid(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!text.is_empty() && text.len() <= MAX_ICCID_BYTES && is_plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_iccid_is_not_taken_for_one() {
        for text in [
            "",
            " ",
            "-5",
            "8944\u{0}1",
            "8944.50",
            "89\u{202e}44",
            "8,944",
        ] {
            assert_eq!(parse_iccid(text), None, "{text:?}");
        }
        assert_eq!(parse_iccid(&"8".repeat(33)), None);
        assert_eq!(parse_iccid(" 8944501F "), Some("8944501F"));
    }
}
