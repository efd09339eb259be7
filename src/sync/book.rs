//! What a carrier's usage reports say of each line, joined over rows and pages.
//!
//! A line may be spread over several rows, and a page may come twice. So the joining is a
//! semilattice: in whatever order and however often records are added, the book is the same.

use std::collections::{HashMap, hash_map::Entry};

use crate::carriers::{LineId, UsageRecord, record::LineUsage};

/// What is known of each line's current cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageBook {
    lines: HashMap<LineId, LineUsage>,
}

impl UsageBook {
    /// Joins a record to what is known of its line.
    pub fn add(&mut self, record: UsageRecord) {
        match self.lines.entry(record.line) {
            Entry::Vacant(line) => {
                line.insert(record.usage);
            }
            Entry::Occupied(mut line) => {
                let joined = join(*line.get(), record.usage);
                line.insert(joined);
            }
        }
    }

    /// What is known of a line; `None`: no report named it.
    #[must_use]
    pub fn get(&self, line: &LineId) -> Option<&LineUsage> {
        self.lines.get(line)
    }

    /// Lines known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no line is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Extend<UsageRecord> for UsageBook {
    fn extend<I: IntoIterator<Item = UsageRecord>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.add(record));
    }
}

/// What two records of one line say together. Commutative, associative, idempotent.
///
/// `used` belongs to `cycle_end`, so the two are compared as one value: the later end wins whole,
/// even where its bytes could not be read (the bytes of an earlier cycle would be false), and
/// bytes without an end never enter a cycle whose end is known. Of one cycle's counters the greater
/// is the later reading. Limit and start are joined by themselves; whether a start fits the end is
/// judged by `merge.rs`, once everything is known.
#[must_use]
pub fn join(a: LineUsage, b: LineUsage) -> LineUsage {
    let (cycle_end, used) = (a.cycle_end, a.used).max((b.cycle_end, b.used));
    LineUsage {
        used,
        limit: a.limit.max(b.limit),
        cycle_end,
        cycle_start: a.cycle_start.max(b.cycle_start),
    }
}
