//! HTTP of one dialect: a request becomes a question, the reply an answer, and every call is counted, also one
//! whose caller hangs up. Knows nothing of what a carrier says.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, rt, web};

use super::calls::{Begun, Ended};
use super::config::Dialect;
use super::question::{Question, Reply};
use super::state::State;

/// A call that is answered so never is in any test's patience.
const FOREVER: Duration = Duration::from_secs(3_600);
/// Status of a call whose caller has hung up.
const HUNG_UP: u16 = 0;

/// `device_id,carrier_device_id` of an account, to be imported; `?account=2` names another than the first.
pub(super) async fn devices(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let query = web::Query::<HashMap<String, usize>>::from_query(request.query_string());
    let account = query
        .ok()
        .and_then(|query| query.get("account").copied())
        .unwrap_or(1);
    let Some(account) = account
        .checked_sub(1)
        .filter(|at| *at < state.config.accounts.len())
    else {
        return HttpResponse::NotFound().finish();
    };
    let mut csv = String::from("device_id,carrier_device_id\n");
    for index in 0..state.config.accounts[account].devices {
        let name = state.sim(account, index).name(state.config.dialect);
        csv.push_str(&format!("unit-{}-{index},{name}\n", account + 1));
    }
    HttpResponse::Ok().content_type("text/csv").body(csv)
}

pub(super) async fn handle(
    request: HttpRequest,
    body: web::Bytes,
    state: web::Data<State>,
) -> HttpResponse {
    let arrived = Instant::now();
    let Some(question) = question(&request, &body, state.config.dialect) else {
        return HttpResponse::NotFound().body("<html>not here</html>");
    };
    let (account, endpoint) = (state.account(&question), question.endpoint());
    let begun = state.calls.begin(account, arrived);
    let mut call = OpenCall {
        state: &state,
        begun,
        ended: Ended {
            endpoint,
            status: HUNG_UP,
            is_too_fast: false,
        },
    };
    let endpoint = &call.ended.endpoint;
    let reply = match state.fault(endpoint) {
        Some(HUNG_UP) => {
            rt::time::sleep(FOREVER).await;
            Reply::empty(504)
        }
        Some(status) => Reply::empty(status),
        None if !state.admits(account, begun.open, endpoint, arrived) => {
            call.ended.is_too_fast = true;
            state.too_fast()
        }
        None => {
            if !state.config.latency.is_zero() {
                rt::time::sleep(state.config.latency).await;
            }
            state.answer(&question)
        }
    };
    call.ended.status = reply.status;
    drop(call);
    respond(reply)
}

/// Counted when it ends, also when its caller hangs up.
struct OpenCall<'a> {
    state: &'a State,
    begun: Begun,
    ended: Ended,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        self.state.calls.end(self.begun, ended);
    }
}

fn question(request: &HttpRequest, body: &[u8], dialect: Dialect) -> Option<Question> {
    let path = request.path().trim_start_matches('/');
    let below = match dialect.base_path() {
        "" => path,
        // `rws/api/v10` is another address.
        base => path.strip_prefix(base)?.strip_prefix('/')?,
    };
    let query = web::Query::<HashMap<String, String>>::from_query(request.query_string());
    let authorization = request.headers().get(header::AUTHORIZATION);
    let segments = below.trim_matches('/').split('/');
    Some(Question {
        is_post: request.method() == actix_web::http::Method::POST,
        path: segments.map(str::to_owned).collect(),
        query: query.ok()?.into_inner(),
        authorization: authorization
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: body.to_vec(),
    })
}

fn respond(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    match reply.body {
        Some(body) => response.json(body),
        None => response.finish(),
    }
}
