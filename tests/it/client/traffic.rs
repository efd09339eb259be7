//! Every attempt is counted once, by how it ended, when it ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrier_sync::client::egress::{GuardedResolver, Lookup, is_public};
use carrier_sync::client::{CallMeter, Traffic, Transport};
use carrier_sync::integration::CallResult;
use carrier_sync::sync::{JobBuilder, SyncJob};

use super::token_carrier::{Seller, ask, is_purchase, row, try_job};
use super::{KEY, Setup, account, call};
use crate::scripted::{Reply, ScriptedCarrier, answer, empty_listing, json};

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Counter {
    ended: Mutex<Vec<(String, CallResult)>>,
    waited: Mutex<Vec<Duration>>,
}

impl Traffic for Counter {
    fn attempt_ended(&self, carrier: &str, result: CallResult) {
        let mut ended = self.ended.lock().unwrap();
        ended.push((carrier.to_owned(), result));
    }

    fn permits_waited(&self, _: &str, waited: Duration) {
        self.waited.lock().unwrap().push(waited);
    }
}

impl Counter {
    fn results(&self) -> Vec<CallResult> {
        let ended = self.ended.lock().unwrap();
        ended.iter().map(|(_, result)| *result).collect()
    }
}

fn counted(builder: JobBuilder) -> (JobBuilder, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    let builder = JobBuilder {
        traffic: Arc::<Counter>::clone(&counter),
        ..builder
    };
    (builder, counter)
}

fn job_of(setup: Setup, base_url: &str) -> (SyncJob, Arc<Counter>) {
    let (builder, counter) = counted(setup.builder());
    (account(&builder, base_url, KEY), counter)
}

