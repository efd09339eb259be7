//! The manifest: a carrier with an ordinary REST API, described in TOML instead of code.
//!
//! Only its shape and what can be checked without asking anyone: a manifest that was read can be
//! interpreted. A mistake is told with file, line, key, and what is allowed. `docs/custom-carriers.md` explains
//! each key.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::wire::Path;
use crate::device::{NetworkStatus, SimStatus};

/// Characters of a manifest's name: it becomes a file's name.
const NAME_CHARACTERS: &str = "letters, digits, - and _";

/// A carrier's description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// As people write it.
    pub(super) name: String,
    pub(super) base_url: Spanned<String>,
    pub(super) auth: Spanned<Auth>,
    pub(super) device: Device,
    pub(super) listing: Option<Spanned<Listing>>,
    pub(super) single: Spanned<Single>,
    pub(super) usage: Option<Spanned<Report>>,
    pub(super) device_usage: Option<Spanned<DeviceUsage>>,
    pub(super) cycle: Cycle,
    /// Bytes in one of each unit that answers name.
    #[serde(default)]
    pub(super) units: BTreeMap<String, u64>,
    /// The carrier's words for the state of a SIM.
    #[serde(default)]
    pub(super) sim_status: BTreeMap<String, SimWord>,
    /// The carrier's words for the state on the network.
    #[serde(default)]
    pub(super) network_status: BTreeMap<String, NetworkWord>,
    /// Words of `sim_status` that decide the network status too.
    #[serde(default)]
    pub(super) network_status_when: BTreeMap<String, NetworkWord>,
    #[serde(default)]
    pub(super) limits: Limits,
}

/// How requests prove who they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    pub(super) kind: AuthKind,
    /// `header`: its name.
    pub(super) header: Option<String>,
    /// `header`: what comes before the key.
    pub(super) prefix: Option<String>,
    /// `client_credentials`: where, below the base address.
    pub(super) token_path: Option<String>,
    /// Where an operator finds the key.
    pub(super) hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuthKind {
    Bearer,
    Basic,
    Header,
    ClientCredentials,
}

/// What `carrier_device_id` is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) what: String,
    #[serde(default)]
    pub(super) kind: DeviceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeviceKind {
    #[default]
    Text,
    Digits,
    Iccid,
    Uuid,
}

impl DeviceKind {
    /// The one spelling by which listing, report and addresses name a device.
    pub(super) fn spelt(self, name: &str) -> String {
        match self {
            Self::Uuid => name.trim().to_lowercase(),
            Self::Text | Self::Digits | Self::Iccid => name.trim().to_owned(),
        }
    }
}

/// The device listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) fields: Fields,
    /// A device that the complete listing leaves out and that is not found by its name was deactivated.
    #[serde(default)]
    pub(super) absent_is_deactivated: bool,
}

/// One device by its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Single {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) row: Path,
    /// As the listing's, where it has none of its own.
    pub(super) fields: Option<Fields>,
}

/// Usage of the whole account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) device: Path,
    pub(super) used: Amount,
    /// What tells rows of one device apart, where it has several that add up.
    pub(super) part: Option<Path>,
    /// What it means that the complete report leaves a device out.
    #[serde(default)]
    pub(super) absent: Absent,
}

/// Usage of one device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceUsage {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) used: Amount,
    pub(super) part: Option<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Absent {
    #[default]
    Unknown,
    Zero,
}

/// Where a device's row has its values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) device: Path,
    pub(super) iccid: Option<Path>,
    pub(super) sim_status: Option<Path>,
    pub(super) network_status: Option<Path>,
    pub(super) used: Option<Amount>,
    pub(super) limit: Option<Amount>,
    pub(super) cycle_start: Option<Path>,
    pub(super) cycle_end: Option<Path>,
}

/// An amount of data: a number, and a unit that is fixed or stands beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    pub(super) path: Path,
    pub(super) unit: Option<String>,
    pub(super) unit_path: Option<Path>,
}

