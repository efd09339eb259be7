//! Why a question is not answered, in words and as an HTTP status.

use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use crate::store::StoreError;

/// Why a question is not answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema, thiserror::Error)]
#[error("{error}")]
pub(super) struct Problem {
    #[serde(skip)]
    status: Status,
    /// In words.
    pub(super) error: String,
    /// The parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

/// The HTTP status; a type of our own, because the library's has no schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Status {
    #[default]
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooSlow,
    TooLarge,
    Unavailable,
}

impl Problem {
    fn new(status: Status, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
            parameter: None,
            allowed: None,
        }
    }

    pub(super) fn parameter(name: &str, value: &str, allowed: &str) -> Self {
        Self {
            parameter: Some(name.to_owned()),
            allowed: Some(allowed.to_owned()),
            ..Self::new(
                Status::BadRequest,
                format!("{name}={value} is not understood; allowed is {allowed}"),
            )
        }
    }

    pub(super) fn unknown_parameter(name: &str, allowed: &[&str]) -> Self {
        let allowed = match allowed {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        Self {
            parameter: Some(name.to_owned()),
            error: format!("there is no parameter {name}; allowed here: {allowed}"),
            allowed: Some(allowed),
            ..Self::new(Status::BadRequest, "")
        }
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(Status::BadRequest, error)
    }

    pub(super) fn forbidden(error: impl Into<String>) -> Self {
        Self::new(Status::Forbidden, error)
    }

    pub(super) fn no_integration(id: &str) -> Self {
        Self::new(Status::NotFound, format!("there is no integration {id}"))
    }

    pub(super) fn nothing_at(path: &str) -> Self {
        Self::new(Status::NotFound, format!("there is nothing at {path}"))
    }

    pub(super) fn method(method: &str, allowed: &str) -> Self {
        Self {
            allowed: Some(allowed.to_owned()),
            ..Self::new(
                Status::MethodNotAllowed,
                format!("{method} is not allowed here; allowed are {allowed}"),
            )
        }
    }

    pub(super) fn conflict(error: impl Into<String>) -> Self {
        Self::new(Status::Conflict, error)
    }

    pub(super) fn too_large(error: impl Into<String>) -> Self {
        Self::new(Status::TooLarge, error)
    }

    pub(super) fn too_slow(error: impl Into<String>) -> Self {
        Self::new(Status::TooSlow, error)
    }

    pub(super) fn unavailable(error: impl Into<String>) -> Self {
        Self::new(Status::Unavailable, error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(reason) => Self::new(Status::NotFound, reason),
            other => Self::unavailable(other.to_string()),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self.status {
            Status::BadRequest => StatusCode::BAD_REQUEST,
            Status::Forbidden => StatusCode::FORBIDDEN,
            Status::NotFound => StatusCode::NOT_FOUND,
            Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Status::Conflict => StatusCode::CONFLICT,
            Status::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Status::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let (Status::MethodNotAllowed, Some(allowed)) = (self.status, &self.allowed) {
            response.insert_header((ALLOW, allowed.as_str()));
        }
        response.json(self)
    }
}

/// Whether whoever asks is a person with a browser, who is told in a page.
pub(super) fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(actix_web::http::header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
        && !request.path().starts_with("/api/")
}
