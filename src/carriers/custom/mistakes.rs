//! What the parts of a manifest ask of each other, beyond their shape. Each mistake has its place in the
//! text, its key, and what is allowed.

use toml::Spanned;
use url::Url;

use super::manifest::{Amount, Auth, AuthKind, CycleRule, Fields, Manifest, Paging, PagingKind};

/// Placeholders of a path about one device.
const DEVICE: &str = "{device}";

/// What stands between braces in a query, and where it may.
const PLACEHOLDERS: [&str; 8] = [
    "{page_size}",
    "{account_id}",
    "{month}",
    "{start}",
    "{end}",
    "{start_unix}",
    "{end_unix}",
    DEVICE,
];

/// A mistake and where in the text it is, in bytes.
pub(super) type Mistake = (usize, String);

impl Manifest {
    /// Everything that does not fit together.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let mut note = |at: usize, reason: String| found.push((at, reason));
        let base = self.base_url.get_ref();
        match Url::parse(base) {
            Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => {}
            _ => note(
                self.base_url.span().start,
                "base_url is no address; allowed is https://HOST/PATH".to_owned(),
            ),
        }
        auth(&self.auth, &mut note);
        for (unit, bytes) in &self.units {
            if *bytes == 0 {
                note(
                    0,
                    format!("units.{unit} is 0; allowed is how many bytes it has, from 1"),
                );
            }
        }
        let single_at = self.single.span().start;
        let single = self.single.get_ref();
        if !single.path.contains(DEVICE) {
            note(
                single_at,
                format!("single.path lacks {DEVICE}, which stands for the device's name"),
            );
        }
        queries("single", single_at, &single.query, &mut note);
        if let Some(fields) = &single.fields {
            self.fields("single", single_at, fields, &mut note);
        }
        match &self.listing {
            None if single.fields.is_none() => note(
                single_at,
                "single.fields is missing, and there is no listing whose fields could be taken"
                    .to_owned(),
            ),
            None => {}
            Some(listing) => {
                let (at, listing) = (listing.span().start, listing.get_ref());
                queries("listing", at, &listing.query, &mut note);
                paging("listing", at, &listing.paging, &mut note);
                self.fields("listing", at, &listing.fields, &mut note);
            }
        }
        if let Some(report) = &self.usage {
            let (at, report) = (report.span().start, report.get_ref());
            queries("usage", at, &report.query, &mut note);
            paging("usage", at, &report.paging, &mut note);
            self.amount("usage.used", at, &report.used, &mut note);
            if self.cycle.rule != CycleRule::CalendarMonth {
                note(
                    at,
                    "a usage report needs cycle.rule = \"calendar_month\"".to_owned(),
                );
            }
        }
        if let Some(usage) = &self.device_usage {
            let (at, usage) = (usage.span().start, usage.get_ref());
            queries("device_usage", at, &usage.query, &mut note);
            paging("device_usage", at, &usage.paging, &mut note);
            self.amount("device_usage.used", at, &usage.used, &mut note);
            let names_device = usage.path.contains(DEVICE)
                || usage.query.values().any(|value| value.contains(DEVICE));
            if !names_device {
                note(
                    at,
                    format!("device_usage: neither path nor query holds {DEVICE}"),
                );
            }
        }
        found
    }

    fn fields(
        &self,
        section: &str,
        at: usize,
        fields: &Fields,
        note: &mut impl FnMut(usize, String),
    ) {
        for (name, amount) in [("used", &fields.used), ("limit", &fields.limit)] {
            if let Some(amount) = amount {
                self.amount(&format!("{section}.fields.{name}"), at, amount, note);
            }
        }
        if self.cycle.rule == CycleRule::Fields
            && fields.cycle_end.is_none()
            && fields.used.is_some()
        {
            note(
                at,
                format!("cycle.rule = \"fields\" needs {section}.fields.cycle_start and cycle_end"),
            );
        }
        if fields.sim_status.is_some() && self.sim_status.is_empty() {
            note(
                at,
                "[sim_status] is empty: no word of the carrier's would be understood".to_owned(),
            );
        }
        if fields.network_status.is_some() && self.network_status.is_empty() {
            note(
                at,
                "[network_status] is empty: no word of the carrier's would be understood"
                    .to_owned(),
            );
        }
    }

    fn amount(&self, key: &str, at: usize, amount: &Amount, note: &mut impl FnMut(usize, String)) {
        match (&amount.unit, &amount.unit_path) {
            (Some(unit), None) if self.bytes_per(unit).is_none() => note(
                at,
                format!("{key}.unit: {unit:?} is not in [units]; add how many bytes it has"),
            ),
            (Some(_), None) => {}
            (None, Some(_)) if self.units.is_empty() => note(
                at,
                format!("{key}.unit_path needs [units] with how many bytes each unit has"),
            ),
            (None, Some(_)) => {}
            _ => note(at, format!("{key} needs either unit or unit_path")),
        }
    }
}

fn auth(auth: &Spanned<Auth>, note: &mut impl FnMut(usize, String)) {
    let (at, auth) = (auth.span().start, auth.get_ref());
    let needs = |kind, key| format!("auth.kind = {kind:?} needs auth.{key}");
    match auth.kind {
        AuthKind::Header if auth.header.is_none() => note(at, needs("header", "header")),
        AuthKind::ClientCredentials if auth.token_path.is_none() => {
            note(at, needs("client_credentials", "token_path"));
        }
        _ => {}
    }
}

fn queries(
    section: &str,
    at: usize,
    query: &std::collections::BTreeMap<String, String>,
    note: &mut impl FnMut(usize, String),
) {
    for (name, value) in query {
        let mut rest = value.clone();
        for known in PLACEHOLDERS {
            rest = rest.replace(known, "");
        }
        if rest.contains(['{', '}']) {
            let allowed = PLACEHOLDERS.join(", ");
            note(
                at,
                format!(
                    "{section}.query.{name}: unknown placeholder in {value:?}; allowed: {allowed}"
                ),
            );
        }
    }
}

fn paging(section: &str, at: usize, paging: &Paging, note: &mut impl FnMut(usize, String)) {
    let lacks = |keys: &str| {
        let kind = format!("{:?}", paging.kind).to_lowercase();
        format!("{section}.paging.kind = {kind:?} needs {keys}")
    };
    let has_parameter = paging.parameter.is_some();
    let has_next = paging.next.is_some() || paging.next_header.is_some();
    match paging.kind {
        PagingKind::Page | PagingKind::Offset if !has_parameter => note(at, lacks("parameter")),
        PagingKind::Cursor if !has_parameter || !has_next => {
            note(at, lacks("parameter, and next or next_header"));
        }
        PagingKind::NextUrl if paging.next.is_none() => note(at, lacks("next")),
        _ => {}
    }
}
