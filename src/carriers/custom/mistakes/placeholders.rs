//! Whether a path is one, whether what stands between braces stands for something where it stands, and whether
//! usage is of a time.

use super::super::filling::{ACCOUNT_ID, DEVICE, ENDS, MONTH, PAGE_SIZE, STARTS, Template};
use super::Mistake;

/// Allowed in a request about the whole account.
fn allowed() -> Vec<&'static str> {
    [&[PAGE_SIZE, ACCOUNT_ID, MONTH], &STARTS[..], &ENDS[..]].concat()
}

/// Of a request about the whole account.
pub(super) fn of_account(section: &str, template: Template<'_>, found: &mut Vec<Mistake>) {
    check((section, template), &allowed(), found);
}

/// Of a request about one device.
pub(super) fn of_device(section: &str, template: Template<'_>, found: &mut Vec<Mistake>) {
    let allowed = [&allowed()[..], &[DEVICE]].concat();
    check((section, template), &allowed, found);
}

/// Of a text that is sent as it is.
pub(super) fn none(key: &[&str], text: &str, found: &mut Vec<Mistake>) {
    if text.contains(['{', '}']) {
        let reason = format!("{text:?} is used as it is; no placeholder is allowed here");
        found.push(Mistake::at(key, reason));
    }
}

/// Of a path below the base address: it is sent segment by segment, so what looks like another address or like a
/// query would be sent as a part of its name.
pub(super) fn path(key: &[&str], text: &str, found: &mut Vec<Mistake>) {
    let mut segments = text.trim_matches('/').split('/');
    let is_path =
        !text.contains(['?', '#']) && segments.all(|segment| !matches!(segment, "" | "." | ".."));
    if !is_path {
        let reason = format!(
            "{text:?} is no path below base_url; allowed are names between single slashes (what follows a ? belongs \
             into query)"
        );
        found.push(Mistake::at(key, reason));
    }
}

fn check((section, template): (&str, Template<'_>), allowed: &[&str], found: &mut Vec<Mistake>) {
    path(&[section, "path"], template.path, found);
    let mut text = |key: &[&str], text: &str| {
        let known = allowed.iter();
        let rest = known.fold(text.to_owned(), |rest, known| rest.replace(known, ""));
        if rest.contains(['{', '}']) {
            let allowed = allowed.join(", ");
            let reason = format!("unknown placeholder in {text:?}; allowed: {allowed}");
            found.push(Mistake::at(key, reason));
        }
    };
    text(&[section, "path"], template.path);
    for (name, value) in template.query {
        text(&[section, "query", name], value);
    }
    if template.names_end() && !template.names_start() {
        let reason = "an end without {start} or {start_unix}: that would be all that was ever used";
        found.push(Mistake::at(&[section], reason));
    }
}
