//! "Too fast" is obeyed by every call of the account and by no other account's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrier_sync::client::{CallError, CallMeter};
use carrier_sync::clock::Clock;
use carrier_sync::tenure::{Deadline, Epoch, Tenure};
use chrono::TimeDelta;

use super::{KEY, Setup, Stopped, account, call, call_within, hologram_row};
use crate::scripted::{Reply, ScriptedCarrier, Seen, answer, empty_listing};

fn too_fast(retry_after: Option<&str>) -> Reply {
    let header = retry_after.map(|value| ("Retry-After", value));
    answer(
        429,
        header.as_slice(),
        r#"{"success":false,"error":"API rate limit exceeded"}"#,
    )
}

/// Time between the first call and each later one.
fn after_first(seen: &[Seen]) -> Vec<Duration> {
    seen.iter()
        .skip(1)
        .map(|later| later.at - seen[0].at)
        .collect()
}

#[tokio::test]
async fn retry_after_is_waited_out_whatever_its_form() {
    let date = httpdate::fmt_http_date((Stopped.now() + TimeDelta::seconds(2)).into());
    let table = [
        (Some("2".to_owned()), 2_000),
        (Some(date), 2_000),
        (Some("0".to_owned()), 1_000),
        (Some("soon".to_owned()), 1_500),
        (None, 1_500),
    ];
    let checks = table.map(|(header, least_ms)| async move {
        let script = header.clone();
        let carrier = ScriptedCarrier::start(move |n, _| match n {
            0 => too_fast(script.as_deref()),
            _ => empty_listing(),
        })
        .await;
        let job = Setup::default().account(&carrier.base_url());
        call(&job)
            .await
            .unwrap_or_else(|error| panic!("{header:?}: {error}"));
        let waited = after_first(&carrier.seen());
        assert_eq!(waited.len(), 1, "{header:?}");
        assert!(
            waited[0] >= Duration::from_millis(least_ms),
            "{header:?}: {waited:?}"
        );
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_date_is_measured_by_the_clock_of_who_names_it() {
    // The carrier's clock is an hour behind ours: by ours the date has long passed.
    let of_carrier = |seconds| {
        let time = Stopped.now() - TimeDelta::hours(1) + TimeDelta::seconds(seconds);
        httpdate::fmt_http_date(time.into())
    };
    let carrier = ScriptedCarrier::start(move |n, _| match n {
        0 => {
            let (date, until) = (of_carrier(0), of_carrier(3));
            let headers = [("Date", &*date), ("Retry-After", &*until)];
            answer(429, &headers, "{}")
        }
        _ => empty_listing(),
    })
    .await;
    call(&Setup::default().account(&carrier.base_url()))
        .await
        .unwrap();
    let waited = after_first(&carrier.seen())[0];
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn a_window_that_is_used_up_is_not_told_as_the_carriers_too_fast() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let job = Setup {
        windows: &["2/10m"],
        ..Setup::default()
    }
    .account(&carrier.base_url());
    for _ in 0..2 {
        call(&job).await.unwrap();
    }
    let error = call(&job).await.unwrap_err();
    let CallError::LimitUsedUp { until } = error else {
        panic!("{error:?}");
    };
    let left = until - Stopped.now();
    assert!(left > TimeDelta::seconds(590), "{left}");
    assert_eq!(carrier.seen().len(), 2);
}

#[tokio::test]
async fn a_former_owners_calls_are_left_room_once_under_each_lease() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let builder = Setup {
        windows: &["4/2s"],
        ..Setup::default()
    }
    .builder();
    let row = hologram_row(&carrier.base_url(), KEY);
    let lease = Arc::new(Deadline::default());
    lease.renewed(Instant::now(), Duration::from_secs(600));
    // The first owner has no former; a job that is built anew under a lease takes nothing over. Two calls
    // outlast what was given up before.
    for (epoch, calls, waits) in [(1, 1, false), (2, 2, true), (2, 2, false), (3, 1, true)] {
        let tenure = Tenure::leased(Epoch(epoch), Arc::clone(&lease));
        let job = builder.build(&row, tenure).unwrap();
        let start = Instant::now();
        for _ in 0..calls {
            call(&job).await.unwrap();
        }
        let waited = start.elapsed();
        let has_waited = waited >= Duration::from_secs(1);
        assert_eq!(has_waited, waits, "{epoch}: {waited:?}");
    }
}

#[tokio::test]
async fn a_503_with_retry_after_pauses_the_account_too() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => answer(503, &[("Retry-After", "2")], ""),
        _ => empty_listing(),
    })
    .await;
    call(&Setup::default().account(&carrier.base_url()))
        .await
        .unwrap();
    assert!(after_first(&carrier.seen())[0] >= Duration::from_secs(2));
}

#[tokio::test]
async fn calls_in_flight_and_calls_waiting_pause_with_the_one_that_met_the_limit() {
    // The first call is still in flight when the second is refused; the third waits for a slot.
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => Reply::Later(Duration::from_millis(300), Box::new(answer(502, &[], ""))),
        1 => too_fast(Some("2")),
        _ => empty_listing(),
    })
    .await;
    let job = Setup {
        max_concurrency: 2,
        ..Setup::default()
    }
    .account(&carrier.base_url());
    let (first, second, third) = tokio::join!(call(&job), call(&job), call(&job));
    assert!(
        first.is_ok() && second.is_ok() && third.is_ok(),
        "{first:?} {second:?} {third:?}"
    );
    let seen = carrier.seen();
    assert_eq!(seen.len(), 5, "two failed attempts and three answers");
    for late in &seen[2..] {
        let silence = late.at - seen[1].at;
        assert!(
            silence >= Duration::from_secs(2),
            "called again after {silence:?}"
        );
    }
}

#[tokio::test]
async fn another_account_is_not_paused() {
    let carrier = ScriptedCarrier::start(|_, seen| {
        let alice = "Basic YXBpa2V5OmFsaWNl"; // apikey:alice
        if seen.header("Authorization") == Some(alice) {
            too_fast(Some("600"))
        } else {
            empty_listing()
        }
    })
    .await;
    let builder = Setup::default().builder();
    let alice = account(&builder, &carrier.base_url(), "alice");
    let bob = account(&builder, &carrier.base_url(), "bob");
    assert!(matches!(
        call(&alice).await,
        Err(CallError::Throttled { .. })
    ));
    // Ten minutes would outlast the test: that the calls come back at all is the proof.
    for _ in 0..3 {
        call(&bob).await.unwrap();
    }
    assert_eq!(carrier.seen().len(), 4);
}

#[tokio::test]
async fn a_pause_longer_than_patience_ends_the_call_and_says_until_when() {
    let carrier = ScriptedCarrier::start(|_, _| too_fast(Some("600"))).await;
    let builder = Setup::default().builder();
    let job = account(&builder, &carrier.base_url(), "alice");
    let meter = CallMeter::new(9);
    let Err(CallError::Throttled { until }) = call_within(&job, &meter).await else {
        panic!("throttled");
    };
    let left = until - Stopped.now();
    assert!(
        left > TimeDelta::seconds(590) && left <= TimeDelta::seconds(600),
        "{left}"
    );
    // Not even a new client of the same account calls before that.
    let again = account(&builder, &carrier.base_url(), "alice");
    assert!(matches!(
        call(&again).await,
        Err(CallError::Throttled { .. })
    ));
    assert_eq!((carrier.seen().len(), meter.calls()), (1, 1));
}
