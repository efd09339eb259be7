//! What operators ask the service to do: sync now, pause, resume. Who may is decided before (`access.rs`).

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};

use super::known;
use crate::device::IntegrationId;
use crate::status::control::{NotDone, SyncAsked};
use crate::status::fleet::state::State;
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;

/// The service has so long to take it up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of asking for a sync.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Asked {
    answer: SyncAsked,
    /// In words.
    message: &'static str,
}

/// How an integration is switched now.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Switched {
    sync_enabled: bool,
}

/// Asks for a sync of the integration `id`.
pub(in crate::status::server) async fn ask_to_sync(
    answers: &Answers,
    id: &str,
) -> Result<SyncAsked, Problem> {
    let (_, integration) = known(answers, id).await?;
    let hint = match integration.state {
        State::Paused => Some("is paused: resume it first"),
        State::Disabled => {
            Some("is switched off: `carrier-sync integrations set ID --enable` switches it on")
        }
        _ => None,
    };
    if let Some(hint) = hint {
        return Err(Problem::conflict(format!("integration {id} {hint}")));
    }
    let asked = answers.control.sync_now(&integration.id);
    let asked = in_time(asked).await?;
    answers.fleet.forget();
    Ok(asked)
}

/// Switches the timer of the integration `id`.
pub(in crate::status::server) async fn switch(
    answers: &Answers,
    id: &str,
    sync_enabled: bool,
) -> Result<(), Problem> {
    let id = IntegrationId::parse(id).map_err(|_| Problem::no_integration(id))?;
    in_time(answers.control.set_sync_enabled(&id, sync_enabled)).await?;
    answers.fleet.forget();
    Ok(())
}

async fn in_time<T>(asked: impl Future<Output = Result<T, NotDone>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(NotDone::Store(error))) => Err(error.into()),
        Ok(Err(misconfigured)) => Err(Problem::conflict(misconfigured.to_string())),
        Err(_) => Err(Problem::unavailable(format!(
            "the service has not answered within {PATIENCE:?}; what was asked may still happen"
        ))),
    }
}

/// Syncs an integration now, within its limits.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/sync", security(("token" = [])),
    params(("id" = String, Path, description = "The integration")),
    responses((status = 202, body = Asked), (status = 401, description = "No token, or a wrong one"),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem)))]
pub(in crate::status::server) async fn sync(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::of(&request)?.finish()?;
    let answer = ask_to_sync(&answers, &id).await?;
    Ok(HttpResponse::Accepted().json(Asked {
        message: answer.as_str(),
        answer,
    }))
}

/// Stops an integration's timer; what is under way is finished.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/pause", security(("token" = [])),
    params(("id" = String, Path, description = "The integration")),
    responses((status = 200, body = Switched), (status = 401, description = "No token, or a wrong one"),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(in crate::status::server) async fn pause(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    switched(&answers, &id, &request, false).await
}

/// Starts an integration's timer again.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/resume", security(("token" = [])),
    params(("id" = String, Path, description = "The integration")),
    responses((status = 200, body = Switched), (status = 401, description = "No token, or a wrong one"),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(in crate::status::server) async fn resume(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    switched(&answers, &id, &request, true).await
}

async fn switched(
    answers: &Answers,
    id: &str,
    request: &HttpRequest,
    sync_enabled: bool,
) -> Result<HttpResponse, Problem> {
    Params::of(request)?.finish()?;
    switch(answers, id, sync_enabled).await?;
    Ok(HttpResponse::Ok().json(Switched { sync_enabled }))
}
