//! The first page: how much of the fleet's data is true, who is in trouble and why, and everyone.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::parts::{self, escaped};
use super::{Frame, Reader, page};
use crate::status::fleet::Snapshot;
use crate::status::fleet::query::{self, Cursor, IntegrationFilter, Order, Page};
use crate::status::fleet::state::{Attention, LastOutcome, State};
use crate::status::fleet::view::{DeviceCounts, IntegrationView};
use crate::status::server::api::integrations::filter;
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;
use crate::store::UnreadableRow;
use crate::words;

/// Of rows that cannot be read, so many are told.
const TOLD_UNREADABLE: usize = 5;
/// Of a reason, so much; all of it stands on the integration's own page.
const REASON_CHARS: usize = 400;
/// Integrations on a page: what is worst is on the first.
const PAGE: usize = 50;

pub(in crate::status::server) async fn show(
    answers: web::Data<Answers>,
    request: HttpRequest,
) -> HttpResponse {
    match try_show(&answers, &request).await {
        Ok(page) => page,
        Err(problem) => super::problem(&problem),
    }
}

async fn try_show(answers: &Answers, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(request)?;
    let filter = filter(&mut params)?;
    let after = params.cursor(|text| Cursor::decode(text, Order::Attention))?;
    params.finish()?;
    let snapshot = answers.fleet.snapshot().await;
    let all = &snapshot.integrations;
    let shown = query::page(all, &filter, Order::Attention, after.as_ref(), PAGE);
    let frame = Frame {
        title: "Fleet",
        as_of: Some(snapshot.taken_at),
        reader: Reader::of(request, answers.guard.has_token()),
    };
    let content = html! {
        h1 { "Fleet" }
        (database_away(snapshot.database.as_deref()))
        (unreadable(&snapshot.unreadable))
        (figures(&snapshot))
        (chips(&snapshot, &filter))
        h2 id="list" { "Integrations" }
        (filter_form(&snapshot, &filter))
        (list(&shown, &snapshot))
        (pager(&shown, &filter, after.is_some()))
    };
    Ok(page(StatusCode::OK, &frame, &content))
}

/// What is shown may be old then.
pub(super) fn database_away(reason: Option<&str>) -> Markup {
    html! {
        div id="database" data-live {
            @if let Some(reason) = reason {
                div.alert role="alert" {
                    p { b { "The database does not answer." } " What follows is what was known last, and what the \
                        running syncs say." }
                    p { (reason) }
                }
            }
        }
    }
}

/// Nobody syncs them, and they are in no list.
fn unreadable(rows: &[UnreadableRow]) -> Markup {
    html! {
        div id="unreadable" data-live {
            @if !rows.is_empty() {
                div.alert role="alert" {
                    p { b { (words::count(rows.len() as u64)) " rows of " code { "carrier_integrations" } " cannot be read" }
                        " and are not synced; mend them in the database:" }
                    @for row in rows.iter().take(TOLD_UNREADABLE) {
                        p { code { (row.id.as_deref().unwrap_or("an id that is no text")) } ": " (row.reason) }
                    }
                }
            }
        }
    }
}

fn figures(snapshot: &Snapshot) -> Markup {
    html! {
        section.card id="figures" data-live aria-label="Devices by the age of their usage" {
            @match snapshot.totals.devices {
                None => p.soft { "The devices have not been counted yet." },
                Some(devices) => {
                    dl.figures {
                        (figure("fresh", "fresh", devices.fresh))
                        (figure("stale", "stale", devices.stale))
                        (figure("never", "never read", devices.never))
                    }
                    (parts::freshness_bar(devices))
                    p.soft { (words::count(devices.linked)) " linked devices" (share(devices))
                        ". Stale: usage was read more than three intervals ago." }
                }
            }
            @if let Some(note) = &snapshot.totals.devices_note { p.soft { "Counting fails: " (note) } }
        }
    }
}

fn figure(class: &str, label: &str, count: u64) -> Markup {
    html! {
        div.(class).is-zero[count == 0] { dt { (label) } dd { (words::count(count)) } }
    }
}

/// Rounded down: 100 % means all.
fn share(devices: DeviceCounts) -> Markup {
    let tenths = (devices.fresh * 1_000).checked_div(devices.linked);
    html! { @if let Some(tenths) = tenths { ", " (tenths / 10) "." (tenths % 10) " % fresh" } }
}

fn chips(snapshot: &Snapshot, filter: &IntegrationFilter) -> Markup {
    let count = |attention: Attention| snapshot.totals.by_attention.get(attention.as_str());
    html! {
        nav id="chips" data-live aria-label="Integrations by trouble" {
            ul.chips {
                li { a href="/" aria-current=[(filter.attention.is_none()).then_some("true")] {
                    "all " b { (words::count(snapshot.totals.integrations)) }
                } }
                @for attention in Attention::ALL {
                    @let count = count(attention).copied().unwrap_or(0);
                    @if count > 0 || attention == Attention::Broken {
                        li { a href={ "/?attention=" (attention.as_str()) }
                            aria-current=[(filter.attention == Some(attention)).then_some("true")] {
                            span.badge.(if count > 0 { attention.as_str() } else { "off" }) { (parts::attention_word(attention)) }
                            " " b { (words::count(count)) }
                        } }
                    }
                }
            }
        }
    }
}

