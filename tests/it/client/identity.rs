//! What a request says of us: credentials in the header, the account in the query, each encoded.

use carrier_sync::client::CallError;

use carrier_sync::tenure::Tenure;

use super::{Setup, account, call, call_for, hologram_row};
use crate::scripted::{ScriptedCarrier, empty_listing, json};

#[tokio::test]
async fn a_request_carries_key_name_and_account_exactly() {
    let carrier = ScriptedCarrier::start(|_, _| empty_listing()).await;
    call(&account(
        &Setup::once().builder(),
        &carrier.base_url(),
        "Aladdin:open sesame",
    ))
    .await
    .unwrap();
    let seen = &carrier.seen()[0];
    assert!(
        seen.head
            .starts_with("GET /api/1/devices?orgid=1001&limit=10 HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    // base64("apikey:Aladdin:open sesame")
    let basic = "Basic YXBpa2V5OkFsYWRkaW46b3BlbiBzZXNhbWU=";
    assert_eq!(seen.header("Authorization"), Some(basic));
    let name = concat!("carrier-sync/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("User-Agent"), Some(name));
    assert_eq!(seen.header("Accept"), Some("application/json"));
    assert_eq!(seen.header("Cookie"), None);
}

#[test]
fn an_account_is_what_is_sent_to_prove_who_we_are_however_a_row_writes_it() {
    let builder = Setup::once().builder();
    let hasher = std::hash::RandomState::new();
    let account = |key: &str, secret: Option<&str>| {
        let mut row = hologram_row("http://127.0.0.1:1", key);
        row.api_secret = secret.map(Into::into);
        let job = builder.build(&row, Tenure::sole()).unwrap();
        (job, builder.account_key(&row, &hasher).unwrap())
    };
    let (first, first_key) = account("alice", None);
    for (key, secret, is_same) in [
        ("alice", Some(""), true),
        ("alice", Some("unused"), true),
        ("bob", None, false),
    ] {
        let (other, other_key) = account(key, secret);
        let limiter = &first.client.limiter;
        let shares = limiter.shares_account_with(&other.client.limiter);
        assert_eq!(
            (shares, first_key == other_key),
            (is_same, is_same),
            "{key}"
        );
    }
}

#[tokio::test]
async fn an_id_cannot_change_which_resource_is_asked_for() {
    for (device, target) in [
        (
            "../../admin?x=1#y",
            "/api/1/devices/..%2F..%2Fadmin%3Fx=1%23y",
        ),
        ("a b/c%2Fd", "/api/1/devices/a%20b%2Fc%252Fd"),
        ("ü\\x", "/api/1/devices/%C3%BC%5Cx"),
    ] {
        let carrier = ScriptedCarrier::start(|_, _| json("{}")).await;
        let _ = call_for(&Setup::once().account(&carrier.base_url()), device).await;
        assert_eq!(carrier.seen()[0].target(), target);
    }
}

#[tokio::test]
async fn a_device_called_dot_dot_is_not_asked_for_as_another_resource() {
    for device in [".", ".."] {
        let carrier = ScriptedCarrier::start(|_, _| json("{}")).await;
        let job = Setup::once().account(&carrier.base_url());
        let error = call_for(&job, device).await.unwrap_err();
        assert!(matches!(error, CallError::Rejected { .. }), "{error:?}");
        assert!(carrier.seen().is_empty(), "{:?}", carrier.seen());
    }
}

#[tokio::test]
async fn a_cookie_of_one_account_is_not_sent_for_another() {
    let carrier = ScriptedCarrier::start(|_, _| {
        crate::scripted::answer(
            200,
            &[("Set-Cookie", "session=abc; Path=/")],
            r#"{"success":true,"data":[]}"#,
        )
    })
    .await;
    let builder = Setup::once().builder();
    for key in ["alice", "bob"] {
        call(&account(&builder, &carrier.base_url(), key))
            .await
            .unwrap();
    }
    assert!(
        carrier
            .seen()
            .iter()
            .all(|seen| seen.header("Cookie").is_none())
    );
}
