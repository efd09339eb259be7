//! Rows of usage, summed per SIM. A report says something only when all of it has been read, so nothing
//! leaves here before.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::{
    carriers::{LineId, UsageRecord, calendar::usage_in},
    device::{BillingCycle, ByteCount},
};

/// What the SIMs of an account used.
#[derive(Debug, Default)]
pub(super) struct Totals {
    hasher: RandomState,
    sims: HashMap<Box<str>, Total>,
    /// A row came that could be any SIM's, so that every sum may be too small.
    has_ownerless: bool,
}

/// What one SIM used.
#[derive(Debug)]
struct Total {
    /// Rows that have names, by the hash of it: a month can have millions of rows.
    named: HashMap<u64, ByteCount>,
    /// The sum of all rows; `None` once one of them could not be read or the sum left its range.
    sum: Option<ByteCount>,
}

impl Totals {
    /// Adds a row. One that comes again, by its name, counts once, by the greater of its readings.
    pub(super) fn add(&mut self, sim: &str, name: Option<&str>, used: Option<ByteCount>) {
        let name = name.map(|name| self.hasher.hash_one(name));
        match self.sims.get_mut(sim) {
            Some(total) => total.add(name, used),
            None => {
                let mut total = Total {
                    named: HashMap::new(),
                    sum: Some(ByteCount::ZERO),
                };
                total.add(name, used);
                self.sims.insert(sim.into(), total);
            }
        }
    }

    /// Notes a row that could be any SIM's.
    pub(super) fn add_ownerless(&mut self) {
        self.has_ownerless = true;
    }

    /// The sum of each SIM, once all rows have been added.
    pub(super) fn take(&mut self, month: BillingCycle) -> impl Iterator<Item = UsageRecord> {
        let is_whole = !self.has_ownerless;
        std::mem::take(&mut self.sims)
            .into_iter()
            .map(move |(sim, total)| UsageRecord {
                line: LineId::Text(sim),
                usage: usage_in(Some(month), total.sum.filter(|_| is_whole)),
            })
    }
}

impl Total {
    fn add(&mut self, name: Option<u64>, used: Option<ByteCount>) {
        let Some(used) = used else {
            self.sum = None;
            return;
        };
        let more = match name.map(|name| self.named.entry(name).or_default()) {
            Some(known) => {
                let more = used.bytes().saturating_sub(known.bytes());
                *known = used.max(*known);
                ByteCount::new(more)
            }
            None => Some(used),
        };
        self.sum = self
            .sum
            .zip(more)
            .and_then(|(sum, more)| sum.checked_add(more));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use proptest::{option, prelude::*};

    use super::*;
    use crate::carriers::calendar::month;

    type Row = (u8, Option<u8>, Option<u64>);

    fn sums(rows: &[Row]) -> BTreeMap<String, Option<u64>> {
        let mut totals = Totals::default();
        for (sim, name, used) in rows {
            let name = name.map(|name| name.to_string());
            let used = used.and_then(ByteCount::new);
            totals.add(&sim.to_string(), name.as_deref(), used);
        }
        let month = month("2026-11-25T12:00:00Z".parse().unwrap()).unwrap();
        let records = totals.take(month);
        records
            .map(|record| {
                assert_eq!(record.usage.cycle_end, Some(month.end()));
                (
                    record.line.to_string(),
                    record.usage.used.map(ByteCount::bytes),
                )
            })
            .collect()
    }

    fn any_row() -> impl Strategy<Value = Row> {
        let used = prop_oneof![20 => (0..100_u64).prop_map(Some), 1 => Just(None)];
        (0..3_u8, option::of(0..5_u8), used)
    }

    #[test]
    fn a_sum_out_of_range_is_unknown() {
        let most = i64::MAX as u64;
        assert_eq!(sums(&[(1, None, Some(most))])["1"], Some(most));
        assert_eq!(
            sums(&[(1, None, Some(most)), (1, None, Some(1))])["1"],
            None
        );
    }

    proptest! {
        #[test]
        fn rows_sum_up_in_any_order_and_however_often_named_ones_come(
            (rows, shuffled) in proptest::collection::vec(any_row(), 0..30)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        ) {
            let mut expected: BTreeMap<String, Option<u64>> = BTreeMap::new();
            let mut named: BTreeMap<(u8, u8), u64> = BTreeMap::new();
            for (sim, name, used) in &rows {
                let sum = expected.entry(sim.to_string()).or_insert(Some(0));
                match (name, used) {
                    (_, None) => *sum = None,
                    (None, Some(used)) => *sum = sum.map(|sum| sum + used),
                    (Some(name), Some(used)) => {
                        let known = named.entry((*sim, *name)).or_default();
                        *known = (*known).max(*used);
                    }
                }
            }
            for ((sim, _), used) in named {
                let sum = expected.get_mut(&sim.to_string()).unwrap();
                *sum = sum.map(|sum| sum + used);
            }
            let again: Vec<Row> = shuffled.iter().filter(|row| row.1.is_some()).copied().collect();
            let twice = [shuffled, again].concat();
            prop_assert_eq!(sums(&twice), expected);
        }
    }
}
