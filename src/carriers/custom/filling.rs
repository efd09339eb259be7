//! What placeholders in a path or query stand for, and of which time an answer is that was asked for so.
//!
//! An answer is of the time that its request names. One that names none is of the month in which it was asked for
//! and read, whenever the sync began.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::manifest::Manifest;
use crate::carriers::request::{Request, Target};
use crate::carriers::{Answer, Context, calendar};
use crate::device::BillingCycle;

pub(super) const DEVICE: &str = "{device}";
pub(super) const PAGE_SIZE: &str = "{page_size}";
pub(super) const ACCOUNT_ID: &str = "{account_id}";
pub(super) const MONTH: &str = "{month}";
pub(super) const STARTS: [&str; 2] = ["{start}", "{start_unix}"];
pub(super) const ENDS: [&str; 2] = ["{end}", "{end_unix}"];

/// Path and query of a request, as the manifest has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template<'m> {
    pub(super) path: &'m str,
    pub(super) query: &'m BTreeMap<String, String>,
}

impl<'m> Template<'m> {
    pub(super) fn of(path: &'m str, query: &'m BTreeMap<String, String>) -> Self {
        Self { path, query }
    }

    pub(super) fn holds(self, placeholder: &str) -> bool {
        self.path.contains(placeholder)
            || self.query.values().any(|value| value.contains(placeholder))
    }

    pub(super) fn names_month(self) -> bool {
        self.holds(MONTH)
    }

    /// From when on it asks.
    pub(super) fn names_start(self) -> bool {
        self.names_month() || STARTS.iter().any(|start| self.holds(start))
    }

    /// Until when it asks.
    pub(super) fn names_end(self) -> bool {
        self.names_month() || ENDS.iter().any(|end| self.holds(end))
    }
}

impl Manifest {
    /// The key of a path or query that holds the account's id; `None`: it is not asked for.
    pub(super) fn needs_account_id(&self) -> Option<String> {
        let listing = self.listing.as_ref();
        let (single, report) = (&self.single, self.usage.as_ref());
        let device_usage = self.device_usage.as_ref();
        let templates = [
            listing.map(|listing| ("listing", &listing.path, &listing.query)),
            Some(("single", &single.path, &single.query)),
            report.map(|report| ("usage", &report.path, &report.query)),
            device_usage.map(|usage| ("device_usage", &usage.path, &usage.query)),
        ];
        templates
            .into_iter()
            .flatten()
            .find_map(|(section, path, query)| {
                if path.contains(ACCOUNT_ID) {
                    return Some(format!("{section}.path"));
                }
                let mut query = query.iter();
                let (name, _) = query.find(|(_, value)| value.contains(ACCOUNT_ID))?;
                Some(format!("{section}.query.{name}"))
            })
    }
}

/// Of which time an answer is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// Of the cycle that was asked for, whenever it is read.
    Asked(BillingCycle),
    /// From its start until the answer was read.
    Since(BillingCycle),
    /// Of the month in which it was asked for and read.
    Current,
}

impl Window {
    /// The cycle that an answer is of, and nothing else; `None`: nobody knows which.
    pub(super) fn cycle_of(self, answer: &Answer<'_>) -> Option<BillingCycle> {
        match self {
            Self::Asked(cycle) => Some(cycle),
            Self::Since(cycle) => (answer.read_at < cycle.end()).then_some(cycle),
            Self::Current => calendar::month_of(answer),
        }
    }
}

/// What placeholders stand for in one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) context: Context<'a>,
    pub(super) page_size: u32,
    /// As addresses name it.
    pub(super) device: Option<&'a str>,
    /// `None`: the month in which the sync began.
    pub(super) cycle: Option<BillingCycle>,
}

impl Filling<'_> {
    /// The request of a path and query of the manifest.
    pub(super) fn request(&self, template: Template<'_>, class: &'static str) -> Request {
        let path = template.path.trim_matches('/');
        let segment = |part: &str| self.fill(part);
        let query = template.query.iter();
        Request {
            endpoint: Cow::Owned(path.to_owned()),
            class: Cow::Borrowed(class),
            to: Target::Below(path.split('/').map(segment).collect()),
            query: query
                .map(|(name, value)| (Cow::Owned(name.clone()), self.fill(value)))
                .collect(),
            body: None,
        }
    }

    /// Of which time its answer is.
    pub(super) fn window(&self, template: Template<'_>) -> Window {
        match self.cycle() {
            Some(cycle) if template.names_end() => Window::Asked(cycle),
            Some(cycle) if template.names_start() => Window::Since(cycle),
            _ => Window::Current,
        }
    }

    fn cycle(&self) -> Option<BillingCycle> {
        self.cycle.or_else(|| calendar::month(self.context.now))
    }

    fn fill(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let cycle = self.cycle();
        let at = |pick: fn(&BillingCycle) -> DateTime<Utc>| cycle.as_ref().map(pick);
        let (start, end) = (at(BillingCycle::start), at(BillingCycle::end));
        let words = |time: Option<DateTime<Utc>>, form: &str| {
            time.map(|time| time.format(form).to_string())
                .unwrap_or_default()
        };
        let rfc3339 = "%Y-%m-%dT%H:%M:%SZ";
        let account = self.context.account.account_id.as_deref();
        text.replace(PAGE_SIZE, &self.page_size.to_string())
            .replace(ACCOUNT_ID, account.unwrap_or_default().trim())
            .replace(MONTH, &words(start, "%Y-%m"))
            .replace(STARTS[0], &words(start, rfc3339))
            .replace(STARTS[1], &words(start, "%s"))
            .replace(ENDS[0], &words(end, rfc3339))
            .replace(ENDS[1], &words(end, "%s"))
            .replace(DEVICE, self.device.unwrap_or_default())
    }
}
