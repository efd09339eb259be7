//! Each status leads to one decision of the caller.

use carrier_sync::client::{CallError, CallMeter};

use super::{Setup, call, call_within};
use crate::scripted::{ScriptedCarrier, answer};

#[tokio::test]
async fn each_status_becomes_the_error_that_names_what_to_do() {
    type Fits = fn(&CallError) -> bool;
    let table: [(u16, Fits); 19] = [
        (429, |e| matches!(e, CallError::Throttled { .. })),
        (401, |e| {
            matches!(e, CallError::Unauthorized { status: 401, .. })
        }),
        (403, |e| {
            matches!(e, CallError::Unauthorized { status: 403, .. })
        }),
        (404, |e| *e == CallError::NotFound),
        (410, |e| *e == CallError::NotFound),
        (400, |e| matches!(e, CallError::Rejected { .. })),
        (402, |e| matches!(e, CallError::Rejected { .. })),
        (405, |e| matches!(e, CallError::Rejected { .. })),
        (409, |e| matches!(e, CallError::Rejected { .. })),
        (422, |e| matches!(e, CallError::Rejected { .. })),
        (304, |e| matches!(e, CallError::Rejected { .. })),
        (408, |e| matches!(e, CallError::Unavailable { .. })),
        (500, |e| matches!(e, CallError::Unavailable { .. })),
        (501, |e| matches!(e, CallError::Unavailable { .. })),
        (502, |e| matches!(e, CallError::Unavailable { .. })),
        (503, |e| matches!(e, CallError::Unavailable { .. })),
        (504, |e| matches!(e, CallError::Unavailable { .. })),
        (520, |e| matches!(e, CallError::Unavailable { .. })),
        (204, |e| matches!(e, CallError::Malformed { .. })),
    ];
    for (status, fits) in table {
        let carrier = ScriptedCarrier::start(move |_, _| answer(status, &[], "")).await;
        let error = call(&Setup::once().account(&carrier.base_url()))
            .await
            .unwrap_err();
        assert!(fits(&error), "{status} became {error:?}");
        assert_eq!(carrier.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_carriers_words() {
    let carrier = ScriptedCarrier::start(|_, _| {
        answer(
            400,
            &[],
            r#"{"success":false,"error":"orgid is not yours"}"#,
        )
    })
    .await;
    let error = call(&Setup::once().account(&carrier.base_url()))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "rejected by the carrier: status 400: orgid is not yours"
    );
}

#[tokio::test]
async fn a_no_on_a_200_is_a_no_and_too_fast_on_a_200_is_too_fast() {
    for (error, is_throttled) in [
        ("Permission denied", false),
        ("API rate limit exceeded", true),
    ] {
        let body = format!(r#"{{"success":false,"error":"{error}"}}"#);
        let carrier = ScriptedCarrier::start(move |_, _| answer(200, &[], &body)).await;
        let met = call(&Setup::once().account(&carrier.base_url()))
            .await
            .unwrap_err();
        match met {
            CallError::Throttled { .. } => assert!(is_throttled, "{error}"),
            CallError::Rejected { reason } => {
                assert_eq!((reason.as_str(), is_throttled), (error, false))
            }
            other => panic!("{error} became {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_meter_tells_an_account_that_answers_from_one_that_does_not() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => answer(403, &[], ""),
        _ => crate::scripted::empty_listing(),
    })
    .await;
    let (job, meter) = (
        Setup::once().account(&carrier.base_url()),
        CallMeter::new(9),
    );
    call_within(&job, &meter).await.unwrap_err();
    assert!(!meter.answered(), "a refusal is no answer");
    call_within(&job, &meter).await.unwrap();
    assert!(meter.answered());
}
