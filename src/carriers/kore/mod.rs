//! KORE: its token, around the dialect of Super SIM. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `wire.rs` | what the token endpoint answers |
//! | `normalise.rs` | what that means |
//! | `../twilio/supersim.rs` | the requests of Super SIM, and with them their rows |

mod capabilities;
mod normalise;
mod wire;

use std::borrow::Cow;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    carriers::{
        Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
        Context, DeviceRecord, LineId, ReadError, Token, TokenRequest, UsagePart, UsageReport,
        Walk,
        token::{TokenAddress, TokenBody},
        twilio::supersim::SuperSim,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// What is KORE's own of the dialect.
const SUPER_SIM: SuperSim = SuperSim {
    vendor: "KORE",
    sims_are_shown_in: "the KORE One console, Super SIM, SIMs",
    most_usage_rows: 249,
};

/// Letters and length of Twilio's SIDs, which people carry over with their SIMs.
const TWILIO_SIDS: [&str; 2] = ["AC", "SK"];
const TWILIO_SID_LENGTH: usize = 34;

/// The dialect.
#[derive(Debug)]
pub struct Kore;

impl Carrier for Kore {
    fn code(&self) -> &'static str {
        "kore"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://supersim.api.korewireless.com/v1"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        let id = account.api_key.expose_secret().trim();
        check_client_id(id)?;
        let secret = account
            .api_secret
            .as_ref()
            .filter(|secret| !secret.expose_secret().trim().is_empty());
        let Some(secret) = secret else {
            return Err(BadAccount(
                "api_secret is missing; KORE wants the secret of the API client whose id is api_key".into(),
            ));
        };
        Ok(Authorization::Token(token_request(id, secret)))
    }

    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        normalise::token(answer)
    }

    fn refuses_credentials(&self, status: u16, body: &[u8]) -> bool {
        status == 400 && normalise::is_refused_client(body)
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        SUPER_SIM.check_device(name)
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.probe()
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        SUPER_SIM.listing(context)
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        Some(SUPER_SIM.report(context))
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        SUPER_SIM.bulk_calls(context, devices)
    }

    fn get_device_info(
        &self,
        _: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.sim(device)
    }

    fn get_detail(
        &self,
        _: Context<'_>,
        _: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.billing_periods(device)
    }

    fn usage_kept_for(&self) -> Option<TimeDelta> {
        Some(SuperSim::USAGE_KEPT)
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (_, line): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        Some(SUPER_SIM.usage(context, line, cycle))
    }
}

fn token_request(id: &str, secret: &SecretString) -> TokenRequest {
    TokenRequest {
        address: TokenAddress::Elsewhere {
            origin: Cow::Borrowed("https://api.korewireless.com"),
            path: Cow::Borrowed("/api-services/v1/auth/token"),
        },
        basic: None,
        body: TokenBody::Form(vec![
            (
                Cow::Borrowed("grant_type"),
                "client_credentials".to_owned().into(),
            ),
            (Cow::Borrowed("client_id"), id.to_owned().into()),
            (Cow::Borrowed("client_secret"), secret.clone()),
        ]),
    }
}

/// The value is not repeated: it might be the secret in the wrong column.
fn check_client_id(id: &str) -> Result<(), BadAccount> {
    let is_twilio_s =
        id.len() == TWILIO_SID_LENGTH && TWILIO_SIDS.iter().any(|letters| id.starts_with(letters));
    let wrong = if id.is_empty() {
        "is empty"
    } else if is_twilio_s {
        "looks like a SID of Twilio's"
    } else {
        return Ok(());
    };
    Err(BadAccount(format!(
        "api_key {wrong}; KORE wants the client id of an API client (KORE One console, API clients), and its \
         client secret in api_secret"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    fn account(id: &str, secret: Option<&str>) -> Account {
        Account {
            api_key: id.to_owned().into(),
            api_secret: secret.map(|secret| secret.to_owned().into()),
            account_id: None,
            settings: serde_json::Map::new(),
        }
    }

    fn token(body: &str) -> Result<Token, ReadError> {
        Kore.read_token(&Answer::of(body.as_bytes(), DateTime::UNIX_EPOCH))
    }

    #[test]
    fn client_id_and_secret_buy_a_token_at_a_host_of_its_own() {
        let Ok(Authorization::Token(request)) = Kore.authorize(&account("client", Some("s3cret")))
        else {
            panic!("no token");
        };
        let TokenAddress::Elsewhere { origin, path } = &request.address else {
            panic!("not elsewhere");
        };
        let address = format!("{origin}{path}");
        assert_eq!(
            address,
            "https://api.korewireless.com/api-services/v1/auth/token"
        );
        let TokenBody::Form(form) = &request.body else {
            panic!("no form");
        };
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (&**name, value.expose_secret()))
            .collect();
        let expected = [
            ("grant_type", "client_credentials"),
            ("client_id", "client"),
            ("client_secret", "s3cret"),
        ];
        assert_eq!(form, expected);
        assert!(request.basic.is_none());
        assert!(!format!("{request:?}").contains("s3cret"));
    }

    #[test]
    fn a_twilio_sid_and_a_missing_secret_are_refused_without_repeating_them() {
        let sid = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let refuse = |id, secret| {
            let refused = Kore.authorize(&account(id, secret));
            refused.unwrap_err().to_string()
        };
        let error = refuse(sid, Some("secret"));
        assert!(
            error.contains("Twilio") && !error.contains("aaaa"),
            "{error}"
        );
        assert!(refuse(" ", Some("secret")).contains("is empty"));
        assert!(refuse("client", Some(" ")).contains("api_secret is missing"));
        assert!(refuse("client", None).contains("api_secret is missing"));
    }

    #[test]
    fn a_token_lasts_as_long_as_its_answer_says() {
        let lifetime = |expires: &str| {
            let body = format!(r#"{{"access_token":"a.b.c","expires_in":{expires}}}"#);
            token(&body).unwrap().lifetime
        };
        assert_eq!(lifetime("3600"), Some(Duration::from_secs(3_600)));
        assert_eq!(
            lifetime("\"63072000\""),
            Some(Duration::from_secs(63_072_000))
        );
        for unsaid in ["null", "0", "-1", "\"soon\"", "{}"] {
            assert_eq!(lifetime(unsaid), None, "{unsaid}");
        }
        let bearer = &token(r#"{"access_token":"a.b.c"}"#).unwrap().headers[0];
        let bearer = (&*bearer.0, bearer.1.expose_secret());
        assert_eq!(bearer, ("authorization", "Bearer a.b.c"));
    }

    #[test]
    fn an_answer_without_a_usable_token_is_an_error_that_does_not_quote_it() {
        for body in [
            "",
            "<html>canary</html>",
            r#"{"token":"canary"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"canary\nx"}"#,
            r#"{"access_token":["canary"]}"#,
        ] {
            let error = token(body).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn only_a_refused_client_means_refused_credentials_at_status_400() {
        let refused = br#"{"error":"invalid_client","error_description":"x"}"#;
        assert!(Kore.refuses_credentials(400, refused));
        assert!(!Kore.refuses_credentials(500, refused));
        for body in [
            &br#"{"error":"invalid_request"}"#[..],
            br#"{"code":83603,"message":"invalid_client"}"#,
            b"invalid_client",
            b"",
        ] {
            assert!(!Kore.refuses_credentials(400, body));
        }
    }
}
