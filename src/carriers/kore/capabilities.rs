//! What KORE can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{Capabilities, Credentials, Ended, Gone, Source};
use crate::carriers::twilio::supersim;

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("KORE Super SIM"),
    credentials: Credentials {
        api_key: Cow::Borrowed("client id of an API client (KORE One console, API clients)"),
        api_secret: Some(Cow::Borrowed("client secret of that API client")),
        account_id: None,
    },
    settings: Cow::Borrowed(&[]),
    device_id: Cow::Borrowed("SID of the Super SIM, HS and 32 hexadecimal digits"),
    usage: Source::Report,
    cycle: Source::PerDevice,
    cycle_rule: Cow::Borrowed(supersim::CYCLE_RULE),
    sim_status: Source::Listing,
    network_status: Source::Nowhere,
    freshness: Cow::Borrowed(supersim::FRESHNESS),
    limits: Cow::Borrowed("no number published; 429"),
    details: Cow::Borrowed(supersim::DETAILS),
    ended: Ended::Renews,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(supersim::GAPS),
};
