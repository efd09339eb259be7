//! What may not be stored cannot be built.

#![allow(clippy::unwrap_used)]

use super::*;
use chrono::TimeZone;

#[test]
fn an_id_that_is_empty_or_forged_cannot_be_built() {
    for bad in ["", "  ", "\t", "a\nb", "a\u{0}b"] {
        assert!(CarrierDeviceId::parse(bad).is_err(), "{bad:?}");
    }
    assert!(DeviceId::parse(&"x".repeat(256)).is_err());
    assert_eq!(
        DeviceId::parse("  7 ").unwrap().as_str(),
        "  7 ",
        "kept to the letter"
    );
}

#[test]
fn megabytes_are_rounded_half_up_to_two_decimals() {
    let hundredths = |bytes| ByteCount::new(bytes).unwrap().megabyte_hundredths();
    assert_eq!(hundredths(0), 0);
    assert_eq!(hundredths(BYTES_PER_MB), 100);
    assert_eq!(hundredths(5_242), 0, "0.49992 hundredths");
    assert_eq!(hundredths(5_243), 1, "0.50001 hundredths");
    assert_eq!(hundredths(503_417_039), 48_010, "480.0959… MB");
    assert_eq!(hundredths(i64::MAX as u64), 879_609_302_220_800);
}

#[test]
fn a_byte_count_outside_the_column_cannot_be_built() {
    assert_eq!(ByteCount::try_from(-1), Err(OutOfRange));
    assert_eq!(ByteCount::new(u64::MAX), None);
    let most = ByteCount::new(i64::MAX as u64).unwrap();
    assert_eq!(most.as_i64(), i64::MAX);
    assert_eq!(most.checked_add(ByteCount::new(1).unwrap()), None);
}

#[test]
fn a_cycle_that_ends_before_it_starts_cannot_be_built() {
    let t = |day| Utc.with_ymd_and_hms(2026, 11, day, 0, 0, 0).unwrap();
    assert!(BillingCycle::new(t(2), t(2), CycleSource::Reported).is_none());
    assert!(BillingCycle::new(t(3), t(2), CycleSource::Reported).is_none());
    assert!(BillingCycle::new(t(1), t(2), CycleSource::Derived).is_some());
}
