//! Billing periods of a link, as the carrier's guides describe them.
//!
//! Prepaid: 30 days from the claim, each period a few seconds longer than that (in the
//! documentation's own example two ends lie 30 days and 5 seconds apart), so the start of a period
//! is the end of the one before and cannot be computed from its own end. Invoiced: calendar months.

use super::{
    config::Billing,
    draw::{Draw, Topic},
    time::{DAY, UnixSeconds, month_start},
};

/// The carrier keeps rows for this many periods per link.
pub(super) const KEPT_PERIODS: usize = 3;

/// Nominal length of a prepaid period.
pub(super) const PERIOD: i64 = 30 * DAY;

/// Most seconds by which a period is longer than [`PERIOD`].
const MAX_JITTER: u64 = 10;

/// The latest periods of one link, the current one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Periods {
    /// `ends[k]` is `cur_period_end` of the row with `periods_back` k.
    ends: [UnixSeconds; KEPT_PERIODS],
    /// How many rows there are: at least one.
    count: usize,
    claimed: UnixSeconds,
}

impl Periods {
    /// The periods of a link claimed at `claimed`, at the instant `now >= claimed`.
    pub(super) fn at(billing: Billing, claimed: UnixSeconds, now: UnixSeconds, draw: Draw) -> Self {
        match billing {
            Billing::Prepaid => Self::prepaid(claimed, now, draw),
            Billing::Invoiced => Self::invoiced(claimed, now),
        }
    }

    fn prepaid(claimed: UnixSeconds, now: UnixSeconds, draw: Draw) -> Self {
        let jitter = |n: i64| draw.of(Topic::Jitter, n.unsigned_abs()).below(MAX_JITTER);
        let end = |n: i64| claimed + n * PERIOD + jitter(n).cast_signed();
        let mut current = ((now - claimed) / PERIOD).max(1);
        while end(current) <= now {
            current += 1;
        }
        let ends = [0, 1, 2].map(|back| end((current - back).max(1)));
        let count = usize::try_from(current).map_or(KEPT_PERIODS, |n| n.min(KEPT_PERIODS));
        Self {
            ends,
            count,
            claimed,
        }
    }

    fn invoiced(claimed: UnixSeconds, now: UnixSeconds) -> Self {
        let ends = [1, 0, -1].map(|months| month_start(now, months));
        let count = ends.iter().take_while(|end| **end > claimed).count().max(1);
        Self {
            ends,
            count,
            claimed,
        }
    }

    /// The same, with the current period ended early: the plan was cancelled.
    pub(super) fn cancelled_at(mut self, moment: UnixSeconds) -> Self {
        self.ends[0] = moment;
        self
    }

    /// How many rows the billing report has for this link.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// First second after period `back`.
    pub(super) fn end(&self, back: usize) -> UnixSeconds {
        self.ends[back]
    }

    /// First second of period `back`: the end of the one before where the carrier still says it,
    /// else max(end − 30 days, claim).
    pub(super) fn start(&self, back: usize) -> UnixSeconds {
        if back + 1 < self.count {
            self.ends[back + 1]
        } else {
            (self.ends[back] - PERIOD).max(self.claimed)
        }
    }

    /// First second of the oldest period up to `back` that this link has.
    pub(super) fn start_up_to(&self, back: usize) -> UnixSeconds {
        self.start(back.min(self.count - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMED: UnixSeconds = 1_755_019_483; // 2025-08-12 17:24:43

    #[test]
    fn a_prepaid_period_starts_where_the_one_before_ended() {
        let draw = Draw::seeded(1);
        for days in [31, 59, 61, 89, 91, 500] {
            let now = CLAIMED + days * DAY;
            let periods = Periods::at(Billing::Prepaid, CLAIMED, now, draw);
            assert!(
                periods.start(0) <= now && now < periods.end(0),
                "{days} days"
            );
            assert_eq!(periods.start(0), periods.end(1));
            let drift = periods.end(0) - PERIOD - periods.start(0);
            assert!(drift.abs() < 10, "a few seconds, not {drift}");
        }
    }

    #[test]
    fn a_new_sim_has_one_period_that_starts_with_its_claim() {
        for billing in [Billing::Prepaid, Billing::Invoiced] {
            let now = CLAIMED + 3 * DAY;
            let periods = Periods::at(billing, CLAIMED, now, Draw::seeded(1));
            assert_eq!(periods.count(), 1);
            assert!(periods.start(0) >= CLAIMED && periods.start(0) < CLAIMED + 10);
        }
    }

    #[test]
    fn an_invoiced_period_is_the_calendar_month() {
        let now = CLAIMED + 100 * DAY; // 2025-11-20
        let periods = Periods::at(Billing::Invoiced, CLAIMED, now, Draw::seeded(1));
        assert_eq!(
            (periods.start(0), periods.end(0)),
            (1_761_955_200, 1_764_547_200)
        );
        assert_eq!(periods.count(), 3);
    }
}
