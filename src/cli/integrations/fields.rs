//! The fields of an integration as the command line takes them, and the rules they obey.

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    carriers::{
        Account, Carrier,
        custom::{CODE as CUSTOM, MANIFEST, check_name},
        registry,
    },
    cli::{CliError, output},
    client::egress::parse_base_url,
    config::Config,
    manifests::Manifests,
    sync::build::MINUTES_PER_YEAR,
};

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
    #[arg(long = "api-base-url", visible_alias = "base-url", value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Custom carriers: name of the manifest that describes it; short for --setting manifest=NAME
    #[arg(long, value_name = "NAME")]
    pub(super) manifest: Option<String>,
    /// A setting that only this carrier knows; may be given several times. An empty VALUE removes it.
    /// docs/carriers.md lists them by carrier
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = setting_parser)]
    pub(super) settings: Vec<(String, String)>,
}

fn setting_parser(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("a setting looks like coverage=japan".to_owned()),
    }
}

/// Minutes between two syncs.
pub(super) fn interval_parser() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(1..=MINUTES_PER_YEAR)
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
        if let Some(name) = self.manifest.as_deref().filter(|name| !name.is_empty()) {
            check_name(name).map_err(|reason| CliError::new(format!("--manifest: {reason}")))?;
        }
        match self.base_url.as_deref() {
            Some(url) if !url.is_empty() => check_base_url(url, config),
            _ => Ok(()),
        }
    }
}

impl Fields {
    /// The integration's settings as they become: the stored ones with those given here.
    ///
    /// # Errors
    /// A setting that the carrier does not know, with those that it does.
    pub(super) fn settings(
        &self,
        carrier: &dyn Carrier,
        stored: &serde_json::Value,
    ) -> Result<Option<Map<String, Value>>, CliError> {
        let manifest = self
            .manifest
            .iter()
            .map(|name| (MANIFEST.to_owned(), name.clone()));
        let given: Vec<_> = manifest.chain(self.settings.iter().cloned()).collect();
        if given.is_empty() {
            return Ok(None);
        }
        let mut settings = stored.as_object().cloned().unwrap_or_default();
        let known = &carrier.capabilities().settings;
        for (key, value) in given {
            if !known.iter().any(|setting| setting.name == key) && !value.is_empty() {
                return Err(unknown_setting(carrier, &key));
            }
            if value.is_empty() {
                settings.remove(&key);
            } else {
                settings.insert(key, Value::String(value));
            }
        }
        Ok(Some(settings))
    }
}

fn unknown_setting(carrier: &dyn Carrier, key: &str) -> CliError {
    let known = carrier.capabilities().settings.iter();
    let known: Vec<String> = known
        .map(|setting| format!("{} ({})", setting.name, setting.what))
        .collect();
    let hint = if known.is_empty() {
        format!("{} has no settings of its own", carrier.code())
    } else {
        format!("{} knows: {}", carrier.code(), known.join("; "))
    };
    CliError::new(format!("unknown setting {key:?}")).hint(hint)
}

/// The dialect of an account; of a custom one its manifest's.
///
/// # Errors
/// What is wrong with name or manifest.
pub(super) fn dialect(
    name: &str,
    account: &Account,
    config: &Config,
) -> Result<&'static dyn Carrier, CliError> {
    let carrier = registry::find(name).map_err(|error| CliError::new(error.to_string()))?;
    match account
        .setting(MANIFEST)
        .filter(|_| carrier.code() == CUSTOM)
    {
        Some(manifest) => Manifests::of(config.custom.manifests.clone())
            .carrier(manifest)
            .map_err(|error| {
                CliError::new(error.to_string())
                    .hint("docs/custom-carriers.md says where manifests are and what they hold")
            }),
        None => Ok(carrier),
    }
}

/// The same check as before every sync, but for private addresses: here they are only warned of, as
/// the service may run with other settings.
fn check_base_url(text: &str, config: &Config) -> Result<(), CliError> {
    parse_base_url(text, true).map_err(|refused| {
        CliError::new(refused.to_string())
            .hint("an address looks like https://dashboard.hologram.io/api/1")
    })?;
    if let Err(refused) = parse_base_url(text, config.http.allow_private_hosts) {
        output::note(format_args!(
            "note: the service will refuse this: {refused}"
        ));
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
