//! The simulator's own endpoints below `/sim`: truth, calls, faults. No key, no limit: not part of the carrier.

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, Json, Query},
};
use futures_util::stream;
use serde::Deserialize;

use super::{
    auth::accounts_of,
    device::Device,
    fault::Fault,
    fleet::{Account, Fleet},
    server::State,
    truth::Truth,
};

/// Devices written at once: enough to keep the socket busy, little enough to keep others waiting briefly.
const CHUNK: usize = 1_000;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let admin = web::scope("/sim")
        .route("/truth", web::get().to(truth))
        .route("/devices.csv", web::get().to(devices_csv))
        .route("/calls", web::get().to(calls))
        .route("/calls", web::delete().to(reset_calls))
        .route("/faults", web::get().to(faults))
        .route("/faults", web::post().to(inject))
        .route("/faults", web::delete().to(clear_faults));
    config.service(admin);
}

#[derive(Debug, Deserialize)]
struct Scope {
    /// `None`: every organisation.
    orgid: Option<u64>,
}

async fn truth(state: Data<State>, scope: Query<Scope>) -> HttpResponse {
    stream_devices(
        &state,
        &scope,
        "application/x-ndjson",
        "",
        |device, text| {
            let line = Truth::of(device).and_then(|truth| serde_json::to_string(&truth).ok());
            text.extend(line.into_iter().flat_map(|line| [line, "\n".to_owned()]));
        },
    )
}

/// As `devices import` reads it.
async fn devices_csv(state: Data<State>, scope: Query<Scope>) -> HttpResponse {
    stream_devices(
        &state,
        &scope,
        "text/csv",
        "device_id,carrier_device_id\n",
        |device, text| {
            text.push_str(&format!("device-{id},{id}\n", id = device.id));
        },
    )
}

async fn calls(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.calls.snapshot())
}

async fn reset_calls(state: Data<State>) -> HttpResponse {
    state.calls.reset();
    HttpResponse::NoContent().finish()
}

async fn faults(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.faults.list())
}

async fn inject(state: Data<State>, fault: Json<Fault>) -> HttpResponse {
    let fault = fault.into_inner();
    if let Err(reason) = fault.validate() {
        return HttpResponse::UnprocessableEntity().body(format!("{reason}\n"));
    }
    state.faults.inject(fault);
    HttpResponse::NoContent().finish()
}

async fn clear_faults(state: Data<State>) -> HttpResponse {
    state.faults.clear();
    HttpResponse::NoContent().finish()
}

/// Streams a line per device, so that a fleet of any size passes through a bounded buffer.
fn stream_devices(
    state: &State,
    scope: &Scope,
    content_type: &str,
    header: &'static str,
    write: fn(&Device, &mut String),
) -> HttpResponse {
    // 0 is nobody's: only what concerns every organisation.
    let fleet = state.true_fleet(scope.orgid.unwrap_or(0));
    let organisations = match scope.orgid {
        None => fleet
            .accounts()
            .iter()
            .map(|account| account.org_id)
            .collect(),
        Some(org_id) if fleet.account(org_id).is_some() => vec![org_id],
        Some(org_id) => {
            return HttpResponse::NotFound().body(format!("no organisation {org_id}\n"));
        }
    };
    let lines = stream::unfold(Some(None), move |cursor: Option<Option<u64>>| {
        let chunk = cursor.and_then(|below| {
            let accounts = accounts_of(&fleet, &organisations);
            chunk(&fleet, &accounts, below, write)
        });
        let next = chunk.map(|(text, last)| {
            (
                Ok::<_, actix_web::Error>(Bytes::from(text)),
                Some(Some(last)),
            )
        });
        std::future::ready(next)
    });
    let header = stream::once(std::future::ready(Ok(Bytes::from_static(
        header.as_bytes(),
    ))));
    let body = futures_util::StreamExt::chain(header, lines);
    HttpResponse::Ok()
        .content_type(content_type)
        .streaming(body)
}

/// The next devices as text and the id of the last; `None` after the last.
fn chunk(
    fleet: &Fleet,
    accounts: &[&Account],
    below: Option<u64>,
    write: fn(&Device, &mut String),
) -> Option<(String, u64)> {
    let mut text = String::new();
    let mut last = None;
    for device in fleet.devices_below(accounts, below).take(CHUNK) {
        write(&device, &mut text);
        last = Some(device.id);
    }
    last.map(|last| (text, last))
}
