//! What 1NCE can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{
    Capabilities, Credentials, Detail, Due, Ended, Gives, Gone, Source,
};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("1NCE"),
    credentials: Credentials {
        api_key: Cow::Borrowed(
            "client id of an API user (1NCE portal, user administration; not one with the role Owner)",
        ),
        api_secret: Some(Cow::Borrowed("client secret of the same API user")),
        account_id: None,
    },
    settings: Cow::Borrowed(&[]),
    device_id: Cow::Borrowed("ICCID, 19 digits, or 20 with the check digit"),
    usage: Source::PerDevice,
    cycle: Source::PerDevice,
    cycle_rule: Cow::Borrowed("life of the prepaid quota, from its creation to its expiry"),
    sim_status: Source::Listing,
    network_status: Source::PerDevice,
    freshness: Cow::Borrowed(
        "a device that is switched off can be shown as attached for 1 to 2 days",
    ),
    limits: Cow::Borrowed("10/s per customer; tokens 600/min per IP address"),
    details: Cow::Borrowed(&[
        Detail {
            name: Cow::Borrowed("v2/sims/{id}/quota/data"),
            gives: Gives::Usage,
            due: Due::EveryTurn,
        },
        Detail {
            name: Cow::Borrowed("v2/sims/{id}/status"),
            gives: Gives::Status,
            due: Due::EveryTurn,
        },
    ]),
    ended: Ended::Deactivates,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed("usage is counted over the life of the quota; there is no monthly figure"),
        Cow::Borrowed(
            "the listing has no stable order, so a SIM can be missed and is asked for by itself",
        ),
        Cow::Borrowed("that a SIM has expired is said by its quota only"),
    ]),
};
