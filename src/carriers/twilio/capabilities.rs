//! What Twilio can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use super::supersim;
use crate::carriers::capability::{Capabilities, Credentials, Ended, Gone, Source};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Twilio Super SIM"),
    credentials: Credentials {
        api_key: Cow::Borrowed("account SID (AC…) or SID of an API key (SK…), Twilio Console"),
        api_secret: Some(Cow::Borrowed("auth token, or the secret of the API key")),
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
