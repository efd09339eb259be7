//! What several pages show alike: times, badges, counts.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::status::fleet::state::{Attention, LastOutcome, State};
use crate::status::fleet::view::{DeviceCounts, IntegrationView};
use crate::words;

/// What need not be escaped within a step of a path, or a parameter.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as a step of a path, or a parameter's value.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The address of an integration's page.
pub(super) fn address(id: &str) -> String {
    format!("/integrations/{}", escaped(id))
}

/// A time of day; the whole instant for programs and for whoever points at it.
pub(super) fn instant(at: DateTime<Utc>) -> Markup {
    let whole = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at.to_rfc3339()) title=(whole) { (at.format("%H:%M:%S UTC")) } }
}

/// An instant with its day.
pub(super) fn day_and_time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (at.format("%Y-%m-%d %H:%M:%S")) } }
}

/// How long ago, or in how long.
pub(super) fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let text = if at > now + TimeDelta::seconds(1) {
        format!("in {}", words::span(at - now))
    } else {
        words::ago(now - at)
    };
    let whole = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at.to_rfc3339()) title=(whole) { (text) } }
}

pub(super) const fn state_word(state: State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Syncing => "syncing",
        State::BackingOff => "backing off",
        State::NeedsCredentials => "needs credentials",
        State::Parked => "parked",
        State::Draining => "draining",
        State::Paused => "paused",
        State::Disabled => "disabled",
        State::Elsewhere => "elsewhere",
    }
}

/// Its colour says whether a person must look; its word what it does.
pub(super) fn state_badge(view: &IntegrationView) -> Markup {
    let colour = match (view.attention, view.state) {
        (Attention::Well, State::Syncing) => "syncing",
        (Attention::Well, State::Elsewhere) => "off",
        (attention, _) => attention.as_str(),
    };
    html! { span.badge.(colour) { (state_word(view.state)) } }
}

pub(super) fn outcome_badge(outcome: LastOutcome) -> Markup {
    html! { span.badge.(outcome.as_str()) { (outcome.as_str()) } }
}

pub(super) const fn attention_word(attention: Attention) -> &'static str {
    match attention {
        Attention::Broken => "needs you",
        Attention::Failing => "failing",
        Attention::Partial => "partly read",
        Attention::Late => "late",
        Attention::Well => "well",
        Attention::Off => "switched off",
    }
}

/// The age of the last success against the interval: a number by which old data shows itself.
pub(super) fn success_age(view: &IntegrationView, now: DateTime<Utc>) -> Markup {
    html! {
        @match view.last_success_at {
            Some(at) => (distance(at, now)),
            None => "never",
        }
        @if let Some(minutes) = view.interval_minutes {
            " " span.soft { "every " (interval(minutes)) }
        }
    }
}

pub(super) fn interval(minutes: i64) -> String {
    match minutes {
        it if it > 0 && it % 1_440 == 0 => format!("{}d", it / 1_440),
        it if it > 0 && it % 60 == 0 => format!("{}h", it / 60),
        it => format!("{it}m"),
    }
}

/// Devices, and those of them that are not fresh.
pub(super) fn devices(counts: Option<DeviceCounts>) -> Markup {
    html! {
        @match counts {
            None => span.soft { "not counted yet" },
            Some(counts) => {
                (words::count(counts.linked))
                @if counts.stale > 0 { " " span.badge.stale { (words::count(counts.stale)) " stale" } }
                @if counts.never > 0 { " " span.badge { (words::count(counts.never)) " never" } }
            }
        }
    }
}

/// The three shares in one bar.
pub(super) fn freshness_bar(counts: DeviceCounts) -> Markup {
    let share = |part: u64| 1_000.0 * part as f64 / counts.linked.max(1) as f64;
    let (fresh, stale, never) = (
        share(counts.fresh),
        share(counts.stale),
        share(counts.never),
    );
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.fresh x="0" y="0" width=(fresh) height="10" {}
            rect.stale x=(fresh) y="0" width=(stale) height="10" {}
            rect.never x=(fresh + stale) y="0" width=(never) height="10" {}
        }
    }
}

/// What is left of the budgets, and the rate.
pub(super) fn calls_against_limit(view: &IntegrationView) -> Markup {
    let Some(calls) = view.calls else {
        return html! { span.soft { "–" } };
    };
    html! {
        (words::count(calls.made)) " made"
        @if let Some(rate) = calls.per_second {
            " " span.soft { "at most " (rate) "/s" }
        }
        @if let Some(left) = calls.left_today {
            br; span.soft { (words::count(left)) " left today" }
        }
        @if let Some(left) = calls.left_this_month {
            br; span.soft { (words::count(left)) " left this month" }
        }
        @if let Some(paused) = calls.paused_for_ms {
            br; span.badge.late { "silent for " (words::span(TimeDelta::milliseconds(i64::try_from(paused).unwrap_or(i64::MAX)))) }
        }
    }
}

/// When it syncs next, or what keeps it from it.
pub(super) fn next_run(view: &IntegrationView, now: DateTime<Utc>) -> Markup {
    html! {
        @match (view.state, view.next_sync_at) {
            (State::Syncing, _) => {
                "now"
                @if let Some(progress) = view.progress {
                    " " span.soft { (words::count(progress.synced as u64)) " of " (words::count(progress.devices as u64)) }
                }
            },
            (_, Some(at)) if at <= now => "waits for its turn",
            (_, Some(at)) => (distance(at, now)),
            (_, None) => span.soft { "–" },
        }
    }
}
