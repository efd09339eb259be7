//! The document that describes the API, made of the code that answers.

use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{actions, devices, integrations};
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "carrier-sync",
        description = "What the service knows of every integration and its devices, and three things it can be \
            asked to do. Times are RFC 3339 in UTC. Errors are JSON with \"error\" in words. On other addresses \
            than local ones every question wants the token; changing something always does. A parameter that is given \
            without a value is as one that is not given."
    ),
    paths(
        integrations::totals,
        integrations::list,
        integrations::one,
        integrations::runs,
        devices::list,
        actions::sync,
        actions::pause,
        actions::resume,
    ),
    modifiers(&Token)
)]
struct Document;

/// How the token is shown.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("status.token"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

pub(in crate::status::server) async fn document(
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::of(&request)?.finish()?;
    Ok(HttpResponse::Ok().json(Document::openapi()))
}
