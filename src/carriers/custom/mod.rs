//! `custom`: a carrier that is described in a TOML manifest, interpreted by the same engine as the others.
//!
//! | file | holds |
//! |---|---|
//! | `document.rs` | the manifest's text, and where in it mistakes are |
//! | `manifest.rs` | the manifest's shape |
//! | `mistakes/` | what its parts ask of each other |
//! | `capabilities.rs` | what follows from it |
//! | `credentials.rs` | what requests prove themselves with |
//! | `filling.rs` | placeholders, and of which time an answer is |
//! | `wire.rs` | values by JSON paths |
//! | `instant.rs` | instants as carriers write them |
//! | `normalise.rs` | what values mean |
//! | `walks.rs` | rows |
//! | `pager.rs` | what comes after a page |
//!
//! A manifest lives as long as the process, like the carriers in code: walks and jobs borrow from it. A
//! changed one is a new one, and the old one stays in memory, a few kilobytes.

mod capabilities;
mod credentials;
mod document;
mod filling;
mod instant;
mod manifest;
mod mistakes;
mod normalise;
mod pager;
mod walks;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

pub use self::document::{ManifestError, check_name};
use self::filling::{Filling, Template};
use self::manifest::{Absent, DeviceKind, Fields, Manifest};
use self::pager::{PageSize, Pager};
use self::walks::{Devices, Parts, Usage};
use crate::carriers::iccid::{has_valid_check_digit, looks_like_iccid};
use crate::carriers::lenient::Field;
use crate::carriers::paging::Paged;
use crate::carriers::token::bearer;
use crate::carriers::walk::body_text;
use crate::carriers::{
    Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
    Context, DeviceRecord, LineId, ReadError, ReportScope, Token, UsagePart, UsageReport, Walk,
    calendar, pages_of, rows,
};
use crate::device::{BillingCycle, CarrierDeviceId};

/// The name of every carrier that is described in a manifest.
pub const CODE: &str = "custom";

/// The setting of an integration that names its manifest.
pub const MANIFEST: &str = "manifest";

/// The carrier of a manifest; without one, what an integration lacks that names none.
#[derive(Debug)]
pub struct Custom {
    /// `None`: the entry of the registry.
    manifest: Option<&'static Manifest>,
    capabilities: Capabilities,
}

/// `custom` before any manifest is read: the registry's entry.
pub(super) static CUSTOM: LazyLock<Custom> = LazyLock::new(|| Custom {
    manifest: None,
    capabilities: capabilities::of_any(),
});

/// Manifests that were read, by their text.
static READ: LazyLock<Mutex<HashMap<String, &'static Custom>>> = LazyLock::new(Mutex::default);

impl Custom {
    /// The carrier that a manifest describes; the same one for the same text.
    ///
    /// # Errors
    /// Every [`ManifestError`] that could be told apart, at least one.
    pub fn of(file: &str, text: &str) -> Result<&'static Self, Vec<ManifestError>> {
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(text) {
            return Ok(known);
        }
        let manifest = document::parse(file, text)?;
        let custom = Box::leak(Box::new(Self {
            capabilities: capabilities::of(&manifest),
            manifest: Some(Box::leak(Box::new(manifest))),
        }));
        read.insert(text.to_owned(), custom);
        Ok(custom)
    }

    /// Only the registry's entry has none, and its `base_url` refuses every account before anything is asked.
    fn manifest(&self) -> Result<&'static Manifest, BadAccount> {
        self.manifest.ok_or_else(no_manifest)
    }
}

fn no_manifest() -> BadAccount {
    BadAccount(format!(
        "config.{MANIFEST} is missing; it names the TOML manifest that describes the carrier: \
         carrier-sync integrations set ID --manifest NAME"
    ))
}

