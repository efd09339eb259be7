//! A device's usage, billing cycle and statuses, from its row in the listing and the usage book.
//!
//! The rule above all others: missing is never zero. A sum that lacks a line is not a sum, and a
//! counter of one cycle is never written under another. Pure; knows no carrier's peculiarities.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::book::{UsageBook, join};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord, UsagePart,
        record::{CycleStart, LineUsage},
    },
    device::{
        BillingCycle, ByteCount, CarrierDeviceId, CycleSource, DeviceInfo, NetworkStatus, Usage,
    },
};

/// Two bounds less than this apart are one told twice: carriers are off by seconds. No more, because a
/// plan that is cancelled early makes a cycle of hours, and its bytes are not its neighbour's.
const SAME_BOUND: TimeDelta = TimeDelta::minutes(10);

/// The longest cycle that can follow another: a calendar month, and an hour for being off.
const LONGEST_CYCLE: TimeDelta = TimeDelta::hours(31 * 24 + 1);

/// Everything one sync can say about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Statuses and ICCID.
    pub info: DeviceInfo,
    /// What the device used, or why that is not known.
    pub usage: Result<Usage, UsageGap>,
    /// The cycle of the device's first line, also where usage is not known.
    pub cycle: Option<BillingCycle>,
    /// What can be asked to close the gap; `None`: there is none, or nothing could close it.
    pub open: Option<OpenLines>,
    /// What is known of each line, the device's first line first.
    pub lines: Vec<LineRecord>,
}

impl Merged {
    /// What is known so far as a record, to which more answers can be added.
    #[must_use]
    pub fn into_record(self, device: CarrierDeviceId) -> DeviceRecord {
        DeviceRecord {
            info: self.info,
            lines: self.lines,
            ..DeviceRecord::of(device)
        }
    }
}

/// The lines of a device whose usage is missing, each with the cycle to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLines {
    /// To be asked for; each line counts its own cycle.
    pub lines: Vec<(LineId, BillingCycle)>,
    /// What the other lines used.
    pub known: ByteCount,
}

/// Why a device's usage is not known. Never zero, never a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageGap {
    /// Nothing there that could have used data.
    #[error("the carrier lists no line (SIM) for this device")]
    NoLine,
    /// One line's counter is missing, so there is no sum.
    #[error("usage of line {line} is not known")]
    Line {
        /// The line.
        line: LineId,
    },
    /// The answer is about something else.
    #[error("usage records are about another line than {line}")]
    Foreign {
        /// The line that was asked for.
        line: LineId,
    },
    /// One part's counter is missing, so there is no sum.
    #[error("usage record {id} cannot be read")]
    Part {
        /// The part's id, or `without id`.
        id: Box<str>,
    },
    /// More than a database column holds.
    #[error("the sum of usage is out of range")]
    Overflow,
}

/// What the listing's row and the usage book say together.
#[must_use]
pub fn merge(record: DeviceRecord, book: &UsageBook) -> Merged {
    let DeviceRecord { info, lines, .. } = record;
    let primary = lines.first().map(|line| line.line.clone());
    let mut lines = known(lines, book);
    let place = |known: &LineRecord| Some(&known.line) == primary.as_ref();
    let primary = lines.iter().position(place);
    let cycle = primary.and_then(|at| cycle(&lines[at].usage));
    let usage = sum_lines(&lines).map(|(used, limit)| Usage { used, limit, cycle });
    let open = usage.is_err().then(|| open_lines(&lines)).flatten();
    if let Some(at) = primary {
        lines.swap(0, at);
    }
    Merged {
        info,
        usage,
        cycle,
        open,
        lines,
    }
}

/// What another answer about the same device adds: it says what the first did not, and of statuses it
/// says better.
pub fn add_detail(record: &mut DeviceRecord, detail: DeviceRecord) {
    let DeviceRecord { info, lines, .. } = detail;
    let known = &mut record.info;
    known.sim_status = info.sim_status.or(known.sim_status);
    // A suspended SIM has no session worth telling; only a call about the SIM itself ends its suspension.
    let is_barred =
        known.network_status == Some(NetworkStatus::Suspended) && info.sim_status.is_none();
    if !is_barred {
        known.network_status = info.network_status.or(known.network_status);
    }
    if info.iccid.is_some() {
        known.iccid = info.iccid;
    }
    for LineRecord { line, usage } in lines {
        match record.lines.iter_mut().find(|known| known.line == line) {
            Some(known) => known.usage = join(known.usage, usage),
            None => record.lines.push(LineRecord { line, usage }),
        }
    }
}

/// Puts the stored cycle where no answer has said one.
pub fn add_cycle(record: &mut DeviceRecord, stored: BillingCycle) {
    for LineRecord { usage, .. } in &mut record.lines {
        if usage.cycle_end.is_none() && usage.cycle_start.is_none() {
            usage.cycle_end = Some(stored.end());
            usage.cycle_start = Some(CycleStart {
                source: stored.source(),
                at: stored.start(),
            });
        }
    }
}

/// What is known of each line, in the order of their names; a line listed twice counts once.
fn known(mut lines: Vec<LineRecord>, book: &UsageBook) -> Vec<LineRecord> {
    lines.sort_by(|a, b| a.line.cmp(&b.line));
    lines.dedup_by(|again, first| {
        let is_same = again.line == first.line;
        if is_same {
            first.usage = join(first.usage, again.usage);
        }
        is_same
    });
    for LineRecord { line, usage } in &mut lines {
        *usage = current(*usage, book.about(line, cycle(usage)));
    }
    lines
}

