//! Answers as bytes and status, true or injected, in the carrier's error shape where they fail.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web::Bytes,
};
use chrono::Utc;
use serde::Serialize;

use super::{fault::RetryAfter, time::to_utc, wire::Failure};

/// A finished answer.
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(super) fn failed(status: StatusCode, error: &str) -> Self {
        Self::new(
            status,
            &Failure {
                success: false,
                error,
            },
        )
    }

    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self {
                status,
                body: body.into(),
            },
            Err(error) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                body: error.to_string().into(),
            },
        }
    }

    /// A page that was rendered before.
    pub(super) fn rendered(body: Bytes) -> Self {
        Self {
            status: StatusCode::OK,
            body,
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    pub(super) fn cut(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Status and type, without the body.
    pub(super) fn head(&self) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(self.status);
        head.content_type("application/json");
        head
    }

    pub(super) fn respond(self) -> HttpResponse {
        self.head().body(self.body)
    }
}

pub(super) fn failure(status: StatusCode, error: &str) -> HttpResponse {
    Answer::failed(status, error).respond()
}

pub(super) fn throttled(retry_after_seconds: Option<u64>) -> HttpResponse {
    let retry_after = retry_after_seconds.map(|seconds| RetryAfter::Text(seconds.to_string()));
    injected(StatusCode::TOO_MANY_REQUESTS.as_u16(), retry_after, None)
}

pub(super) fn html() -> HttpResponse {
    let body = "<!doctype html><html><body><h1>We'll be right back</h1></body></html>";
    HttpResponse::Ok().content_type("text/html").body(body)
}

pub(super) fn injected(
    status: u16,
    retry_after: Option<RetryAfter>,
    body: Option<String>,
) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => "API rate limit exceeded",
        _ => status.canonical_reason().unwrap_or("error"),
    };
    let answer = match body {
        Some(body) => Answer {
            status,
            body: body.into(),
        },
        None => Answer::failed(status, error),
    };
    let mut response = answer.respond();
    let retry_after = retry_after.map(|value| match value {
        RetryAfter::Text(text) => text,
        RetryAfter::DateIn { date_in_seconds } => {
            to_utc(Utc::now().timestamp().saturating_add(date_in_seconds))
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string()
        }
    });
    if let Some(value) = retry_after.and_then(|text| header::HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

pub(super) fn redirect(location: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .finish()
}

pub(super) fn not_found(error: &str) -> Answer {
    Answer::failed(StatusCode::NOT_FOUND, error)
}

pub(super) fn unprocessable(error: &str) -> Answer {
    Answer::failed(StatusCode::UNPROCESSABLE_ENTITY, error)
}
