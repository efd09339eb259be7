//! Names whose answers change, and answers that mix good with bad: the connection goes to an address
//! that was judged in that very answer, or nowhere.
//!
//! On loopback: 127.0.0.1 plays the carrier's public address, 127.0.0.2 the operator's private one.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrier_sync::client::egress::{GuardedResolver, Lookup, is_public};
use carrier_sync::client::{CallError, Transport, TransportConfig};
use carrier_sync::sync::SyncJob;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::{KEY, Setup, account, call};
use crate::scripted::{ScriptedCarrier, answer, empty_listing};

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Gives its answers in turn, the last one for ever.
#[derive(Debug)]
struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<usize>,
}

impl Names {
    fn new(answers: &[&[IpAddr]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        *self.asked.lock().unwrap() += 1;
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.pop_front().unwrap_or_default();
        if answers.is_empty() {
            answers.push_back(answer.clone());
        }
        Ok(answer)
    }
}

/// The operator's own service, at the carrier's port; counts who comes.
struct Inside(Arc<Mutex<usize>>);

impl Inside {
    async fn listen(port: u16) -> Self {
        let listener = TcpListener::bind((PRIVATE, port)).await.unwrap();
        let seen = Arc::new(Mutex::new(0));
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let _ = stream.read(&mut [0; 16]).await;
            }
        });
        Self(seen)
    }

    fn visitors(&self) -> usize {
        *self.0.lock().unwrap()
    }
}

/// A job that calls `carrier.example` at the port of the scripted carrier.
fn job(names: Arc<Names>, may_call: fn(IpAddr) -> bool, port: u16) -> SyncJob {
    let mut builder = Setup::once().builder();
    let config = TransportConfig {
        connect_timeout: Duration::from_secs(5),
        ..*builder.transport.config()
    };
    let resolver = GuardedResolver::new(names, may_call);
    builder.transport = Transport::with_resolver(config, resolver).unwrap();
    account(
        &builder,
        &format!("http://carrier.example:{port}/api/1"),
        KEY,
    )
}

fn is_carrier(ip: IpAddr) -> bool {
    ip == CARRIER
}

#[tokio::test]
async fn a_second_answer_cannot_swap_the_address() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let port = carrier.address().port();
    let inside = Inside::listen(port).await;
    let names = Names::new(&[&[CARRIER], &[PRIVATE]]);
    let job = job(Arc::clone(&names), is_carrier, port);
    call(&job).await.unwrap();
    assert_eq!(
        names.asked(),
        1,
        "one look-up per connection, and it is the one that was judged"
    );
    // The scripted carrier closes after each answer: the next call resolves anew.
    let error = call(&job).await.unwrap_err();
    assert!(matches!(error, CallError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("carrier.example"), "{error}");
    assert_eq!((carrier.seen().len(), inside.visitors()), (1, 0));
}

#[tokio::test]
async fn of_a_mixed_answer_only_the_good_addresses_are_tried() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let port = carrier.address().port();
    let inside = Inside::listen(port).await;
    for answer in [
        &[PRIVATE, CARRIER][..],
        &[CARRIER, PRIVATE],
        &[PRIVATE, PRIVATE, CARRIER],
    ] {
        call(&job(Names::new(&[answer]), is_carrier, port))
            .await
            .unwrap();
    }
    assert_eq!((carrier.seen().len(), inside.visitors()), (3, 0));
    // The good address does not answer: the bad one is no way out.
    drop(carrier);
    let error = call(&job(Names::new(&[&[CARRIER, PRIVATE]]), is_carrier, port))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    assert_eq!(inside.visitors(), 0);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_resolved_and_judged_like_any_call() {
    let carrier =
        ScriptedCarrier::start(|_, _| answer(302, &[("Location", "/api/2/devices")], "")).await;
    let port = carrier.address().port();
    let inside = Inside::listen(port).await;
    let names = Names::new(&[&[CARRIER], &[PRIVATE]]);
    let error = call(&job(names, is_carrier, port)).await.unwrap_err();
    assert!(matches!(error, CallError::Forbidden { .. }), "{error:?}");
    assert_eq!((carrier.seen().len(), inside.visitors()), (1, 0));
}

#[tokio::test]
async fn a_public_looking_name_with_a_private_address_is_not_called() {
    for private in [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
    ] {
        let names = Names::new(&[&[private.parse().unwrap()]]);
        let error = call(&job(names, is_public, 9)).await.unwrap_err();
        assert!(
            matches!(error, CallError::Forbidden { .. }),
            "{private}: {error:?}"
        );
        assert!(error.to_string().contains("allow_private_hosts"), "{error}");
    }
    let error = call(&job(Names::new(&[&[]]), is_public, 9))
        .await
        .unwrap_err();
    assert!(!error.to_string().contains(KEY), "{error}");
}
