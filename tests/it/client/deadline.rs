//! A carrier that hangs costs one deadline per attempt, wherever it hangs.

use std::time::{Duration, Instant};

use carrier_sync::client::CallError;

use super::{Setup, call};
use crate::scripted::{Reply, ScriptedCarrier, bytes, empty_listing};

const DEADLINE: Duration = Duration::from_millis(400);

fn hangs() -> Vec<(&'static str, Reply)> {
    let Reply::Bytes(head_only) = bytes(200, &[("Content-Length", "100")], "") else {
        unreachable!("bytes are bytes");
    };
    let Reply::Bytes(half_a_body) = bytes(200, &[("Content-Length", "100")], "{\"success\":")
    else {
        unreachable!("bytes are bytes");
    };
    vec![
        ("before the headers", Reply::Stall(Vec::new())),
        (
            "within the headers",
            Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
        ),
        ("before the body", Reply::Stall(head_only)),
        ("within the body", Reply::Stall(half_a_body)),
    ]
}

#[tokio::test]
async fn a_hang_ends_at_the_deadline_wherever_it_is() {
    for (what, hang) in hangs() {
        let carrier = ScriptedCarrier::start(move |_, _| hang.clone()).await;
        let job = Setup {
            timeout: DEADLINE,
            ..Setup::once()
        }
        .account(&carrier.base_url());
        let started = Instant::now();
        let error = call(&job).await.unwrap_err();
        assert!(started.elapsed() >= DEADLINE, "{what}: gave up early");
        let text = "carrier unavailable: no complete answer within 400ms";
        assert_eq!(error.to_string(), text, "{what}");
    }
}

#[tokio::test]
async fn the_deadline_is_for_the_whole_answer_not_for_each_byte() {
    // A byte now and then keeps an idle timeout waiting for ever.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dripping = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
            .await
            .unwrap();
        while tokio::io::AsyncWriteExt::write_all(&mut stream, b" ")
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let job = Setup {
        timeout: DEADLINE,
        ..Setup::once()
    }
    .account(&format!("http://{address}/api/1"));
    let error = call(&job).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no complete answer within 400ms"),
        "{error}"
    );
    // The connection is given up with the call, so the carrier does not go on for nobody.
    dripping.await.unwrap();
}

#[tokio::test]
async fn each_attempt_has_a_deadline_of_its_own() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => Reply::Stall(Vec::new()),
        _ => empty_listing(),
    })
    .await;
    let job = Setup {
        timeout: DEADLINE,
        ..Setup::default()
    }
    .account(&carrier.base_url());
    assert!(call(&job).await.is_ok());
    assert_eq!(carrier.seen().len(), 2);
}

#[tokio::test]
async fn a_call_that_hangs_holds_up_no_other_account() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => Reply::Stall(Vec::new()),
        _ => empty_listing(),
    })
    .await;
    let builder = Setup {
        max_concurrency: 1,
        ..Setup::once()
    }
    .builder();
    let alice = super::account(&builder, &carrier.base_url(), "alice");
    let bob = super::account(&builder, &carrier.base_url(), "bob");
    let hanging = call(&alice);
    tokio::pin!(hanging);
    let arrived = async {
        while carrier.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        call(&bob).await
    };
    tokio::select! {
        error = &mut hanging => panic!("the hang ended first: {error:?}"),
        answered = arrived => assert!(matches!(answered, Ok(_) | Err(CallError::Unavailable { .. }))),
    }
    assert_eq!(carrier.seen().len(), 2);
}
