//! A window against every interval of its length.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn window(text: &str) -> SlidingWindow {
    SlidingWindow::new(text.parse().unwrap())
}

#[test]
fn a_window_is_calls_per_duration_and_nothing_else_is() {
    let minute = Window {
        calls: NonZeroU32::new(60).unwrap(),
        per: 60 * SECOND,
    };
    for text in ["60/1m", "60/60s", " 60 / 1m ", "60/1min"] {
        assert_eq!(text.parse(), Ok(minute), "{text}");
    }
    for text in [
        "",
        "60",
        "60/",
        "/1m",
        "60/min",
        "0/1m",
        "-1/1m",
        "60/0s",
        "60/50ms",
        "60/2days",
        "100001/1m",
        "60/1m/1m",
        "1.5/1m",
        "60 per 1m",
    ] {
        let error = text.parse::<Window>().unwrap_err().to_string();
        assert!(error.contains("is not CALLS/DURATION such as"), "{error}");
    }
}

#[test]
fn a_window_that_is_used_up_opens_when_its_oldest_call_is_out_of_it() {
    let (mut window, start) = (window("2/100s"), Instant::now());
    window.take(1, start);
    window.take(1, start + 10 * SECOND);
    assert_eq!(window.wait(1, start + 30 * SECOND), 72 * SECOND);
    assert_eq!(window.wait(2, start + 30 * SECOND), 82 * SECOND);
    assert_eq!(
        window.wait(9, start + 30 * SECOND),
        82 * SECOND,
        "all there is"
    );
    assert_eq!(window.wait(1, start + 102 * SECOND), Duration::ZERO);
}

#[test]
fn processes_have_a_part_each_and_what_one_leaves_is_free_a_window_later() {
    let (mut window, start) = (window("10/100s"), Instant::now());
    window.share_among(3, start);
    for _ in 0..3 {
        assert_eq!(window.wait(1, start), Duration::ZERO);
        window.take(1, start);
    }
    assert_eq!(window.wait(1, start), 102 * SECOND);
    let alone = start + 50 * SECOND;
    window.share_among(1, alone);
    assert_eq!(
        window.wait(1, alone),
        52 * SECOND,
        "the others' part may be used"
    );
    assert_eq!(window.wait(4, start + 102 * SECOND), 50 * SECOND);
    window.share_among(99, alone);
    assert_eq!(
        window.wait(1, start + 300 * SECOND),
        Duration::ZERO,
        "at least one"
    );
}

#[test]
fn a_drained_window_has_nothing_for_its_whole_length() {
    let (mut window, start) = (window("10/100s"), Instant::now());
    window.take(3, start);
    window.drain(start + SECOND);
    assert_eq!(
        window.wait(1, start + SECOND),
        101 * SECOND,
        "the three of before"
    );
    assert_eq!(window.wait(4, start + SECOND), 102 * SECOND);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// As the carrier counts: whatever is asked for when, for one or several permits.
    #[test]
    fn in_no_interval_of_its_length_are_more_permits_taken_than_allowed(
        limit in 1_u32..20,
        per_ms in 100_u64..5_000,
        demand in proptest::collection::vec((0_u64..800, 1_u32..5), 1..200),
    ) {
        let per = Duration::from_millis(per_ms);
        let calls = NonZeroU32::new(limit).unwrap();
        let mut window = SlidingWindow::new(Window { calls, per });
        let (mut now, mut taken) = (Instant::now(), Vec::new());
        for (pause_ms, permits) in demand {
            now += Duration::from_millis(pause_ms);
            let wait = window.wait(permits, now);
            if !wait.is_zero() && pause_ms % 2 == 0 {
                continue; // gives up
            }
            if !wait.is_zero() {
                let just_before = now + wait - Duration::from_nanos(1);
                prop_assert!(!window.wait(permits, just_before).is_zero(), "waits too long");
            }
            now += wait;
            prop_assert_eq!(window.wait(permits, now), Duration::ZERO);
            window.take(permits, now);
            taken.push((now, permits.min(limit)));
            prop_assert!(window.log.len() <= limit as usize);
            let within = taken.iter().filter(|(at, _)| now - *at < per);
            prop_assert!(within.map(|(_, permits)| permits).sum::<u32>() <= limit);
        }
    }
}
