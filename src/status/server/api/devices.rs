//! The devices of an integration, with the age of what is known of them.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::words::FreshnessWord;
use super::{LARGEST_PAGE, PAGE, known};
use crate::device::freshness::fresh_since;
use crate::device::{DeviceId, Freshness};
use crate::status::fleet::Fleet;
use crate::status::fleet::view::IntegrationView;
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;
use crate::store::{DeviceFilter, DeviceRow};

/// A page of devices, by id.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Devices {
    devices: Vec<DeviceView>,
    /// `cursor` of the next page; null: this is the last.
    next: Option<String>,
}

/// One device.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Device)]
pub(in crate::status::server) struct DeviceView {
    /// Its name in the fleet's database.
    #[schema(value_type = String)]
    pub(in crate::status::server) device_id: DeviceId,
    /// Its name at the carrier; null: it is not linked.
    pub(in crate::status::server) carrier_device_id: Option<String>,
    /// Its SIM's number.
    pub(in crate::status::server) sim_iccid: Option<String>,
    /// State of its SIM.
    pub(in crate::status::server) sim_status: Option<String>,
    /// Its state on the network.
    pub(in crate::status::server) network_status: Option<String>,
    /// Bytes used in the billing cycle; null: not known, which is not zero.
    pub(in crate::status::server) data_used_bytes: Option<i64>,
    /// When its usage was last known.
    pub(in crate::status::server) data_used_updated_at: Option<DateTime<Utc>>,
    /// First instant of the billing cycle.
    pub(in crate::status::server) billing_cycle_start: Option<DateTime<Utc>>,
    /// First instant after it.
    pub(in crate::status::server) billing_cycle_end: Option<DateTime<Utc>>,
    /// How old its usage is, by its integration's interval: fresh, stale or never; null: it is not linked, so
    /// nobody reads it.
    #[schema(value_type = Option<FreshnessWord>, inline)]
    pub(in crate::status::server) freshness: Option<Freshness>,
}

impl DeviceView {
    fn of(row: DeviceRow, since: DateTime<Utc>) -> Self {
        Self {
            freshness: row
                .carrier_device_id
                .is_some()
                .then(|| Freshness::of(row.data_used_updated_at, since)),
            device_id: row.device_id,
            carrier_device_id: row.carrier_device_id,
            sim_iccid: row.sim_iccid,
            sim_status: row.sim_status,
            network_status: row.network_status,
            data_used_bytes: row.data_used_bytes,
            data_used_updated_at: row.data_used_updated_at,
            billing_cycle_start: row.billing_cycle_start,
            billing_cycle_end: row.billing_cycle_end,
        }
    }
}

/// Which devices of an integration, and from where.
#[derive(Debug, Default)]
pub(in crate::status::server) struct Question {
    pub(in crate::status::server) search: Option<String>,
    pub(in crate::status::server) freshness: Option<Freshness>,
    pub(in crate::status::server) after: Option<DeviceId>,
    pub(in crate::status::server) limit: u32,
}

impl Question {
    /// Reads what is asked; read alike for the page.
    pub(in crate::status::server) fn of(params: &mut Params, limit: u32) -> Result<Self, Problem> {
        Ok(Self {
            search: params.text("q")?,
            freshness: params.word("freshness", &Freshness::ALL, Freshness::as_str)?,
            after: params.cursor(decode)?,
            limit,
        })
    }
}

/// Where the page after this device begins, as it stands in an address.
pub(in crate::status::server) fn encode(id: &DeviceId) -> String {
    URL_SAFE_NO_PAD.encode(id.as_str())
}

fn decode(text: &str) -> Option<DeviceId> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    DeviceId::parse(&text).ok()
}

/// A page of an integration's devices, and where the next begins.
pub(in crate::status::server) async fn ask(
    fleet: &Fleet,
    integration: &IntegrationView,
    question: Question,
) -> Result<(Vec<DeviceView>, Option<String>), Problem> {
    let since = fresh_since(fleet.now(), integration.interval_minutes.unwrap_or(60));
    let limit = question.limit;
    let filter = DeviceFilter {
        after: integration.tenant_id.clone().zip(question.after),
        tenant_id: integration.tenant_id.clone(),
        integration_id: Some(integration.id.clone()),
        search: question.search,
        freshness: question.freshness.map(|freshness| (freshness, since)),
        limit,
    };
    let asked = fleet.ask(|store| async move { store.devices(&filter).await });
    let devices = asked.await?.into_iter();
    let devices: Vec<_> = devices.map(|row| DeviceView::of(row, since)).collect();
    let is_full = devices.len() == limit as usize;
    let last = devices.last().filter(|_| is_full);
    let next = last.map(|last| encode(&last.device_id));
    Ok((devices, next))
}

/// The devices of an integration, in pages by id.
#[utoipa::path(get, path = "/api/v1/integrations/{id}/devices", params(
    ("id" = String, Path, description = "The integration"),
    ("q" = Option<String>, Query, description = "Only those with this in their id, their name at the carrier or their ICCID"),
    ("freshness" = inline(Option<FreshnessWord>), Query, description = "Only those whose usage is fresh, stale or was never read"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "At most so many, 1 to 1000; 100 unless given"),
    ("cursor" = Option<String>, Query, description = "What \"next\" of the page before was"),
), responses((status = 200, body = Devices), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(in crate::status::server) async fn list(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request)?;
    let limit = params.limit(PAGE, LARGEST_PAGE)?;
    let question = Question::of(&mut params, limit)?;
    params.finish()?;
    let (_, integration) = known(&answers, &id).await?;
    let (devices, next) = ask(&answers.fleet, &integration, question).await?;
    Ok(HttpResponse::Ok().json(Devices { devices, next }))
}
