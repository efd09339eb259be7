//! One integration's verdict: does it work, and if not, what to do. For `check` and
//! `integrations test`.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::app::App;
use crate::carriers::capability::{Capabilities, Credentials};
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
    hint: Option<Cow<'static, str>>,
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

async fn ask(app: &App, row: &IntegrationRow) -> Result<(), (String, Option<Cow<'static, str>>)> {
    let change = Cow::Borrowed("change it with carrier-sync integrations set");
    let job = app
        .builder
        .build(row, Tenure::sole())
        .map_err(|error| (error.to_string(), Some(change.clone())))?;
    build::interval(row).map_err(|error| (error.to_string(), Some(change)))?;
    probe(&job).await.map_err(|error| {
        let hint = hint(&error, job.carrier.capabilities());
        (error.to_string(), hint)
    })
}

fn hint(error: &CallError, carrier: &Capabilities) -> Option<Cow<'static, str>> {
    let hint = match error {
        CallError::Unauthorized { .. } => {
            return Some(Cow::Owned(format!(
                "the credentials are wrong or lack rights; {} wants {}; \
                 change them with carrier-sync integrations set",
                carrier.name,
                wanted(&carrier.credentials)
            )));
        }
        CallError::NotFound | CallError::Malformed { .. } => Some(
            "is api_base_url right, with its path? carrier-sync integrations set --api-base-url",
        ),
        CallError::Forbidden { .. } => {
            Some("for a carrier inside your network set http.allow_private_hosts = true")
        }
        CallError::Throttled { .. }
        | CallError::LimitUsedUp { .. }
        | CallError::Unavailable { .. } => Some("try again later"),
        CallError::NoToken { .. } => {
            Some("no token was sold: is api_base_url right? Else try again later")
        }
        CallError::Rejected { .. }
        | CallError::TooLarge { .. }
        | CallError::BudgetSpent { .. }
        | CallError::AllowanceSpent { .. }
        | CallError::NotCounted { .. }
        | CallError::LeaseLost => None,
    };
    hint.map(Cow::Borrowed)
}

/// What each column of credentials is, and where to get it.
fn wanted(credentials: &Credentials) -> String {
    let api_key = format!("api_key: {}", credentials.api_key);
    let secret = credentials.api_secret.as_ref();
    let secret = secret.map(|secret| format!("api_secret: {secret}"));
    let account = credentials.account_id.as_ref();
    let account = account.map(|account| format!("account_id: {}", account.what));
    let columns: Vec<String> = [Some(api_key), secret, account]
        .into_iter()
        .flatten()
        .collect();
    columns.join(", ")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.ok { "ok     " } else { "FAILED " };
        write!(
            f,
            "{word} {} ({}, {})",
            self.integration_id, self.tenant_id, self.carrier
        )?;
        match (&self.error, &self.hint) {
            (Some(error), Some(hint)) => write!(f, ": {error}\n        {hint}"),
            (Some(error), None) => write!(f, ": {error}"),
            _ => f.write_str(": the carrier answers and accepts the credentials"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::carriers::registry;

    fn refused() -> CallError {
        CallError::Unauthorized {
            status: 400,
            words: Some("invalid_client".into()),
        }
    }

    #[test]
    fn refused_credentials_are_told_with_what_this_carrier_wants_and_where_to_get_it() {
        for carrier in registry::carriers() {
            let capabilities = carrier.capabilities();
            let hint = hint(&refused(), capabilities).unwrap();
            let wanted = &capabilities.credentials;
            let texts = [Some(&wanted.api_key), wanted.api_secret.as_ref()];
            for text in texts.into_iter().flatten() {
                assert!(hint.contains(&**text), "{}: {hint}", carrier.code());
            }
            assert!(hint.contains(&*capabilities.name), "{hint}");
            assert!(hint.contains("integrations set"), "{hint}");
        }
        assert_eq!(
            refused().to_string(),
            "the carrier refuses the credentials (status 400: invalid_client)"
        );
    }

    #[test]
    fn a_second_half_is_named_where_there_is_one() {
        let credentials = Credentials {
            api_key: "client id".into(),
            api_secret: Some("client secret".into()),
            account_id: None,
        };
        assert_eq!(
            wanted(&credentials),
            "api_key: client id, api_secret: client secret"
        );
    }
}