/// How pages follow each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    #[serde(default)]
    pub(super) kind: PagingKind,
    /// The query parameter that names the page.
    pub(super) parameter: Option<String>,
    /// `page`: the number of the first; 1 unless said.
    pub(super) first: Option<u64>,
    /// `page`: how many there are.
    pub(super) total_pages: Option<Path>,
    /// `page`: the header that says so.
    pub(super) total_pages_header: Option<String>,
    /// `offset`: how many rows there are.
    pub(super) total: Option<Path>,
    /// `cursor` and `next_url`: where the next one is named.
    pub(super) next: Option<Path>,
    /// `cursor`: the header that names it.
    pub(super) next_header: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PagingKind {
    #[default]
    None,
    Page,
    Offset,
    Cursor,
    NextUrl,
}

/// The rule of the billing cycle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cycle {
    pub(super) rule: CycleRule,
    /// `fields`: what times are that are numbers.
    #[serde(default)]
    pub(super) numbers: TimeNumbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CycleRule {
    CalendarMonth,
    Fields,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeNumbers {
    #[default]
    Seconds,
    Milliseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SimWord {
    Active,
    Suspended,
    Deactivated,
    Ready,
    Unknown,
}

impl From<SimWord> for SimStatus {
    fn from(word: SimWord) -> Self {
        match word {
            SimWord::Active => Self::Active,
            SimWord::Suspended => Self::Suspended,
            SimWord::Deactivated => Self::Deactivated,
            SimWord::Ready => Self::Ready,
            SimWord::Unknown => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NetworkWord {
    Connected,
    Disconnected,
    Suspended,
    Unknown,
}

impl From<NetworkWord> for NetworkStatus {
    fn from(word: NetworkWord) -> Self {
        match word {
            NetworkWord::Connected => Self::Connected,
            NetworkWord::Disconnected => Self::Disconnected,
            NetworkWord::Suspended => Self::Suspended,
            NetworkWord::Unknown => Self::Unknown,
        }
    }
}

/// The carrier's page sizes, and in words its limits; rates are set in `[carriers.custom]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    /// Largest page that it serves.
    pub(super) page_size: Option<u32>,
    /// What it publishes, and where.
    pub(super) published: Option<String>,
}

/// A manifest that cannot be interpreted: where, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The manifest's name or file.
    pub file: String,
    /// From 1; `None` where the fault has no place.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Reads a manifest; every mistake that can be told apart is told, the first of the file first.
///
/// # Errors
/// [`ManifestError`]s, at least one.
pub(super) fn parse(file: &str, text: &str) -> Result<Manifest, Vec<ManifestError>> {
    let error = |line, reason| ManifestError {
        file: file.to_owned(),
        line,
        reason,
    };
    let manifest: Manifest = toml::from_str(text).map_err(|found| {
        let line = found.span().map(|span| line_of(text, span.start));
        vec![error(line, one_line(&explain(text, &found)))]
    })?;
    let mut mistakes = manifest.mistakes();
    mistakes.sort_by_key(|(at, _)| *at);
    let mistakes: Vec<_> = mistakes
        .into_iter()
        .map(|(at, reason)| error(Some(line_of(text, at)), reason))
        .collect();
    if mistakes.is_empty() {
        Ok(manifest)
    } else {
        Err(mistakes)
    }
}

/// The parser's words, and the key that they are about where they name none.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().to_owned();
    let line = error.span().and_then(|span| {
        let line = line_of(text, span.start);
        text.lines().nth(line - 1)
    });
    match line.and_then(|line| line.split_once('=')) {
        Some((key, _)) if !message.contains(&format!("`{}`", key.trim())) => {
            format!("{}: {message}", key.trim())
        }
        _ => message,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// Whether a manifest may be called so.
///
/// # Errors
/// What names are made of.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "a manifest's name has 1 to 64 characters: {NAME_CHARACTERS}"
    ))
}
