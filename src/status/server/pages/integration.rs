//! One integration: what it does and why, its last runs, its limits, its devices, and what it can be asked to do.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::devices;
use super::fleet::{database_away, why};
use super::parts::{self, address};
use super::timeline::{self, timeline};
use super::{Frame, Reader, page};
use crate::runs::RunRow;
use crate::status::fleet::state::{Attention, State};
use crate::status::fleet::view::{CallsView, IntegrationView};
use crate::status::server::api::devices::Question;
use crate::status::server::api::integrations::last_runs;
use crate::status::server::api::{actions, known};
use crate::status::server::params::Params;
use crate::status::server::problem::Problem;
use crate::status::server::routes::Answers;
use crate::words;

/// Runs in the table below the picture.
const TOLD_RUNS: usize = 10;
/// What was asked, as the address of the page afterwards says it.
const ASKED: [(&str, &str); 6] = [
    ("begun", "A sync begins."),
    ("under_way", "A sync is under way already."),
    (
        "passed_on",
        "The processes that share the database were asked: whichever has it syncs it.",
    ),
    (
        "nobody",
        "No process has taken the integration up yet; try again in a moment.",
    ),
    (
        "paused",
        "Its timer is switched off; a sync that is under way is finished.",
    ),
    ("resumed", "Its timer is switched on."),
];

pub(in crate::status::server) async fn show(
    answers: web::Data<Answers>,
    id: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    match try_show(&answers, &id, &request).await {
        Ok(page) => page,
        Err(problem) => super::problem(&problem),
    }
}

async fn try_show(
    answers: &Answers,
    id: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(request)?;
    let asked = params.word("asked", &ASKED, |(word, _)| word)?;
    let question = Question::of(&mut params, devices::PAGE)?;
    params.finish()?;
    let (snapshot, view) = known(answers, id).await?;
    let most = u32::try_from(timeline::MOST).unwrap_or(u32::MAX);
    let runs = last_runs(&answers.fleet, &view, most, None);
    let (runs, devices) = tokio::join!(runs, devices::show(answers, &view, question));
    let frame = Frame {
        title: view.name.as_deref().unwrap_or(view.id.as_str()),
        as_of: Some(snapshot.taken_at),
        reader: Reader::of(request, answers.guard.has_token()),
    };
    let content = html! {
        p { a href="/" { "← Fleet" } }
        h1 { (frame.title) }
        @if let Some((_, text)) = asked { p.notice role="status" { (text) } }
        (database_away(snapshot.database.as_deref()))
        (trouble(&view))
        (actions_of(&view, frame.reader))
        (facts(&view, snapshot.taken_at))
        (history(&runs))
        (devices)
    };
    Ok(page(StatusCode::OK, &frame, &content))
}

fn trouble(view: &IntegrationView) -> Markup {
    html! {
        div id="trouble" data-live {
            @if view.attention != Attention::Well {
                div.alert.(view.attention.as_str()) {
                    p { b { (parts::attention_word(view.attention)) } }
                    (why(view, usize::MAX))
                }
            }
        }
    }
}

fn actions_of(view: &IntegrationView, reader: Reader) -> Markup {
    let own = address(view.id.as_str());
    let button = |action: &str, text: &str, is_main: bool| {
        html! {
            form method="post" action={ (own) "/" (action) } {
                button.main[is_main] id={ "do-" (action) } { (text) }
            }
        }
    };
    html! {
        div.actions id="actions" data-live {
            @match (reader, view.state) {
                (Reader::MayAct, State::Disabled) => {},
                (Reader::MayAct, State::Paused) => (button("resume", "Resume", true)),
                (Reader::MayAct, _) => { (button("sync", "Sync now", true)) (button("pause", "Pause", false)) },
                (Reader::MayLogIn, _) => a.button href={ "/login?next=" (parts::escaped(&own)) } {
                    "Sign in to sync now, pause or resume"
                },
                (Reader::Reads, _) => p.soft { "Set " code { "status.token" } " to sync now, pause or resume from here." },
            }
        }
    }
}

