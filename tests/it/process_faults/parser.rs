//! Hologram's dialect with a parser that panics on demand: at every answer, or at one page.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, Ordering};

use carrier_sync::carriers::{
    Account, Answer, Authorization, BadAccount, Bulk, Capabilities, Carrier, Context, DeviceRecord,
    LineId, Page, ReadError, Request, UsagePart, UsageReport, Walk, registry,
};
use carrier_sync::device::{BillingCycle, CarrierDeviceId};

/// Panics at a page of the device listing.
#[derive(Debug)]
pub struct PanickingParser {
    /// Pages left until the panic; below zero there is none to come.
    fuse: AtomicI64,
    /// At the end of the fuse it begins anew.
    always: bool,
}

impl PanickingParser {
    /// At the first page of every sync.
    pub fn always() -> &'static Self {
        Self::new(1, true)
    }

    /// Once, at the `page`-th page from now.
    pub fn at(page: i64) -> &'static Self {
        Self::new(page, false)
    }

    fn new(fuse: i64, always: bool) -> &'static Self {
        // A job holds its carrier for ever; so does this.
        Box::leak(Box::new(Self {
            fuse: AtomicI64::new(fuse),
            always,
        }))
    }

    fn burn(&self) {
        let left = self.fuse.fetch_sub(1, Ordering::Relaxed) - 1;
        if self.always {
            self.fuse.store(1, Ordering::Relaxed);
        }
        assert!(left != 0, "the parser met what it had never seen");
    }
}

fn hologram() -> &'static dyn Carrier {
    registry::find("hologram").unwrap()
}

struct BurningWalk {
    walk: Box<dyn Walk<DeviceRecord>>,
    parser: &'static PanickingParser,
}

impl Walk<DeviceRecord> for BurningWalk {
    fn request(&self) -> Option<Request> {
        self.walk.request()
    }

    fn read(&mut self, answer: &Answer<'_>) -> Result<Page<DeviceRecord>, ReadError> {
        self.parser.burn();
        self.walk.read(answer)
    }
}

/// The carrier of a job lives for ever, and so may be named in its walks.
#[derive(Debug)]
pub struct PanickingCarrier(pub &'static PanickingParser);

impl PanickingCarrier {
    pub fn with(parser: &'static PanickingParser) -> &'static dyn Carrier {
        Box::leak(Box::new(Self(parser)))
    }
}

impl Carrier for PanickingCarrier {
    fn code(&self) -> &'static str {
        hologram().code()
    }

    fn capabilities(&self) -> &Capabilities {
        hologram().capabilities()
    }

    fn sample(&self) -> &'static str {
        hologram().sample()
    }

    fn base_url(&self, account: &Account) -> Result<Cow<'_, str>, BadAccount> {
        hologram().base_url(account)
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        hologram().authorize(account)
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        hologram().probe(context)
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        match hologram().get_bulk_device_info(context) {
            Bulk::PerDevice => Bulk::PerDevice,
            Bulk::Listing(walk) => Bulk::Listing(Box::new(BurningWalk {
                walk,
                parser: self.0,
            })),
        }
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        hologram().get_bulk_usage(context)
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        hologram().bulk_calls(context, devices)
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        hologram().get_device_info(context, device)
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        of: (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        hologram().get_usage(context, of, cycle)
    }
}
