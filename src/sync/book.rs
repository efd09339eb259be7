//! What a carrier's usage reports say of each line, joined over rows and pages.
//!
//! A line may be spread over several rows, and a page may come twice. So the joining is a
//! semilattice: in whatever order and however often records are added, the book is the same. That also
//! lets what is known of a line lie in several places until it is asked for.

use std::collections::HashMap;

use super::compact::CompactUsage;
use crate::carriers::calendar::usage_in;
use crate::carriers::{LineId, ReportScope, UsageRecord, record::LineUsage};
use crate::device::{BillingCycle, ByteCount};

/// Numbered lines are put in order when this many have come, ...
const RECENT_MIN: usize = 4_096;

/// ... or this part of those that are in order, so that each is moved a bounded number of times.
const RECENT_PART: usize = 32;

/// What is known of each line's current cycle. It is held for a whole account at once: a numbered line
/// costs 24 bytes, and some 2 more while others come.
#[derive(Debug, Clone)]
pub struct UsageBook {
    scope: ReportScope,
    /// Read to its end, every row of it: only then says it something that a line is left out.
    is_complete: bool,
    /// By line, each once. Ordered, because an ordered list needs no spare room.
    ordered: Vec<Entry>,
    /// What came since then.
    recent: HashMap<u64, CompactUsage>,
    /// Lines that have names, and what does not fit the compact form. Of a numbered line a part may be
    /// here and a part there.
    others: HashMap<LineId, LineUsage>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    line: u64,
    usage: CompactUsage,
}

impl Default for UsageBook {
    fn default() -> Self {
        Self::of(ReportScope::Cycles)
    }
}

impl UsageBook {
    /// An empty book for a report that speaks of this.
    #[must_use]
    pub fn of(scope: ReportScope) -> Self {
        Self {
            scope,
            is_complete: false,
            ordered: Vec::new(),
            recent: HashMap::new(),
            others: HashMap::new(),
        }
    }

    /// The report was read to its end, and every row of it could be read.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether the report was read to its end, every row of it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What the report says of a line whose own cycle, told elsewhere, is `own`.
    #[must_use]
    pub fn about(&self, line: &LineId, own: Option<BillingCycle>) -> Option<LineUsage> {
        let known = self.get(line);
        match self.scope {
            ReportScope::Cycles => known,
            ReportScope::Cycle(cycle) => {
                let unused = || usage_in(Some(cycle), Some(ByteCount::ZERO));
                known.or_else(|| self.is_complete.then(unused))
            }
            ReportScope::Since(start) => {
                let own = own?;
                let used = match known {
                    Some(known) if own.start() == start => known.used,
                    // Nothing in more than the cycle is nothing in the cycle.
                    Some(known) => known
                        .used
                        .filter(|used| own.start() > start && *used == ByteCount::ZERO),
                    None => (self.is_complete && own.start() >= start).then_some(ByteCount::ZERO),
                };
                Some(usage_in(Some(own), used))
            }
        }
    }

    /// Joins a record to what is known of its line.
    pub fn add(&mut self, record: UsageRecord) {
        let UsageRecord { line, usage } = record;
        let compact = CompactUsage::new(&usage);
        let (LineId::Number(number), Some(compact)) = (&line, compact) else {
            let known = self.others.entry(line).or_default();
            *known = join(*known, usage);
            return;
        };
        let known = self.recent.entry(*number).or_default();
        *known = known.join(compact);
        if self.recent.len() >= RECENT_MIN.max(self.ordered.len() / RECENT_PART) {
            self.put_in_order();
        }
    }

    /// What is known of a line; `None`: no report named it.
    #[must_use]
    pub fn get(&self, line: &LineId) -> Option<LineUsage> {
        let numbered = if let LineId::Number(number) = line {
            let ordered = self.place(*number).ok().map(|at| self.ordered[at].usage);
            let recent = self.recent.get(number).copied();
            [ordered, recent].map(|usage| usage.map(LineUsage::from))
        } else {
            [None, None]
        };
        let other = self.others.get(line).copied();
        numbered.into_iter().chain([other]).flatten().reduce(join)
    }

    /// Lines known.
    #[must_use]
    pub fn len(&self) -> usize {
        let is_new = |number: &&u64| self.place(**number).is_err();
        let recent = self.recent.keys().filter(is_new).count();
        let is_other = |line: &&LineId| match line {
            LineId::Number(number) => {
                self.place(*number).is_err() && !self.recent.contains_key(number)
            }
            LineId::Text(_) => true,
        };
        let others = self.others.keys().filter(is_other).count();
        self.ordered.len() + recent + others
    }

