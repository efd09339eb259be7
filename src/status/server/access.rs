//! Who gets in before anything is looked at: readers of this machine, whoever shows the token, and browsers that
//! have shown it. Changing something always wants the token.

use std::net::IpAddr;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use serde_json::json;

use super::guard::Verdict;
use super::pages;
use super::problem::{Problem, wants_page};
use super::routes::{Answers, LIVEZ, LOGIN};
use super::sessions::is_from_our_page;

/// What a request that got in may do besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    /// It has shown the token.
    pub(super) may_act: bool,
}

/// Why a request does not get in.
enum Refusal {
    /// It must show a token.
    NoToken,
    /// It has shown too many wrong ones.
    TooMany,
    /// It must not come from there, or nobody may.
    Forbidden(&'static str),
}

pub(super) async fn guarded(
    answers: web::Data<Answers>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let refusal = match admit(&answers, &request) {
        Ok(rights) => {
            request.extensions_mut().insert(rights);
            let response = next.call(request).await;
            return response.map(ServiceResponse::map_into_left_body);
        }
        Err(refusal) => refusal,
    };
    let response = refuse(&request, refusal);
    Ok(request.into_response(response).map_into_right_body())
}

fn admit(answers: &Answers, request: &ServiceRequest) -> Result<Rights, Refusal> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let (path, headers) = (request.path(), request.headers());
    // Whoever logs in brings the token in the form.
    if path == LIVEZ || path == LOGIN {
        return Ok(Rights { may_act: false });
    }
    let has_session = answers.sessions.has(headers);
    if has_session && !reads && !is_from_our_page(headers) {
        return Err(Refusal::Forbidden(FROM_ELSEWHERE));
    }
    if has_session {
        return Ok(Rights { may_act: true });
    }
    // Where reading wants no token none is looked at: an old one of a scraper's locks nobody out, and there is
    // nothing to be learned by guessing.
    let is_free = reads && !answers.guard.guards_reading();
    if is_free && is_asked_by_own_name(request) {
        return Ok(Rights { may_act: false });
    }
    if let Some(given) = headers.get(AUTHORIZATION) {
        let caller = request.peer_addr().map(|address| address.ip());
        return match answers.guard.judge(caller, Some(given.as_bytes())) {
            Verdict::Welcome => Ok(Rights { may_act: true }),
            Verdict::TooMany => Err(Refusal::TooMany),
            Verdict::Refused => Err(Refusal::NoToken),
        };
    }
    match reads {
        _ if answers.guard.guards_reading() => Err(Refusal::NoToken),
        true => Err(Refusal::Forbidden(BY_ANOTHER_NAME)),
        // It may look for what is there and what is allowed; whatever does something asks for the right to.
        false => Ok(Rights { may_act: false }),
    }
}

/// Before whatever does something, behind the router: a path can be written in many ways, and what answers it is
/// known only here.
pub(super) async fn acts(
    answers: web::Data<Answers>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let may_act = request
        .extensions()
        .get::<Rights>()
        .is_some_and(|rights| rights.may_act);
    // By another method nothing is done: it is told which is allowed.
    if may_act || *request.method() != Method::POST {
        let response = next.call(request).await;
        return response.map(ServiceResponse::map_into_left_body);
    }
    let refusal = match answers.guard.has_token() {
        true => Refusal::NoToken,
        false => Refusal::Forbidden(NO_TOKEN_IS_SET),
    };
    let response = refuse(&request, refusal);
    Ok(request.into_response(response).map_into_right_body())
}

pub(super) const FROM_ELSEWHERE: &str = "what changes something must come from a page of this server, or with the token as \
     Authorization: Bearer TOKEN";
const BY_ANOTHER_NAME: &str = "asked for by a name that is not this machine's: use localhost or an IP address, \
     or send the token (status.token)";
const NO_TOKEN_IS_SET: &str = "nothing can be changed here without a token: set status.token, and send it as \
     Authorization: Bearer TOKEN";

/// Without a token, whoever asks must call this machine by a name of its own. A page from elsewhere whose name has
/// been made to lead here ("DNS rebinding") calls it by that name, and would read everything. To a socket in the
/// file system no page leads, whatever name its callers give it.
fn is_asked_by_own_name(request: &ServiceRequest) -> bool {
    let host = request.headers().get(HOST);
    let is_own = |host: &HeaderValue| host.to_str().is_ok_and(is_own_name);
    request.peer_addr().is_none() || host.is_none_or(is_own)
}

/// `localhost`, or an address as such.
fn is_own_name(host: &str) -> bool {
    let authority: Result<http::uri::Authority, _> = host.parse();
    let Ok(authority) = authority else {
        return false;
    };
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_localhost =
        name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    is_localhost || name.parse::<IpAddr>().is_ok()
}

fn refuse(request: &ServiceRequest, refusal: Refusal) -> HttpResponse {
    let page = wants_page(request.request());
    match refusal {
        Refusal::NoToken if page => pages::login::asked_for(request.request()),
        Refusal::NoToken => HttpResponse::Unauthorized()
            .insert_header(("WWW-Authenticate", "Bearer"))
            .json(
                json!({ "error": "a token is wanted: Authorization: Bearer TOKEN (status.token)" }),
            ),
        Refusal::TooMany => too_many(),
        Refusal::Forbidden(reason) if page => pages::problem(&Problem::forbidden(reason)),
        Refusal::Forbidden(reason) => Problem::forbidden(reason).error_response(),
    }
}

fn too_many() -> HttpResponse {
    HttpResponse::TooManyRequests()
        .insert_header(("Retry-After", "60"))
        .json(json!({ "error": "too many wrong tokens; try again in a minute" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_s_own_names_are_no_other_s() {
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "fleet.localhost:1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.0.0.1",
        ] {
            assert!(is_own_name(own), "{own}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "",
            "a b",
        ] {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
