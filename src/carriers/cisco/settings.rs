//! What an integration tells about its pod and its billing cycle: `carrier_integrations.config`.

use std::fmt::Display;

use serde_json::Value;

use super::time::CycleDay;
use crate::carriers::{Account, BadAccount};

/// Longest number of a pod, in digits.
const MAX_POD_DIGITS: usize = 3;

/// The address of the account's pod: `restapi3.jasper.com` where `config.pod` is `"restapi3"` or 3.
pub(super) fn base_url(account: &Account) -> Result<String, BadAccount> {
    let wanted = "the pod is in the address that the operator names for its API, such as \
                  https://restapi3.jasper.com: set config.pod to \"restapi3\" or 3, or api_base_url to the \
                  whole address with /rws/api/v1";
    let pod = account.settings.get("pod").filter(|pod| !pod.is_null());
    let pod = pod.ok_or_else(|| bad("neither config.pod nor api_base_url is set", wanted))?;
    let number = text_or_number(pod);
    let number = number.trim().to_ascii_lowercase();
    let number = number.strip_prefix("restapi").unwrap_or(&number);
    let is_number = (1..=MAX_POD_DIGITS).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(bad("config.pod is not a pod", wanted));
    }
    Ok(format!("https://restapi{number}.jasper.com/rws/api/v1"))
}

/// `config.cycle_day`, where it is set.
pub(super) fn cycle_day(account: &Account) -> Result<Option<CycleDay>, BadAccount> {
    let day = account.settings.get("cycle_day");
    let Some(day) = day.filter(|day| !day.is_null()) else {
        return Ok(None);
    };
    let number = text_or_number(day).trim().parse().ok();
    let day = number.and_then(CycleDay::new);
    day.map(Some).ok_or_else(|| {
        bad(
            "config.cycle_day is not a day of the month",
            "allowed: 1 to 31, the day on which the account's billing cycle begins, or none",
        )
    })
}

/// `account_id`, where it is set: digits.
pub(super) fn account_id(account: &Account) -> Result<Option<&str>, BadAccount> {
    let id = account.account_id.as_deref().unwrap_or_default().trim();
    if id.is_empty() {
        return Ok(None);
    }
    if id.len() <= 18 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(id));
    }
    Err(bad(
        "account_id is not a number",
        "Control Center wants the account id in digits, to list one of several accounts, or none",
    ))
}

fn text_or_number(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn bad(what: impl Display, wanted: &str) -> BadAccount {
    BadAccount(format!("{what}; {wanted}"))
}
