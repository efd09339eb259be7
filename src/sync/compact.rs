//! What is known of a line's cycle, in 16 bytes instead of 72: a usage report is held for millions of lines.
//!
//! Exact or not at all: what would have to be rounded or cut has no compact form.

use chrono::{DateTime, Utc};

use crate::{
    carriers::record::{CycleStart, LineUsage},
    device::{ByteCount, CycleSource},
};

/// Beside the counter, which needs 63 bits: the carrier named the start.
const REPORTED: u64 = 1 << 63;

/// A [`LineUsage`] without limit, with bounds on whole seconds from 1970 to 2106. Zero: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompactUsage {
    /// Bytes used, and one; and [`REPORTED`].
    used: u64,
    /// Seconds since 1970.
    end: u32,
    /// Likewise.
    start: u32,
}

impl CompactUsage {
    /// `None` where `usage` has no compact form.
    pub fn new(usage: &LineUsage) -> Option<Self> {
        let LineUsage {
            used,
            limit: None,
            cycle_end,
            cycle_start,
        } = *usage
        else {
            return None;
        };
        let counter = used.map_or(0, |used| used.bytes() + 1);
        let is_reported = cycle_start.is_some_and(|start| start.source == CycleSource::Reported);
        (counter < REPORTED).then_some(Self {
            used: counter | if is_reported { REPORTED } else { 0 },
            end: seconds(cycle_end)?,
            start: seconds(cycle_start.map(|start| start.at))?,
        })
    }

    /// As [`join`](super::book::join): what two compact forms say together is made of their parts, so it
    /// has one. Not known is the least of each part here as it is there.
    pub fn join(self, other: Self) -> Self {
        let reading = |usage: Self| (usage.end, usage.counter());
        let start = |usage: Self| (usage.used & REPORTED, usage.start);
        let (end, counter) = reading(self).max(reading(other));
        let (reported, start) = start(self).max(start(other));
        Self {
            used: counter | reported,
            end,
            start,
        }
    }

    fn counter(self) -> u64 {
        self.used & !REPORTED
    }
}

impl From<CompactUsage> for LineUsage {
    fn from(compact: CompactUsage) -> Self {
        let source = if compact.used & REPORTED == 0 {
            CycleSource::Derived
        } else {
            CycleSource::Reported
        };
        Self {
            used: compact.counter().checked_sub(1).and_then(ByteCount::new),
            limit: None,
            cycle_end: time(compact.end),
            cycle_start: time(compact.start).map(|at| CycleStart { source, at }),
        }
    }
}

/// `None` for a time that has no such second.
fn seconds(time: Option<DateTime<Utc>>) -> Option<u32> {
    let Some(time) = time else {
        return Some(0);
    };
    let seconds = u32::try_from(time.timestamp()).ok()?;
    (seconds != 0 && time.timestamp_subsec_nanos() == 0).then_some(seconds)
}

fn time(seconds: u32) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds.into(), 0).filter(|_| seconds != 0)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::{option, prelude::*};

    use super::*;
    use crate::sync::book::join;

    fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
        let second = prop_oneof![
            1_700_000_000..1_700_000_010_i64,
            Just(-1),
            Just(0),
            Just(1),
            Just(i64::from(u32::MAX)),
            Just(i64::from(u32::MAX) + 1),
            Just(253_402_300_799), // the end of the year 9999
        ];
        let nanos = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(999_999_999)];
        (second, nanos).prop_map(|(second, nanos)| DateTime::from_timestamp(second, nanos).unwrap())
    }

    fn any_bytes() -> impl Strategy<Value = ByteCount> {
        let top = i64::MAX as u64;
        prop_oneof![0..4_u64, top - 1..=top].prop_map(|bytes| ByteCount::new(bytes).unwrap())
    }

    /// With values on both sides of what fits.
    pub(in crate::sync) fn any_usage_at_all() -> impl Strategy<Value = LineUsage> {
        let source = prop_oneof![Just(CycleSource::Derived), Just(CycleSource::Reported)];
        let start = (source, any_time()).prop_map(|(source, at)| CycleStart { source, at });
        let limit = prop_oneof![4 => Just(None), 1 => option::of(any_bytes())];
        let bounds = (option::of(any_time()), option::of(start));
        (option::of(any_bytes()), limit, bounds).prop_map(
            |(used, limit, (cycle_end, cycle_start))| LineUsage {
                used,
                limit,
                cycle_end,
                cycle_start,
            },
        )
    }

    proptest! {
        #[test]
        fn the_compact_form_is_exact_or_there_is_none(usage in any_usage_at_all()) {
            if let Some(compact) = CompactUsage::new(&usage) {
                prop_assert_eq!(LineUsage::from(compact), usage);
            }
        }

        #[test]
        fn what_two_compact_forms_say_together_has_one(
            a in any_usage_at_all(), b in any_usage_at_all(),
        ) {
            if let (Some(x), Some(y)) = (CompactUsage::new(&a), CompactUsage::new(&b)) {
                prop_assert_eq!(LineUsage::from(x.join(y)), join(a, b));
            }
        }
    }

    #[test]
    fn what_a_report_says_fits() {
        let second = |second| DateTime::from_timestamp(second, 0);
        let usage = LineUsage {
            used: ByteCount::new(1 << 60),
            limit: None,
            cycle_end: second(1_800_000_000),
            cycle_start: second(1_797_000_000).map(|at| CycleStart {
                source: CycleSource::Reported,
                at,
            }),
        };
        assert!(CompactUsage::new(&usage).is_some());
        assert_eq!(
            CompactUsage::new(&LineUsage::default()),
            Some(CompactUsage::default())
        );
        assert_eq!(size_of::<CompactUsage>(), 16);
    }
}
