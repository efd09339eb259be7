//! A carrier of the tests' own that sells tokens, in every form that carriers do.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carrier_sync::carriers::token::{TokenAddress, TokenBody, bearer};
use carrier_sync::carriers::{
    Account, Answer, Authorization, BadAccount, Bulk, Capabilities, Carrier, Context, DeviceRecord,
    Page, ReadError, Request, Token, TokenRequest, Walk, registry,
};
use carrier_sync::client::{CallError, CallMeter};
use carrier_sync::device::{CarrierDeviceId, IntegrationId, TenantId};
use carrier_sync::integration::IntegrationRow;
use carrier_sync::sync::{JobBuilder, Misconfigured, SyncJob};
use carrier_sync::tenure::Tenure;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::timeout;

use super::{KEY, LONGEST_CALL, Setup};
use crate::scripted::{Reply, ScriptedCarrier, Seen, answer, json as json_reply};

/// The second half of the credentials.
pub const SECRET: &str = "canary-secret-5e11";

/// How this dialect buys.
#[derive(Debug, Clone)]
pub struct Seller {
    pub address: TokenAddress,
    pub form: bool,
    pub basic: bool,
    /// The answer as it is, in a panic.
    pub panics: bool,
}

impl Default for Seller {
    fn default() -> Self {
        Self {
            address: TokenAddress::Below("oauth/token".into()),
            form: false,
            basic: false,
            panics: false,
        }
    }
}

impl Seller {
    pub fn leak(self) -> &'static dyn Carrier {
        Box::leak(Box::new(self))
    }
}

impl Carrier for Seller {
    fn code(&self) -> &'static str {
        "seller"
    }

    fn capabilities(&self) -> &Capabilities {
        registry::find("hologram").unwrap().capabilities()
    }

    fn sample(&self) -> &'static str {
        ""
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://api.example.com/v1"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        let (key, secret) = (&account.api_key, account.api_secret.as_ref().unwrap());
        let body = match self.form {
            true => TokenBody::Form(vec![
                ("grant_type".into(), "client_credentials".into()),
                ("client_secret".into(), secret.clone()),
            ]),
            false => {
                let body = json!({"key": key.expose_secret(), "secret": secret.expose_secret()});
                TokenBody::Json(body.to_string().into())
            }
        };
        Ok(Authorization::Token(TokenRequest {
            address: self.address.clone(),
            basic: self
                .basic
                .then(|| (key.expose_secret().to_owned(), secret.clone())),
            body,
        }))
    }

    /// A dialect that quotes what it cannot read: the client must not pass it on.
    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        let text = String::from_utf8_lossy(answer.body);
        assert!(!self.panics, "cannot read {text}");
        let quoted = || ReadError::Malformed(format!("no token in {text}"));
        let sold: serde_json::Value = serde_json::from_slice(answer.body).map_err(|_| quoted())?;
        if sold.get("error").is_some() {
            return Err(ReadError::Rejected(format!("no: {text}")));
        }
        let token = sold["access_token"].as_str().ok_or_else(quoted)?.to_owned();
        let mut headers = bearer(&token.into());
        if let Some(key) = sold["api_key"].as_str() {
            headers.push(("x-api-key".into(), key.to_owned().into()));
        }
        Ok(Token {
            headers,
            lifetime: sold["expires_in"].as_u64().map(Duration::from_secs),
            account: sold["operator"].as_str().map(str::to_owned),
        })
    }

    fn is_throttling(&self, status: u16, body: &[u8]) -> bool {
        status == 400 && String::from_utf8_lossy(body).contains("too fast")
    }

    fn refuses_credentials(&self, status: u16, body: &[u8]) -> bool {
        status == 400 && String::from_utf8_lossy(body).contains("invalid_client")
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        Box::new(One(Some(Request::get("things"))))
    }

    fn get_bulk_device_info(&self, _: Context<'_>) -> Bulk<DeviceRecord> {
        Bulk::PerDevice
    }

    fn bulk_calls(&self, _: Context<'_>, _: u64) -> u64 {
        0
    }

    fn get_device_info(&self, _: Context<'_>, id: &CarrierDeviceId) -> Box<dyn Walk<DeviceRecord>> {
        Box::new(One(Some(Request::of_device("things/{id}", id.as_str()))))
    }
}

