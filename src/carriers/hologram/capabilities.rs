//! What Hologram can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{AccountId, Capabilities, Credentials, Ended, Gone, Source};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Hologram"),
    credentials: Credentials {
        api_key: Cow::Borrowed("API key of a dashboard user (dashboard, account settings, API)"),
        api_secret: None,
        account_id: Some(AccountId {
            what: Cow::Borrowed(
                "organisation id in digits; without it each device is asked for by itself",
            ),
            is_required: false,
        }),
    },
    settings: Cow::Borrowed(&[]),
    device_id: Cow::Borrowed("device id, a number"),
    usage: Source::Report,
    cycle: Source::Report,
    cycle_rule: Cow::Borrowed("30 days from activation (prepaid), calendar month (invoiced)"),
    sim_status: Source::Listing,
    network_status: Source::Listing,
    freshness: Cow::Borrowed("sessions count when they close; reports are refreshed hourly"),
    limits: Cow::Borrowed("no number published; 429, wait 5 to 10 s"),
    details: Cow::Borrowed(&[]),
    ended: Ended::Renews,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed("pages of 1,000 devices are used by public clients, not documented"),
        Cow::Borrowed("the list of SIM states is not published in full"),
    ]),
};
