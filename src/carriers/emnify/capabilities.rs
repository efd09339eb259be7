//! What emnify can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{
    Capabilities, Credentials, Detail, Due, Ended, Gives, Gone, Source,
};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("emnify"),
    credentials: Credentials {
        api_key: Cow::Borrowed("application token of the workspace (emnify portal, integrations)"),
        api_secret: None,
        account_id: None,
    },
    settings: Cow::Borrowed(&[]),
    device_id: Cow::Borrowed("endpoint id, a number"),
    usage: Source::PerDevice,
    cycle: Source::Derived,
    cycle_rule: Cow::Borrowed("calendar month, UTC"),
    sim_status: Source::Listing,
    network_status: Source::PerDevice,
    freshness: Cow::Borrowed(
        "a device that is switched off can be shown as attached for 1 to 2 days",
    ),
    limits: Cow::Borrowed(
        "2,000 per 5 min and IP address; 10,000,000 per month; lists 10/s, endpoints 50/s, usage 100/s",
    ),
    details: Cow::Borrowed(&[
        Detail {
            name: Cow::Borrowed("api/v1/endpoint/{id}/stats"),
            gives: Gives::Usage,
            due: Due::EveryTurn,
        },
        Detail {
            name: Cow::Borrowed("api/v1/endpoint/{id}/connectivity"),
            gives: Gives::Status,
            due: Due::EveryTurn,
        },
    ]),
    ended: Ended::Renews,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed(
            "whether a megabyte has 1,000 or 1,024 kilobytes is not documented; 1,024 is assumed",
        ),
        Cow::Borrowed("usage limits of an endpoint are not read"),
        Cow::Borrowed("satellite traffic is counted apart by the carrier and is not read"),
    ]),
};
