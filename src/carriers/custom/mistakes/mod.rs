//! What the parts of a manifest ask of each other, beyond their shape. Each mistake names its key and what is
//! allowed; where that key stands is `document.rs`'s.
//!
//! | file | holds |
//! |---|---|
//! | `fields.rs` | where values are, and their words and units |
//! | `paging.rs` | that a walk ends at its end, not before |
//! | `placeholders.rs` | that paths are paths, that what stands between braces stands for something, and usage for a time |

mod fields;
mod paging;
mod placeholders;

use std::fmt;

use url::Url;

use super::filling::{DEVICE, Template};
use super::manifest::{AuthKind, CycleRule, Manifest};

/// Something that does not fit.
#[derive(Debug)]
pub(super) struct Mistake {
    key: Vec<String>,
    reason: String,
}

impl Mistake {
    fn at(key: &[&str], reason: impl Into<String>) -> Self {
        Self {
            key: key.iter().map(|part| (*part).to_owned()).collect(),
            reason: reason.into(),
        }
    }

    /// The key that it is about, from the top; perhaps one that is missing.
    pub(super) fn key(&self) -> &[String] {
        &self.key
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key.join("."), self.reason)
    }
}

impl Manifest {
    /// Everything that does not fit together.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        self.name(&mut found);
        self.address(&mut found);
        self.auth(&mut found);
        self.numbers_from_one(&mut found);
        self.single(&mut found);
        if let Some(listing) = &self.listing {
            let template = Template::of(&listing.path, &listing.query);
            placeholders::of_account("listing", template, &mut found);
            paging::of(("listing", &listing.paging), &listing.rows, &mut found);
            paging::parameter(("listing", &listing.paging), &listing.query, &mut found);
            self.fields(&["listing", "fields"], &listing.fields, &mut found);
        }
        self.usage(&mut found);
        self.device_usage(&mut found);
        found
    }

    fn name(&self, found: &mut Vec<Mistake>) {
        if self.name.trim().is_empty() || self.name.contains(char::is_control) {
            let reason = "no name; allowed is text on one line, for people";
            found.push(Mistake::at(&["name"], reason));
        }
    }

    fn address(&self, found: &mut Vec<Mistake>) {
        let base = &self.base_url;
        let is_plain = |url: &Url| {
            let has_more = url.query().is_some() || url.fragment().is_some();
            let has_user = !url.username().is_empty() || url.password().is_some();
            matches!(url.scheme(), "https" | "http") && url.has_host() && !has_more && !has_user
        };
        if Url::parse(base).is_ok_and(|url| is_plain(&url)) {
            placeholders::none(&["base_url"], base, found);
        } else {
            let reason =
                "no address; allowed is https://HOST/PATH, without user, query and fragment";
            found.push(Mistake::at(&["base_url"], reason));
        }
    }

    fn auth(&self, found: &mut Vec<Mistake>) {
        let auth = &self.auth;
        let mut need = |kind: &str, key: &str, has: bool| {
            if !has {
                let reason = format!("missing; auth.kind = {kind:?} needs it");
                found.push(Mistake::at(&["auth", key], reason));
            }
        };
        match auth.kind {
            AuthKind::Header => need("header", "header", auth.header.is_some()),
            AuthKind::ClientCredentials => {
                need(
                    "client_credentials",
                    "token_path",
                    auth.token_path.is_some(),
                );
            }
            AuthKind::Bearer | AuthKind::Basic => {}
        }
        if let Some(header) = &auth.header
            && http::HeaderName::from_bytes(header.as_bytes())
                .map_or(true, |name| name == http::header::HOST)
        {
            let reason = "no name of a header for keys; allowed are letters, digits and -";
            found.push(Mistake::at(&["auth", "header"], reason));
        }
        if let Some(path) = &auth.token_path {
            placeholders::none(&["auth", "token_path"], path, found);
            placeholders::path(&["auth", "token_path"], path, found);
        }
    }

    fn numbers_from_one(&self, found: &mut Vec<Mistake>) {
        let empty = self.units.iter().filter(|(_, bytes)| **bytes == 0);
        found.extend(empty.map(|(unit, _)| {
            Mistake::at(
                &["units", unit],
                "0; allowed is how many bytes it has, from 1",
            )
        }));
        if self.limits.page_size == Some(0) {
            let reason = "0; allowed is how many rows a page has, from 1";
            found.push(Mistake::at(&["limits", "page_size"], reason));
        }
    }

    fn single(&self, found: &mut Vec<Mistake>) {
        let single = &self.single;
        if !single.path.contains(DEVICE) {
            let reason = format!("lacks {DEVICE}, which stands for the device's name");
            found.push(Mistake::at(&["single", "path"], reason));
        }
        let template = Template::of(&single.path, &single.query);
        placeholders::of_device("single", template, found);
        match &single.fields {
            Some(fields) => self.fields(&["single", "fields"], fields, found),
            None if self.listing.is_none() => found.push(Mistake::at(
                &["single", "fields"],
                "missing, and there is no listing whose fields could be taken",
            )),
            None => {}
        }
    }

    fn usage(&self, found: &mut Vec<Mistake>) {
        let Some(report) = &self.usage else {
            return;
        };
        let template = Template::of(&report.path, &report.query);
        placeholders::of_account("usage", template, found);
        paging::of(("usage", &report.paging), &report.rows, found);
        paging::parameter(("usage", &report.paging), &report.query, found);
        self.amount(&["usage", "used"], &report.used, found);
        if self.cycle.rule != CycleRule::CalendarMonth {
            let reason = "a usage report needs cycle.rule = \"calendar_month\"";
            found.push(Mistake::at(&["usage"], reason));
        }
    }

    fn device_usage(&self, found: &mut Vec<Mistake>) {
        let Some(usage) = &self.device_usage else {
            return;
        };
        let template = Template::of(&usage.path, &usage.query);
        placeholders::of_device("device_usage", template, found);
        paging::of(("device_usage", &usage.paging), &usage.rows, found);
        paging::parameter(("device_usage", &usage.paging), &usage.query, found);
        self.amount(&["device_usage", "used"], &usage.used, found);
        if !template.holds(DEVICE) {
            let reason = format!("neither path nor query holds {DEVICE}");
            found.push(Mistake::at(&["device_usage", "path"], reason));
        }
        let reason = match self.cycle.rule {
            CycleRule::Unknown => {
                "never asked for where cycle.rule is \"unknown\"; allowed: calendar_month, fields"
            }
            _ if !template.names_start() && !template.names_end() => {
                "neither path nor query says of which time; allowed: {month}, {start}, {start_unix}"
            }
            CycleRule::Fields if template.names_month() => {
                "{month} needs cycle.rule = \"calendar_month\"; a cycle has {start} and {end}"
            }
            CycleRule::Fields | CycleRule::CalendarMonth => return,
        };
        found.push(Mistake::at(&["device_usage"], reason));
    }
}
