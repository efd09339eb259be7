//! The carrier's endpoints: each request passes auth, rate limit, latency and faults, in this
//! order, and is then answered from the fleet.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, rt::time::sleep, web};

use super::{
    answer::{Paging, Question},
    call_log::OngoingCall,
    draw::Topic,
    fault::{Endpoint, FaultKind},
    response::{failure, html, injected, redirect, throttled},
    server::State,
    spoil::{self, FOREVER},
};

/// The base path and everything below it.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    let api = web::scope("/api/1")
        .route("/devices", get(Endpoint::Devices))
        .route("/devices/{id}", get(Endpoint::Device))
        .route("/links/cellular/{id}", get(Endpoint::Link))
        .route("/usage/data/billing", get(Endpoint::Billing))
        .route("/usage/data", get(Endpoint::Sessions))
        .default_service(get(Endpoint::Other));
    config.service(api);
}

fn get(endpoint: Endpoint) -> actix_web::Route {
    web::get().to(
        move |request: HttpRequest, state: web::Data<State>| async move {
            let organisations = authenticated(&request, &state, endpoint);
            let account = organisations.and_then(<[u64]>::first).copied();
            let call = state.calls.arrive(endpoint, account, page_size(&request));
            let response = pass_stages(&request, &state, endpoint, organisations, &call).await;
            call.finish(response.status().as_u16());
            response
        },
    )
}

async fn pass_stages(
    request: &HttpRequest,
    state: &State,
    endpoint: Endpoint,
    organisations: Option<&[u64]>,
    call: &OngoingCall,
) -> HttpResponse {
    let Some(organisations) = organisations else {
        return failure(StatusCode::UNAUTHORIZED, "Invalid API key");
    };
    if !state.limiter.admits(organisations[0], Instant::now()) {
        return throttled(state.config.retry_after_seconds);
    }
    delay(state, call.number()).await;
    let question = |paging| Question {
        request,
        state,
        endpoint,
        organisations,
        paging,
    };
    match state.faults.meet(endpoint, organisations) {
        None => question(Paging::Honest).answer().respond(),
        Some(what) => spoilt(what, question).await,
    }
}

/// The answer as the fault leaves it.
async fn spoilt<'a>(what: FaultKind, question: impl Fn(Paging) -> Question<'a>) -> HttpResponse {
    let honest = || question(Paging::Honest).answer();
    let paged = |paging| question(paging).answer().respond();
    let request = question(Paging::Honest).request;
    match what {
        FaultKind::Status {
            status,
            retry_after,
            body,
        } => injected(status, retry_after, body),
        FaultKind::Redirect { location } => redirect(&location),
        FaultKind::Reset => spoil::reset(request),
        FaultKind::ResetMidBody => spoil::reset_mid_body(request, &honest()),
        FaultKind::Hang => {
            sleep(FOREVER).await;
            HttpResponse::GatewayTimeout().finish()
        }
        FaultKind::HangMidBody => spoil::hang_mid_body(&honest()),
        FaultKind::Drip { millis_per_byte } => {
            spoil::drip(&honest(), Duration::from_millis(millis_per_byte))
        }
        FaultKind::Truncate => honest().cut().respond(),
        FaultKind::Html => html(),
        FaultKind::WrongTypes { only } => spoil::wrong_types(&honest(), only.as_deref()),
        FaultKind::Oversized { bytes } => spoil::oversized(&honest(), bytes),
        FaultKind::GzipBomb { bytes } => spoil::gzip_bomb(&honest(), bytes),
        FaultKind::RepeatCursor => paged(Paging::Repeating),
        FaultKind::NeverEndingCursor => paged(Paging::NeverEnding),
        FaultKind::SkippingCursor => paged(Paging::Skipping),
        FaultKind::RowTwice => paged(Paging::Overlapping),
        // Of other stages, or drawn already.
        FaultKind::VanishingDevice { .. }
        | FaultKind::NewCycle
        | FaultKind::Correction
        | FaultKind::RevokeKey
        | FaultKind::AnyOf { .. } => honest().respond(),
    }
}

/// Organisations that the request's key opens, never an empty list.
fn authenticated<'a>(
    request: &HttpRequest,
    state: &'a State,
    endpoint: Endpoint,
) -> Option<&'a [u64]> {
    let header = request.headers().get(header::AUTHORIZATION);
    let organisations = state
        .keyring
        .open(header.and_then(|value| value.to_str().ok()))?;
    (!state.faults.revokes(endpoint, organisations)).then_some(organisations)
}

fn page_size(request: &HttpRequest) -> Option<u64> {
    let mut asked = request.query_string().split('&');
    asked.find_map(|pair| pair.strip_prefix("limit=")?.parse().ok())
}

async fn delay(state: &State, call_number: u64) {
    let latency = state.config.latency;
    let jitter = u64::try_from(latency.jitter.as_micros()).unwrap_or(u64::MAX);
    let drawn = state.draw.of(Topic::Latency, call_number).below(jitter);
    let delay = latency.fixed + Duration::from_micros(drawn);
    if !delay.is_zero() {
        sleep(delay).await;
    }
}
