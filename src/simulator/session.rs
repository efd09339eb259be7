//! Data sessions: those of a link, whose bytes add up to its periods' bytes, and a device's last.

use super::{
    draw::{Draw, Topic},
    link::Link,
    period::KEPT_PERIODS,
    time::UnixSeconds,
};

/// Session ids set aside per link, and per period of a link.
const IDS_PER_LINK: u64 = 1_000;
const IDS_PER_PERIOD: u64 = 300;

/// One closed session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub record_id: u64,
    pub link_id: u64,
    pub begin: UnixSeconds,
    pub end: UnixSeconds,
    pub bytes: u64,
}

/// What `/devices` shows as `lastsession`: all the forms seen in documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LastSession {
    /// The key is absent.
    Missing,
    /// `null`.
    Null,
    /// `[]`.
    EmptyList,
    /// A session; `end` is `None` while it is open.
    Session {
        link_id: u64,
        begin: UnixSeconds,
        end: Option<UnixSeconds>,
        bytes: u64,
    },
}

impl LastSession {
    pub(super) fn generate(links: &[Link], now: UnixSeconds, draw: Draw) -> Self {
        let is_open = match draw.of(Topic::LastSession, 0).below(100) {
            0..40 => true,
            40..82 => false,
            82..88 => return Self::Null,
            88..94 => return Self::Missing,
            _ => return Self::EmptyList,
        };
        let place = draw.of(Topic::LastSessionLink, 0).below(links.len() as u64);
        let Some(link) = links.get(place as usize) else {
            return Self::Missing;
        };
        let age = (now - link.claimed).min(20_000);
        let begin = now - draw.of(Topic::LastSessionTime, 0).seconds_below(age);
        let end = begin
            + draw
                .of(Topic::LastSessionTime, 1)
                .seconds_below(now - begin);
        let bytes = draw.of(Topic::LastSessionTime, 2).below(1 << 22);
        Self::Session {
            link_id: link.id,
            begin,
            end: (!is_open).then_some(end),
            bytes,
        }
    }

    /// The link of the session, where there is one.
    pub(super) fn link_id(&self) -> Option<u64> {
        match self {
            Self::Session { link_id, .. } => Some(*link_id),
            Self::Missing | Self::Null | Self::EmptyList => None,
        }
    }
}

/// The link a session belongs to.
pub(super) fn link_of_record(record_id: u64) -> u64 {
    record_id / IDS_PER_LINK
}

/// Every session of a link that the carrier keeps, newest first.
pub(super) fn sessions(link: &Link) -> Vec<Session> {
    (0..link.periods.count())
        .flat_map(|back| period_sessions(link, back).into_iter().rev())
        .collect()
}

/// Sessions of one period, oldest first; their bytes add up to the period's.
fn period_sessions(link: &Link, back: usize) -> Vec<Session> {
    let count = session_count(link, back);
    let draw = link.draw.of(Topic::Sessions, back as u64);
    let weights: Vec<u64> = (0..count)
        .map(|n| 1 + draw.of(Topic::Weight, n).below(1_000))
        .collect();
    let total: u64 = weights.iter().sum();
    let mut left = link.base_bytes[back];
    let mut sessions = Vec::with_capacity(weights.len());
    for (n, weight) in (0..).zip(weights) {
        let share = u128::from(link.base_bytes[back]) * u128::from(weight) / u128::from(total);
        let bytes = if n + 1 == count { left } else { share as u64 };
        left -= bytes;
        let (begin, end) = placed(link, back, n, count, draw);
        let record_id =
            link.id * IDS_PER_LINK + (KEPT_PERIODS - 1 - back) as u64 * IDS_PER_PERIOD + n;
        sessions.push(Session {
            record_id,
            link_id: link.id,
            begin,
            end,
            bytes,
        });
    }
    if back == 0
        && let Some(newest) = sessions.last_mut()
    {
        newest.bytes += link.grown_bytes;
    }
    sessions
}

fn session_count(link: &Link, back: usize) -> u64 {
    let draw = link.draw.of(Topic::Sessions, 10 + back as u64);
    match link.bytes(back) {
        0 => draw.below(2),
        _ if link.has_long_list => 101 + draw.below(150),
        _ => 1 + draw.below(12),
    }
}

/// Begin and end of the n-th of `count` sessions: each in its own slice of the period's window.
fn placed(link: &Link, back: usize, n: u64, count: u64, draw: Draw) -> (UnixSeconds, UnixSeconds) {
    let window = link.windows[back];
    let (n, count) = (n.cast_signed(), count.cast_signed());
    let slice = (window.last - window.first) / count;
    let opens = window.first + n * slice;
    let begin = opens
        + draw
            .of(Topic::SessionLength, n.unsigned_abs())
            .seconds_below(slice / 2);
    let end = begin
        + draw
            .of(Topic::SessionLength, 1_000)
            .seconds_below(slice / 2);
    (begin, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{SimulatorConfig, fleet::Fleet};

    #[test]
    fn sessions_of_a_period_add_up_to_its_bytes_and_ids_fall_with_time() {
        let config = SimulatorConfig {
            multi_link_percent: 30.0,
            ..Default::default()
        };
        let fleet = Fleet::new(&config, 1_763_900_000).grown_by(12_345);
        let accounts: Vec<_> = fleet.accounts().iter().collect();
        let mut longest = 0;
        for link in fleet
            .devices_below(&accounts, None)
            .flat_map(|device| device.links)
        {
            for back in 0..link.periods.count() {
                let sessions = period_sessions(&link, back);
                let sum: u64 = sessions.iter().map(|session| session.bytes).sum();
                assert_eq!(sum, link.bytes(back), "period {back} of {link:?}");
                let window = link.windows[back];
                assert!(
                    sessions.iter().all(|s| window.first <= s.begin
                        && s.begin <= s.end
                        && s.end <= window.last)
                );
                longest = longest.max(sessions.len());
            }
            let all = sessions(&link);
            assert!(
                all.windows(2)
                    .all(|pair| pair[0].record_id > pair[1].record_id)
            );
            assert!(
                all.iter()
                    .all(|session| link_of_record(session.record_id) == link.id)
            );
        }
        assert!(longest > 100, "some lists are longer than a default page");
    }
}
