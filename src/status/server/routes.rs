//! What is asked, and the answers. Each has headers that keep it out of caches and other pages.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, Resource, web};
use serde_json::json;

use super::guard::{Guard, Verdict};
use super::readiness::Readiness;
use crate::status::metrics::CONTENT_TYPE as METRICS;

/// The one path that everyone may ask: it says nothing but that the process lives.
const LIVEZ: &str = "/livez";

/// What requests are answered with.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) guard: Guard,
    pub(super) readiness: Readiness,
    pub(super) max_integrations: usize,
}

pub(super) fn app(
    answers: web::Data<Answers>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Response = ServiceResponse<impl MessageBody>,
        Config = (),
        InitError = (),
        Error = actix_web::Error,
    >,
> {
    App::new()
        .app_data(answers)
        .wrap(from_fn(guarded))
        .wrap(
            DefaultHeaders::new()
                .add(("Cache-Control", "no-store"))
                .add(("Content-Security-Policy", "default-src 'none'"))
                .add(("X-Content-Type-Options", "nosniff")),
        )
        .service(reading(LIVEZ).get(livez))
        .service(reading("/readyz").get(readyz))
        .service(reading("/metrics").get(metrics))
        .default_service(web::to(not_found))
}

/// A resource that can only be read.
struct Reading(Resource);

fn reading(path: &str) -> Reading {
    Reading(web::resource(path).default_service(web::to(not_allowed)))
}

impl Reading {
    fn get<F, Args>(self, handler: F) -> Resource
    where
        F: actix_web::Handler<Args> + Clone,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        let Self(resource) = self;
        resource
            .route(web::get().to(handler.clone()))
            .route(web::head().to(handler))
    }
}

async fn guarded(
    answers: web::Data<Answers>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let verdict = if request.path() == LIVEZ {
        Verdict::Welcome
    } else {
        let caller = request.peer_addr().map(|address| address.ip());
        let given = request.headers().get(AUTHORIZATION);
        answers
            .guard
            .judge(caller, given.map(|value| value.as_bytes()))
    };
    let refusal = match verdict {
        Verdict::Welcome => {
            return next
                .call(request)
                .await
                .map(ServiceResponse::map_into_left_body);
        }
        Verdict::Refused => HttpResponse::Unauthorized()
            .insert_header(("WWW-Authenticate", "Bearer"))
            .json(
                json!({ "error": "a token is wanted: Authorization: Bearer TOKEN (status.token)" }),
            ),
        Verdict::TooMany => HttpResponse::TooManyRequests()
            .insert_header(("Retry-After", "60"))
            .json(json!({ "error": "too many wrong tokens; try again in a minute" })),
    };
    Ok(request.into_response(refusal).map_into_right_body())
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "alive": true }))
}

async fn readyz(answers: web::Data<Answers>) -> HttpResponse {
    let reasons = answers.readiness.reasons().await;
    let mut response = if reasons.is_empty() {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response.json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

async fn metrics(answers: web::Data<Answers>) -> HttpResponse {
    let board = &answers.readiness.board;
    let text = board
        .metrics
        .text(&board.snapshot(), answers.max_integrations);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, METRICS))
        .body(text)
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    let error = format!("there is nothing at {}", request.path());
    HttpResponse::NotFound().json(json!({ "error": error }))
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    let error = format!(
        "{} is not allowed here; allowed are GET and HEAD",
        request.method()
    );
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, "GET, HEAD"))
        .json(json!({ "error": error }))
}