    /// Whether no line is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty() && self.recent.is_empty() && self.others.is_empty()
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.ordered
            .binary_search_by_key(&number, |entry| entry.line)
    }

    /// Joins what is recent into the order, in place: a second list would double the peak.
    fn put_in_order(&mut self) {
        let recent = self.recent.drain();
        let mut new: Vec<Entry> = recent.map(|(line, usage)| Entry { line, usage }).collect();
        new.sort_unstable_by_key(|entry| entry.line);
        new.retain(|entry| match self.place(entry.line) {
            Ok(at) => {
                let known = &mut self.ordered[at].usage;
                *known = known.join(entry.usage);
                false
            }
            Err(_) => true,
        });
        self.make_room(&new);
    }

    /// Opens a gap for each of `new` from the end backwards, so that nothing is overwritten unread.
    fn make_room(&mut self, new: &[Entry]) {
        let mut unmoved = self.ordered.len();
        self.ordered.reserve_exact(new.len());
        self.ordered.extend_from_slice(new);
        for (before, entry) in new.iter().enumerate().rev() {
            let greater = self.ordered[..unmoved].partition_point(|known| known.line < entry.line);
            self.ordered
                .copy_within(greater..unmoved, greater + before + 1);
            self.ordered[greater + before] = *entry;
            unmoved = greater;
        }
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
    use std::collections::BTreeMap;

    use chrono::{TimeDelta, TimeZone, Utc};
    use proptest::{option, prelude::*};

    use super::*;
    use crate::{
        carriers::record::CycleStart,
        device::{ByteCount, CycleSource},
        sync::compact,
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

    /// Every kind of line, and usage that does and does not fit the compact form.
    fn any_large_record() -> impl Strategy<Value = UsageRecord> {
        let line = prop_oneof![
            4 => (0..12_u64).prop_map(LineId::Number),
            1 => (0..3_u64).prop_map(|n| LineId::Text(n.to_string().into())),
        ];
        let usage = prop_oneof![any_usage(), compact::tests::any_usage_at_all()];
        (line, usage).prop_map(|(line, usage)| UsageRecord { line, usage })
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

    /// The same by the plainest means.
    type Model = BTreeMap<LineId, LineUsage>;

    fn model(records: &[UsageRecord]) -> Model {
        let mut model = Model::new();
        for record in records {
            let known = model.entry(record.line.clone()).or_default();
            *known = join(*known, record.usage);
        }
        model
    }

    /// What the book says of the lines that the model knows, and of as many as it knows itself.
    fn read(book: &UsageBook, model: &Model) -> (usize, Model) {
        let lines = model.keys().chain(&[LineId::Number(u64::MAX)]);
        let known = lines.filter_map(|line| Some((line.clone(), book.get(line)?)));
        (book.len(), known.collect())
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
            let model = model(&records);
            let expected = (model.len(), model.clone());
            prop_assert_eq!(read(&book(records), &model), expected.clone());
            prop_assert_eq!(read(&book(repeated), &model), expected);
        }

        #[test]
        fn nothing_is_lost_however_often_the_book_is_put_in_order(
            records in proptest::collection::vec(any_large_record(), 0..60),
            orders in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let mut book = UsageBook::default();
            let orders: Vec<_> = orders.iter().map(|at| at.index(records.len() + 1)).collect();
            for (at, record) in records.iter().enumerate() {
                if orders.contains(&at) {
                    book.put_in_order();
                }
                book.add(record.clone());
            }
            let model = model(&records);
            prop_assert_eq!(read(&book, &model), (model.len(), model.clone()));
            prop_assert!(book.ordered.is_sorted_by(|a, b| a.line < b.line));
        }
    }

    #[test]
    fn a_report_of_many_lines_is_kept_without_spare_room() {
        let mut book = UsageBook::default();
        let lines = 100_000_u64;
        for n in (0..2 * lines).map(|n| n * 7_919 % lines) {
            let used = ByteCount::new(n);
            let usage = LineUsage {
                used,
                ..LineUsage::default()
            };
            book.add(UsageRecord {
                line: LineId::Number(n),
                usage,
            });
        }
        assert_eq!(book.len() as u64, lines);
        assert!(size_of_val(&*book.ordered) <= 24 * book.ordered.len());
        assert!(book.ordered.capacity() - book.ordered.len() <= RECENT_MIN);
        assert!(book.recent.len() <= RECENT_MIN);
    }

    fn cycle(from_day: u32, to_day: u32) -> BillingCycle {
        let day = |day| Utc.with_ymd_and_hms(2026, 11, day, 0, 0, 0).single();
        let bounds = day(from_day).zip(day(to_day));
        bounds
            .and_then(|(start, end)| BillingCycle::new(start, end, CycleSource::Reported))
            .expect("a cycle")
    }

    /// What a report with one line of so many bytes says of that line and of another.
    fn said(scope: ReportScope, is_complete: bool, own: Option<BillingCycle>) -> [Option<u64>; 2] {
        let mut book = UsageBook::of(scope);
        book.add(UsageRecord {
            line: LineId::Number(1),
            usage: LineUsage {
                used: ByteCount::new(7),
                ..LineUsage::default()
            },
        });
        if is_complete {
            book.complete();
        }
        [1, 2].map(|line| {
            book.about(&LineId::Number(line), own)?
                .used
                .map(ByteCount::bytes)
        })
    }

    #[test]
    fn only_a_complete_report_that_is_defined_so_makes_an_absent_line_zero() {
        let (month, own) = (cycle(1, 30), Some(cycle(5, 20)));
        assert_eq!(said(ReportScope::Cycles, true, own), [Some(7), None]);
        assert_eq!(
            said(ReportScope::Cycle(month), true, None),
            [Some(7), Some(0)]
        );
        assert_eq!(
            said(ReportScope::Cycle(month), false, None),
            [Some(7), None]
        );
    }

    #[test]
    fn a_report_since_an_instant_fits_the_cycles_that_began_then_and_no_others() {
        let since = |day| ReportScope::Since(cycle(day, 28).start());
        let own = Some(cycle(5, 20));
        assert_eq!(said(since(5), true, own), [Some(7), Some(0)]);
        assert_eq!(said(since(5), false, own), [Some(7), None]);
        assert_eq!(
            said(since(4), true, own),
            [None, Some(0)],
            "more than the cycle"
        );
        assert_eq!(
            said(since(6), true, own),
            [None, None],
            "less than the cycle"
        );
        assert_eq!(said(since(5), true, None), [None, None], "of which cycle?");
    }

    #[test]
    fn a_line_that_no_record_names_is_not_in_the_book() {
        let book = book([]);
        assert!(book.is_empty());
        assert_eq!(book.get(&LineId::Number(1)), None);
    }
}
