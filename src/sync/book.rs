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

#[cfg(test)]
pub(super) mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};
    use proptest::{option, prelude::*};

    use super::*;
    use crate::{
        carriers::record::CycleStart,
        device::{ByteCount, CycleSource},
    };

    /// Few values, so that records of one line and one cycle meet often.
    fn any_time() -> impl Strategy<Value = chrono::DateTime<Utc>> {
        let origin = Utc
            .with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
            .single()
            .unwrap_or_default();
        let hours = prop_oneof![0..4_i64, (0..6_i64).prop_map(|cycles| cycles * 30 * 24)];
        hours.prop_map(move |hours| origin + TimeDelta::hours(hours))
    }

    fn any_bytes() -> impl Strategy<Value = ByteCount> {
        (0..6_u64).prop_map(|bytes| ByteCount::new(bytes).unwrap_or_default())
    }

    fn any_start() -> impl Strategy<Value = CycleStart> {
        let source = prop_oneof![Just(CycleSource::Derived), Just(CycleSource::Reported)];
        (source, any_time()).prop_map(|(source, at)| CycleStart { source, at })
    }

    pub(in crate::sync) fn any_usage() -> impl Strategy<Value = LineUsage> {
        let (used, limit) = (option::of(any_bytes()), option::of(any_bytes()));
        let (end, start) = (option::of(any_time()), option::of(any_start()));
        (used, limit, end, start).prop_map(|(used, limit, cycle_end, cycle_start)| LineUsage {
            used,
            limit,
            cycle_end,
            cycle_start,
        })
    }

    pub(in crate::sync) fn any_records() -> impl Strategy<Value = Vec<UsageRecord>> {
        let record = (0..4_u64, any_usage()).prop_map(|(line, usage)| UsageRecord {
            line: LineId::Number(line),
            usage,
        });
        proptest::collection::vec(record, 0..12)
    }

    fn book(records: impl IntoIterator<Item = UsageRecord>) -> UsageBook {
        let mut book = UsageBook::default();
        book.extend(records);
        book
    }

    proptest! {
        #[test]
        fn join_is_commutative_associative_and_idempotent(
            a in any_usage(), b in any_usage(), c in any_usage(),
        ) {
            prop_assert_eq!(join(a, b), join(b, a));
            prop_assert_eq!(join(join(a, b), c), join(a, join(b, c)));
            prop_assert_eq!(join(a, a), a);
            prop_assert_eq!(join(a, LineUsage::default()), a);
        }

        #[test]
        fn bytes_never_move_into_another_cycle(a in any_usage(), b in any_usage()) {
            let joined = join(a, b);
            if joined.used.is_some() {
                let pair = (joined.cycle_end, joined.used);
                prop_assert!(pair == (a.cycle_end, a.used) || pair == (b.cycle_end, b.used));
            }
        }

        #[test]
        fn order_and_duplication_of_records_do_not_matter(
            (records, shuffled) in any_records()
                .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
            again in 0..12_usize,
        ) {
            let repeated = shuffled.iter().take(again).chain(&shuffled).cloned();
            prop_assert_eq!(book(repeated), book(records));
        }
    }

    #[test]
    fn a_line_that_no_record_names_is_not_in_the_book() {
        let book = book([]);
        assert!(book.is_empty());
        assert_eq!(book.get(&LineId::Number(1)), None);
    }
}