/// One request, whose answer may be anything.
pub struct One(pub Option<Request>);

impl Walk<DeviceRecord> for One {
    fn request(&self) -> Option<Request> {
        self.0.clone()
    }

    fn read(&mut self, _: &Answer<'_>) -> Result<Page<DeviceRecord>, ReadError> {
        self.0 = None;
        Ok(Page::default())
    }
}

/// The integration of the account with [`KEY`] and [`SECRET`].
pub fn row(base_url: Option<&str>) -> IntegrationRow {
    IntegrationRow {
        id: IntegrationId::parse("i-1").unwrap(),
        tenant_id: TenantId::parse("t-1").unwrap(),
        carrier_name: "seller".to_owned(),
        display_name: None,
        enabled: true,
        sync_enabled: true,
        sync_interval_minutes: 60,
        api_key: Some(KEY.into()),
        api_secret: Some(SECRET.into()),
        api_base_url: base_url.map(str::to_owned),
        account_id: None,
        config: serde_json::Value::Null,
        last_sync_at: None,
        last_success_at: None,
        last_sync_status: "never".to_owned(),
        last_sync_error: None,
    }
}

/// A process's half, that knows the seller.
pub fn builder(setup: Setup) -> JobBuilder {
    let mut builder = setup.builder();
    let carriers = builder.carriers.get_mut().unwrap();
    let settings = carriers["hologram"].clone();
    carriers.insert("seller".to_owned(), settings);
    builder
}

pub fn try_job(
    builder: &JobBuilder,
    seller: Seller,
    row: &IntegrationRow,
) -> Result<SyncJob, Misconfigured> {
    builder.build_with(seller.leak(), row, Tenure::sole())
}

pub fn job(setup: Setup, carrier: &ScriptedCarrier) -> SyncJob {
    job_of(setup, Seller::default(), carrier)
}

pub fn job_of(setup: Setup, seller: Seller, carrier: &ScriptedCarrier) -> SyncJob {
    try_job(&builder(setup), seller, &row(Some(&carrier.base_url()))).unwrap()
}

/// Makes one call for things.
pub async fn ask(job: &SyncJob) -> Result<(), CallError> {
    ask_within(job, &CallMeter::new(100)).await
}

pub async fn ask_within(job: &SyncJob, meter: &CallMeter) -> Result<(), CallError> {
    ask_for(job, Request::get("things"), meter).await
}

pub async fn ask_for(job: &SyncJob, what: Request, meter: &CallMeter) -> Result<(), CallError> {
    let mut walk = One(Some(what));
    // A broken promise must end the test, not hang it.
    let page = timeout(LONGEST_CALL, job.client.next_page(&mut walk, meter)).await;
    page.expect("the call comes to an end").map(drop)
}

/// Sells `token-1`, `token-2` …, of an hour each, and answers calls that carry the newest.
pub async fn shop() -> ScriptedCarrier {
    shop_that(|_, _| None).await
}

/// As [`shop`], but for what `differs` answers.
pub async fn shop_that(
    differs: impl Fn(usize, &Seen) -> Option<Reply> + Send + Sync + 'static,
) -> ScriptedCarrier {
    let sold = AtomicUsize::new(0);
    ScriptedCarrier::start(move |number, seen| {
        if let Some(reply) = differs(number, seen) {
            return reply;
        }
        if is_purchase(seen) {
            return token(sold.fetch_add(1, Ordering::Relaxed) + 1);
        }
        let newest = format!("Bearer token-{}", sold.load(Ordering::Relaxed));
        match seen.header("Authorization") == Some(&newest) {
            true => json_reply("{}"),
            false => answer(401, &[], ""),
        }
    })
    .await
}

pub fn token(number: usize) -> Reply {
    let body = json!({"access_token": format!("token-{number}"), "expires_in": 3600});
    json_reply(&body.to_string())
}

pub fn is_purchase(seen: &Seen) -> bool {
    seen.head.starts_with("POST ")
}

/// Purchases that arrived.
pub fn purchases(carrier: &ScriptedCarrier) -> Vec<Seen> {
    carrier.seen().into_iter().filter(is_purchase).collect()
}
