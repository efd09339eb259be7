//! 1NCE, version 2: pages of at most 100 in no stable order, a lifetime quota that tells what remains, and bad
//! credentials answered with 400 (help.1nce.com).

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::config::Dialect;
use super::question::{Question, Reply};
use super::sims::{EXPIRED, MEGABYTE, Sim, megabytes};
use super::state::State;
use super::truth::DialectTruth;

const LARGEST_PAGE: usize = 100;
const USUAL_PAGE: usize = 10;

pub(super) fn answer(state: &State, question: &Question) -> Reply {
    if question.is_post {
        return match question.segments()[..] {
            ["oauth", "token"] => token(state, question),
            _ => Reply::empty(404),
        };
    }
    let Some(account) = account(state, question) else {
        return Reply::empty(401);
    };
    let sim = |iccid: &str| state.sim_named(account, iccid);
    match question.segments()[..] {
        ["v2", "sims"] => listing(state, account, question),
        ["v2", "sims", iccid] => sim(iccid).map_or_else(not_found, |sim| Reply::ok(row(&sim))),
        ["v2", "sims", iccid, "status"] => sim(iccid).map_or_else(not_found, |sim| status(&sim)),
        ["v2", "sims", iccid, "quota", "data"] => {
            sim(iccid).map_or_else(not_found, |sim| quota(&sim))
        }
        _ => not_found(),
    }
}

/// Whose token the request carries.
pub(super) fn account(state: &State, question: &Question) -> Option<usize> {
    state.tokens.account(question.bearer()?)
}

fn token(state: &State, question: &Question) -> Reply {
    let wants = question
        .json()
        .is_some_and(|body| body["grant_type"] == "client_credentials");
    if !wants {
        return Reply::refusal(
            400,
            json!({"statusCode": 400, "errorCode": "BodyValidationError", "message": "grant_type"}),
        );
    }
    let account = question.basic().and_then(|(user, password)| {
        let accounts = state.config.accounts.iter();
        accounts.clone().position(|account| {
            account.key == user && account.secret.as_deref() == Some(&*password)
        })
    });
    let Some(account) = account else {
        return Reply::refusal(
            400,
            json!({"statusCode": 400, "errorCode": "BadCredentials", "message": "User does not exist."}),
        );
    };
    let token = state.new_token(account, |number| format!("1nce-token-{account}-{number}"));
    let lifetime_s = state.config.token_lifetime.as_secs();
    Reply::ok(json!({
        "status_code": 200, "access_token": token, "token_type": "bearer", "expires_in": lifetime_s,
        "userId": "1", "scope": "all",
    }))
}

fn listing(state: &State, account: usize, question: &Question) -> Reply {
    let size = question.number("pageSize").unwrap_or(USUAL_PAGE);
    let page = question.number("page").unwrap_or(1);
    if !(1..=LARGEST_PAGE).contains(&size) || page == 0 {
        return error(400, "pageSize");
    }
    let total = state.config.accounts[account].devices;
    // Rows that are asked for while others change places: the order turns by one row a page.
    let turn = if state.config.shuffles { page - 1 } else { 0 };
    let from = total.min((page - 1).saturating_mul(size));
    let rows = (from..total.min(from + size))
        .map(|place| state.sim(account, (place + total - turn) % total))
        .map(|sim| row(&sim));
    Reply::ok(Value::Array(rows.collect())).counted(page, size, total)
}

fn row(sim: &Sim) -> Value {
    let mut row = json!({
        "iccid": sim.iccid, "iccid_with_luhn": sim.iccid_with_luhn(), "imsi": format!("90140{:010}", sim.index),
        "status": if is_disabled(sim) { "Disabled" } else { "Enabled" },
        "current_quota": sim.quota_mb, "label": format!("unit {}", sim.index),
        "quota_status": {"id": 0, "description": "More than 20% available"},
    });
    if !is_new(sim) {
        row["activation_date"] = json!(
            sim.activated
                .format("%Y-%m-%dT%H:%M:%S.000+0000")
                .to_string()
        );
    }
    row
}

fn status(sim: &Sim) -> Reply {
    let word = ["ONLINE", "ATTACHED", "OFFLINE", "BLOCKED"][sim.connectivity];
    Reply::ok(json!({"status": {"description": word}, "services": ["GPRS"]}))
}

fn quota(sim: &Sim) -> Reply {
    let quota_bytes = (sim.quota_mb * MEGABYTE).cast_signed();
    let left = quota_bytes - sim.used_bytes.cast_signed();
    let (id, word) = if is_expired(sim) {
        (2, "EXPIRED")
    } else {
        (1, "ACTIVE")
    };
    Reply::ok(json!({
        "id": sim.index + 1, "volume": megabytes(left), "total_volume": sim.quota_mb,
        "accumulated_total_volume": sim.quota_mb, "last_volume_added": sim.quota_mb,
        "status": {"id": id, "description": word}, "threshold_percentage": 20,
        "created_at": sim.cycle.0.to_rfc3339_opts(SecondsFormat::Secs, true),
        "expiry_date": sim.cycle.1.to_rfc3339_opts(SecondsFormat::Millis, true),
    }))
}

fn is_disabled(sim: &Sim) -> bool {
    sim.state == 1
}

/// Never connected.
fn is_new(sim: &Sim) -> bool {
    sim.state == 2
}

fn is_expired(sim: &Sim) -> bool {
    sim.state == EXPIRED
}

fn not_found() -> Reply {
    error(404, "SIM not found")
}

fn error(status: u16, message: &str) -> Reply {
    let body = json!({"error_code": 1000, "error_token": "token", "message": message});
    Reply::refusal(status, body)
}

/// In the service's words.
pub(super) fn truth(sim: &Sim) -> DialectTruth {
    DialectTruth {
        carrier_device_id: sim.name(Dialect::OneNce),
        iccid: sim.iccid.clone(),
        used_bytes: sim.used_bytes,
        cycle_start: sim.cycle.0,
        cycle_end: sim.cycle.1,
        sim_status: match sim {
            sim if is_expired(sim) => "deactivated",
            sim if is_disabled(sim) => "suspended",
            sim if is_new(sim) => "ready",
            _ => "active",
        },
        network_status: ["connected", "disconnected", "disconnected", "suspended"]
            [sim.connectivity],
    }
}
