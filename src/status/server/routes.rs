//! What is asked, and the answers. Each has headers that keep it out of caches and other pages.

use actix_web::body::MessageBody;
use actix_web::dev::{HttpServiceFactory, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, Resource, ResponseError, web};
use serde_json::json;

use super::access::{acts, guarded};
use super::api::{actions, devices, integrations, openapi};
use super::guard::Guard;
use super::pages;
use super::problem::{Problem, wants_page};
use super::readiness::Readiness;
use super::scrape::Scrape;
use super::sessions::Sessions;
use crate::status::metrics::CONTENT_TYPE as METRICS;
use crate::status::{Control, Fleet};

/// The one path that everyone may ask: it says nothing but that the process lives.
pub(super) const LIVEZ: &str = "/livez";
/// Where a browser shows the token.
pub(super) const LOGIN: &str = "/login";

/// What requests are answered with.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) guard: Guard,
    pub(super) sessions: Sessions,
    pub(super) scrape: Scrape,
    pub(super) readiness: Readiness,
    pub(super) fleet: Fleet,
    pub(super) control: std::sync::Arc<dyn Control>,
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
                .add(("X-Content-Type-Options", "nosniff"))
                .add(("X-Frame-Options", "DENY")),
        )
        .configure(questions)
        .default_service(web::to(not_found))
}

fn questions(app: &mut web::ServiceConfig) {
    app.service(reading(LIVEZ).get(livez))
        .service(reading("/readyz").get(readyz))
        .service(reading("/metrics").get(metrics))
        .service(reading("/api/v1/openapi.json").get(openapi::document))
        .service(reading("/api/v1/totals").get(integrations::totals))
        .service(reading("/api/v1/integrations").get(integrations::list))
        .service(reading("/api/v1/integrations/{id}").get(integrations::one))
        .service(reading("/api/v1/integrations/{id}/runs").get(integrations::runs))
        .service(reading("/api/v1/integrations/{id}/devices").get(devices::list))
        .service(acting("/api/v1/integrations/{id}/sync").post(actions::sync))
        .service(acting("/api/v1/integrations/{id}/pause").post(actions::pause))
        .service(acting("/api/v1/integrations/{id}/resume").post(actions::resume))
        .service(reading("/").get(pages::fleet::show))
        .service(reading("/integrations/{id}").get(pages::integration::show))
        .service(acting("/integrations/{id}/sync").post(pages::integration::sync))
        .service(acting("/integrations/{id}/pause").post(pages::integration::pause))
        .service(acting("/integrations/{id}/resume").post(pages::integration::resume))
        .service(acting("/logout").post(pages::login::log_out))
        .service(
            web::resource(LOGIN)
                .route(web::get().to(pages::login::show))
                .route(web::post().to(pages::login::log_in))
                .default_service(web::to(|request| not_allowed(request, "GET, POST"))),
        );
}

/// A resource that can only be read.
struct Reading(Resource);

fn reading(path: &str) -> Reading {
    let other = web::to(|request| not_allowed(request, "GET, HEAD"));
    Reading(web::resource(path).default_service(other))
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

/// A resource that does something, for whoever has the right to.
struct Acting(Resource);

fn acting(path: &str) -> Acting {
    let other = web::to(|request| not_allowed(request, "POST"));
    Acting(web::resource(path).default_service(other))
}

impl Acting {
    fn post<F, Args>(self, handler: F) -> impl HttpServiceFactory + 'static
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        let Self(resource) = self;
        resource.route(web::post().to(handler)).wrap(from_fn(acts))
    }
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
    let board = answers.fleet.board();
    let devices = answers.fleet.devices().await;
    let text = answers.scrape.text(|| {
        let (actors, now) = (board.snapshot(), answers.fleet.now());
        board
            .metrics
            .text(&actors, devices, answers.max_integrations, now)
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, METRICS))
        .body(text)
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    told(&request, &Problem::nothing_at(request.path()))
}

async fn not_allowed(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    told(
        &request,
        &Problem::method(request.method().as_str(), allowed),
    )
}

/// A problem, as whoever asks reads it.
fn told(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    if wants_page(request) {
        pages::problem(problem)
    } else {
        problem.error_response()
    }
}
