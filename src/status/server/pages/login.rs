//! Where a browser shows the token, once, and gets a key of its own for it. The token is never in a page or an
//! address.

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};

use super::{Frame, Reader, page};
use crate::status::server::REQUEST_DEADLINE;
use crate::status::server::access::FROM_ELSEWHERE;
use crate::status::server::guard::Verdict;
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;
use crate::status::server::sessions::is_from_our_page;

/// A form holds a token and a path.
const LARGEST_BYTES: usize = 8 * 1024;

/// What the form sends.
struct Shown {
    token: SecretString,
    next: String,
}

impl Shown {
    /// Reads a form, which must be here in time: who holds a connection holds up others.
    async fn of(body: web::Payload) -> Result<Self, Problem> {
        let read = tokio::time::timeout(REQUEST_DEADLINE, body.to_bytes_limited(LARGEST_BYTES));
        let too_large = || {
            Problem::too_large(format!(
                "the form is too large; at most {LARGEST_BYTES} bytes are read"
            ))
        };
        let broken = |error: &dyn std::fmt::Display| {
            Problem::bad_request(format!("the form cannot be read: {error}"))
        };
        let bytes = read
            .await
            .map_err(|_| {
                Problem::too_slow(format!("the form was not here within {REQUEST_DEADLINE:?}"))
            })?
            .map_err(|_| too_large())?
            .map_err(|error| broken(&error))?;
        let field = |name| {
            let mut fields = url::form_urlencoded::parse(&bytes);
            let found = fields.find(|(field, _)| field == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        Ok(Self {
            token: field("token").into(),
            next: field("next"),
        })
    }
}

pub(in crate::status::server) async fn show(
    answers: web::Data<Answers>,
    request: HttpRequest,
) -> HttpResponse {
    let next = match Params::of(&request).and_then(|mut params| {
        let next = params.text("next")?;
        params.finish().map(|()| next)
    }) {
        Ok(next) => next.unwrap_or_default(),
        Err(problem) => return super::problem(&problem),
    };
    if !answers.guard.has_token() {
        let reason = "nobody can sign in here: status.token is not set";
        return super::problem(&Problem::forbidden(reason));
    }
    form(StatusCode::OK, &next, None)
}

/// The form, in place of the page that was asked for.
pub(in crate::status::server) fn asked_for(request: &HttpRequest) -> HttpResponse {
    let next = request.uri().path_and_query().map_or("/", |it| it.as_str());
    // What changes something is not done by coming back.
    let next = if request.method().is_safe() {
        next
    } else {
        "/"
    };
    let mut response = form(StatusCode::UNAUTHORIZED, next, None);
    let challenge = actix_web::http::header::HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(actix_web::http::header::WWW_AUTHENTICATE, challenge);
    response
}

pub(in crate::status::server) async fn log_in(
    answers: web::Data<Answers>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    // A page from elsewhere must not guess in the name of whoever looks at it.
    if !is_from_our_page(request.headers()) {
        return super::problem(&Problem::forbidden(FROM_ELSEWHERE));
    }
    let shown = match Shown::of(body).await {
        Ok(shown) => shown,
        Err(problem) => return super::problem(&problem),
    };
    let caller = request.peer_addr().map(|address| address.ip());
    let next = shown.next.as_str();
    match answers
        .guard
        .judge_token(caller, shown.token.expose_secret())
    {
        Verdict::Welcome => HttpResponse::SeeOther()
            .insert_header((SET_COOKIE, answers.sessions.open()))
            .insert_header((LOCATION, own_path(next)))
            .finish(),
        Verdict::Refused => form(
            StatusCode::UNAUTHORIZED,
            next,
            Some("That is not the token."),
        ),
        Verdict::TooMany => form(
            StatusCode::TOO_MANY_REQUESTS,
            next,
            Some("Too many wrong tokens; try again in a minute."),
        ),
    }
}

pub(in crate::status::server) async fn log_out(
    answers: web::Data<Answers>,
    request: HttpRequest,
) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((SET_COOKIE, answers.sessions.close(&request)))
        .insert_header((LOCATION, "/"))
        .finish()
}

/// Only a page of this server.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next } else { "/" }
}

fn form(status: StatusCode, next: &str, wrong: Option<&str>) -> HttpResponse {
    let frame = Frame {
        title: "Sign in",
        as_of: None,
        reader: Reader::Reads,
    };
    let content: Markup = html! {
        div.login.card {
            h1 { "Sign in" }
            @if let Some(wrong) = wrong { p.alert role="alert" { (wrong) } }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(own_path(next));
                label { "Token (" code { "status.token" } ")"
                    input type="password" name="token" autocomplete="current-password" required autofocus; }
                button.main { "Sign in" }
            }
            p.soft { "Programs send it as " code { "Authorization: Bearer TOKEN" } "." }
        }
    };
    page(status, &frame, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, path) in [
            ("/integrations/a%20b?q=1", "/integrations/a%20b?q=1"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(own_path(next), path, "{next}");
        }
    }
}
