//! From a stored row to something that can be synced, or the reason why it cannot.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use super::job::{Notices, SyncJob, SyncPolicy};
use super::turns::Turns;
use crate::carriers::custom::{CODE as CUSTOM, MANIFEST};
use crate::carriers::{Account, Authorization, Carrier, PageSizes, TokenRequest, registry};
use crate::client::allowed_hosts::Egress;
use crate::client::destination::{Destination, Proof, basic_header, secret_headers};
use crate::client::egress::{parse_address, parse_base_url};
use crate::client::limits::CarrierLimits;
use crate::client::purchase::{self, TokenSource, credentials, token_url};
use crate::client::scrub::Scrubber;
use crate::client::{AllowedHosts, CarrierClient, Limits, Tokens, Traffic, Transport};
use crate::clock::Clock;
use crate::integration::{IntegrationRow, SecretColumn};
use crate::manifests::Manifests;
use crate::secrets::{Opener, Place};
use crate::tenure::{Epoch, Tenure};

/// Nobody has called for the integration before this owner.
const FIRST_OWNER: Epoch = Epoch(1);

/// The setting of an integration that says where its token is bought.
const TOKEN_URL: &str = "token_url";

/// Longest interval, in minutes.
pub const MINUTES_PER_YEAR: i64 = 525_600;

/// An integration that cannot be synced until a person changes its row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// What the configuration says about one carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct CarrierSettings {
    /// Rates and concurrency.
    pub limits: CarrierLimits,
    /// For one attempt of one call.
    pub timeout: Duration,
    /// Attempts per call; at least 1.
    pub max_attempts: u32,
    /// Page sizes and cap.
    pub pages: PageSizes,
    /// Bounds of a sync.
    pub policy: SyncPolicy,
}

/// Builds jobs. Every start of an actor builds a new one: nothing survives from a broken one but the
/// limits, which must.
#[derive(Debug)]
pub struct JobBuilder {
    /// The process's connections.
    pub transport: Transport,
    /// The process's permits.
    pub limits: Limits,
    /// The process's tokens.
    pub tokens: Tokens,
    /// Handed to every client.
    pub clock: Arc<dyn Clock>,
    /// By carrier code; they may change while the service runs.
    pub carriers: RwLock<BTreeMap<String, CarrierSettings>>,
    /// Opens what is stored sealed.
    pub opener: Opener,
    /// The only hosts to call, where the operator lists them.
    pub allowed_hosts: AllowedHosts,
    /// What describes custom carriers.
    pub manifests: Manifests,
    /// Handed to every client.
    pub traffic: Arc<dyn Traffic>,
}

impl JobBuilder {
    /// The job of a row that is ours by `tenure`.
    ///
    /// # Errors
    /// [`Misconfigured`] naming the column, what it holds (never a secret) and what is allowed.
    pub fn build(&self, row: &IntegrationRow, tenure: Tenure) -> Result<SyncJob, Misconfigured> {
        let account = self.account(row)?;
        self.build_with(self.carrier(row, &account)?, row, tenure)
    }

