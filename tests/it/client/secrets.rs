//! The key is in the header of a request and nowhere else: not in an error, not in a `Debug`.

use carrier_sync::client::CallError;

use super::{KEY, Setup, call};
use crate::scripted::{Reply, ScriptedCarrier, answer, bytes, json};

/// base64("apikey:" + KEY)
const BASIC: &str = "YXBpa2V5OmNhbmFyeS00ZjlhMGM3Nw==";

/// Everything that can go wrong, with a carrier that repeats what it was told.
fn echoes() -> Vec<Reply> {
    let echo = format!(r#"{{"success":false,"error":"key {KEY} (Basic {BASIC}) of 1001 is bad"}}"#);
    let with_key = [("Location", "http://example.invalid/?key=canary-4f9a0c77")];
    let mut replies: Vec<_> = [400, 401, 403, 404, 418, 429, 500, 503]
        .into_iter()
        .map(|status| answer(status, &[], &echo))
        .collect();
    replies.push(json(&echo));
    replies.push(json(&format!("<html>{KEY}</html>")));
    replies.push(json(&format!(r#"{{"success":"{KEY}","data":[]}}"#)));
    replies.push(json(&format!(
        r#"{{"success":true,"continues":true,"lastid":"{KEY} {KEY}","data":[{{"id":"x"}}]}}"#
    )));
    replies.push(answer(302, &with_key, ""));
    replies.push(bytes(200, &[("Content-Length", KEY)], ""));
    replies.push(Reply::Bytes(
        format!("HTTP/1.1 {KEY} {KEY}\r\n\r\n").into_bytes(),
    ));
    replies.push(Reply::Reset(Vec::new()));
    replies
}

fn assert_clean(text: &str) {
    for secret in [KEY, BASIC, "Authorization", "orgid=", "limit=10"] {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

#[tokio::test]
async fn no_error_tells_the_key_the_query_or_the_header() {
    for reply in echoes() {
        let script = reply.clone();
        let carrier = ScriptedCarrier::start(move |_, _| script.clone()).await;
        let error = call(&Setup::once().account(&carrier.base_url()))
            .await
            .unwrap_err();
        assert_clean(&error.to_string());
        assert_clean(&format!("{error:?}"));
    }
}

#[tokio::test]
async fn the_carriers_words_are_kept_without_the_key() {
    let carrier = ScriptedCarrier::start(|_, _| {
        answer(400, &[], format!(r#"{{"error":"no such key: {KEY}"}}"#))
    })
    .await;
    let error = call(&Setup::once().account(&carrier.base_url()))
        .await
        .unwrap_err();
    let CallError::Rejected { reason } = error else {
        panic!("rejected");
    };
    assert_eq!(reason, "status 400: no such key: [secret]");
}

#[tokio::test]
async fn no_debug_of_a_job_tells_the_key() {
    let job = Setup::once().account("https://example.com/api/1");
    assert!(
        format!("{job:?}").contains("example.com"),
        "the whole job is shown"
    );
    assert_clean(&format!(
        "{:?} {:?} {:?}",
        job.account, job.client.destination, job.client.limiter
    ));
    assert!(!format!("{job:?} {:#?}", job.client).contains(KEY));
}
