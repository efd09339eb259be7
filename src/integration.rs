//! The vocabulary of an integration: its row as stored, and the words for how a sync and a call to its carrier
//! ended.
//!
//! Rows are kept as the database has them: an unknown carrier or an impossible interval is a state
//! to show the operator, so reading must not fail on it. Knows no carrier, no SQL and no HTTP.

use std::hash::BuildHasher;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::device::{IntegrationId, TenantId};

/// How a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every linked device was read and written.
    Success,
    /// Some devices were written, some were not.
    Partial,
    /// No device was written, though there was something to do.
    Error,
}

impl Outcome {
    /// The outcome that a stored word means.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Success, Self::Partial, Self::Error]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }

    /// The word stored in `last_sync_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Error => "error",
        }
    }
}

/// How one attempt to call a carrier ended: a closed set, from which an operator can tell whose turn it is to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallResult {
    /// A usable answer.
    Ok,
    /// The answer is elsewhere on the same host, where it is asked for next: an attempt of its own.
    Redirect,
    /// 429, or what the carrier says in its place.
    Throttled,
    /// 401 or 403, or what the carrier says in their place.
    Unauthorized,
    /// 404 or 410.
    NotFound,
    /// Any other no, in the status or in the answer's body; a redirect that is not followed is one.
    ClientError,
    /// A failure on the carrier's side.
    ServerError,
    /// No complete answer in time.
    Timeout,
    /// No connection, or one that broke.
    Network,
    /// An answer that is not what the API documents, or that is larger than allowed.
    Unreadable,
    /// The address may not be called: nothing has left.
    Forbidden,
    /// Given up by us before its end, because the sync was ended.
    Abandoned,
}

impl CallResult {
    /// Every result.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Redirect,
        Self::Throttled,
        Self::Unauthorized,
        Self::NotFound,
        Self::ClientError,
        Self::ServerError,
        Self::Timeout,
        Self::Network,
        Self::Unreadable,
        Self::Forbidden,
        Self::Abandoned,
    ];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Redirect => "redirect",
            Self::Throttled => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Unreadable => "unreadable",
            Self::Forbidden => "forbidden",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A column that holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretColumn {
    /// Key, token, user name or client id.
    ApiKey,
    /// Second half of the credentials.
    ApiSecret,
}

impl SecretColumn {
    /// Every column that does.
    pub const ALL: [Self; 2] = [Self::ApiKey, Self::ApiSecret];

    /// The column's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::ApiSecret => "api_secret",
        }
    }
}

impl std::fmt::Display for SecretColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A row of `carrier_integrations`, as stored.
#[derive(Debug, Clone)]
pub struct IntegrationRow {
    /// Primary key.
    pub id: IntegrationId,
    /// Owner of the account.
    pub tenant_id: TenantId,
    /// The carrier's name as stored; perhaps one that we do not know.
    pub carrier_name: String,
    /// What the operator calls it.
    pub display_name: Option<String>,
    /// Off: as if the row were not there.
    pub enabled: bool,
    /// Off: no timer; `once` can still be told to sync it.
    pub sync_enabled: bool,
    /// Minutes between syncs, as stored; zero and below are refused later, with a reason.
    pub sync_interval_minutes: i64,
    /// Key, token, user name or client id, by carrier; clear text or sealed (`secrets`).
    pub api_key: Option<SecretString>,
    /// Second half of the credentials where the carrier has one.
    pub api_secret: Option<SecretString>,
    /// Replaces the carrier's base address.
    pub api_base_url: Option<String>,
    /// The account, organisation or customer at the carrier.
    pub account_id: Option<String>,
    /// Per-integration settings, as stored.
    pub config: serde_json::Value,
    /// When the last sync that ran to its end was started.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// Start of the last sync that ended in `success`.
    pub last_success_at: Option<DateTime<Utc>>,
    /// `never`, or the last outcome's word.
    pub last_sync_status: String,
    /// Reason of the last outcome, without secrets.
    pub last_sync_error: Option<String>,
}

impl IntegrationRow {
    /// What a column holds: clear text or sealed.
    #[must_use]
    pub fn secret(&self, column: SecretColumn) -> Option<&SecretString> {
        match column {
            SecretColumn::ApiKey => self.api_key.as_ref(),
            SecretColumn::ApiSecret => self.api_secret.as_ref(),
        }
    }

    /// Changes when something changes that a running sync must know; not when an outcome is recorded.
    ///
    /// A keyed hash, so that it can be kept beside logs without holding a secret.
    pub fn fingerprint(&self, hasher: &impl BuildHasher) -> u64 {
        let secret =
            |text: &Option<SecretString>| text.as_ref().map(|text| text.expose_secret().to_owned());
        hasher.hash_one((
            (
                &self.tenant_id,
                &self.carrier_name,
                self.sync_interval_minutes,
            ),
            (secret(&self.api_key), secret(&self.api_secret)),
            (
                &self.api_base_url,
                &self.account_id,
                self.config.to_string(),
            ),
        ))
    }
}
