//! A token is in the headers of calls and nowhere else: not in an error, a log, a panic or a `Debug`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use carrier_sync::carriers::Request;
use carrier_sync::client::CallMeter;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use super::token_carrier::{SECRET, Seller, ask, ask_for, is_purchase, job, job_of};
use super::{KEY, Setup};
use crate::scripted::{Reply, ScriptedCarrier, answer, json as json_reply};

const OLD: &str = "canary-old-token-90b1";
const NEW: &str = "canary+new/token=77c2";

fn assert_clean(text: &str) {
    let new_in_address = "canary%2Bnew%2Ftoken%3D77c2";
    for secret in [OLD, NEW, new_in_address, KEY, SECRET, "canary"] {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

/// All that is logged while it lives, at every level.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn sold(token: &str) -> Reply {
    let body = json!({"access_token": token, "api_key": format!("k-{token}"), "expires_in": 3600});
    json_reply(&body.to_string())
}

/// Sells the old token, then the new one, and repeats both with this status at every call.
async fn echoing(status: u16) -> ScriptedCarrier {
    ScriptedCarrier::start(move |number, seen| {
        let echo = json!({"error": format!("neither {NEW} nor {OLD} of {KEY}:{SECRET}")});
        match number {
            0 => sold(OLD),
            1 => answer(401, &[], echo.to_string()),
            2 => sold(NEW),
            _ if is_purchase(seen) => answer(400, &[], echo.to_string()),
            _ => answer(status, &[], echo.to_string()),
        }
    })
    .await
}

#[tokio::test]
async fn no_error_and_no_log_of_a_call_tells_the_token_or_the_one_before() {
    let log = Log::default();
    let _listening = log.listen();
    for status in [400, 401, 403, 404, 418, 429, 500, 503] {
        let carrier = echoing(status).await;
        let job = job(Setup::once(), &carrier);
        let error = ask(&job).await.unwrap_err();
        assert_clean(&format!("{error} {error:?}"));
        assert_clean(&format!("{job:?} {:#?} {:?}", job.client, job.account));
        let panic = format!("a walk panicked: {NEW}, {OLD}");
        assert_clean(&job.client.destination.scrubber.scrub(&panic));
        assert_eq!(carrier.seen().len(), 4, "{status}");
    }
    let text = log.text();
    assert!(text.contains("call failed"), "it listens: {text}");
    assert_clean(&text);
}

#[tokio::test]
async fn no_error_and_no_log_of_a_purchase_quotes_its_answer() {
    let log = Log::default();
    let _listening = log.listen();
    let bodies = [
        json!({"access_token": NEW, "error": "odd"}).to_string(),
        json!({"access_token": [NEW]}).to_string(),
        json!({"access_token": format!("{NEW}\n")}).to_string(),
        format!("<html>{NEW}"),
        NEW.to_owned(),
    ];
    for status in [200, 400, 401, 403, 404, 429, 500, 503] {
        for body in &bodies {
            let script = body.clone();
            let carrier = ScriptedCarrier::start(move |_, _| answer(status, &[], &script)).await;
            let error = ask(&job(Setup::once(), &carrier)).await.unwrap_err();
            assert_clean(&format!("{error} {error:?}"));
        }
    }
    assert_clean(&log.text());
}

#[tokio::test]
async fn a_dialect_that_panics_over_a_token_is_told_without_its_text() {
    let carrier = ScriptedCarrier::start(|_, _| sold(NEW)).await;
    let seller = Seller {
        panics: true,
        ..Seller::default()
    };
    let error = ask(&job_of(Setup::once(), seller, &carrier))
        .await
        .unwrap_err();
    assert_clean(&error.to_string());
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[tokio::test]
async fn the_carriers_words_are_kept_without_the_token() {
    let carrier = echoing(400).await;
    let error = ask(&job(Setup::once(), &carrier)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "rejected by the carrier: status 400: neither [secret] nor [secret] of [secret]:[secret]"
    );
}

#[tokio::test]
async fn what_works_is_logged_without_the_token() {
    let log = Log::default();
    let _listening = log.listen();
    let carrier = ScriptedCarrier::start(|_, seen| match is_purchase(seen) {
        true => sold(NEW),
        false => json_reply("{}"),
    })
    .await;
    let job = job(Setup::default(), &carrier);
    let request = Request::get("things").with("limit", 1);
    ask_for(&job, request, &CallMeter::new(9)).await.unwrap();
    assert_eq!(carrier.seen().len(), 2);
    assert_clean(&log.text());
}
