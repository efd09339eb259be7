//! Addresses that may not be called are not: nothing leaves before the refusal.

use std::time::Duration;

use carrier_sync::client::{AllowedHosts, CallError};

use super::{KEY, Setup, account, call, try_account};
use crate::scripted::{Reply, ScriptedCarrier, empty_listing};

fn guarded() -> Setup {
    Setup {
        allow_private_hosts: false,
        ..Setup::default()
    }
}

#[tokio::test]
async fn http_and_private_addresses_are_refused_before_any_connection() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let (ip, port) = ("127.0.0.1", carrier.address().port());
    for (url, says) in [
        (format!("http://{ip}:{port}/api/1"), "must use https"),
        (format!("https://{ip}:{port}/api/1"), "not a public address"),
        (
            format!("https://localhost:{port}/api/1"),
            "not a public address",
        ),
        (
            format!("https://[::ffff:127.0.0.1]:{port}/api/1"),
            "not a public address",
        ),
        (format!("ftp://{ip}:{port}/api/1"), "must use https"),
        (
            format!("https://user:{KEY}@{ip}:{port}/api/1"),
            "user name or password",
        ),
        (format!("https://{ip}:{port}/api/1?key={KEY}"), "query"),
        ("dashboard.hologram.io/api/1".to_owned(), "not a URL"),
    ] {
        let refused = try_account(&guarded().builder(), &url, KEY)
            .unwrap_err()
            .to_string();
        assert!(refused.contains(says), "{url}: {refused}");
        assert!(!refused.contains(KEY), "{refused}");
    }
    assert!(carrier.seen().is_empty());
}

#[tokio::test]
async fn a_public_looking_name_that_resolves_to_a_private_address_is_not_called() {
    // The machine's own name is in no list of names, and its addresses are private or loopback.
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    let resolved = tokio::net::lookup_host((name, 443)).await;
    let Ok(mut addresses) = resolved else {
        // Without such a name here, the resolver's own test is all there is.
        return;
    };
    if addresses.any(|address| carrier_sync::client::egress::is_public(address.ip())) {
        return;
    }
    let job = guarded().account(&format!("https://{name}/api/1"));
    let error = call(&job).await.unwrap_err();
    assert!(matches!(error, CallError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("allow_private_hosts"), "{error}");
}

#[tokio::test]
async fn only_hosts_on_the_operators_list_are_called() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    let mut builder = Setup::once().builder();
    builder.allowed_hosts = AllowedHosts::parse(&["127.0.0.1".to_owned()]).unwrap();
    let by_name = format!("http://localhost:{}/api/1", carrier.address().port());
    for url in [&by_name, "https://dashboard.hologram.io/api/1"] {
        let refused = try_account(&builder, url, KEY).unwrap_err().to_string();
        assert!(refused.contains("http.allowed_hosts"), "{refused}");
    }
    assert!(carrier.seen().is_empty());
    call(&account(&builder, &carrier.base_url(), KEY))
        .await
        .unwrap();
    // The list opens nothing that the guard keeps shut.
    let mut guarded = guarded().builder();
    guarded.allowed_hosts = builder.allowed_hosts.clone();
    let refused = try_account(&guarded, "https://127.0.0.1/", KEY).unwrap_err();
    assert!(refused.to_string().contains("not a public address"));
}

#[tokio::test]
async fn with_leave_given_the_same_addresses_are_called() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    call(&Setup::once().account(&carrier.base_url()))
        .await
        .unwrap();
    let by_name = format!("http://localhost:{}/api/1", carrier.address().port());
    call(&Setup::once().account(&by_name)).await.unwrap();
    assert_eq!(carrier.seen().len(), 2);
}

#[tokio::test]
async fn a_name_that_no_server_knows_is_unavailable_and_told_without_the_url() {
    let job = Setup::once().account("https://no-such-carrier.invalid/api/1");
    let error = call(&job).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("cannot connect") && !text.contains("orgid"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_gets_no_credentials() {
    let carrier =
        ScriptedCarrier::start(|_, _| Reply::Bytes(b"HTTP/1.1 400 Bad\r\n\r\n".to_vec())).await;
    // The scripted carrier answers only a complete head; this one answers whatever comes.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut heard)
            .await
            .unwrap();
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad\r\n\r\n").await;
        heard.truncate(read);
        heard
    });
    let job = Setup {
        timeout: Duration::from_secs(10),
        ..Setup::once()
    }
    .account(&format!("https://{address}/api/1"));
    let error = call(&job).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot connect"), "{error}");
    let heard = heard.await.unwrap();
    let heard = String::from_utf8_lossy(&heard);
    assert!(
        !heard.contains("Authorization") && !heard.contains("GET"),
        "{heard}"
    );
    assert!(carrier.seen().is_empty());
}
