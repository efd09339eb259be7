//! Repeatable chance: every property of the fleet is drawn from the seed and its own name, so it
//! is the same whatever was asked before, and nothing has to be kept.

/// What is drawn. Each topic is its own stream: adding one does not move the others.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum Topic {
    Device = 1,
    Link,
    LinkCount,
    State,
    Claimed,
    NewSim,
    Jitter,
    Cancelled,
    Usage,
    UsageSize,
    Sessions,
    SessionLength,
    Weight,
    LastSession,
    LastSessionLink,
    LastSessionTime,
    Radio,
    Latency,
    Page,
    Fault,
    Faults,
}

/// A point in the tree of draws.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw(u64);

impl Draw {
    /// The root of all draws of one simulator.
    pub(super) fn seeded(seed: u64) -> Self {
        Self(mix(seed ^ 0x5EED_CA44_1E45_1B0C))
    }

    /// The draw of one topic, the `number`-th of its kind.
    pub(super) fn of(self, topic: Topic, number: u64) -> Self {
        let topic = (topic as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(mix(mix(self.0 ^ topic).wrapping_add(number)))
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub(super) fn below(self, bound: u64) -> u64 {
        // The high half of the product is free of the modulo's bias towards small numbers.
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }

    /// The same for spans of seconds; 0 where `bound` is not positive.
    pub(super) fn seconds_below(self, bound: i64) -> i64 {
        self.below(u64::try_from(bound).unwrap_or(0)).cast_signed()
    }

    /// True in `percent` of all draws.
    pub(super) fn percent(self, percent: f64) -> bool {
        (self.below(1_000_000) as f64) < percent * 10_000.0
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): a bijection that spreads every bit.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_repeatable_and_spread() {
        let root = Draw::seeded(7);
        assert_eq!(root.of(Topic::State, 3).0, root.of(Topic::State, 3).0);
        assert_ne!(root.of(Topic::State, 3).0, root.of(Topic::Usage, 3).0);
        let hits = (0..10_000)
            .filter(|n| root.of(Topic::State, *n).percent(5.0))
            .count();
        assert!((400..600).contains(&hits), "{hits} of 10,000 at 5 %");
        assert!((0..1_000).all(|n| root.of(Topic::Usage, n).below(3) < 3));
        assert_eq!(root.below(0), 0);
    }
}
