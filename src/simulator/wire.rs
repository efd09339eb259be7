//! The carrier's JSON, field for field as documented (docs.hologram.io/api/1/devices, …/usage/data,
//! …/usage/data/billing), with its habits: numbers in strings, zero dates, keys that come and go.

use serde::{Serialize, Serializer};

use super::{
    device::Device,
    draw::{Draw, Topic},
    link::Link,
    session::{LastSession, Session},
    time::WireTime,
};

/// A number that the API writes as a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted(pub u64);

impl Serialize for Quoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The envelope of one thing.
#[derive(Debug, Serialize)]
pub(super) struct One<T> {
    pub success: bool,
    pub data: T,
}

/// The envelope of a page.
#[derive(Debug, Serialize)]
pub(super) struct Listing<T> {
    pub success: bool,
    pub limit: usize,
    pub size: Size,
    /// Absent on some last pages, false on others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<bool>,
    pub lastid: u64,
    pub links: PageLinks,
    pub data: Vec<T>,
}

/// Rows of a page: a number, or (in one documented example) the string `"2s"`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Size {
    Number(usize),
    Text(String),
}

#[derive(Debug, Serialize)]
pub(super) struct PageLinks {
    pub path: String,
    pub base: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Every error has this body.
#[derive(Debug, Serialize)]
pub(super) struct Failure<'a> {
    pub success: bool,
    pub error: &'a str,
}

/// A device, in the listing and alone.
#[derive(Debug, Serialize)]
pub(super) struct DeviceRow {
    id: u64,
    orgid: u64,
    name: String,
    r#type: &'static str,
    whencreated: WireTime,
    imei: String,
    imei_sv: String,
    simcardid: u64,
    tags: [(); 0],
    links: DeviceLinks,
    #[serde(skip_serializing_if = "LastSessionField::is_missing")]
    lastsession: LastSessionField,
}

#[derive(Debug, Serialize)]
struct DeviceLinks {
    cellular: Vec<LinkRow>,
}

/// A link, inside its device and alone.
#[derive(Debug, Serialize)]
pub(super) struct LinkRow {
    id: u64,
    deviceid: u64,
    sim: String,
    imsi: u64,
    msisdn: String,
    carrierid: u64,
    state: &'static str,
    whenclaimed: WireTime,
    whenexpires: WireTime,
    overagelimit: i64,
    data_threshold: i64,
    smslimit: i64,
    apn: &'static str,
    plan: Plan,
    last_network_used: &'static str,
    last_connect_time: WireTime,
    cur_billing_data_used: u64,
    last_billing_data_used: u64,
}

#[derive(Debug, Serialize)]
struct Plan {
    id: u64,
    zone: &'static str,
    name: &'static str,
    data: u64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum LastSessionField {
    Missing,
    Null,
    EmptyList([(); 0]),
    Session(Box<LastSessionRow>),
}

impl LastSessionField {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

#[derive(Debug, Serialize)]
struct LastSessionRow {
    linkid: u64,
    session_begin: WireTime,
    session_end: WireTime,
    bytes: u64,
    imei: String,
    cellid: u64,
    lac: u64,
    radio_access_technology: &'static str,
    network_name: &'static str,
    tadig: &'static str,
    is_reporting_window_with_usage: bool,
    active: bool,
}

/// A row of `/usage/data/billing`.
#[derive(Debug, Serialize)]
pub(super) struct BillingRow {
    linkid: u64,
    cur_period_end: WireTime,
    periods_back: Quoted,
    record_id: Quoted,
    bytes: u64,
}

/// A row of `/usage/data`.
#[derive(Debug, Serialize)]
pub(super) struct SessionRow {
    record_id: Quoted,
    linkid: u64,
    session_begin: WireTime,
    timestamp: WireTime,
    bytes: u64,
    imei: String,
    cellid: u64,
    lac: u64,
    network_name: &'static str,
    radio_access_technology: &'static str,
}

impl DeviceRow {
    pub(super) fn of(device: &Device) -> Self {
        Self {
            id: device.id,
            orgid: device.org_id,
            name: format!("Device ({})", device.id),
            r#type: "generic",
            whencreated: WireTime::at(device.created),
            imei: imei(device.id),
            imei_sv: format!("{}01", &imei(device.id)[..14]),
            simcardid: device.id + 5,
            tags: [],
            links: DeviceLinks {
                cellular: device.links.iter().map(LinkRow::of).collect(),
            },
            lastsession: last_session(device),
        }
    }
}

impl LinkRow {
    pub(super) fn of(link: &Link) -> Self {
        Self {
            id: link.id,
            deviceid: link.device_id,
            sim: link.iccid(),
            imsi: link.imsi(),
            msisdn: format!("88{}", link.id),
            carrierid: 1,
            state: link.state,
            whenclaimed: WireTime::at(link.claimed),
            whenexpires: WireTime::at(link.periods.end(0)),
            overagelimit: -1,
            data_threshold: -1,
            smslimit: -1,
            apn: "hologram",
            plan: Plan {
                id: 1,
                zone: "global",
                name: "Pay as you go",
                data: 0,
            },
            last_network_used: network(link.draw),
            last_connect_time: WireTime::at(link.windows[0].last),
            cur_billing_data_used: link.bytes(0),
            last_billing_data_used: link.bytes(1),
        }
    }
}

impl BillingRow {
    pub(super) fn of(link: &Link, back: usize, record_id: u64) -> Self {
        Self {
            linkid: link.id,
            cur_period_end: WireTime::at(link.periods.end(back)),
            periods_back: Quoted(back as u64),
            record_id: Quoted(record_id),
            bytes: link.bytes(back),
        }
    }
}

impl SessionRow {
    pub(super) fn of(session: &Session, link: &Link) -> Self {
        Self {
            record_id: Quoted(session.record_id),
            linkid: session.link_id,
            session_begin: WireTime::at(session.begin),
            timestamp: WireTime::at(session.end),
            bytes: session.bytes,
            imei: imei(link.device_id),
            cellid: session.record_id % 65_536,
            lac: 101,
            network_name: network(link.draw),
            radio_access_technology: radio(link.draw),
        }
    }
}

fn last_session(device: &Device) -> LastSessionField {
    let (link_id, begin, end, bytes) = match device.last_session {
        LastSession::Missing => return LastSessionField::Missing,
        LastSession::Null => return LastSessionField::Null,
        LastSession::EmptyList => return LastSessionField::EmptyList([]),
        LastSession::Session {
            link_id,
            begin,
            end,
            bytes,
        } => (link_id, begin, end, bytes),
    };
    let draw = device
        .links
        .first()
        .map_or(Draw::seeded(device.id), |link| link.draw);
    LastSessionField::Session(Box::new(LastSessionRow {
        linkid: link_id,
        session_begin: WireTime::at(begin),
        session_end: WireTime(end),
        bytes,
        imei: imei(device.id),
        cellid: device.id % 65_536,
        lac: 101,
        radio_access_technology: radio(draw),
        network_name: network(draw),
        tadig: "NLDPT",
        is_reporting_window_with_usage: bytes > 0,
        active: end.is_none(),
    }))
}

/// 15 digits.
fn imei(device_id: u64) -> String {
    format!("352457{:09}", device_id % 1_000_000_000)
}

fn network(draw: Draw) -> &'static str {
    ["T-Mobile", "Vodafone", "AT&T", "Telefónica \"O2\""]
        [draw.of(Topic::Radio, 0).below(4) as usize]
}

fn radio(draw: Draw) -> &'static str {
    ["2G", "3G", "LTE", "LTE-M"][draw.of(Topic::Radio, 1).below(4) as usize]
}
