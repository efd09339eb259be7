//! `[carriers.<code>]`: limits, budgets and page sizes of one carrier.
//!
//! The compiled-in size of a usage page is the largest the carrier serves, so a larger one is refused
//! without this file knowing any carrier's facts.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{
    layer::Layer,
    reader::{Reader, integer, texts},
};
use crate::carriers::{PageSizes, registry};
use crate::client::{RateLimit, Window};

/// No carrier is known to serve more devices per page; a page this size still fits
/// `http.max_body_bytes` many times over.
const MOST_DEVICES_PER_PAGE: u32 = 5_000;

/// `[carriers.<code>]`.
#[derive(Debug, Clone)]
pub struct CarrierConfig {
    /// Steady rate of one account; above zero and finite.
    pub requests_per_second: f64,
    /// Calls that may go out at once after a quiet time.
    pub burst: NonZeroU32,
    /// Calls of one account in flight; at least 1.
    pub max_concurrency: usize,
    /// Deadline of one call, headers and body.
    pub timeout: Duration,
    /// Attempts per call, the first included; at least 1.
    pub max_attempts: u32,
    /// Where device info costs a call per device: on every n-th sync; at least 1.
    pub device_info_every: u32,
    /// Steady rate of all accounts at one host; above zero and finite.
    pub host_requests_per_second: f64,
    /// Calls that may go out to one host at once after a quiet time.
    pub host_burst: NonZeroU32,
    /// What one account may do beside its steady rate.
    pub windows: Vec<Window>,
    /// What all accounts at one host may do beside its steady rate.
    pub host_windows: Vec<Window>,
    /// Steady rates of classes of endpoints, per account.
    pub classes: BTreeMap<String, RateLimit>,
    /// Steady rates of classes of endpoints, for all accounts at one host.
    pub host_classes: BTreeMap<String, RateLimit>,
    /// Calls of one account per day; 0 for no budget.
    pub calls_per_day: u64,
    /// Calls of one account per month; 0 for no budget.
    pub calls_per_month: u64,
    /// Calls per sync for what only exists per device; 0 for none.
    pub slice: u32,
    /// Rows per page, and pages per walk.
    pub pages: PageSizes,
    /// Calls one sync may make; at least 1.
    pub max_calls_per_sync: u32,
    /// Devices asked for one by one after a bulk listing left them out; 0 for none.
    pub max_fallback_calls: u32,
}

impl CarrierConfig {
    fn read(reader: &mut Reader<'_>, code: &str) -> Self {
        let key = |name: &str| format!("carriers.{code}.{name}");
        Self {
            requests_per_second: reader.rate(&key("requests_per_second")),
            burst: reader.count(&key("burst")),
            max_concurrency: reader.size(&key("max_concurrency")),
            timeout: reader.duration(&key("timeout")),
            max_attempts: reader.count(&key("max_attempts")).get(),
            device_info_every: reader.count(&key("device_info_every")).get(),
            host_requests_per_second: reader.rate(&key("host_requests_per_second")),
            host_burst: reader.count(&key("host_burst")),
            windows: windows(reader, &key("windows")),
            host_windows: windows(reader, &key("host_windows")),
            classes: classes(reader, &key("classes")),
            host_classes: classes(reader, &key("host_classes")),
            calls_per_day: reader.long_count_or_zero(&key("calls_per_day")),
            calls_per_month: reader.long_count_or_zero(&key("calls_per_month")),
            slice: reader.count_or_zero(&key("slice")),
            pages: PageSizes {
                devices: reader
                    .count_up_to(&key("device_page_size"), MOST_DEVICES_PER_PAGE)
                    .get(),
                usage: usage_page_size(reader, &key("usage_page_size")),
                max_pages: reader.count(&key("max_pages")).get(),
            },
            max_calls_per_sync: reader.count(&key("max_calls_per_sync")).get(),
            max_fallback_calls: reader.count_or_zero(&key("max_fallback_calls")),
        }
    }
}

/// One entry for every registered carrier.
pub(super) fn read_all(reader: &mut Reader<'_>) -> BTreeMap<String, CarrierConfig> {
    let read_one = |code: &str| (code.to_owned(), CarrierConfig::read(reader, code));
    registry::carriers()
        .iter()
        .map(|carrier| carrier.code())
        .map(read_one)
        .collect()
}

/// Each must hold, so their order means nothing.
fn windows(reader: &mut Reader<'_>, key: &str) -> Vec<Window> {
    let allowed = "a list of CALLS/DURATION such as [\"60/1m\", \"1000/1h\"], with up to 100000 calls \
                   and 100ms to 1day (in the environment: separated by commas); or an empty list";
    reader.each(key, allowed, texts, |text| {
        text.parse::<Window>().map_err(|error| error.to_string())
    })
}

/// The classes that the defaults know: another one is an unknown setting, and told as such.
fn classes(reader: &mut Reader<'_>, section: &str) -> BTreeMap<String, RateLimit> {
    let names = reader.sections_below(section, &["requests_per_second", "burst"]);
    let rate = |name: String| {
        let limit = RateLimit {
            requests_per_second: reader.rate(&format!("{section}.{name}.requests_per_second")),
            burst: reader.count(&format!("{section}.{name}.burst")),
        };
        (name, limit)
    };
    names.into_iter().map(rate).collect()
}

fn usage_page_size(reader: &mut Reader<'_>, key: &str) -> u32 {
    reader.count_up_to(key, largest_page(key)).get()
}

fn largest_page(key: &str) -> u32 {
    let default = Layer::compiled_in().ok();
    let size = default.and_then(|layer| integer(layer.get(key)?));
    size.and_then(|size| u32::try_from(size).ok())
        .unwrap_or(u32::MAX)
}
