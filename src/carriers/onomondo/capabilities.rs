//! What Onomondo can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{Capabilities, Credentials, Ended, Gone, Setting, Source};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Onomondo"),
    credentials: Credentials {
        api_key: Cow::Borrowed(
            "API key of the organisation (app.onomondo.com, API keys), not narrowed to tags",
        ),
        api_secret: None,
        account_id: None,
    },
    settings: Cow::Borrowed(&[Setting {
        name: Cow::Borrowed("authorization_prefix"),
        what: Cow::Borrowed("`Bearer`, or nothing (the default): the word before the key"),
    }]),
    device_id: Cow::Borrowed(
        "SIM id, nine digits with their leading zeros; the ICCID works as well",
    ),
    usage: Source::Report,
    cycle: Source::Derived,
    cycle_rule: Cow::Borrowed("calendar month, UTC"),
    sim_status: Source::Listing,
    network_status: Source::Listing,
    freshness: Cow::Borrowed("usage is recorded about every 15 minutes of a session"),
    limits: Cow::Borrowed("600 calls per minute and user; headers tell what is left"),
    details: Cow::Borrowed(&[]),
    ended: Ended::Renews,
    gone: Gone::Deactivated,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed(
            "the rows of the usage report are not documented; their form is a public client's",
        ),
        Cow::Borrowed(
            "a busy SIM has thousands of usage rows a month, so a report can be many pages per 1,000 SIMs",
        ),
        Cow::Borrowed("a key that is narrowed to tags shows other SIMs as gone"),
    ]),
};
