//! `custom`: a carrier that is described in a TOML manifest, interpreted by the same engine as the others.
//!
//! | file | holds |
//! |---|---|
//! | `manifest.rs` | the manifest's shape |
//! | `mistakes.rs` | what its parts ask of each other |
//! | `capabilities.rs` | what follows from it |
//! | `wire.rs` | values by JSON paths |
//! | `normalise.rs` | what they mean |
//! | `walks.rs` | requests and rows |
//! | `pager.rs` | what comes after a page |
//!
//! A manifest lives as long as the process, like the carriers in code: walks and jobs borrow from it. A
//! changed one is a new one, and the old one stays in memory, a few kilobytes.

mod capabilities;
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

use self::manifest::{Absent, AuthKind, DeviceKind, Fields, Manifest};
pub use self::manifest::{ManifestError, check_name};
use self::pager::{PageSize, Pager};
use self::walks::{Devices, Filling, Parts, Usage};
use crate::carriers::iccid::{has_valid_check_digit, looks_like_iccid};
use crate::carriers::paging::Paged;
use crate::carriers::token::{TokenAddress, TokenBody, bearer};
use crate::carriers::walk::body_text;
use crate::carriers::{
    Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
    Context, DeviceRecord, LineId, ReadError, ReportScope, Token, TokenRequest, UsagePart,
    UsageReport, Walk, calendar, pages_of, rows,
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
        let manifest = manifest::parse(file, text)?;
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

fn page_size(manifest: &Manifest, asked: u32) -> PageSize {
    let most = manifest.limits.page_size;
    PageSize {
        asked: most.map_or(asked, |most| most.min(asked)),
        is_served: most.is_some(),
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
        Ok(Cow::Borrowed(self.manifest()?.base_url.get_ref()))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        let auth = self.manifest()?.auth.get_ref();
        let secret = || {
            let hint = auth
                .hint
                .as_deref()
                .unwrap_or("see the carrier's documentation");
            account.api_secret.clone().ok_or_else(|| {
                BadAccount(format!(
                    "api_secret is missing; this carrier wants two halves ({hint})"
                ))
            })
        };
        Ok(match auth.kind {
            AuthKind::Bearer => Authorization::bearer(&account.api_key),
            AuthKind::Basic => Authorization::Basic {
                user: expose(&account.api_key).to_owned(),
                password: secret()?,
            },
            AuthKind::Header => {
                let name = auth.header.clone().unwrap_or_default().to_lowercase();
                let value = match &auth.prefix {
                    Some(prefix) => format!("{prefix} {}", expose(&account.api_key)).into(),
                    None => account.api_key.clone(),
                };
                Authorization::Headers(vec![(Cow::Owned(name), value)])
            }
            AuthKind::ClientCredentials => {
                let path = auth.token_path.clone().unwrap_or_default();
                let path = path.trim_matches('/').to_owned();
                let text = |text: &'static str| SecretString::from(text);
                Authorization::Token(TokenRequest {
                    address: TokenAddress::Below(Cow::Owned(path)),
                    basic: None,
                    body: TokenBody::Form(vec![
                        (Cow::Borrowed("grant_type"), text("client_credentials")),
                        (Cow::Borrowed("client_id"), account.api_key.clone()),
                        (Cow::Borrowed("client_secret"), secret()?),
                    ]),
                })
            }
        })
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
            lifetime: token.expires_in.map(Duration::from_secs),
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
        let report = manifest.usage.as_ref()?.get_ref();
        let cycle = calendar::month(context.now)?;
        let rows = page_size(manifest, context.pages.usage);
        let filling = Filling {
            context,
            page_size: rows.asked,
            device: None,
            cycle: Some(cycle),
        };
        let pager = Pager::new(&report.paging, rows);
        let first = pager.first(filling.request(&report.path, &report.query, "usage"));
        let endpoint = Usage {
            manifest,
            rows: &report.rows,
            device: &report.device,
            used: &report.used,
            part: report.part.as_ref(),
            pager,
            cycle: Some(cycle),
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
        let pages = |asked: u32| pages_of(devices, page_size(manifest, asked).asked);
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
        let usage = manifest.device_usage.as_ref()?.get_ref();
        let rows = page_size(manifest, context.pages.usage);
        let filling = Filling {
            context,
            page_size: rows.asked,
            device: Some(&manifest.device.kind.spelt(device.as_str())),
            cycle: Some(*cycle),
        };
        let pager = Pager::new(&usage.paging, rows);
        let first = pager.first(filling.request(&usage.path, &usage.query, "usage"));
        let endpoint = Parts {
            manifest,
            rows: &usage.rows,
            used: &usage.used,
            part: usage.part.as_ref(),
            pager,
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
    expires_in: Option<u64>,
}

fn expose(secret: &SecretString) -> &str {
    use secrecy::ExposeSecret;
    secret.expose_secret()
}

/// The first page of the listing, and those after it unless only it is wanted.
fn listing(
    manifest: &'static Manifest,
    context: Context<'_>,
    asked: u32,
    only_first: bool,
) -> Paged<Devices> {
    #[expect(clippy::expect_used, reason = "callers have looked")]
    let listing = manifest.listing.as_ref().expect("a listing").get_ref();
    let rows = page_size(manifest, asked);
    let filling = Filling {
        context,
        page_size: rows.asked,
        device: None,
        cycle: None,
    };
    let mut pager = Pager::new(&listing.paging, rows);
    let first = pager.first(filling.request(&listing.path, &listing.query, "list"));
    if only_first {
        pager = Pager::of_one_page();
    }
    let endpoint = Devices {
        manifest,
        rows: &listing.rows,
        fields: &listing.fields,
        pager,
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
    let single = manifest.single.get_ref();
    let Some(fields) = single_fields(manifest) else {
        return Box::new(Nothing);
    };
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
        asked: Some(device.clone()),
    };
    let request = filling.request(&single.path, &single.query, "device");
    Box::new(Paged::once(endpoint, request))
}

fn single_fields(manifest: &Manifest) -> Option<&Fields> {
    let listing = manifest.listing.as_ref();
    let listed = listing.map(|listing| &listing.get_ref().fields);
    manifest.single.get_ref().fields.as_ref().or(listed)
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
