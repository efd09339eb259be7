//! emnify: a token bought with an application token, a listing that repeats its last page for ever, months
//! without traffic that are missing keys (docs.emnify.com).

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::config::Dialect;
use super::question::{Question, Reply};
use super::sims::{Sim, megabytes};
use super::state::State;
use super::truth::DialectTruth;

const LARGEST_PAGE: usize = 1_000;
const LARGEST_SIM_PAGE: usize = 2_500;

/// Of the SIM, by number.
const SIM_STATES: [&str; 5] = [
    "Issued",
    "Activated",
    "Suspended",
    "Deleted",
    "Factory Test",
];
/// Of the endpoint, by number.
const ENDPOINT_STATES: [&str; 3] = ["Enabled", "Disabled", "Deleted"];

pub(super) fn answer(state: &State, question: &Question) -> Reply {
    if question.is_post {
        return match question.segments()[..] {
            ["api", "v1", "authenticate"] => authenticate(state, question),
            _ => error(404, "NotFound"),
        };
    }
    let Some(account) = account(state, question) else {
        return error(401, "Unauthorized");
    };
    let sim = |id: &str| state.sim_named(account, id);
    match question.segments()[..] {
        ["api", "v1", "endpoint"] => listing(state, account, question, LARGEST_PAGE, endpoint),
        ["api", "v1", "sim"] => listing(state, account, question, LARGEST_SIM_PAGE, sim_row),
        ["api", "v1", "endpoint", id] => {
            sim(id).map_or_else(not_found, |sim| Reply::ok(single(&sim)))
        }
        ["api", "v1", "endpoint", id, "connectivity"] => sim(id).map_or_else(not_found, |sim| {
            let word = ["ONLINE", "ATTACHED", "OFFLINE", "BLOCKED"][sim.connectivity];
            Reply::ok(json!({"status": {"description": word}, "location": {}, "services": []}))
        }),
        ["api", "v1", "endpoint", id, "stats"] => {
            sim(id).map_or_else(not_found, |sim| Reply::ok(stats(&sim)))
        }
        _ => not_found(),
    }
}

/// Whose token the request carries.
pub(super) fn account(state: &State, question: &Question) -> Option<usize> {
    state.tokens.account(question.bearer()?)
}

fn authenticate(state: &State, question: &Question) -> Reply {
    let now = Instant::now();
    if state.logins.is_locked(now) {
        return error(401, "TooManyRequests");
    }
    let given = question.json();
    let given = given
        .as_ref()
        .and_then(|body| body["application_token"].as_str());
    let accounts = state.config.accounts.iter();
    let account = accounts
        .clone()
        .position(|account| Some(&*account.key) == given);
    let Some(account) = account else {
        state.logins.fail(now);
        return Reply::empty(401);
    };
    state.logins.succeed();
    let ends = Utc::now() + state.config.token_lifetime;
    let token = state.new_token(account, |number| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({"alg": "none", "typ": "JWT"}));
        let claims = part(json!({"exp": ends.timestamp(), "sub": account, "jti": number}));
        format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode("signature"))
    });
    Reply::ok(json!({"auth_token": token}))
}

/// A page past the end is the last page; a size that is too large is cut without a word.
fn listing(
    state: &State,
    account: usize,
    question: &Question,
    largest: usize,
    row: fn(&Sim) -> Value,
) -> Reply {
    let size = question
        .number("per_page")
        .unwrap_or(largest)
        .clamp(1, largest);
    let total = state.config.accounts[account].devices;
    let pages = total.div_ceil(size).max(1);
    let page = question.number("page").unwrap_or(1).clamp(1, pages);
    let from = (page - 1) * size;
    let rows = (from..total.min(from + size)).map(|index| row(&state.sim(account, index)));
    Reply::ok(Value::Array(rows.collect())).counted(page, size, total)
}

/// As in the listing, but for the check digit, which the document knows there only.
fn single(sim: &Sim) -> Value {
    let mut row = endpoint(sim);
    if let Some(sim) = row["sim"].as_object_mut() {
        sim.remove("iccid_with_luhn");
    }
    row
}

fn endpoint(sim: &Sim) -> Value {
    let (sim_state, endpoint_state) = states(sim);
    json!({
        "id": sim.endpoint_id, "name": format!("unit {}", sim.index), "ip_address": "10.0.0.1",
        "status": {"id": endpoint_state, "description": ENDPOINT_STATES[endpoint_state]},
        "service_profile": {"id": 1, "name": "all"}, "tariff_profile": {"id": 1, "name": "all"},
        "sim": {
            "id": sim.endpoint_id + 1, "iccid": sim.iccid, "iccid_with_luhn": sim.iccid_with_luhn(),
            "msisdn": "8822", "imsi": format!("90143{:010}", sim.index),
            "status": {"id": sim_state, "description": SIM_STATES[sim_state]},
        },
    })
}

fn sim_row(sim: &Sim) -> Value {
    let (sim_state, _) = states(sim);
    json!({
        "id": sim.endpoint_id + 1, "iccid": sim.iccid,
        "activation_date": sim.activated.to_rfc3339_opts(SecondsFormat::Secs, true),
        "status": {"id": sim_state, "description": SIM_STATES[sim_state]},
        "endpoint": {"id": sim.endpoint_id},
    })
}

fn stats(sim: &Sim) -> Value {
    let mut stats = json!({"last_hour": {}});
    if sim.used_bytes > 0 {
        let volume = megabytes(sim.used_bytes.cast_signed());
        stats["current_month"] = json!({
            "data": {
                "sim_id": sim.endpoint_id + 1, "month": sim.cycle.0.format("%Y-%m-%d").to_string(),
                "volume": volume, "volume_tx": volume / 2.0, "volume_rx": volume / 2.0, "cost": 0.0,
                "traffic_type": {"id": 5, "description": "Data", "unit": "MB"},
            },
            "sms": {},
        });
    }
    stats
}

/// Of the SIM and of the endpoint, by number.
fn states(sim: &Sim) -> (usize, usize) {
    match sim.state {
        state @ 0..5 => (state, 0),
        5 => (1, 1),
        6 => (1, 2),
        _ => (1, 0),
    }
}

fn not_found() -> Reply {
    error(404, "EndpointNotFound")
}

fn error(status: u16, token: &str) -> Reply {
    let body = json!({"error_code": 1000, "error_token": token, "message": "refused"});
    Reply::refusal(status, body)
}

/// In the service's words.
pub(super) fn truth(sim: &Sim) -> DialectTruth {
    let (sim_state, endpoint_state) = states(sim);
    DialectTruth {
        carrier_device_id: sim.name(Dialect::Emnify),
        iccid: sim.iccid.clone(),
        used_bytes: sim.used_bytes,
        cycle_start: sim.cycle.0,
        cycle_end: sim.cycle.1,
        sim_status: match (sim_state, endpoint_state) {
            (3, _) | (_, 2) => "deactivated",
            (1, 1) | (2, _) => "suspended",
            (1, _) => "active",
            _ => "ready",
        },
        network_status: ["connected", "disconnected", "disconnected", "suspended"]
            [sim.connectivity],
    }
}