fn facts(view: &IntegrationView, now: DateTime<Utc>) -> Markup {
    html! {
        section.card id="facts" data-live aria-label="How it stands" {
            dl.facts {
                (fact("State", &html! { (parts::state_badge(view)) }))
                (fact("Last outcome", &parts::outcome_badge(view.last_outcome)))
                (fact("Last success", &parts::success_age(view, now)))
                (fact("Next run", &parts::next_run(view, now)))
                (fact("Devices", &parts::devices(view.devices)))
                (fact("Carrier", &html! { (view.carrier) }))
                (fact("Tenant", &html! { @if let Some(tenant) = &view.tenant_id { (tenant) } }))
                (fact("Id", &html! { code { (view.id) } }))
                @if let Some(calls) = view.calls { (limits(calls)) }
            }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn limits(calls: CallsView) -> Markup {
    let span = |ms: u64| words::took(std::time::Duration::from_millis(ms));
    let pace = match (calls.paused_for_ms, calls.permits_per_call) {
        (Some(ms), _) => html! { span.badge.late { "silent for " (span(ms)) } },
        (None, Some(permits @ 2..)) => {
            html! { span.badge.late { "slowed to 1/" (permits) " after \"too fast\"" } }
        }
        (None, Some(_)) => html! { "full pace" },
        (None, None) => html! { "–" },
    };
    let rate = html! {
        @match calls.per_second { Some(rate) => { (rate) " calls a second" }, None => "–" }
    };
    html! {
        (fact("Limit", &rate))
        (fact("Limiter", &pace))
        (fact("Calls waiting", &html! { (calls.waiting.unwrap_or(0)) }))
        (fact("Calls since it was taken up", &html! { (words::count(calls.made)) }))
        (fact("They waited, all together", &html! { (span(calls.waited_ms)) }))
        @if let Some(left) = calls.left_today { (fact("Left of the day's budget", &html! { (words::count(left)) })) }
        @if let Some(left) = calls.left_this_month {
            (fact("Left of the month's budget", &html! { (words::count(left)) }))
        }
    }
}

fn history(runs: &Result<Vec<RunRow>, Problem>) -> Markup {
    html! {
        div id="history" data-live {
            h2 { "Last runs" }
            @match runs {
                Err(problem) => p.alert { "The runs cannot be read: " (problem.error) },
                Ok(runs) if runs.is_empty() => p.card { "No sync has run to its end yet." },
                Ok(runs) => {
                    (timeline(runs))
                    (failing(runs.first()))
                    h2 { "In figures" }
                    (timeline::table(&runs[..runs.len().min(TOLD_RUNS)]))
                }
            }
        }
    }
}

fn failing(last: Option<&RunRow>) -> Markup {
    html! {
        @if let Some(run) = last.filter(|run| !run.failures.is_empty()) {
            h2 { "Failing devices of the last run" }
            div.scroll { table.cards {
                @if run.failed > run.failures.len() as u64 {
                    caption.soft { "The first " (run.failures.len()) " of " (words::count(run.failed)) }
                }
                thead { tr { th scope="col" { "Device" } th scope="col" { "Reason" } } }
                tbody { @for failure in &run.failures { tr {
                    td.who data-label="Device" { (failure.device_id) }
                    td data-label="Reason" { (failure.reason) }
                } } }
            } }
        }
    }
}

pub(in crate::status::server) async fn sync(
    answers: web::Data<Answers>,
    id: web::Path<String>,
) -> HttpResponse {
    let asked = actions::ask_to_sync(&answers, &id).await;
    let word = asked.map(|asked| match asked {
        crate::status::SyncAsked::Begun => "begun",
        crate::status::SyncAsked::UnderWay => "under_way",
        crate::status::SyncAsked::PassedOn => "passed_on",
        crate::status::SyncAsked::Nobody => "nobody",
    });
    back(&id, word)
}

pub(in crate::status::server) async fn pause(
    answers: web::Data<Answers>,
    id: web::Path<String>,
) -> HttpResponse {
    let switched = actions::switch(&answers, &id, false).await;
    back(&id, switched.map(|()| "paused"))
}

pub(in crate::status::server) async fn resume(
    answers: web::Data<Answers>,
    id: web::Path<String>,
) -> HttpResponse {
    let switched = actions::switch(&answers, &id, true).await;
    back(&id, switched.map(|()| "resumed"))
}

/// Back to the integration's page, so that loading it again asks for nothing again.
fn back(id: &str, asked: Result<&str, Problem>) -> HttpResponse {
    match asked {
        Ok(asked) => HttpResponse::SeeOther()
            .insert_header((LOCATION, format!("{}?asked={asked}", address(id))))
            .finish(),
        Err(problem) => super::problem(&problem),
    }
}
