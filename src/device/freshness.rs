//! How old what is known of a device's usage is, measured by its integration's interval. Pure; knows no clock.

use chrono::{DateTime, TimeDelta, Utc};

/// Usage that was read within so many intervals, and [`GRACE_MINUTES`], is fresh: one sync may fail and one may
/// take long before anyone needs to look. The alert on stale data (`config/prometheus-rules.yml`) counts alike.
pub const FRESH_INTERVALS: i64 = 3;
/// Beside the intervals: a short interval leaves no time to sync in.
pub const GRACE_MINUTES: i64 = 10;

/// A longer interval, which a row may hold though nobody syncs by it, counts as this: a year.
pub const LONGEST_INTERVAL_MINUTES: i64 = 525_600;

/// How old what is known of a device's usage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Read lately.
    Fresh,
    /// Read, but too long ago to be relied on.
    Stale,
    /// Not once.
    Never,
}

impl Freshness {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Stale, Self::Never];

    /// Of usage that was last known at `updated_at`, where fresh is what is not older than `since`.
    #[must_use]
    pub fn of(updated_at: Option<DateTime<Utc>>, since: DateTime<Utc>) -> Self {
        match updated_at {
            None => Self::Never,
            Some(at) if at < since => Self::Stale,
            Some(_) => Self::Fresh,
        }
    }

    /// The word in metrics, in addresses and on pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Never => "never",
        }
    }
}

/// Since when usage must have been read to be fresh at `now`, where syncs come every so many minutes.
#[must_use]
pub fn fresh_since(now: DateTime<Utc>, interval_minutes: i64) -> DateTime<Utc> {
    let minutes = interval_minutes
        .clamp(1, LONGEST_INTERVAL_MINUTES)
        .saturating_mul(FRESH_INTERVALS)
        .saturating_add(GRACE_MINUTES);
    TimeDelta::try_minutes(minutes)
        .and_then(|age| now.checked_sub_signed(age))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// Linked devices, counted by freshness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct FreshnessCounts {
    /// See [`Freshness::Fresh`].
    pub fresh: u64,
    /// See [`Freshness::Stale`].
    pub stale: u64,
    /// See [`Freshness::Never`].
    pub never: u64,
}

impl FreshnessCounts {
    /// All of them.
    #[must_use]
    pub const fn linked(self) -> u64 {
        self.fresh + self.stale + self.never
    }
}

impl std::ops::AddAssign for FreshnessCounts {
    fn add_assign(&mut self, other: Self) {
        self.fresh += other.fresh;
        self.stale += other.stale;
        self.never += other.never;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn fresh_is_what_was_read_within_three_intervals_and_ten_minutes() {
        let now = Utc.with_ymd_and_hms(2026, 11, 1, 12, 0, 0).unwrap();
        let ago = |minutes| Some(now - TimeDelta::minutes(minutes));
        for (interval, age, freshness) in [
            (60, ago(190), Freshness::Fresh),
            (60, ago(191), Freshness::Stale),
            (1, ago(13), Freshness::Fresh),
            (1, ago(14), Freshness::Stale),
            (0, ago(13), Freshness::Fresh),
            (i64::MAX, ago(1_000_000), Freshness::Fresh),
            (60, ago(-5), Freshness::Fresh),
            (60, None, Freshness::Never),
        ] {
            let told = Freshness::of(age, fresh_since(now, interval));
            assert_eq!(told, freshness, "{interval} {age:?}");
        }
    }
}
