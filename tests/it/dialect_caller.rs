//! Somebody who talks to a simulated carrier by hand, without the service. Holds no test.

use std::net::TcpListener;
use std::time::Duration;

use carrier_sync::simulator::dialects::{
    Dialect, DialectAccount, DialectConfig, DialectSimulator, DialectTruth, Limit,
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

pub fn config(dialect: Dialect, devices: usize) -> DialectConfig {
    DialectConfig {
        now: Some("2026-11-23T12:00:00Z".parse().unwrap()),
        limits: vec![Limit::of(1_000_000, Duration::from_secs(1))],
        ..DialectConfig::of(dialect, devices)
    }
}

/// Somebody who talks to the simulator by hand, as its first account or another.
pub struct Caller {
    pub simulator: DialectSimulator,
    pub http: reqwest::Client,
}

impl Caller {
    pub fn of(config: DialectConfig) -> Self {
        // The client wants a provider even for plain http; another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            simulator: DialectSimulator::start(config, listener).unwrap(),
            http: reqwest::Client::new(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.simulator.base_url())
    }

    /// The POST by which an account buys its token.
    pub fn purchase(&self, key: &str, secret: Option<&str>) -> RequestBuilder {
        match self.simulator.config().dialect {
            Dialect::OneNce => self
                .http
                .post(self.url("oauth/token"))
                .basic_auth(key, secret)
                .body(json!({"grant_type": "client_credentials"}).to_string()),
            _ => self
                .http
                .post(self.url("api/v1/authenticate"))
                .body(json!({"application_token": key}).to_string()),
        }
    }

    pub async fn token(&self, account: usize) -> String {
        let account = self.simulator.config().accounts[account].clone();
        let purchase = self.purchase(&account.key, account.secret.as_deref());
        let (status, answer) = read(purchase).await;
        assert_eq!(status, 200, "{answer}");
        let token = answer.get("access_token").or(answer.get("auth_token"));
        token.unwrap().as_str().unwrap().to_owned()
    }

    pub fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(token)
    }

    /// As Cisco's first account.
    pub fn ask_cisco(&self, path: &str) -> RequestBuilder {
        let account = &self.simulator.config().accounts[0];
        let request = self.http.get(self.url(path));
        request.basic_auth(&account.key, account.secret.as_deref())
    }

    pub fn truth(&self, name: &str) -> DialectTruth {
        let truth = self.simulator.truth(0);
        let is_meant = |truth: &DialectTruth| truth.carrier_device_id == name;
        truth.into_iter().find(is_meant).unwrap()
    }
}

/// Status and JSON; `Null` for an empty body.
pub async fn read(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    let json = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).unwrap(),
    };
    (status, json)
}

pub fn two_accounts(dialect: Dialect, limit: Limit) -> DialectConfig {
    DialectConfig {
        accounts: vec![
            DialectAccount::numbered(dialect, 1, 5),
            DialectAccount::numbered(dialect, 2, 5),
        ],
        limits: vec![limit],
        ..config(dialect, 5)
    }
}

/// The text at a place of an answer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

/// Every device of an account at Cisco.
pub const DEVICES: &str = "devices?modifiedSince=2000-01-01T00:00:00Z";
