//! The status page: made here, whole, of what the fleet says. Works without scripts; the one there is only fetches
//! the page again. Every text is escaped by the macro that makes the page, and nothing is loaded from elsewhere.
//!
//! | file | holds |
//! |---|---|
//! | `assets.rs` | style and script, and the policy that lets a browser run nothing else |
//! | `fleet.rs` | the first page: how fresh, who is in trouble, everyone |
//! | `integration.rs` | one integration |
//! | `devices.rs` | its devices |
//! | `login.rs` | where a browser shows the token |
//! | `parts.rs` | what several pages show alike |
//! | `timeline.rs` | the picture of the last runs |

mod assets;
mod devices;
pub(super) mod fleet;
pub(super) mod integration;
pub(super) mod login;
mod parts;
mod timeline;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use maud::{DOCTYPE, Markup, html};

use super::access::Rights;
use super::problem::Problem;

/// What every page has around its content.
struct Frame<'a> {
    title: &'a str,
    /// When what it shows was put together; `None`: it shows nothing that ages, and is not fetched again.
    as_of: Option<chrono::DateTime<chrono::Utc>>,
    reader: Reader,
}

/// Whom a page is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Has shown the token.
    MayAct,
    /// Could show it.
    MayLogIn,
    /// Reads: there is no token.
    Reads,
}

impl Reader {
    fn of(request: &HttpRequest, has_token: bool) -> Self {
        let rights = request.extensions().get::<Rights>().copied();
        match rights {
            Some(Rights { may_act: true }) => Self::MayAct,
            _ if has_token => Self::MayLogIn,
            _ => Self::Reads,
        }
    }
}

fn page(status: StatusCode, frame: &Frame<'_>, content: &Markup) -> HttpResponse {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (frame.title) " · carrier-sync" }
                link rel="icon" href="data:,";
                style { (maud::PreEscaped(assets::STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (header(frame))
                main id="content" tabindex="-1" { (content) }
                @if frame.as_of.is_some() {
                    script { (maud::PreEscaped(assets::SCRIPT)) }
                }
            }
        }
    };
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header(("Content-Security-Policy", assets::policy()))
        .insert_header(("Referrer-Policy", "same-origin"))
        .body(page.into_string())
}

fn header(frame: &Frame<'_>) -> Markup {
    html! {
        header.top {
            a.brand href="/" { "carrier-sync" }
            p.asof id="as-of" {
                @if let Some(at) = frame.as_of {
                    "as of " (parts::instant(at))
                }
            }
            nav aria-label="Account" {
                @match frame.reader {
                    Reader::MayAct => form method="post" action="/logout" { button.quiet { "Sign out" } },
                    Reader::MayLogIn => a href="/login" { "Sign in" },
                    Reader::Reads => {},
                }
            }
        }
    }
}

/// A problem, told in a page.
pub(super) fn problem(problem: &Problem) -> HttpResponse {
    let status = problem.status_code();
    let frame = Frame {
        title: status.canonical_reason().unwrap_or("Problem"),
        as_of: None,
        reader: Reader::Reads,
    };
    let content = html! {
        h1 { (frame.title) }
        p { (problem.error) }
        p { a href="/" { "Back to the fleet" } }
    };
    page(status, &frame, &content)
}
