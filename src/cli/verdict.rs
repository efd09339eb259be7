//! One integration's verdict: does it work, and if not, what to do. For `check` and
//! `integrations test`.

use std::fmt;

use serde::Serialize;

use crate::app::App;
use crate::client::CallError;
use crate::device::{IntegrationId, TenantId};
use crate::integration::IntegrationRow;
use crate::sync::{build, probe};
use crate::tenure::Tenure;

/// The result of one harmless call.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    integration_id: IntegrationId,
    tenant_id: TenantId,
    carrier: String,
    /// Whether a sync can be expected to work.
    pub(super) ok: bool,
    error: Option<String>,
    hint: Option<&'static str>,
}

impl Verdict {
    /// Asks the carrier of `row`.
    pub(super) async fn of(app: &App, row: &IntegrationRow) -> Self {
        let (error, hint) = match ask(app, row).await {
            Ok(()) => (None, None),
            Err((error, hint)) => (Some(error), hint),
        };
        Self {
            integration_id: row.id.clone(),
            tenant_id: row.tenant_id.clone(),
            carrier: row.carrier_name.clone(),
            ok: error.is_none(),
            error,
            hint,
        }
    }
}

async fn ask(app: &App, row: &IntegrationRow) -> Result<(), (String, Option<&'static str>)> {
    let change = "change it with carrier-sync integrations set";
    let job = app
        .builder
        .build(row, Tenure::sole())
        .map_err(|error| (error.to_string(), Some(change)))?;
    build::interval(row).map_err(|error| (error.to_string(), Some(change)))?;
    probe(&job)
        .await
        .map_err(|error| (error.to_string(), hint(&error)))
}

fn hint(error: &CallError) -> Option<&'static str> {
    match error {
        CallError::Unauthorized { .. } => Some(
            "the key or the account id is wrong, or the key lacks rights: \
             carrier-sync integrations set",
        ),
        CallError::NotFound | CallError::Malformed { .. } => Some(
            "is api_base_url right, with its path? carrier-sync integrations set --api-base-url",
        ),
        CallError::Forbidden { .. } => {
            Some("for a carrier inside your network set http.allow_private_hosts = true")
        }
        CallError::Throttled { .. } | CallError::Unavailable { .. } => Some("try again later"),
        CallError::NoToken { .. } => Some(
            "no token was sold: is api_base_url right (and config.token_url, where it is set)? \
             Else try again later",
        ),
        CallError::Rejected { .. }
        | CallError::TooLarge { .. }
        | CallError::BudgetSpent { .. }
        | CallError::LeaseLost => None,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.ok { "ok     " } else { "FAILED " };
        write!(
            f,
            "{word} {} ({}, {})",
            self.integration_id, self.tenant_id, self.carrier
        )?;
        match (&self.error, self.hint) {
            (Some(error), Some(hint)) => write!(f, ": {error}\n        {hint}"),
            (Some(error), None) => write!(f, ": {error}"),
            _ => f.write_str(": the carrier answers and accepts the credentials"),
        }
    }
}