    /// As [`build`](Self::build), whatever carrier the row names: for one that is in no registry.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with(
        &self,
        carrier: &'static dyn Carrier,
        row: &IntegrationRow,
        tenure: Tenure,
    ) -> Result<SyncJob, Misconfigured> {
        let account = self.account(row)?;
        // Held until the limiter is made: a change finds it, or is known to it.
        let carriers = self.carriers();
        let settings = carriers.get(carrier.code()).ok_or_else(|| {
            Misconfigured(format!(
                "the configuration has no section [carriers.{}]",
                carrier.code()
            ))
        })?;
        Ok(SyncJob {
            integration_id: row.id.clone(),
            tenant_id: row.tenant_id.clone(),
            client: self.client((carrier, settings), &account, row, tenure.clone())?,
            tenure,
            carrier,
            account,
            pages: settings.pages,
            policy: settings.policy,
            notices: Notices::default(),
            turns: Turns::from_round(rand::random::<u32>().into()),
        })
    }

    /// Uses other settings from now on: limits at once, also for calls that wait; the rest for jobs that are
    /// built from here on. Answers for which carriers anything has changed.
    pub fn change(&self, carriers: BTreeMap<String, CarrierSettings>) -> BTreeSet<String> {
        let mut present = self
            .carriers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut changed = BTreeSet::new();
        for (code, settings) in &carriers {
            let before = present.get(code);
            if before.is_none_or(|before| before.limits != settings.limits) {
                self.limits.change(code, &settings.limits);
            }
            if before != Some(settings) {
                changed.insert(code.clone());
            }
        }
        *present = carriers;
        changed
    }

    fn carriers(&self) -> RwLockReadGuard<'_, BTreeMap<String, CarrierSettings>> {
        self.carriers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the account whose limits a row's calls count against: the same for rows that share it. A
    /// keyed hash, so that it holds no secret.
    ///
    /// # Errors
    /// [`Misconfigured`] when no call can be made for the row.
    pub fn account_key(
        &self,
        row: &IntegrationRow,
        hasher: &impl BuildHasher,
    ) -> Result<u64, Misconfigured> {
        let account = self.account(row)?;
        let carrier = self.carrier(row, &account)?;
        let host = host(&self.base(carrier, &account, row)?);
        let authorization = carrier.authorize(&account);
        let authorization = authorization.map_err(|e| Misconfigured(e.to_string()))?;
        Ok(hasher.hash_one((carrier.code(), host, credentials(&authorization))))
    }

    /// The dialect of a row; of a custom one its manifest's.
    fn carrier(
        &self,
        row: &IntegrationRow,
        account: &Account,
    ) -> Result<&'static dyn Carrier, Misconfigured> {
        let wrong = |reason: &dyn std::fmt::Display| Misconfigured(reason.to_string());
        let carrier = registry::find(&row.carrier_name).map_err(|e| wrong(&e))?;
        match account
            .setting(MANIFEST)
            .filter(|_| carrier.code() == CUSTOM)
        {
            Some(name) => self.manifests.carrier(name).map_err(|e| wrong(&e)),
            None => Ok(carrier),
        }
    }

    fn base(
        &self,
        carrier: &dyn Carrier,
        account: &Account,
        row: &IntegrationRow,
    ) -> Result<Url, Misconfigured> {
        let allow_private = self.transport.config().allow_private_hosts;
        let address = match own_base(row) {
            Some(own) => Cow::Borrowed(own),
            None => carrier
                .base_url(account)
                .map_err(|e| Misconfigured(e.to_string()))?,
        };
        parse_base_url(&address, allow_private).map_err(|e| Misconfigured(e.to_string()))
    }

    fn account(&self, row: &IntegrationRow) -> Result<Account, Misconfigured> {
        if !row.config.is_object() && !row.config.is_null() {
            return Err(Misconfigured("config must be a JSON object".to_owned()));
        }
        let api_key = self.secret(row, SecretColumn::ApiKey)?.ok_or_else(|| {
            let text = "api_key is missing; set it with `carrier-sync integrations set`";
            Misconfigured(text.to_owned())
        })?;
        let account_id = row
            .account_id
            .as_deref()
            .map(str::trim)
            .filter(|id| !id.is_empty());
        Ok(Account {
            api_key,
            api_secret: self.secret(row, SecretColumn::ApiSecret)?,
            account_id: account_id.map(str::to_owned),
            settings: row.config.as_object().cloned().unwrap_or_default(),
        })
    }

    fn secret(
        &self,
        row: &IntegrationRow,
        column: SecretColumn,
    ) -> Result<Option<SecretString>, Misconfigured> {
        row.secret(column)
            .map(|stored| self.opener.open(Place::of(row, column), stored))
            .transpose()
            .map_err(|error| Misconfigured(error.to_string()))
    }

    fn client(
        &self,
        (carrier, settings): (&'static dyn Carrier, &CarrierSettings),
        account: &Account,
        row: &IntegrationRow,
        tenure: Tenure,
    ) -> Result<CarrierClient, Misconfigured> {
        let wrong = |reason: &dyn std::fmt::Display| Misconfigured(reason.to_string());
        let base = self.base(carrier, account, row)?;
        self.allowed_hosts.check(&base).map_err(|e| wrong(&e))?;
        let authorization = carrier.authorize(account).map_err(|e| wrong(&e))?;
        let mut scrubber = Scrubber::new(account, &authorization);
        let proof = match &authorization {
            Authorization::Basic { user, password } => Proof::Headers(basic_header(user, password)),
            Authorization::Headers(headers) => {
                Proof::Headers(secret_headers(headers).map_err(|e| wrong(&e))?)
            }
            Authorization::Token(request) => {
                let at = (&base, own_base(row).is_some());
                let source = self.token_source((carrier, account), at, request)?;
                scrubber = scrubber.with_tokens(source.keeper.sold());
                Proof::Token(Arc::new(source))
            }
        };
        let host = host(&base);
        let at = (carrier.code(), &*host);
        let (limits, tenant) = (&settings.limits, row.tenant_id.as_str());
        let credentials = credentials(&authorization);
        let limiter = self.limits.account(at, credentials, tenant, limits);
        // Once: an hour's window that was given up anew with each change of a row would silence its account.
        let former = tenure.epoch().filter(|epoch| *epoch > FIRST_OWNER);
        if former.is_some_and(|epoch| self.limits.takes_over(row.id.as_str(), epoch.0)) {
            limiter.forgo_burst();
        }
        Ok(CarrierClient {
            limiter,
            transport: self.transport.clone(),
            destination: Destination {
                carrier,
                base,
                scrubber,
                proof,
                timeout: settings.timeout,
                egress: self.egress(),
            },
            tenure,
            max_attempts: settings.max_attempts,
            clock: Arc::clone(&self.clock),
            traffic: Arc::clone(&self.traffic),
        })
    }

    /// Where and by whom the account's token is bought.
    fn token_source(
        &self,
        (carrier, account): (&dyn Carrier, &Account),
        (base, is_own): (&Url, bool),
        request: &TokenRequest,
    ) -> Result<TokenSource, Misconfigured> {
        let wrong = |reason: &dyn std::fmt::Display| Misconfigured(reason.to_string());
        let egress = self.egress();
        let url = match account.setting(TOKEN_URL) {
            Some(text) => parse_address("config.token_url", text, egress.allow_private_hosts)
                .map_err(|e| wrong(&e))?,
            None => token_url(&request.address, base, is_own)
                .ok_or_else(|| wrong(&"the token endpoint has no address"))?,
        };
        let checked = egress.check(&url, "the address of the token endpoint");
        checked.map_err(|e| wrong(&e))?;
        let origin = base.origin().ascii_serialization();
        let identity = (
            carrier.code(),
            origin,
            url.as_str(),
            purchase::identity(request),
        );
        Ok(TokenSource {
            keeper: self.tokens.keeper(identity),
            url,
            request: request.clone(),
            built_at: Instant::now(),
        })
    }

    fn egress(&self) -> Egress {
        Egress {
            allow_private_hosts: self.transport.config().allow_private_hosts,
            allowed_hosts: self.allowed_hosts.clone(),
        }
    }
}

/// The row's own base address, where it has one.
fn own_base(row: &IntegrationRow) -> Option<&str> {
    let own = row.api_base_url.as_deref();
    own.filter(|url| !url.trim().is_empty())
}

/// A trailing dot names the same host.
fn host(base: &Url) -> String {
    let host = base.authority().replace(".:", ":");
    host.trim_end_matches('.').to_owned()
}

/// The time between syncs of a row.
///
/// # Errors
/// [`Misconfigured`] for zero, a negative number and more than a year.
pub fn interval(row: &IntegrationRow) -> Result<Duration, Misconfigured> {
    match row.sync_interval_minutes {
        minutes @ 1..=MINUTES_PER_YEAR => Ok(Duration::from_secs(minutes.unsigned_abs() * 60)),
        _ => Err(Misconfigured(format!(
            "sync_interval_minutes is {}; allowed is 1 to {MINUTES_PER_YEAR}",
            row.sync_interval_minutes
        ))),
    }
}
