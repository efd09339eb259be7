//! Redirects are followed to the same scheme, host and port: the credentials travel with them.

use carrier_sync::client::{CallError, CallMeter};

use super::{Setup, call, call_within};
use crate::scripted::{Reply, ScriptedCarrier, answer, empty_listing};

fn redirect(to: &str) -> Reply {
    answer(302, &[("Location", to)], "")
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_with_the_credentials() {
    let carrier = ScriptedCarrier::start(|_, seen| {
        if seen.path() == "/api/2/devices" {
            empty_listing()
        } else {
            redirect("/api/2/devices")
        }
    })
    .await;
    let meter = CallMeter::new(10);
    call_within(&Setup::once().account(&carrier.base_url()), &meter)
        .await
        .unwrap();
    let seen = carrier.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(meter.calls(), 2, "each hop is a call, with a permit");
    assert_eq!(
        seen[0].header("Authorization"),
        seen[1].header("Authorization")
    );
    assert!(seen[1].header("Authorization").is_some());
    assert_eq!(
        seen[1].header("Referer"),
        None,
        "the query stays where it was"
    );
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed_and_nothing_arrives_there() {
    let other = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let elsewhere = [
        format!("http://{}/api/1/devices", other.address()),
        format!("http://localhost:{}/api/1/devices", other.address().port()),
        format!("//{}/api/1/devices", other.address()),
        format!("https://{}/api/1/devices", other.address()),
    ];
    for to in elsewhere {
        let target = to.clone();
        let carrier = ScriptedCarrier::start(move |_, _| redirect(&target)).await;
        let error = call(&Setup::once().account(&carrier.base_url()))
            .await
            .unwrap_err();
        assert!(
            matches!(error, CallError::Unavailable { .. }),
            "{to}: {error:?}"
        );
        assert!(error.to_string().contains("redirect"), "{error}");
        assert!(!error.to_string().contains("devices"), "{error}");
        assert_eq!(carrier.seen().len(), 1, "{to}");
    }
    assert!(other.seen().is_empty(), "{:?}", other.seen());
}

#[tokio::test]
async fn the_same_host_by_another_name_or_scheme_is_another_host() {
    let carrier = ScriptedCarrier::start(|n, seen| {
        let port = seen.header("Host").unwrap().rsplit(':').next().unwrap();
        match n {
            0 => redirect(&format!("http://localhost:{port}/api/1/devices")),
            1 => redirect(&format!("https://127.0.0.1:{port}/api/1/devices")),
            _ => redirect("ftp://127.0.0.1/devices"),
        }
    })
    .await;
    let job = Setup::once().account(&carrier.base_url());
    for asked in 1..=3 {
        let error = call(&job).await.unwrap_err();
        assert!(
            matches!(
                error,
                CallError::Rejected { .. } | CallError::Unavailable { .. }
            ),
            "{error:?}"
        );
        assert_eq!(carrier.seen().len(), asked, "{error}");
    }
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let carrier = ScriptedCarrier::start(|_, _| redirect("/api/1/devices?again=1")).await;
    let error = call(&Setup::once().account(&carrier.base_url()))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Rejected { .. }), "{error:?}");
    assert!(carrier.seen().len() <= 7, "{} calls", carrier.seen().len());
}
