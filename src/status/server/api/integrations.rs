//! Integrations, their runs, and all of them in figures.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::words::OrderWord;
use super::{AsOf, LARGEST_PAGE, PAGE, known};
use crate::device::DeviceId;
use crate::runs::{RunFilter, RunKey, RunRow};
use crate::status::fleet::query::{Cursor, IntegrationFilter, Order, page};
use crate::status::fleet::state::{Attention, LastOutcome, State};
use crate::status::fleet::view::IntegrationView;
use crate::status::fleet::{Fleet, Totals};
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;

/// So many runs are told with one integration.
const LAST_RUNS: u32 = 20;

/// A page of integrations.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Integrations {
    #[serde(flatten)]
    as_of: AsOf,
    /// How many there are, on all pages.
    found: usize,
    /// Those on this page.
    integrations: Vec<IntegrationView>,
    /// `cursor` of the next page; null: this is the last.
    next: Option<String>,
}

/// One integration.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct One {
    #[serde(flatten)]
    as_of: AsOf,
    integration: IntegrationView,
    /// Its last runs, the latest first; null: they cannot be read, and `database` says why.
    runs: Option<Vec<RunView>>,
}

/// A page of runs, the latest first.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Runs {
    runs: Vec<RunView>,
    /// `cursor` of the next page; null: this is the last.
    next: Option<String>,
}

/// All integrations in figures.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Fleets {
    #[serde(flatten)]
    as_of: AsOf,
    /// The running program.
    version: &'static str,
    #[serde(flatten)]
    totals: Totals,
}

/// A sync that ran to its end.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Run)]
pub(super) struct RunView {
    started_at: DateTime<Utc>,
    /// When its rows were committed.
    finished_at: DateTime<Utc>,
    /// How it ended.
    #[schema(value_type = LastOutcome)]
    outcome: crate::integration::Outcome,
    /// Linked devices.
    devices: u64,
    /// Devices that were brought up to date.
    synced: u64,
    /// Devices that were not.
    failed: u64,
    /// Calls to the carrier, retries and purchases of tokens included.
    carrier_calls: u64,
    /// Milliseconds spent waiting for permits, of all calls together.
    throttled_ms: u64,
    /// Why it was not a success.
    error: Option<String>,
    /// The first failing devices.
    failures: Vec<FailureView>,
}

/// A device that was not brought up to date.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Failure)]
pub(super) struct FailureView {
    #[schema(value_type = String)]
    device_id: DeviceId,
    reason: String,
}

impl From<RunRow> for RunView {
    fn from(run: RunRow) -> Self {
        let failures = run.failures.into_iter().map(|failure| FailureView {
            device_id: failure.device_id,
            reason: failure.reason,
        });
        Self {
            started_at: run.started_at,
            finished_at: run.finished_at,
            outcome: run.outcome,
            devices: run.devices,
            synced: run.synced,
            failed: run.failed,
            carrier_calls: run.carrier_calls,
            throttled_ms: run.throttled_ms,
            error: run.error,
            failures: failures.collect(),
        }
    }
}

/// Every integration in figures.
#[utoipa::path(get, path = "/api/v1/totals", responses((status = 200, body = Fleets)))]
pub(in crate::status::server) async fn totals(
    answers: web::Data<Answers>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::of(&request)?.finish()?;
    let snapshot = answers.fleet.snapshot().await;
    Ok(HttpResponse::Ok().json(Fleets {
        as_of: AsOf::of(&snapshot),
        version: env!("CARRIER_SYNC_VERSION"),
        totals: snapshot.totals.clone(),
    }))
}

/// What integrations are asked for; read alike for the page.
pub(in crate::status::server) fn filter(params: &mut Params) -> Result<IntegrationFilter, Problem> {
    Ok(IntegrationFilter {
        tenant: params.text("tenant")?,
        carrier: params.text("carrier")?,
        state: params.word("state", &State::ALL, State::as_str)?,
        outcome: params.word("outcome", &LastOutcome::ALL, LastOutcome::as_str)?,
        attention: params.word("attention", &Attention::ALL, Attention::as_str)?,
        search: params.text("q")?,
    })
}

