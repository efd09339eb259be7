//! Files that a carrier tells us to fetch: without credentials, and from nowhere that must not be called.

use std::borrow::Cow;

use carrier_sync::carriers::Request;
use carrier_sync::carriers::request::{DownloadUrl, Target};
use carrier_sync::client::{AllowedHosts, CallError, CallMeter};
use carrier_sync::sync::SyncJob;
use url::Url;

use super::token_carrier::{Seller, ask, ask_for, builder, job, purchases, row, shop, try_job};
use super::{KEY, Setup};
use crate::scripted::{ScriptedCarrier, answer, json};

/// What makes such an address a key.
const SIGNATURE: &str = "signature=canary-3d77";

fn download(url: &str) -> Request {
    Request {
        endpoint: Cow::Borrowed("export"),
        to: Target::Download(DownloadUrl(Url::parse(url).unwrap())),
        ..Request::get("export")
    }
}

fn file_at(host: &ScriptedCarrier) -> Request {
    download(&format!(
        "http://{}/files/1.csv?{SIGNATURE}",
        host.address()
    ))
}

async fn fetch(job: &SyncJob, what: Request) -> Result<(), CallError> {
    ask_for(job, what, &CallMeter::new(9)).await
}

#[tokio::test]
async fn a_file_is_fetched_without_credentials_and_counted_as_a_call() {
    let files = ScriptedCarrier::start(|_, _| json("{}")).await;
    let carrier = shop().await;
    let of_token = job(Setup::once(), &carrier);
    ask(&of_token).await.unwrap();
    let of_key = Setup::once().account(&carrier.base_url());
    for job in [&of_token, &of_key] {
        let meter = CallMeter::new(9);
        ask_for(job, file_at(&files), &meter).await.unwrap();
        assert_eq!((meter.calls(), meter.token_calls()), (1, 0));
        let seen = files.seen().pop().unwrap();
        assert_eq!(seen.target(), format!("/files/1.csv?{SIGNATURE}"));
        assert_eq!(seen.header("Authorization"), None);
        assert!(!seen.head.contains(KEY) && !seen.head.contains("token-1"));
    }
    assert_eq!(purchases(&carrier).len(), 1);
}

#[tokio::test]
async fn a_file_that_is_refused_is_neither_refused_credentials_nor_a_missing_device() {
    for status in [400, 401, 403, 404, 410, 302, 500] {
        let files = ScriptedCarrier::start(move |_, seen| {
            let echo = format!(r#"{{"error":"invalid_client {}"}}"#, seen.target());
            answer(status, &[("Location", "http://localhost:1/")], echo)
        })
        .await;
        let carrier = shop().await;
        let error = fetch(&job(Setup::once(), &carrier), file_at(&files)).await;
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                CallError::Rejected { .. } | CallError::Unavailable { .. }
            ),
            "{status} became {error:?}"
        );
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("canary") && !text.contains("files"),
            "{text}"
        );
        assert_eq!(files.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_host_of_files_that_says_too_fast_pauses_no_account_of_the_carrier() {
    for status in [429, 503] {
        let files = ScriptedCarrier::start(move |_, _| {
            answer(status, &[("Retry-After", "600")], "slow down")
        })
        .await;
        let carrier = shop().await;
        let job = job(Setup::once(), &carrier);
        let error = fetch(&job, file_at(&files)).await.unwrap_err();
        assert!(
            matches!(error, CallError::Unavailable { .. }),
            "{status} became {error:?}"
        );
        // Ten minutes would outlast the test: that the carrier is called at all is the proof.
        ask(&job).await.unwrap();
        assert_eq!(
            job.client.limiter.snapshot().permits_per_call,
            1,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_file_above_the_cap_is_given_up() {
    let files = ScriptedCarrier::start(|_, _| json(&"x".repeat(2_000))).await;
    let setup = Setup {
        max_body_bytes: 1_000,
        ..Setup::once()
    };
    let carrier = shop().await;
    let error = fetch(&job(setup, &carrier), file_at(&files))
        .await
        .unwrap_err();
    assert_eq!(error, CallError::TooLarge { limit_bytes: 1_000 });
}

#[tokio::test]
async fn a_file_is_fetched_from_no_private_address_and_not_in_the_clear() {
    let files = ScriptedCarrier::start(|_, _| json("{}")).await;
    let guarded = Setup {
        allow_private_hosts: false,
        ..Setup::once()
    };
    let job = try_job(&builder(guarded), Seller::default(), &row(None)).unwrap();
    let port = files.address().port();
    for (url, says) in [
        (
            format!("https://127.0.0.1:{port}/f?{SIGNATURE}"),
            "127.0.0.1 is not a public",
        ),
        (
            format!("https://[::1]:{port}/f?{SIGNATURE}"),
            "is not a public",
        ),
        (
            format!("https://2130706433:{port}/f?{SIGNATURE}"),
            "127.0.0.1 is not a public",
        ),
        (
            format!("https://localhost:{port}/f?{SIGNATURE}"),
            "localhost is not a public",
        ),
        (
            format!("http://example.com/f?{SIGNATURE}"),
            "the address of a download must use https",
        ),
        (format!("ftp://example.com/f?{SIGNATURE}"), "must use https"),
        (
            format!("https://u:canary@example.com/f?{SIGNATURE}"),
            "user name or password",
        ),
    ] {
        let error = fetch(&job, download(&url)).await.unwrap_err();
        assert!(matches!(error, CallError::Forbidden { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains("canary"), "{text}");
    }
    assert!(files.seen().is_empty());
}

#[tokio::test]
async fn a_file_is_fetched_from_listed_hosts_only_and_the_missing_one_is_named() {
    let files = ScriptedCarrier::start(|_, _| json("{}")).await;
    let mut builder = builder(Setup::once());
    builder.allowed_hosts = AllowedHosts::parse(&["127.0.0.1".to_owned()]).unwrap();
    let base = row(Some("http://127.0.0.1:9/api"));
    let job = try_job(&builder, Seller::default(), &base).unwrap();
    let port = files.address().port();
    let elsewhere = download(&format!("http://localhost:{port}/f?{SIGNATURE}"));
    let text = fetch(&job, elsewhere).await.unwrap_err().to_string();
    assert_eq!(
        text,
        "localhost is not among http.allowed_hosts and must not be called"
    );
    assert!(files.seen().is_empty());
    fetch(&job, file_at(&files)).await.unwrap();
}

#[tokio::test]
async fn no_debug_tells_the_address_of_a_file() {
    let text = format!(
        "{:?}",
        download(&format!("https://example.com/f?{SIGNATURE}"))
    );
    assert!(!text.contains("canary"), "{text}");
}
