//! Cisco IoT Control Center: pages of 50, usage by rate plan, and "too fast" as a code in the body
//! (developer.cisco.com/docs/control-center).

use std::ops::Range;
use std::sync::atomic::Ordering;

use chrono::{DateTime, SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::config::Dialect;
use super::question::{Question, Reply};
use super::sims::Sim;
use super::state::State;
use super::truth::DialectTruth;

const LARGEST_PAGE: usize = 50;

/// The words of `status`.
const STATES: [&str; 8] = [
    "ACTIVATED",
    "ACTIVATION_READY",
    "TEST_READY",
    "INVENTORY",
    "DEACTIVATED",
    "RETIRED",
    "PURGED",
    "REPLACED",
];

pub(super) fn answer(state: &State, question: &Question) -> Reply {
    let Some(account) = account(state, question) else {
        return error(401, json!("10000001"), "Invalid credentials");
    };
    let sim = |iccid: &str| state.sim_named(account, iccid);
    match question.segments()[..] {
        ["devices"] => devices(state, account, question),
        ["usages"] => usages(state, account, question),
        ["devices", iccid] => sim(iccid).map_or_else(not_found, |sim| Reply::ok(device(&sim))),
        ["devices", iccid, "ctdUsages"] => sim(iccid).map_or_else(not_found, |sim| {
            Reply::ok(json!({
                "iccid": sim.name(Dialect::Cisco), "status": word(&sim), "ratePlan": sim.plan,
                "ctdDataUsage": sim.used_bytes, "ctdSMSUsage": 0, "ctdVoiceUsage": 0, "ctdSessionCount": 1,
                "overageLimitReached": false, "overageLimitOverride": "DEFAULT",
            }))
        }),
        ["devices", iccid, "sessionInfo"] => sim(iccid).map_or_else(not_found, |sim| session(&sim)),
        _ => not_found(),
    }
}

/// Whose key the request carries.
pub(super) fn account(state: &State, question: &Question) -> Option<usize> {
    let (user, key) = question.basic()?;
    let accounts = state.config.accounts.iter();
    accounts
        .clone()
        .position(|account| account.key == user && account.secret.as_deref() == Some(&*key))
}

/// The code comes as a text and as a number in turn.
pub(super) fn too_fast(state: &State) -> Reply {
    let count = state.refusals.fetch_add(1, Ordering::Relaxed);
    let code = if count.is_multiple_of(2) {
        json!("40000029")
    } else {
        json!(40_000_029)
    };
    error(state.config.throttle_status, code, "Rate limit exceeded")
}

fn devices(state: &State, account: usize, question: &Question) -> Reply {
    // A `+` that was not encoded comes as a blank, and is refused as the carrier does.
    let since = question.query.get("modifiedSince");
    let Some(since) = since.and_then(|text| DateTime::parse_from_rfc3339(text).ok()) else {
        return error(400, json!("10000003"), "modifiedSince is required");
    };
    // Every device was changed at the carrier's present instant.
    let changed = match since.to_utc() <= state.now {
        true => state.config.accounts[account].devices,
        false => 0,
    };
    let page = Page::of(question, changed);
    let rows = page.places.clone().map(|index| {
        let sim = state.sim(account, index);
        json!({
            "iccid": sim.name(Dialect::Cisco), "status": word(&sim), "ratePlan": sim.plan,
            "communicationPlan": "Data",
        })
    });
    page.reply("devices", rows.collect())
}

/// Devices of the plan that used nothing are in it too. Of other cycles and other kinds nothing is kept. A shared
/// plan has no usage by plan; in which words it is refused is not published.
fn usages(state: &State, account: usize, question: &Question) -> Reply {
    let Some(plan) = question.query.get("ratePlanName") else {
        return error(400, json!("10000003"), "ratePlanName is required");
    };
    let plans = state.config.plans();
    if !plans.has(plan) {
        return error(400, json!("10000003"), "no such rate plan");
    }
    if plans.is_shared(plan) {
        return error(400, json!("10000003"), "not for shared rate plans");
    }
    let on_plan = plans.count(plan, state.config.accounts[account].devices);
    let is_kept = is_data(question) && is_current(state, account, question);
    let page = Page::of(question, if is_kept { on_plan } else { 0 });
    let rows = page.places.clone().map(|place| {
        let sim = state.sim(account, plans.index_at(plan, place));
        let told = plans.part(plan, sim.index, sim.used_bytes);
        json!({
            "iccid": sim.name(Dialect::Cisco), "usageType": "DATA", "dataUsage": told,
            "cycleStartDate": cycle_start(&sim),
        })
    });
    page.reply("usages", rows.collect())
}

fn is_data(question: &Question) -> bool {
    let kind = question.query.get("usageType");
    kind.is_none_or(|kind| kind == "DATA")
}

/// Asked for no cycle, or for the present one, in either of the documented forms.
fn is_current(state: &State, account: usize, question: &Question) -> bool {
    let asked = question.query.get("cycleStartDate");
    let date = |text: &str| text.get(..10).map(str::to_owned);
    asked.is_none_or(|asked| date(asked) == date(&cycle_start(&state.sim(account, 0))))
}

fn cycle_start(sim: &Sim) -> String {
    sim.cycle.0.format("%Y-%m-%dZ").to_string()
}

/// Part of a listing.
struct Page {
    number: usize,
    places: Range<usize>,
    is_last: bool,
}

impl Page {
    fn of(question: &Question, rows: usize) -> Self {
        let size = question.number("pageSize").unwrap_or(LARGEST_PAGE);
        let size = size.clamp(1, LARGEST_PAGE);
        let number = question.number("pageNumber").unwrap_or(1).max(1);
        let from = rows.min((number - 1).saturating_mul(size));
        let to = rows.min(from + size);
        Self {
            number,
            places: from..to,
            is_last: to == rows,
        }
    }

    fn reply(&self, name: &str, rows: Vec<Value>) -> Reply {
        Reply::ok(json!({name: rows, "pageNumber": self.number, "lastPage": self.is_last}))
    }
}

fn device(sim: &Sim) -> Value {
    json!({
        "iccid": sim.name(Dialect::Cisco), "imsi": format!("90144{:010}", sim.index), "msisdn": "8823",
        "imei": "", "status": word(sim), "ratePlan": sim.plan, "communicationPlan": "Data",
        "customer": null, "accountId": "1", "fixedIPAddress": null,
        "dateActivated": sim.activated.format("%Y-%m-%d %H:%M:%S.000+0000").to_string(),
    })
}

fn session(sim: &Sim) -> Reply {
    let started = sim.activated.to_rfc3339_opts(SecondsFormat::Secs, true);
    let ended = sim.activated + TimeDelta::hours(1);
    let ended = ended.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut session = json!({"iccid": sim.name(Dialect::Cisco)});
    if sim.connectivity <= 2 {
        session["ipAddress"] = json!("10.0.0.1");
        session["dateSessionStarted"] = json!(started);
        // Null while it is open; all three are missing where there never was one.
        session["dateSessionEnded"] = json!((sim.connectivity > 0).then_some(ended));
    }
    Reply::ok(session)
}

fn word(sim: &Sim) -> &'static str {
    STATES.get(sim.state).copied().unwrap_or(STATES[0])
}

fn not_found() -> Reply {
    error(404, json!("30000001"), "Resource not found - Invalid ICCID")
}

fn error(status: u16, code: Value, message: &str) -> Reply {
    Reply::refusal(status, json!({"errorMessage": message, "errorCode": code}))
}

/// In the service's words.
pub(super) fn truth(sim: &Sim) -> DialectTruth {
    DialectTruth {
        carrier_device_id: sim.name(Dialect::Cisco),
        iccid: sim.iccid_with_luhn(),
        used_bytes: sim.used_bytes,
        cycle_start: sim.cycle.0,
        cycle_end: sim.cycle.1,
        sim_status: match word(sim) {
            "ACTIVATED" => "active",
            "DEACTIVATED" => "suspended",
            "RETIRED" | "PURGED" | "REPLACED" => "deactivated",
            _ => "ready",
        },
        network_status: match (word(sim), sim.connectivity) {
            ("DEACTIVATED", _) => "suspended",
            (_, 0) => "connected",
            (_, 1 | 2) => "disconnected",
            _ => "unknown",
        },
    }
}
