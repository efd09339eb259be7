//! A window: in no interval of its length do more calls leave than it allows. Pure; knows no account,
//! no host and no clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Most calls of a window: each is remembered for its length. More is what a budget per day is for.
pub const MOST_CALLS: u32 = 100_000;
/// Longest window: what left is remembered by the process, and forgotten with it.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Shortest window: below it the network's jitter is as long as the window.
pub const SHORTEST: Duration = Duration::from_millis(100);

/// A window is kept a fiftieth longer than it is, so that calls which leave apart and arrive closer
/// together still keep it at the carrier.
const MARGIN_DIVISOR: u32 = 50;
/// No network's jitter is longer than this.
const LONGEST_MARGIN: Duration = Duration::from_secs(2);

/// At most so many calls in any interval of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Calls.
    pub calls: NonZeroU32,
    /// Length of the interval.
    pub per: Duration,
}

/// Not a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not CALLS/DURATION such as \"60/1m\"")]
pub struct NotAWindow {
    text: String,
}

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let parse = || {
            let (calls, per) = text.split_once('/')?;
            let calls: NonZeroU32 = calls.trim().parse().ok()?;
            let per = humantime::parse_duration(per.trim()).ok()?;
            let is_sane = calls.get() <= MOST_CALLS && (SHORTEST..=LONGEST).contains(&per);
            is_sane.then_some(Self { calls, per })
        };
        parse().ok_or_else(|| NotAWindow {
            text: text.to_owned(),
        })
    }
}

/// The calls that left lately: a sliding log, as long as the window allows calls.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    limit: u32,
    per: Duration,
    /// What of the limit is this process's.
    part: u32,
    log: VecDeque<Departure>,
    /// Permits in the log.
    used: u32,
}

#[derive(Debug, Clone, Copy)]
struct Departure {
    at: Instant,
    permits: u32,
}

impl SlidingWindow {
    pub(super) fn new(window: Window) -> Self {
        let limit = window.calls.get().min(MOST_CALLS);
        Self {
            limit,
            per: window.per + (window.per / MARGIN_DIVISOR).min(LONGEST_MARGIN),
            part: limit,
            log: VecDeque::new(),
            used: 0,
        }
    }

    /// So many processes share the window from now on. What is gained may have been used just now by the
    /// process that has left.
    pub(super) fn share_among(&mut self, processes: u32, now: Instant) {
        let part = (self.limit / processes.max(1)).max(1);
        if part > self.part {
            self.note(part - self.part, now);
        }
        self.part = part;
    }

    /// What the windows become whose limits are now `next`: each keeps what is known to have left within its
    /// length. What left before the longest log begins is forgotten, as it is at a start.
    pub(super) fn changed(windows: &[Self], next: &[Window]) -> Vec<Self> {
        let known = |per: Duration| {
            let longer = windows.iter().filter(|window| window.per >= per);
            let shortest = longer.min_by_key(|window| window.per);
            shortest.or_else(|| windows.iter().max_by_key(|window| window.per))
        };
        let carried_over = |window: &Window| {
            let mut next = Self::new(*window);
            if let Some(known) = known(next.per) {
                next.log.clone_from(&known.log);
                next.used = known.used;
            }
            next
        };
        next.iter().map(carried_over).collect()
    }

    /// How long until a call that takes `permits` may leave; zero: now. One that takes more than there
    /// are at all leaves when all are there.
    pub(super) fn wait(&mut self, permits: u32, now: Instant) -> Duration {
        self.forget_until(now);
        let free = self.part.saturating_sub(permits);
        let mut still_used = self.used;
        for departure in &self.log {
            if still_used <= free {
                break;
            }
            still_used -= departure.permits;
            if still_used <= free {
                return (departure.at + self.per).saturating_duration_since(now);
            }
        }
        Duration::ZERO
    }

    /// A call leaves.
    pub(super) fn take(&mut self, permits: u32, now: Instant) {
        self.note(permits.min(self.part), now);
    }

    /// Takes all that is there.
    pub(super) fn drain(&mut self, now: Instant) {
        self.forget_until(now);
        self.note(self.part.saturating_sub(self.used), now);
    }

    fn note(&mut self, permits: u32, at: Instant) {
        if permits > 0 {
            self.log.push_back(Departure { at, permits });
            self.used += permits;
        }
    }

    fn forget_until(&mut self, now: Instant) {
        while let Some(first) = self.log.front()
            && now.saturating_duration_since(first.at) >= self.per
        {
            self.used -= first.permits;
            self.log.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
