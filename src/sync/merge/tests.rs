//! The merge's promises: tables for the rules, properties for what must hold whatever is read.

#![allow(clippy::unwrap_used)]
use chrono::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::{
    carriers::UsageRecord,
    device::CarrierDeviceId,
    sync::book::tests::{any_records, any_usage},
};

fn day(day: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap() + TimeDelta::days(day)
}

fn bytes(count: u64) -> Option<ByteCount> {
    ByteCount::new(count)
}

fn starts(source: CycleSource, at: i64) -> Option<CycleStart> {
    Some(CycleStart {
        source,
        at: day(at),
    })
}

fn usage(used: u64, end: i64, cycle_start: Option<CycleStart>) -> LineUsage {
    LineUsage {
        used: bytes(used),
        limit: None,
        cycle_end: Some(day(end)),
        cycle_start,
    }
}

fn device(lines: Vec<LineRecord>) -> DeviceRecord {
    let device = CarrierDeviceId::parse("1").unwrap();
    DeviceRecord {
        device,
        also: None,
        info: DeviceInfo::default(),
        lines,
    }
}

fn one_line(listed: LineUsage, booked: LineUsage) -> Merged {
    let line = LineId::Number(1);
    let mut book = UsageBook::default();
    book.add(UsageRecord {
        line: line.clone(),
        usage: booked,
    });
    merge(
        device(vec![LineRecord {
            line,
            usage: listed,
        }]),
        &book,
    )
}

fn bounds(merged: &Merged) -> Option<(DateTime<Utc>, DateTime<Utc>, CycleSource)> {
    merged
        .cycle
        .map(|cycle| (cycle.start(), cycle.end(), cycle.source()))
}

const LINE: LineId = LineId::Number(7);

fn sum_of(parts: impl IntoIterator<Item = UsagePart>) -> Result<ByteCount, UsageGap> {
    sum_parts(&LINE, parts)
}

#[test]
fn records_of_another_line_make_no_sum() {
    let foreign = UsagePart {
        id: Some("a".into()),
        line: Some(LineId::Number(8)),
        used: Some(ByteCount::ZERO),
    };
    assert_eq!(sum_of([foreign]), Err(UsageGap::Foreign { line: LINE }));
}

#[test]
fn a_device_without_a_line_has_no_usage_rather_than_none_used() {
    let merged = merge(device(Vec::new()), &UsageBook::default());
    assert_eq!(merged.usage, Err(UsageGap::NoLine));
    assert_eq!(merged.cycle, None);
}

#[test]
fn the_report_goes_before_the_listing_within_one_cycle() {
    let listed = usage(5, 30, starts(CycleSource::Derived, 0));
    let merged = one_line(listed, usage(7, 30, starts(CycleSource::Reported, -1)));
    assert_eq!(merged.usage.as_ref().unwrap().used.bytes(), 7);
    assert_eq!(
        bounds(&merged),
        Some((day(-1), day(30), CycleSource::Reported))
    );
}

#[test]
fn a_cycle_that_rolled_over_before_the_listing_is_the_listings() {
    let listed = usage(2, 60, starts(CycleSource::Derived, 29));
    let merged = one_line(listed, usage(900, 30, starts(CycleSource::Reported, 0)));
    assert_eq!(merged.usage.as_ref().unwrap().used.bytes(), 2);
    assert_eq!(
        bounds(&merged),
        Some((day(30), day(60), CycleSource::Reported))
    );
}

#[test]
fn a_cycle_that_rolled_over_before_the_report_takes_nothing_from_the_listing() {
    let booked = LineUsage {
        used: None,
        ..usage(0, 60, starts(CycleSource::Derived, 30))
    };
    let merged = one_line(usage(900, 30, None), booked);
    assert_eq!(
        merged.usage,
        Err(UsageGap::Line {
            line: LineId::Number(1)
        })
    );
}

#[test]
fn an_end_too_far_back_is_not_where_the_cycle_starts() {
    let listed = usage(2, 90, starts(CycleSource::Derived, 60));
    let merged = one_line(listed, usage(900, 30, None));
    assert_eq!(
        bounds(&merged),
        Some((day(60), day(90), CycleSource::Derived))
    );
    let merged = one_line(usage(2, 90, None), usage(900, 30, None));
    assert_eq!(bounds(&merged), None);
}

#[test]
fn an_implausible_reported_start_gives_way_to_the_derived_one() {
    for reported in [30, 31, -30] {
        let listed = usage(5, 30, starts(CycleSource::Derived, 0));
        let merged = one_line(
            listed,
            usage(7, 30, starts(CycleSource::Reported, reported)),
        );
        assert_eq!(
            bounds(&merged),
            Some((day(0), day(30), CycleSource::Derived)),
            "{reported}"
        );
    }
}

#[test]
fn a_reported_cycle_of_years_stands() {
    let listed = usage(5, 3650, starts(CycleSource::Reported, 0));
    let merged = one_line(listed, LineUsage::default());
    assert_eq!(
        bounds(&merged),
        Some((day(0), day(3650), CycleSource::Reported))
    );
}

