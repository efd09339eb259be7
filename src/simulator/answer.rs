//! What each endpoint answers, worked out from the request's parameters and the fleet.

use std::collections::HashMap;

use actix_web::{HttpRequest, http::StatusCode, web};
use serde::Serialize;

use super::{
    auth::accounts_of,
    draw::Topic,
    fault::Endpoint,
    fleet::{Account, Fleet, Scope},
    pages::{self, Page, PageRequest, SessionFilter},
    period::KEPT_PERIODS,
    response::{Answer, not_found, unprocessable},
    server::State,
    wire::{DeviceRow, LinkRow, Listing, One, PageLinks, Size},
};

/// Rows of a page when the caller does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most rows of a usage page.
const MAX_USAGE_LIMIT: usize = 5_000;

/// Rows that a skipping cursor leaves out after each page that continues.
const SKIPPED_ROWS: usize = 3;

/// How a listing treats its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    Honest,
    Repeating,
    NeverEnding,
    Skipping,
    Overlapping,
}

/// What is asked, and by whom.
pub(super) struct Question<'a> {
    pub request: &'a HttpRequest,
    pub state: &'a State,
    pub endpoint: Endpoint,
    pub organisations: &'a [u64],
    pub paging: Paging,
}

/// Query parameters by name; unknown ones are ignored, as the carrier does.
type Query = HashMap<String, String>;

type Answered = Result<Answer, Answer>;

