//! The fields of an integration as the command line takes them, and the rules they obey.

use clap::Args;
use url::Url;

use crate::{
    carriers::{Account, Carrier, registry},
    cli::{CliError, output},
    config::Config,
};

/// Longest interval: a year.
const MAX_INTERVAL_MINUTES: i64 = 525_600;

/// Fields that `add` and `set` share.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// What you call it
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,
    /// The organisation or customer at the carrier; Hologram: the orgid, which makes bulk reads
    /// possible
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) account_id: Option<String>,
    /// Replaces the carrier's address, path included; must be https and public unless
    /// http.allow_private_hosts is set
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
}

/// Minutes between two syncs.
pub(super) fn interval_parser() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(1..=MAX_INTERVAL_MINUTES)
}

/// A carrier's name, as the registry knows it.
pub(super) fn carrier_parser(name: &str) -> Result<&'static str, registry::NoCarrier> {
    registry::find(name).map(Carrier::code)
}

impl Fields {
    /// Checks what can be checked without asking anyone. An empty text means "remove".
    pub(super) fn check(&self, config: &Config) -> Result<(), CliError> {
        for (flag, text) in [("--name", &self.name), ("--account-id", &self.account_id)] {
            if text
                .as_deref()
                .is_some_and(|text| text.chars().any(char::is_control))
            {
                return Err(CliError::new(format!(
                    "{flag} contains a control character"
                )));
            }
        }
        match self.base_url.as_deref() {
            Some(url) if !url.is_empty() => check_base_url(url, config),
            _ => Ok(()),
        }
    }
}

/// The address is not repeated: someone may have put a password into it.
fn check_base_url(text: &str, config: &Config) -> Result<(), CliError> {
    let refused = |reason: &str| {
        CliError::new(format!("--base-url {reason}"))
            .hint("an address looks like https://dashboard.hologram.io/api/1")
    };
    let url = Url::parse(text).map_err(|error| refused(&format!("is not an address: {error}")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refused("must begin with https:// (or http://)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("must not contain a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("must not contain ? or #"));
    }
    if url.scheme() == "http" && !config.http.allow_private_hosts {
        output::note("note: http:// is refused at run time unless http.allow_private_hosts = true");
    }
    Ok(())
}

/// Lets the carrier itself say whether it can be asked with this account.
pub(super) fn check_account(carrier: &dyn Carrier, account: &Account) -> Result<(), CliError> {
    carrier.authorize(account).map(drop).map_err(|error| {
        CliError::new(format!(
            "{} cannot be asked with this account",
            carrier.code()
        ))
        .because(error)
    })
}

/// Whether the carrier wants a second half of the credentials: it refuses the account without one
/// and would take it with one.
pub(super) fn needs_secret(carrier: &dyn Carrier, account: &Account) -> bool {
    let with = Account {
        api_secret: Some("placeholder".into()),
        ..account.clone()
    };
    let without = Account {
        api_secret: None,
        ..account.clone()
    };
    carrier.authorize(&without).is_err() && carrier.authorize(&with).is_ok()
}

/// `None` for an empty text: the field is removed.
pub(super) fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