#[test]
fn a_sum_out_of_range_is_a_gap() {
    let line = |id| LineRecord {
        line: LineId::Number(id),
        usage: usage(i64::MAX as u64, 30, None),
    };
    let merged = merge(device(vec![line(1), line(2)]), &UsageBook::default());
    assert_eq!(merged.usage, Err(UsageGap::Overflow));
}

#[test]
fn a_part_is_counted_once_and_an_unreadable_one_makes_the_sum_unknown() {
    let part = |id: &str, used| UsagePart {
        line: Some(LINE),
        id: Some(id.into()),
        used,
    };
    let unnamed = || UsagePart {
        line: None,
        id: None,
        used: bytes(1),
    };
    assert_eq!(sum_of([]), Ok(ByteCount::ZERO));
    let parts = [
        part("a", bytes(5)),
        part("b", bytes(2)),
        part("a", bytes(9)),
        unnamed(),
    ];
    assert_eq!(sum_of(parts), Ok(ByteCount::new(12).unwrap()));
    let gap = sum_of([part("a", bytes(5)), part("b", None)]);
    assert_eq!(gap, Err(UsageGap::Part { id: "b".into() }));
    let most = bytes(i64::MAX as u64);
    assert_eq!(
        sum_of([part("a", most), unnamed()]),
        Err(UsageGap::Overflow)
    );
}

fn any_lines() -> impl Strategy<Value = Vec<LineRecord>> {
    let line = (0..5_u64, any_usage()).prop_map(|(line, usage)| LineRecord {
        line: LineId::Number(line),
        usage,
    });
    proptest::collection::vec(line, 0..5)
}

fn book(records: Vec<UsageRecord>) -> UsageBook {
    let mut book = UsageBook::default();
    book.extend(records);
    book
}

/// What was said about a line's usage anywhere.
fn said(line: &LineId, lines: &[LineRecord], book: &UsageBook) -> Vec<ByteCount> {
    let listed = lines
        .iter()
        .filter(|record| record.line == *line)
        .map(|record| record.usage);
    listed
        .chain(book.get(line))
        .filter_map(|usage| usage.used)
        .collect()
}

proptest! {
    #[test]
    fn nothing_missing_becomes_zero(lines in any_lines(), records in any_records()) {
        let book = book(records);
        if let Ok(usage) = merge(device(lines.clone()), &book).usage {
            prop_assert!(!lines.is_empty());
            for LineRecord { line, .. } in &lines {
                let said = said(line, &lines, &book);
                prop_assert!(!said.is_empty(), "nobody said what {line} used");
                prop_assert!(usage.used >= *said.iter().min().unwrap());
            }
        }
    }

    #[test]
    fn a_line_that_nobody_counted_makes_the_usage_unknown(
        lines in any_lines(), records in any_records(), at in 0..6_usize,
    ) {
        let mut lines = lines;
        let unknown = LineRecord { line: LineId::Number(99), usage: LineUsage::default() };
        lines.insert(at.min(lines.len()), unknown);
        prop_assert!(merge(device(lines), &book(records)).usage.is_err());
    }

    #[test]
    fn the_sum_is_never_smaller_than_a_line(lines in any_lines(), records in any_records()) {
        let book = book(records);
        let sum = merge(device(lines.clone()), &book).usage;
        for line in &lines {
            let same = lines.iter().filter(|other| other.line == line.line).cloned().collect();
            if let (Ok(sum), Ok(alone)) = (&sum, merge(device(same), &book).usage) {
                prop_assert!(sum.used >= alone.used);
            }
        }
    }

    #[test]
    fn order_and_repetition_of_lines_and_records_do_not_matter(
        lines in any_lines(), records in any_records(),
    ) {
        let once = merge(device(lines.clone()), &book(records.clone()));
        // The first line stays first: it stands for the device.
        let mut twice = lines.clone();
        twice.extend(lines.into_iter().rev());
        let records = records.iter().rev().chain(&records).cloned().collect();
        prop_assert_eq!(merge(device(twice), &book(records)), once);
    }

    #[test]
    fn order_and_repetition_of_parts_do_not_matter(
        parts in proptest::collection::vec((0..5_u8, 0..9_u64), 0..9),
    ) {
        let parts: Vec<UsagePart> = parts
            .into_iter()
            .map(|(id, used)| UsagePart { id: Some(id.to_string().into()), line: None, used: bytes(used) })
            .collect();
        let again = parts.iter().rev().chain(&parts).cloned();
        prop_assert_eq!(sum_of(again), sum_of(parts.clone()));
    }

    #[test]
    fn a_cycle_is_reported_only_where_its_start_is(lines in any_lines(), records in any_records()) {
        let book = book(records);
        if let Some(cycle) = merge(device(lines.clone()), &book).cycle {
            let known: Vec<LineUsage> = lines
                .iter()
                .map(|line| line.usage)
                .chain(book.get(&lines[0].line))
                .collect();
            let as_start = known.iter().filter_map(|usage| usage.cycle_start).any(|start| {
                (start.at, start.source) == (cycle.start(), cycle.source())
            });
            let as_end = cycle.source() == CycleSource::Reported
                && known.iter().any(|usage| usage.cycle_end == Some(cycle.start()));
            prop_assert!(as_start || as_end);
        }
    }
}