impl Question<'_> {
    pub(super) fn answer(&self) -> Answer {
        let is_page = matches!(self.endpoint, Endpoint::Devices | Endpoint::Billing);
        if !is_page || self.paging != Paging::Honest || !self.state.stands_still() {
            return self.rendered_anew();
        }
        let asked = (self.organisations[0], self.request.uri().to_string());
        if let Some(page) = self.state.rendered.get(&asked) {
            return Answer::rendered(page);
        }
        let answer = self.rendered_anew();
        // A fault may have come into force meanwhile; what it changed must not outlast it.
        if answer.is_ok() && self.state.stands_still() {
            self.state.rendered.keep(asked, answer.body());
        }
        answer
    }

    fn rendered_anew(&self) -> Answer {
        let fleet =
            self.state
                .faults
                .change(self.state.fleet_now(), self.endpoint, self.organisations);
        let query = web::Query::<Query>::from_query(self.request.query_string());
        let query = query.map(web::Query::into_inner).unwrap_or_default();
        let answered = match self.endpoint {
            Endpoint::Devices => self.devices(&fleet, &query),
            Endpoint::Device => self.device(&fleet),
            Endpoint::Link => self.link(&fleet),
            Endpoint::Billing => self.billing(&fleet, &query),
            Endpoint::Sessions => self.sessions(&fleet, &query),
            Endpoint::Other => Err(not_found("No such endpoint")),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }

    fn devices(&self, fleet: &Fleet, query: &Query) -> Answered {
        let accounts = self.accounts(fleet, query)?;
        let page = self.page_request(query, self.state.config.max_device_page, &["startafter"])?;
        Ok(self.listing("startafter", page, pages::devices(fleet, &accounts, page)))
    }

    fn billing(&self, fleet: &Fleet, query: &Query) -> Answered {
        let scope = self.scope(fleet, query)?;
        let page = self.page_request(query, MAX_USAGE_LIMIT, &["startat", "before"])?;
        let most = number(query, "maxperiodsback")?.unwrap_or(KEPT_PERIODS as u64);
        let most = usize::try_from(most).unwrap_or(KEPT_PERIODS);
        Ok(self.listing("startat", page, pages::billing(fleet, &scope, most, page)))
    }

    fn sessions(&self, fleet: &Fleet, query: &Query) -> Answered {
        let scope = self.scope(fleet, query)?;
        let page = self.page_request(query, MAX_USAGE_LIMIT, &["startafter", "before"])?;
        let instant = |name| Ok::<_, Answer>(number(query, name)?.map(u64::cast_signed));
        let filter = SessionFilter {
            from: instant("timestart")?.unwrap_or(0),
            to: instant("timeend")?.unwrap_or(i64::MAX),
            above: number(query, "after")?.unwrap_or(0),
        };
        Ok(self.listing(
            "startafter",
            page,
            pages::session_list(fleet, &scope, filter, page),
        ))
    }

    fn device(&self, fleet: &Fleet) -> Answered {
        let device = self.path_id().and_then(|id| fleet.device(id));
        let device = device.filter(|device| self.organisations.contains(&device.org_id));
        let device = device.ok_or_else(|| not_found("Device not found"))?;
        Ok(Answer::ok(&One {
            success: true,
            data: DeviceRow::of(&device),
        }))
    }

    fn link(&self, fleet: &Fleet) -> Answered {
        let link = self.path_id().and_then(|id| fleet.link(id));
        let link = link.filter(|link| self.organisations.contains(&link.org_id));
        let link = link.ok_or_else(|| not_found("Link not found"))?;
        Ok(Answer::ok(&One {
            success: true,
            data: LinkRow::of(&link),
        }))
    }

    fn path_id(&self) -> Option<u64> {
        self.request.match_info().get("id")?.parse().ok()
    }

    /// Accounts that a listing covers: one organisation, or all of the key's.
    fn accounts<'f>(&self, fleet: &'f Fleet, query: &Query) -> Result<Vec<&'f Account>, Answer> {
        let organisations = match number(query, "orgid")? {
            None => self.organisations.to_vec(),
            Some(org_id) if self.organisations.contains(&org_id) => vec![org_id],
            Some(_) => {
                return Err(Answer::failed(
                    StatusCode::FORBIDDEN,
                    "No access to this organization",
                ));
            }
        };
        Ok(accounts_of(fleet, &organisations))
    }

    /// Links that a report covers; `linkid` beats `deviceid` beats the organisation.
    fn scope<'f>(&self, fleet: &'f Fleet, query: &Query) -> Result<Scope<'f>, Answer> {
        let accounts = self.accounts(fleet, query)?;
        let covers = |org_id: u64| accounts.iter().any(|account| account.org_id == org_id);
        if let Some(id) = number(query, "linkid")? {
            let link = fleet.link(id).filter(|link| covers(link.org_id));
            return Ok(Scope::Links(vec![
                link.ok_or_else(|| not_found("Link not found"))?,
            ]));
        }
        if let Some(id) = number(query, "deviceid")? {
            let device = fleet.device(id).filter(|device| covers(device.org_id));
            return Ok(Scope::Links(
                device.ok_or_else(|| not_found("Device not found"))?.links,
            ));
        }
        Ok(Scope::Accounts(accounts))
    }

    fn page_request(
        &self,
        query: &Query,
        most: usize,
        cursors: &[&str],
    ) -> Result<PageRequest, Answer> {
        let limit = match number(query, "limit")? {
            None => DEFAULT_LIMIT,
            Some(0) => return Err(unprocessable("limit must be at least 1")),
            Some(limit) => usize::try_from(limit).unwrap_or(most),
        };
        let mut below: Option<u64> = None;
        for cursor in cursors {
            below = below.or(number(query, cursor)?);
        }
        match self.paging {
            Paging::Repeating => below = None,
            Paging::Overlapping => below = below.map(|id| id + 1),
            Paging::Honest | Paging::NeverEnding | Paging::Skipping => {}
        }
        Ok(PageRequest {
            limit: limit.min(most),
            below,
        })
    }

    fn listing<T: Serialize>(&self, cursor: &str, asked: PageRequest, mut page: Page<T>) -> Answer {
        if self.paging == Paging::Skipping && page.continues {
            // The cursor stays where it was: what is left out here is on no page.
            page.rows
                .truncate(page.rows.len().saturating_sub(SKIPPED_ROWS).max(1));
        }
        // A cursor that was never a row's, below all that were: the end without an end.
        let past_the_end = asked.below.unwrap_or(1_000_000_000).saturating_sub(1);
        let last_id = match self.paging {
            Paging::NeverEnding => page.last_id.or(Some(past_the_end)),
            _ => page.last_id,
        };
        let is_endless = matches!(self.paging, Paging::Repeating | Paging::NeverEnding);
        let continues = page.continues || is_endless;
        let last_id = last_id.unwrap_or(0);
        let habit = self.state.draw.of(Topic::Page, last_id);
        let size = match habit.below(8) {
            0 => Size::Text(format!("{}s", page.rows.len())),
            _ => Size::Number(page.rows.len()),
        };
        let is_said = continues || habit.percent(50.0);
        Answer::ok(&Listing {
            success: true,
            limit: asked.limit,
            size,
            continues: is_said.then_some(continues),
            lastid: last_id,
            links: self.page_links(continues.then(|| format!("{cursor}={last_id}")), cursor),
            data: page.rows,
        })
    }

    fn page_links(&self, next: Option<String>, cursor: &str) -> PageLinks {
        let kept: Vec<&str> = self
            .request
            .query_string()
            .split('&')
            .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(cursor))
            .collect();
        let path = self.request.uri().path_and_query().map(ToString::to_string);
        let next = next.map(|next| {
            let query = kept
                .iter()
                .copied()
                .chain([next.as_str()])
                .collect::<Vec<_>>()
                .join("&");
            format!("{}?{query}", self.request.path())
        });
        PageLinks {
            path: path.unwrap_or_default(),
            base: self.state.origin.clone(),
            next,
        }
    }
}

fn number(query: &Query, name: &str) -> Result<Option<u64>, Answer> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(unprocessable(&format!("{name} must be a number"))),
    }
}
