//! What is tried again, how often, and what each attempt costs.

use carrier_sync::client::{CallError, CallMeter};

use super::{Setup, call, call_for, call_within};
use crate::scripted::{Reply, ScriptedCarrier, answer, empty_listing, json};

/// Fails like `bad` for the first `times` calls, then answers.
async fn failing(times: usize, bad: Reply) -> ScriptedCarrier {
    ScriptedCarrier::start(move |n, _| {
        if n < times {
            bad.clone()
        } else {
            empty_listing()
        }
    })
    .await
}

fn passing_troubles() -> Vec<(&'static str, Reply)> {
    let html = "<html>We'll be right back</html>";
    let cut = r#"{"success":true,"data":[{"id":1,"na"#;
    let length = [("Content-Length", "500")];
    vec![
        ("408", answer(408, &[], "")),
        ("502", answer(502, &[], html)),
        ("503", answer(503, &[], "")),
        ("504", answer(504, &[], "")),
        ("HTML on a 200", answer(200, &[], html)),
        ("an empty body", answer(200, &[], "")),
        ("cut JSON", answer(200, &[], cut)),
        (
            "a body cut short of its length",
            crate::scripted::bytes(200, &length, cut),
        ),
        ("a chunked body that is cut", chunked_and_cut()),
        ("a reset before the answer", Reply::Reset(Vec::new())),
        ("a hang-up before the answer", Reply::Bytes(Vec::new())),
        ("no HTTP", Reply::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())),
    ]
}

fn chunked_and_cut() -> Reply {
    crate::scripted::bytes(
        200,
        &[("Transfer-Encoding", "chunked")],
        "1f4\r\n{\"success\":true,",
    )
}

#[tokio::test]
async fn a_passing_trouble_is_tried_again_and_passes() {
    for (what, bad) in passing_troubles() {
        let carrier = failing(1, bad).await;
        let (job, meter) = (
            Setup::default().account(&carrier.base_url()),
            CallMeter::new(9),
        );
        let answered = call_within(&job, &meter).await;
        assert!(answered.is_ok(), "{what}: {answered:?}");
        assert_eq!((carrier.seen().len(), meter.calls()), (2, 2), "{what}");
    }
}

#[tokio::test]
async fn a_single_device_too_is_asked_for_again_after_an_unusable_answer() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => json("<html>"),
        _ => json(r#"{"success":true,"data":{"id":7}}"#),
    })
    .await;
    let page = call_for(&Setup::default().account(&carrier.base_url()), "7")
        .await
        .unwrap();
    assert_eq!(page.records[0].device.as_str(), "7");
    assert_eq!(carrier.seen().len(), 2);
}

#[tokio::test]
async fn a_lasting_trouble_ends_after_max_attempts_each_spending_a_call() {
    for bad in [
        answer(503, &[], ""),
        answer(200, &[], "<html>"),
        Reply::Reset(Vec::new()),
    ] {
        let carrier = failing(usize::MAX, bad).await;
        let (job, meter) = (
            Setup::default().account(&carrier.base_url()),
            CallMeter::new(9),
        );
        call_within(&job, &meter).await.unwrap_err();
        assert_eq!((carrier.seen().len(), meter.calls()), (3, 3));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_is_tried_max_attempts_times() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let job = Setup::default().account(&format!("http://{address}/api/1"));
    let meter = CallMeter::new(9);
    let error = call_within(&job, &meter).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(meter.calls(), 3);
}

#[tokio::test]
async fn a_failure_that_trying_again_does_not_mend_is_asked_once() {
    for status in [400, 401, 403, 404, 410, 422, 500, 501, 520] {
        let carrier = failing(1, answer(status, &[], "")).await;
        assert!(
            call(&Setup::default().account(&carrier.base_url()))
                .await
                .is_err(),
            "{status}"
        );
        assert_eq!(carrier.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_no_in_the_body_is_asked_once() {
    let carrier = failing(1, json(r#"{"success":false,"error":"no"}"#)).await;
    call(&Setup::default().account(&carrier.base_url()))
        .await
        .unwrap_err();
    assert_eq!(carrier.seen().len(), 1);
}

#[tokio::test]
async fn retries_stop_at_the_budget() {
    let carrier = failing(usize::MAX, answer(503, &[], "")).await;
    let (job, meter) = (
        Setup::default().account(&carrier.base_url()),
        CallMeter::new(2),
    );
    let error = call_within(&job, &meter).await.unwrap_err();
    assert_eq!(error, CallError::BudgetSpent { budget: 2 });
    assert_eq!((carrier.seen().len(), meter.calls()), (2, 2));
}

#[tokio::test]
async fn every_attempt_takes_a_permit() {
    let carrier = failing(usize::MAX, answer(503, &[], "")).await;
    let slow = Setup {
        requests_per_second: 1.0,
        ..Setup::default()
    };
    let (job, meter) = (slow.account(&carrier.base_url()), CallMeter::new(9));
    call_within(&job, &meter).await.unwrap_err();
    let seen = carrier.seen();
    // Backoffs are at most half a second and one second: what spaces these is the rate.
    let spaced = (seen[2].at - seen[0].at).as_secs_f64();
    assert!(
        spaced >= 1.95,
        "three attempts within {spaced} s at one per second"
    );
}

#[tokio::test]
async fn a_cursor_that_comes_back_is_not_asked_for_again() {
    let page = r#"{"success":true,"continues":true,"lastid":5,"data":[{"id":5}]}"#;
    let carrier = ScriptedCarrier::start(move |_, _| json(page)).await;
    let job = Setup::default().account(&carrier.base_url());
    let mut walk = match job.carrier.get_bulk_device_info(job.context()) {
        carrier_sync::carriers::Bulk::Listing(walk) => walk,
        carrier_sync::carriers::Bulk::PerDevice => panic!("a listing"),
    };
    let meter = CallMeter::new(20);
    job.client.next_page(&mut *walk, &meter).await.unwrap();
    let error = job.client.next_page(&mut *walk, &meter).await.unwrap_err();
    assert!(error.to_string().contains("no progress"), "{error}");
    assert_eq!(carrier.seen().len(), 2);
    assert!(walk.request().is_none(), "the walk is over");
}
