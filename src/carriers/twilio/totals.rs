//! A SIM's usage, summed over the rows of a report that speak of it.
//!
//! A report by SIM has one row per SIM; where a vendor spreads one over several, the SIM used their sum and
//! not the greatest of them. So nothing is said of any SIM before the last page is read. Knows no JSON.

use std::collections::BTreeMap;

use crate::{
    carriers::{LineId, UsagePart, UsageRecord, record::LineUsage},
    device::ByteCount,
};

/// By SIM and part; `None`: unreadable, and with it the SIM's sum.
#[derive(Debug, Default)]
pub(super) struct Totals {
    parts: BTreeMap<(Box<str>, Box<str>), Option<ByteCount>>,
}

impl Totals {
    /// Adds a part of what this SIM used. Of two readings of one part the greater is the later.
    pub(super) fn add(&mut self, sim: &str, part: UsagePart) {
        let id = (sim.into(), part.id.unwrap_or_default());
        let used = part.used;
        self.parts
            .entry(id)
            .and_modify(|known| *known = known.zip(used).map(|(known, used)| known.max(used)))
            .or_insert(used);
    }

    /// The sum of every SIM, a record each.
    pub(super) fn take(&mut self) -> Vec<UsageRecord> {
        let mut records: Vec<UsageRecord> = Vec::new();
        for ((sim, _), used) in std::mem::take(&mut self.parts) {
            let line = LineId::Text(sim);
            match records.last_mut().filter(|record| record.line == line) {
                Some(record) => {
                    let sum = record.usage.used.zip(used);
                    record.usage.used = sum.and_then(|(a, b)| a.checked_add(b));
                }
                None => records.push(UsageRecord {
                    line,
                    usage: LineUsage {
                        used,
                        ..LineUsage::default()
                    },
                }),
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn part((id, used): (u8, Option<u64>)) -> UsagePart {
        UsagePart {
            id: Some(id.to_string().into()),
            line: None,
            used: used.and_then(ByteCount::new),
        }
    }

    fn totals(rows: &[(u8, (u8, Option<u64>))]) -> Vec<UsageRecord> {
        let mut totals = Totals::default();
        for (sim, row) in rows {
            totals.add(&sim.to_string(), part(*row));
        }
        totals.take()
    }

    fn used(rows: &[(u8, Option<u64>)]) -> Option<u64> {
        let rows: Vec<_> = rows.iter().map(|row| (1, *row)).collect();
        let records = totals(&rows);
        assert_eq!(records.len(), 1);
        records[0].usage.used.map(ByteCount::bytes)
    }

    #[test]
    fn parts_are_summed_and_a_part_read_twice_counts_once() {
        assert_eq!(used(&[(1, Some(5)), (2, Some(7))]), Some(12));
        assert_eq!(used(&[(1, Some(5)), (2, Some(7)), (1, Some(5))]), Some(12));
        assert_eq!(used(&[(1, Some(5)), (1, Some(6))]), Some(6));
        assert_eq!(used(&[(1, Some(0))]), Some(0));
    }

    #[test]
    fn a_part_that_cannot_be_read_or_a_sum_out_of_range_is_unknown_and_not_less() {
        assert_eq!(used(&[(1, Some(5)), (2, None)]), None);
        assert_eq!(used(&[(1, None), (1, Some(5))]), None);
        assert_eq!(used(&[(1, Some(i64::MAX as u64)), (2, Some(1))]), None);
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_rows_do_not_matter(
            (rows, shuffled) in vec((0..3_u8, (0..3_u8, option::weighted(0.9, 0..9_u64))), 0..12)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            again in 0..12_usize,
        ) {
            let repeated: Vec<_> = shuffled.iter().take(again).chain(&shuffled).copied().collect();
            prop_assert_eq!(totals(&rows), totals(&repeated));
        }
    }
}
