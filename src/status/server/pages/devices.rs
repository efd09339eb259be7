//! The devices of an integration: searched, by freshness, in pages.

use maud::{Markup, html};

use super::fleet::choice;
use super::parts::{self, address, escaped};
use crate::device::Freshness;
use crate::status::fleet::view::IntegrationView;
use crate::status::server::api::devices::{DeviceView, Question, ask};
use crate::status::server::routes::Answers;

/// Devices on a page.
pub(super) const PAGE: u32 = 50;

pub(super) async fn show(
    answers: &Answers,
    integration: &IntegrationView,
    question: Question,
) -> Markup {
    let (search, freshness) = (question.search.clone(), question.freshness);
    let is_later = question.after.is_some();
    let found = ask(&answers.fleet, integration, question).await;
    let own = address(integration.id.as_str());
    let words = Freshness::ALL.map(|word| (word.as_str(), word.as_str()));
    let kept = [
        ("q", search.as_deref()),
        ("freshness", freshness.map(Freshness::as_str)),
    ];
    let kept = kept
        .iter()
        .filter_map(|(name, text)| Some((name, (*text)?)));
    let kept: String = kept
        .map(|(name, text)| format!("{name}={}&", escaped(text)))
        .collect();
    html! {
        h2 id="devices" { "Devices" }
        form.filter method="get" action={ (own) "#devices" } role="search" {
            label { "Id, name at the carrier or ICCID" input type="search" name="q" value=[&search]; }
            (choice("Usage", "freshness", &words, freshness.map(Freshness::as_str)))
            button { "Find" }
            @if !kept.is_empty() { a.button href={ (own) "#devices" } { "Clear" } }
        }
        div id="device-list" data-live {
            @match &found {
                Err(problem) => p.alert { "The devices cannot be read: " (problem.error) },
                Ok((devices, _)) if devices.is_empty() => p.card { "No device is like that." },
                Ok((devices, next)) => {
                    (table(devices, answers.fleet.now()))
                    nav.pager aria-label="Pages of devices" {
                        span { (devices.len()) " devices on this page" }
                        @if is_later { a.button href={ (own) "?" (kept) "#devices" } { "First page" } }
                        @if let Some(next) = next {
                            a.button rel="next" href={ (own) "?" (kept) "cursor=" (next) "#devices" } { "Next page" }
                        }
                    }
                }
            }
        }
    }
}

fn table(devices: &[DeviceView], now: chrono::DateTime<chrono::Utc>) -> Markup {
    html! {
        div.scroll { table.cards {
            thead { tr {
                th scope="col" { "Device" } th scope="col" { "At the carrier" } th scope="col" { "SIM" }
                th scope="col" { "Network" } th.n scope="col" { "Used in the cycle" }
                th scope="col" { "Cycle" } th scope="col" { "Usage read" }
            } }
            tbody { @for device in devices { tr {
                td.who data-label="Device" { (device.device_id) }
                td data-label="At the carrier" { div {
                    (device.carrier_device_id.as_deref().unwrap_or("not linked"))
                    @if let Some(iccid) = &device.sim_iccid { br; span.soft { (iccid) } }
                } }
                td data-label="SIM" { (status(device.sim_status.as_deref())) }
                td data-label="Network" { (status(device.network_status.as_deref())) }
                td.n data-label="Used in the cycle" { (used(device.data_used_bytes)) }
                td data-label="Cycle" { (cycle(device)) }
                td data-label="Usage read" { div {
                    @if let Some(freshness) = device.freshness {
                        span.badge.(freshness.as_str()) { (freshness.as_str()) } " "
                    }
                    @if let Some(at) = device.data_used_updated_at { span.soft { (parts::distance(at, now)) } }
                } }
            } } }
        } }
    }
}

fn status(word: Option<&str>) -> Markup {
    html! { @match word { Some(word) => span.badge.(word) { (word) }, None => span.soft { "–" } } }
}

/// Unknown is not zero.
fn used(bytes: Option<i64>) -> Markup {
    let count = bytes.and_then(|bytes| crate::device::ByteCount::try_from(bytes).ok());
    html! {
        @match count {
            None => span.soft { "–" },
            Some(count) => {
                @let hundredths = count.megabyte_hundredths();
                (crate::words::count((hundredths / 100).unsigned_abs())) "." (format!("{:02}", hundredths % 100)) " MB"
            }
        }
    }
}

fn cycle(device: &DeviceView) -> Markup {
    html! {
        @match (device.billing_cycle_start, device.billing_cycle_end) {
            (Some(start), Some(end)) => { (start.format("%m-%d")) " – " (end.format("%m-%d")) },
            (Some(start), None) => { "since " (start.format("%m-%d")) },
            (None, Some(end)) => { "until " (end.format("%m-%d")) },
            (None, None) => span.soft { "–" },
        }
    }
}