fn filter_form(snapshot: &Snapshot, filter: &IntegrationFilter) -> Markup {
    let carriers: BTreeSet<_> = snapshot
        .integrations
        .iter()
        .map(|view| &*view.carrier)
        .collect();
    let carriers: Vec<_> = carriers
        .into_iter()
        .map(|carrier| (carrier, carrier))
        .collect();
    let states = State::ALL.map(|state| (state.as_str(), parts::state_word(state)));
    let outcomes = LastOutcome::ALL.map(|outcome| (outcome.as_str(), outcome.as_str()));
    let troubles = Attention::ALL.map(|it| (it.as_str(), parts::attention_word(it)));
    html! {
        form.filter method="get" action="/" role="search" {
            label { "Id, name or tenant" input type="search" name="q" value=[&filter.search]; }
            label { "Tenant" input name="tenant" value=[&filter.tenant]; }
            (choice("Carrier", "carrier", &carriers, filter.carrier.as_deref()))
            (choice("State", "state", &states, filter.state.map(State::as_str)))
            (choice("Last outcome", "outcome", &outcomes, filter.outcome.map(LastOutcome::as_str)))
            (choice("Trouble", "attention", &troubles, filter.attention.map(Attention::as_str)))
            button { "Filter" }
            @if *filter != IntegrationFilter::default() { a.button href="/" { "Clear" } }
        }
    }
}

pub(super) fn choice(
    label: &str,
    name: &str,
    words: &[(&str, &str)],
    chosen: Option<&str>,
) -> Markup {
    html! {
        label { (label)
            select name=(name) {
                option value="" { "any" }
                @for (value, word) in words {
                    option value=(value) selected[chosen == Some(*value)] { (word) }
                }
            }
        }
    }
}

fn list(shown: &Page<'_>, snapshot: &Snapshot) -> Markup {
    html! {
        div id="integrations" data-live {
            @if shown.integrations.is_empty() {
                (nobody(snapshot))
            } @else {
                div.scroll { table.cards {
                    thead { tr {
                        th scope="col" { "Integration" } th scope="col" { "Carrier" } th scope="col" { "State" }
                        th scope="col" { "Last outcome" } th scope="col" { "Last success" }
                        th scope="col" { "Devices" } th scope="col" { "Calls" } th scope="col" { "Next run" }
                    } }
                    tbody { @for view in &shown.integrations { (row(view, snapshot)) } }
                } }
            }
        }
    }
}

fn nobody(snapshot: &Snapshot) -> Markup {
    html! {
        @if snapshot.integrations.is_empty() && snapshot.database.is_some() {
            p.card { "Which integrations there are is not known before the database answers." }
        } @else if snapshot.integrations.is_empty() {
            p.card { "There is no integration yet. "
                code { "carrier-sync integrations add --tenant TENANT --carrier CARRIER" } " connects an account." }
        } @else {
            p.card { "None of the " (words::count(snapshot.totals.integrations)) " integrations is like that. "
                a href="/" { "Show all" } }
        }
    }
}

fn row(view: &IntegrationView, snapshot: &Snapshot) -> Markup {
    let now = snapshot.taken_at;
    let is_told = view.attention != Attention::Well && view.reason.is_some();
    html! {
        tr.has-why[is_told] {
            td.who data-label="Integration" { div {
                a href=(parts::address(view.id.as_str())) { (view.name.as_deref().unwrap_or(view.id.as_str())) }
                br; span.soft {
                    @if view.name.is_some() { (view.id) " · " }
                    @if let Some(tenant) = &view.tenant_id { (tenant) }
                }
            } }
            td data-label="Carrier" { (view.carrier) }
            td data-label="State" { (parts::state_badge(view)) }
            td data-label="Last outcome" { (parts::outcome_badge(view.last_outcome)) }
            td data-label="Last success" { div { (parts::success_age(view, now)) } }
            td data-label="Devices" { div { (parts::devices(view.devices)) } }
            td data-label="Calls" { div { (parts::calls_against_limit(view)) } }
            td data-label="Next run" { div { (parts::next_run(view, now)) } }
        }
        @if is_told { tr.why.(view.attention.as_str()) { td colspan="8" { div { (why(view, REASON_CHARS)) } } } }
    }
}

/// The reason, as far as there is room for it, and what to do.
pub(super) fn why(view: &IntegrationView, room: usize) -> Markup {
    html! {
        @if let Some(reason) = &view.reason {
            @match reason.char_indices().nth(room) {
                None => p.reason { (with_code(reason)) },
                Some((end, _)) => p.reason { (with_code(&reason[..end])) "…" },
            }
        }
        @if let Some(advice) = &view.advice { p { (with_code(advice)) } }
    }
}

/// What stands between backticks is a command.
pub(super) fn with_code(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn pager(shown: &Page<'_>, filter: &IntegrationFilter, is_later: bool) -> Markup {
    let query = address_of(filter);
    html! {
        nav.pager id="pager" data-live aria-label="Pages" {
            span {
                @if shown.integrations.is_empty() { "none" } @else {
                    (words::count(shown.before as u64 + 1)) "–"
                    (words::count((shown.before + shown.integrations.len()) as u64))
                    " of " (words::count(shown.found as u64))
                }
            }
            @if is_later { a.button href={ "/?" (query) "#list" } { "First page" } }
            @if let Some(next) = &shown.next {
                a.button rel="next" href={ "/?" (query) "cursor=" (next.encode()) "#list" } { "Next page" }
            }
        }
    }
}

/// The filter as it stands in an address, with an ampersand at its end.
fn address_of(filter: &IntegrationFilter) -> String {
    let texts = [
        ("tenant", filter.tenant.as_deref()),
        ("carrier", filter.carrier.as_deref()),
        ("state", filter.state.map(State::as_str)),
        ("outcome", filter.outcome.map(LastOutcome::as_str)),
        ("attention", filter.attention.map(Attention::as_str)),
        ("q", filter.search.as_deref()),
    ];
    let given = texts
        .iter()
        .filter_map(|(name, text)| Some((name, (*text)?)));
    given
        .map(|(name, text)| format!("{name}={}&", escaped(text)))
        .collect()
}