#[tokio::test]
async fn each_way_to_end_has_its_result() {
    use CallResult as R;
    let throttling = r#"{"success":false,"error":"API rate limit exceeded"}"#;
    let table = [
        ("an answer", empty_listing(), R::Ok),
        ("429", answer(429, &[], ""), R::Throttled),
        ("too fast on a 200", json(throttling), R::Throttled),
        ("401", answer(401, &[], ""), R::Unauthorized),
        ("403", answer(403, &[], ""), R::Unauthorized),
        ("404", answer(404, &[], ""), R::NotFound),
        ("422", answer(422, &[], ""), R::ClientError),
        (
            "a no on a 200",
            json(r#"{"success":false,"error":"no"}"#),
            R::ClientError,
        ),
        ("408", answer(408, &[], ""), R::Timeout),
        ("500", answer(500, &[], ""), R::ServerError),
        ("503", answer(503, &[], ""), R::ServerError),
        ("HTML on a 200", answer(200, &[], "<html>"), R::Unreadable),
        (
            "too large",
            answer(200, &[], "x".repeat(2_000)),
            R::Unreadable,
        ),
        ("a reset", Reply::Reset(Vec::new()), R::Network),
        (
            "never",
            Reply::Later(Duration::from_secs(60), Box::new(empty_listing())),
            R::Timeout,
        ),
        (
            "elsewhere",
            answer(302, &[("Location", "http://other.example/x")], ""),
            R::ClientError,
        ),
    ];
    for (what, reply, result) in table {
        let carrier = ScriptedCarrier::start(move |_, _| reply.clone()).await;
        let setup = Setup {
            timeout: Duration::from_millis(500),
            max_body_bytes: 1_000,
            ..Setup::once()
        };
        let (job, counter) = job_of(setup, &carrier.base_url());
        let _ = call(&job).await;
        assert_eq!(counter.results(), [result], "{what}");
        assert_eq!(counter.ended.lock().unwrap()[0].0, "hologram");
    }
}

/// Every name is one of this machine.
#[derive(Debug)]
struct Inside;

#[async_trait]
impl Lookup for Inside {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

#[tokio::test]
async fn where_nobody_listens_it_is_the_network_and_where_nobody_may_call_nothing_left() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/api/1", listener.local_addr().unwrap());
    drop(listener);
    let (job, counter) = job_of(Setup::once(), &nobody);
    call(&job).await.unwrap_err();
    assert_eq!(counter.results(), [CallResult::Network]);
    let (mut builder, counter) = counted(Setup::once().builder());
    let resolver = GuardedResolver::new(Arc::new(Inside), is_public);
    let config = *builder.transport.config();
    builder.transport = Transport::with_resolver(config, resolver).unwrap();
    let job = account(&builder, "https://carrier.example/api/1", KEY);
    call(&job).await.unwrap_err();
    assert_eq!(counter.results(), [CallResult::Forbidden]);
}

#[tokio::test]
async fn every_retry_and_every_step_of_a_redirect_is_one() {
    let carrier = ScriptedCarrier::start(|n, _| match n {
        0 => answer(503, &[], ""),
        1 => answer(307, &[("Location", "/api/1/devices/moved")], ""),
        _ => empty_listing(),
    })
    .await;
    let (job, counter) = job_of(Setup::default(), &carrier.base_url());
    call(&job).await.unwrap();
    let expected = [
        CallResult::ServerError,
        CallResult::Redirect,
        CallResult::Ok,
    ];
    assert_eq!(counter.results(), expected);
    assert_eq!(carrier.seen().len(), 3);
}

#[tokio::test]
async fn purchases_of_tokens_count_too() {
    let carrier = ScriptedCarrier::start(|n, seen| match (is_purchase(seen), n) {
        (true, 0) => answer(502, &[], ""),
        (true, 1) => json("{}"),
        (true, _) => json(r#"{"access_token":"token-1","expires_in":3600}"#),
        (false, _) => json("{}"),
    })
    .await;
    let (builder, counter) = counted(super::token_carrier::builder(Setup::default()));
    let job = try_job(&builder, Seller::default(), &row(Some(&carrier.base_url()))).unwrap();
    ask(&job).await.unwrap();
    use CallResult::{Ok, ServerError, Unreadable};
    assert_eq!(counter.results(), [ServerError, Unreadable, Ok, Ok]);
    // A redirect is not followed with credentials in hand, though it stays on the host.
    let carrier = ScriptedCarrier::start(|_, _| answer(307, &[("Location", "/other")], "")).await;
    let (builder, counter) = counted(super::token_carrier::builder(Setup::once()));
    let job = try_job(&builder, Seller::default(), &row(Some(&carrier.base_url()))).unwrap();
    ask(&job).await.unwrap_err();
    assert_eq!(counter.results(), [CallResult::ClientError]);
}

#[tokio::test]
async fn a_call_that_is_given_up_midway_is_counted_when_it_is_dropped() {
    let late = Reply::Later(Duration::from_secs(60), Box::new(empty_listing()));
    let carrier = ScriptedCarrier::start(move |_, _| late.clone()).await;
    let (job, counter) = job_of(Setup::once(), &carrier.base_url());
    let call = tokio::spawn(async move { call(&job).await.map(drop) });
    while carrier.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(counter.results(), [], "it is under way");
    call.abort();
    let _ = call.await;
    assert_eq!(counter.results(), [CallResult::Abandoned]);
}

#[tokio::test]
async fn a_wait_for_a_permit_is_told_and_a_permit_that_was_there_is_not() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let setup = Setup {
        requests_per_second: 5.0,
        ..Setup::once()
    };
    let (job, counter) = job_of(setup, &carrier.base_url());
    let meter = CallMeter::new(10);
    super::call_within(&job, &meter).await.unwrap();
    assert!(counter.waited.lock().unwrap().is_empty());
    super::call_within(&job, &meter).await.unwrap();
    let waited = counter.waited.lock().unwrap().clone();
    assert_eq!(waited.len(), 1, "{waited:?}");
    assert!(waited[0] > Duration::from_millis(50), "{waited:?}");
}