impl Carrier for Custom {
    fn code(&self) -> &'static str {
        CODE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed(&self.manifest()?.base_url))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::authorize(self.manifest()?, account)
    }

    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        let text = body_text(answer.body);
        let token: TokenAnswer = rows::read(&text)?;
        let key: SecretString = token
            .access_token
            .ok_or_else(|| ReadError::Malformed("an answer without `access_token`".into()))?
            .into();
        Ok(Token {
            headers: bearer(&key),
            lifetime: token.expires_in.value().map(Duration::from_secs),
            account: None,
        })
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        self.manifest
            .map_or(Ok(()), |manifest| check_device(manifest, name.trim()))
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        let Some(manifest) = self.manifest else {
            return Box::new(Nothing);
        };
        match &manifest.listing {
            Some(_) => Box::new(listing(manifest, context, 1, true)),
            None => single(manifest, context, &probe_name()),
        }
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        match self.manifest {
            Some(manifest) if manifest.listing.is_some() => {
                let walk = listing(manifest, context, context.pages.devices, false);
                Bulk::Listing(Box::new(walk))
            }
            _ => Bulk::PerDevice,
        }
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        let manifest = self.manifest?;
        let report = manifest.usage.as_ref()?;
        let cycle = calendar::month(context.now)?;
        let template = Template::of(&report.path, &report.query);
        let rows = PageSize::of(&manifest.limits, context.pages.usage, template);
        let filling = Filling {
            context,
            page_size: rows.asked,
            device: None,
            cycle: Some(cycle),
        };
        let pager = Pager::of_report(&report.paging, rows);
        let first = pager.first(filling.request(template, "usage"));
        let endpoint = Usage {
            manifest,
            rows: &report.rows,
            device: &report.device,
            used: &report.used,
            part: report.part.as_ref(),
            pager,
            window: filling.window(template),
            cycle,
            has_missed_its_month: false,
            sums: HashMap::new(),
        };
        Some(UsageReport {
            walk: Box::new(Paged::new(endpoint, first, context.pages.max_pages)),
            scope: match report.absent {
                Absent::Zero => ReportScope::Cycle(cycle),
                Absent::Unknown => ReportScope::Cycles,
            },
        })
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        let Some(manifest) = self.manifest else {
            return 0;
        };
        let most = manifest.limits.page_size.unwrap_or(u32::MAX);
        let pages = |asked: u32| pages_of(devices, asked.min(most));
        let listing = manifest.listing.as_ref();
        let listing = listing.map_or(0, |_| pages(context.pages.devices));
        let report = manifest.usage.as_ref();
        listing + report.map_or(0, |_| pages(context.pages.usage))
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        match self.manifest {
            Some(manifest) => single(manifest, context, device),
            None => Box::new(Nothing),
        }
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (device, _): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        let manifest = self.manifest?;
        let usage = manifest.device_usage.as_ref()?;
        let template = Template::of(&usage.path, &usage.query);
        let rows = PageSize::of(&manifest.limits, context.pages.usage, template);
        let filling = Filling {
            context,
            page_size: rows.asked,
            device: Some(&manifest.device.kind.spelt(device.as_str())),
            cycle: Some(*cycle),
        };
        let pager = Pager::of_report(&usage.paging, rows);
        let first = pager.first(filling.request(template, "usage"));
        let endpoint = Parts {
            manifest,
            rows: &usage.rows,
            used: &usage.used,
            part: usage.part.as_ref(),
            pager,
            window: filling.window(template),
        };
        Some(Box::new(Paged::new(
            endpoint,
            first,
            context.pages.max_pages,
        )))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenAnswer {
    access_token: Option<String>,
    expires_in: Field<u64>,
}

/// The first page of the listing, and those after it unless only it is wanted.
fn listing(
    manifest: &'static Manifest,
    context: Context<'_>,
    asked: u32,
    only_first: bool,
) -> Paged<Devices> {
    #[expect(clippy::expect_used, reason = "callers have looked")]
    let listing = manifest.listing.as_ref().expect("a listing");
    let template = Template::of(&listing.path, &listing.query);
    let rows = PageSize::of(&manifest.limits, asked, template);
    let filling = Filling {
        context,
        page_size: rows.asked,
        device: None,
        cycle: None,
    };
    let mut pager = Pager::new(&listing.paging, rows);
    let first = pager.first(filling.request(template, "list"));
    if only_first {
        pager = Pager::of_one_page();
    }
    let endpoint = Devices {
        manifest,
        rows: &listing.rows,
        fields: &listing.fields,
        pager,
        window: filling.window(template),
        asked: None,
    };
    if only_first {
        Paged::once(endpoint, first)
    } else {
        Paged::new(endpoint, first, context.pages.max_pages)
    }
}

fn single(
    manifest: &'static Manifest,
    context: Context<'_>,
    device: &CarrierDeviceId,
) -> Box<dyn Walk<DeviceRecord>> {
    let single = &manifest.single;
    let Some(fields) = single_fields(manifest) else {
        return Box::new(Nothing);
    };
    let template = Template::of(&single.path, &single.query);
    let filling = Filling {
        context,
        page_size: 1,
        device: Some(&manifest.device.kind.spelt(device.as_str())),
        cycle: None,
    };
    let endpoint = Devices {
        manifest,
        rows: &single.row,
        fields,
        pager: Pager::of_one_page(),
        window: filling.window(template),
        asked: Some(device.clone()),
    };
    let request = filling.request(template, "device");
    Box::new(Paged::once(endpoint, request))
}

fn single_fields(manifest: &Manifest) -> Option<&Fields> {
    let listing = manifest.listing.as_ref();
    let listed = listing.map(|listing| &listing.fields);
    manifest.single.fields.as_ref().or(listed)
}

/// A device that no carrier has: "not found" says that the credentials work.
fn probe_name() -> CarrierDeviceId {
    #[expect(clippy::expect_used, reason = "a constant that is one")]
    CarrierDeviceId::parse("carrier-sync-probe").expect("a device name")
}

fn check_device(manifest: &Manifest, name: &str) -> Result<(), BadDeviceName> {
    let is_uuid = name.len() == 36
        && name.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let is_right = match manifest.device.kind {
        DeviceKind::Text => !name.is_empty(),
        DeviceKind::Digits => name.bytes().all(|byte| byte.is_ascii_digit()),
        DeviceKind::Iccid => {
            looks_like_iccid(name) && (name.len() < 20 || has_valid_check_digit(name))
        }
        DeviceKind::Uuid => is_uuid,
    };
    if is_right {
        return Ok(());
    }
    let looks = match (manifest.device.kind, looks_like_iccid(name)) {
        (DeviceKind::Iccid, true) => "is an ICCID with a wrong check digit",
        (_, true) => "looks like an ICCID",
        _ => "cannot be one of this carrier",
    };
    Err(BadDeviceName(format!(
        "{looks}; wanted: {}",
        manifest.device.what
    )))
}

/// Asks for nothing.
#[derive(Debug)]
struct Nothing;

impl<T> Walk<T> for Nothing {
    fn request(&self) -> Option<crate::carriers::Request> {
        None
    }

    fn read(&mut self, _: &Answer<'_>) -> Result<crate::carriers::Page<T>, ReadError> {
        Err(ReadError::Malformed("an answer to no request".into()))
    }
}