/// A page of integrations of every tenant.
#[utoipa::path(get, path = "/api/v1/integrations", params(
    ("tenant" = Option<String>, Query, description = "Only this tenant's"),
    ("carrier" = Option<String>, Query, description = "Only at this carrier"),
    ("state" = Option<State>, Query, description = "Only those that do this"),
    ("outcome" = Option<LastOutcome>, Query, description = "Only those whose last sync ended like this"),
    ("attention" = Option<Attention>, Query, description = "Only those that a person must look at like this"),
    ("q" = Option<String>, Query, description = "Only those with this in their id, name or tenant"),
    ("sort" = inline(Option<OrderWord>), Query, description = "By id (the default), or by attention: the worst first"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "At most so many, 1 to 1000; 100 unless given"),
    ("cursor" = Option<String>, Query, description = "What \"next\" of the page before was"),
), responses((status = 200, body = Integrations), (status = 400, body = Problem)))]
pub(in crate::status::server) async fn list(
    answers: web::Data<Answers>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request)?;
    let filter = filter(&mut params)?;
    let order = params.word("sort", &Order::ALL, Order::as_str)?;
    let order = order.unwrap_or_default();
    let limit = params.limit(PAGE, LARGEST_PAGE)?;
    let after = params.cursor(|text| Cursor::decode(text, order))?;
    params.finish()?;
    let snapshot = answers.fleet.snapshot().await;
    let all = &snapshot.integrations;
    let page = page(all, &filter, order, after.as_ref(), limit as usize);
    Ok(HttpResponse::Ok().json(Integrations {
        as_of: AsOf::of(&snapshot),
        found: page.found,
        next: page.next.map(|next| next.encode()),
        integrations: page.integrations.into_iter().cloned().collect(),
    }))
}

/// One integration with its last runs.
#[utoipa::path(get, path = "/api/v1/integrations/{id}",
    params(("id" = String, Path, description = "The integration")),
    responses((status = 200, body = One), (status = 404, body = Problem)))]
pub(in crate::status::server) async fn one(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::of(&request)?.finish()?;
    let (snapshot, integration) = known(&answers, &id).await?;
    let mut as_of = AsOf::of(&snapshot);
    let runs = match last_runs(&answers.fleet, &integration, LAST_RUNS, None).await {
        Ok(runs) => Some(runs.into_iter().map(RunView::from).collect()),
        Err(problem) => {
            as_of.database.get_or_insert(problem.error);
            None
        }
    };
    Ok(HttpResponse::Ok().json(One {
        as_of,
        integration,
        runs,
    }))
}

/// Every run of an integration that is kept, in pages.
#[utoipa::path(get, path = "/api/v1/integrations/{id}/runs", params(
    ("id" = String, Path, description = "The integration"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "At most so many, 1 to 1000; 100 unless given"),
    ("cursor" = Option<String>, Query, description = "What \"next\" of the page before was"),
), responses((status = 200, body = Runs), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(in crate::status::server) async fn runs(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request)?;
    let limit = params.limit(PAGE, LARGEST_PAGE)?;
    let after = params.cursor(decode_time)?;
    params.finish()?;
    let (_, integration) = known(&answers, &id).await?;
    let after = after.zip(integration.tenant_id.clone());
    let after = after.map(|(started_at, tenant_id)| RunKey {
        started_at,
        tenant_id,
        integration_id: integration.id.clone(),
    });
    let runs = last_runs(&answers.fleet, &integration, limit, after).await?;
    let is_full = runs.len() == limit as usize;
    let last = runs.last().filter(|_| is_full);
    Ok(HttpResponse::Ok().json(Runs {
        next: last.map(|run| encode_time(run.started_at)),
        runs: runs.into_iter().map(RunView::from).collect(),
    }))
}

/// The last runs of an integration, the latest first.
pub(in crate::status::server) async fn last_runs(
    fleet: &Fleet,
    integration: &IntegrationView,
    limit: u32,
    after: Option<RunKey>,
) -> Result<Vec<RunRow>, Problem> {
    let filter = RunFilter {
        tenant_id: integration.tenant_id.clone(),
        integration_id: Some(integration.id.clone()),
        after,
        limit,
    };
    let runs = fleet.ask(|store| async move { store.runs(&filter).await });
    Ok(runs.await?)
}

fn encode_time(at: DateTime<Utc>) -> String {
    URL_SAFE_NO_PAD.encode(at.timestamp_micros().to_string())
}

fn decode_time(text: &str) -> Option<DateTime<Utc>> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    DateTime::from_timestamp_micros(text.parse().ok()?)
}
