//! What an account's requests prove themselves with, as the manifest's `[auth]` says, and what the account lacks.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

use super::manifest::{Auth, AuthKind, Manifest};
use crate::carriers::token::{TokenAddress, TokenBody};
use crate::carriers::{Account, Authorization, BadAccount, TokenRequest};

/// # Errors
/// [`BadAccount`] naming what is missing and wanted.
pub(super) fn authorize(
    manifest: &Manifest,
    account: &Account,
) -> Result<Authorization, BadAccount> {
    check_account_id(manifest, account)?;
    let auth = &manifest.auth;
    Ok(match auth.kind {
        AuthKind::Bearer => Authorization::bearer(&account.api_key),
        AuthKind::Basic => Authorization::Basic {
            user: account.api_key.expose_secret().to_owned(),
            password: secret(auth, account)?,
        },
        AuthKind::Header => {
            let name = auth.header.clone().unwrap_or_default().to_lowercase();
            let value = match &auth.prefix {
                Some(prefix) => format!("{prefix} {}", account.api_key.expose_secret()).into(),
                None => account.api_key.clone(),
            };
            Authorization::Headers(vec![(Cow::Owned(name), value)])
        }
        AuthKind::ClientCredentials => {
            let path = auth.token_path.clone().unwrap_or_default();
            let path = path.trim_matches('/').to_owned();
            let text = |text: &'static str| SecretString::from(text);
            Authorization::Token(TokenRequest {
                address: TokenAddress::Below(Cow::Owned(path)),
                basic: None,
                body: TokenBody::Form(vec![
                    (Cow::Borrowed("grant_type"), text("client_credentials")),
                    (Cow::Borrowed("client_id"), account.api_key.clone()),
                    (Cow::Borrowed("client_secret"), secret(auth, account)?),
                ]),
            })
        }
    })
}

/// Without it the addresses would be of no account, or of another.
fn check_account_id(manifest: &Manifest, account: &Account) -> Result<(), BadAccount> {
    let id = account.account_id.as_deref().map(str::trim);
    match manifest.needs_account_id() {
        Some(key) if id.is_none_or(str::is_empty) => Err(BadAccount(format!(
            "account_id is missing; {key} of the manifest holds {{account_id}}"
        ))),
        _ => Ok(()),
    }
}

fn secret(auth: &Auth, account: &Account) -> Result<SecretString, BadAccount> {
    account.api_secret.clone().ok_or_else(|| {
        let hint = auth.hint.as_deref();
        let hint = hint.unwrap_or("see the carrier's documentation");
        BadAccount(format!(
            "api_secret is missing; this carrier wants two halves ({hint})"
        ))
    })
}
