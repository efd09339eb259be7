//! The picture of an integration's last runs: how long each took, how many calls it made, and which failed. The
//! table below it says the same in words. Pure: runs in, a picture out.

use maud::{Markup, html};

use super::parts::day_and_time;
use crate::integration::Outcome;
use crate::runs::RunRow;
use crate::words;

/// Runs in the picture.
pub(super) const MOST: usize = 60;

const STEP: usize = 16;
const BAR: usize = 12;
/// Room for the figures beside the axes.
const LEFT: usize = 64;
/// Of the durations above, and of the calls below.
const HEIGHT: f64 = 90.0;
const TOP: f64 = 18.0;
const GAP: f64 = 10.0;

/// A picture of `runs`, the latest first.
pub(super) fn timeline(runs: &[RunRow]) -> Markup {
    let runs: Vec<_> = runs.iter().take(MOST).rev().collect();
    let longest = runs.iter().map(|run| seconds(run)).fold(0.0, f64::max);
    let most_calls = runs.iter().map(|run| run.carrier_calls).max().unwrap_or(0);
    let width = LEFT + MOST * STEP;
    let (axis, bottom) = (TOP + HEIGHT, TOP + 2.0 * HEIGHT + GAP);
    let failed = runs
        .iter()
        .filter(|run| run.outcome == Outcome::Error)
        .count();
    let partial = runs
        .iter()
        .filter(|run| run.outcome == Outcome::Partial)
        .count();
    html! {
        figure.card {
            svg.timeline viewBox={ "0 0 " (width) " " (bottom + 18.0) } role="img" aria-labelledby="timeline-title" {
                title id="timeline-title" {
                    "The last " (runs.len()) " runs: " (failed) " failed, " (partial) " partly; the longest took "
                    (took(longest)) ", the most calls were " (words::count(most_calls)) "."
                }
                line.axis x1=(LEFT) y1=(axis) x2=(width) y2=(axis) {}
                line.axis x1=(LEFT) y1=(axis + GAP) x2=(width) y2=(axis + GAP) {}
                text x="0" y=(TOP + 4.0) { (took(longest)) }
                text x="0" y=(axis) { "duration" }
                text x="0" y=(axis + GAP + 11.0) { "calls" }
                text x="0" y=(bottom) { (words::count(most_calls)) }
                @for (place, run) in runs.iter().enumerate() {
                    (bars(run, (place, longest, most_calls)))
                }
                @if let (Some(first), Some(last)) = (runs.first(), runs.last()) {
                    text x=(LEFT) y=(bottom + 14.0) { (first.started_at.format("%m-%d %H:%M")) }
                    @if runs.len() > 12 {
                        text x=(LEFT + runs.len() * STEP) y=(bottom + 14.0) text-anchor="end" {
                            (last.started_at.format("%m-%d %H:%M"))
                        }
                    }
                }
            }
            figcaption.legend {
                span { span.badge.success { "success" } }
                span { span.badge.partial { "partial △" } }
                span { span.badge.error { "error ✕" } }
                span { "above: duration, below: calls; the latest at the right" }
            }
        }
    }
}

fn bars(run: &RunRow, (place, longest, most_calls): (usize, f64, u64)) -> Markup {
    let x = LEFT + place * STEP;
    let height = 2.0_f64.max(HEIGHT * seconds(run) / longest.max(0.001));
    let calls = HEIGHT * run.carrier_calls as f64 / most_calls.max(1) as f64;
    let top = TOP + HEIGHT - height;
    let middle = x + BAR / 2;
    html! {
        g {
            title {
                (run.started_at.format("%Y-%m-%d %H:%M:%S")) ": " (run.outcome.as_str()) ", "
                (took(seconds(run))) ", " (words::count(run.carrier_calls)) " calls, "
                (words::count(run.synced)) " of " (words::count(run.devices)) " devices"
            }
            rect.(run.outcome.as_str()) x=(x) y=(top) width=(BAR) height=(height) rx="2" {}
            rect.calls x=(x) y=(TOP + HEIGHT + GAP) width=(BAR) height=(calls) rx="2" {}
            @match run.outcome {
                Outcome::Success => {},
                Outcome::Partial => path.mark.partial d={ "M" (middle - 5) " " (top - 4.0) "h10l-5 -9z" } {},
                Outcome::Error => path.mark d={ "M" (middle - 4) " " (top - 12.0) "l8 8m0 -8l-8 8" } {},
            }
        }
    }
}

/// The same in words, for those who cannot see it.
pub(super) fn table(runs: &[RunRow]) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.soft { "Times are UTC. Calls wait for the account's limits; waits of calls at once add up." }
            thead { tr {
                th scope="col" { "Started" } th scope="col" { "Outcome" } th.n scope="col" { "Took" }
                th.n scope="col" { "Read" } th.n scope="col" { "Failed" } th.n scope="col" { "Calls" }
                th.n scope="col" { "Waited" } th scope="col" { "Reason" }
            } }
            tbody { @for run in runs { tr {
                td data-label="Started" { (day_and_time(run.started_at)) }
                td data-label="Outcome" { span.badge.(run.outcome.as_str()) { (run.outcome.as_str()) } }
                td.n data-label="Took" { (took(seconds(run))) }
                td.n data-label="Read" { (words::count(run.synced)) " of " (words::count(run.devices)) }
                td.n data-label="Failed" { (words::count(run.failed)) }
                td.n data-label="Calls" { (words::count(run.carrier_calls)) }
                td.n data-label="Waited" { (took(run.throttled_ms as f64 / 1_000.0)) }
                td data-label="Reason" { (run.error.as_deref().unwrap_or("")) }
            } } }
        } }
    }
}

fn seconds(run: &RunRow) -> f64 {
    let took = (run.finished_at - run.started_at).to_std();
    took.unwrap_or_default().as_secs_f64()
}

fn took(seconds: f64) -> String {
    let time = std::time::Duration::try_from_secs_f64(seconds);
    words::took(time.unwrap_or_default())
}