/// `None` where a line's cycle is not known: without a window there is no question.
fn open_lines(lines: &[LineRecord]) -> Option<OpenLines> {
    let mut open = OpenLines {
        lines: Vec::new(),
        known: ByteCount::ZERO,
    };
    for LineRecord { line, usage } in lines {
        match usage.used {
            Some(used) => open.known = open.known.checked_add(used)?,
            None => open.lines.push((line.clone(), cycle(usage)?)),
        }
    }
    (!open.lines.is_empty()).then_some(open)
}

/// The sum of a line's parts, each id once. Only a walk that was read to its end gives all parts.
///
/// A part without an id cannot be told from others and counts by itself.
///
/// # Errors
/// [`UsageGap`] when a part cannot be read or is about another line, or the sum is out of range.
pub fn sum_parts(
    line: &LineId,
    parts: impl IntoIterator<Item = UsagePart>,
) -> Result<ByteCount, UsageGap> {
    let mut named: HashMap<Box<str>, ByteCount> = HashMap::new();
    let mut sum = ByteCount::ZERO;
    for UsagePart {
        id,
        line: about,
        used,
    } in parts
    {
        if about.is_some_and(|about| about != *line) {
            return Err(UsageGap::Foreign { line: line.clone() });
        }
        let Some(used) = used else {
            let id = id.unwrap_or_else(|| "without id".into());
            return Err(UsageGap::Part { id });
        };
        match id {
            // Of two readings of one part the greater is the later.
            Some(id) => {
                named
                    .entry(id)
                    .and_modify(|known| *known = used.max(*known))
                    .or_insert(used);
            }
            None => sum = sum.checked_add(used).ok_or(UsageGap::Overflow)?,
        }
    }
    named.into_values().try_fold(sum, |sum, used| {
        sum.checked_add(used).ok_or(UsageGap::Overflow)
    })
}

/// Used bytes of all lines; the limit only where every line has one.
fn sum_lines(lines: &[LineRecord]) -> Result<(ByteCount, Option<ByteCount>), UsageGap> {
    if lines.is_empty() {
        return Err(UsageGap::NoLine);
    }
    let mut used = ByteCount::ZERO;
    let mut limit = Some(ByteCount::ZERO);
    for LineRecord { line, usage } in lines {
        let line_used = usage
            .used
            .ok_or_else(|| UsageGap::Line { line: line.clone() })?;
        used = used.checked_add(line_used).ok_or(UsageGap::Overflow)?;
        limit = limit
            .zip(usage.limit)
            .and_then(|(sum, limit)| sum.checked_add(limit));
    }
    Ok((used, limit))
}

/// One line's current cycle. Listing and report are read minutes apart, and a cycle may roll over
/// in between; then only the later reading speaks of the current one.
fn current(listing: LineUsage, book: Option<LineUsage>) -> LineUsage {
    let book = book.unwrap_or_default();
    let limit = book.limit.or(listing.limit);
    match (listing.cycle_end, book.cycle_end) {
        (Some(listed), Some(booked)) if listed - booked >= SAME_BOUND => LineUsage {
            limit,
            ..rolled_over(listing, booked)
        },
        (Some(listed), Some(booked)) if booked - listed >= SAME_BOUND => LineUsage {
            limit,
            ..rolled_over(book, listed)
        },
        (listed, booked) => {
            // A counter whose cycle is known goes before one whose cycle is not.
            let (first, second) = if booked.is_none() && listed.is_some() {
                (listing, book)
            } else {
                (book, listing)
            };
            let cycle_end = booked.or(listed);
            let used = first.used.or(second.used);
            let cycle_start = start(book.cycle_start, listing.cycle_start, cycle_end);
            LineUsage {
                used,
                limit,
                cycle_end,
                cycle_start,
            }
        }
    }
}

/// The later of two readings, when the earlier one told the end of the cycle before: if no cycle
/// can lie in between, that end is where the new one starts.
fn rolled_over(later: LineUsage, ended: DateTime<Utc>) -> LineUsage {
    let boundary = CycleStart {
        source: CycleSource::Reported,
        at: ended,
    };
    let is_next = later
        .cycle_end
        .is_some_and(|end| end - ended <= LONGEST_CYCLE);
    let cycle_start = start(
        later.cycle_start,
        is_next.then_some(boundary),
        later.cycle_end,
    );
    LineUsage {
        cycle_start,
        ..later
    }
}

/// The better known of two starts among those that fit the end.
///
/// A reported start can be wrong by a cycle when its pages were read on either side of a rollover:
/// at the end itself, or further back than any cycle, where a derived start knows better. (Without
/// a derived start a long span stands: some carriers' cycles last for years.)
fn start(
    a: Option<CycleStart>,
    b: Option<CycleStart>,
    end: Option<DateTime<Utc>>,
) -> Option<CycleStart> {
    let end = end?;
    let starts = || [a, b].into_iter().flatten();
    let derived = starts()
        .filter(|start| start.source == CycleSource::Derived && start.at < end)
        .max();
    let fits = |start: &CycleStart| {
        let span = end - start.at;
        span >= SAME_BOUND && (span <= LONGEST_CYCLE || derived.is_none())
    };
    let reported = starts()
        .filter(|start| start.source == CycleSource::Reported)
        .filter(fits)
        .max();
    reported.or(derived)
}

fn cycle(usage: &LineUsage) -> Option<BillingCycle> {
    let start = usage.cycle_start?;
    BillingCycle::new(start.at, usage.cycle_end?, start.source)
}

#[cfg(test)]
mod tests;
