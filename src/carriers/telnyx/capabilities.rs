//! What Telnyx can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{
    Capabilities, Credentials, Detail, Due, Ended, Gives, Gone, Source,
};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Telnyx"),
    credentials: Credentials {
        api_key: Cow::Borrowed(
            "API v2 key, begins with KEY (Mission Control portal, API Keys; shown once)",
        ),
        api_secret: None,
        account_id: None,
    },
    settings: Cow::Borrowed(&[]),
    device_id: Cow::Borrowed("SIM card id, a UUID"),
    usage: Source::Listing,
    cycle: Source::Derived,
    cycle_rule: Cow::Borrowed("calendar month, UTC (assumed: only \"monthly\" is documented)"),
    sim_status: Source::Listing,
    network_status: Source::PerDevice,
    freshness: Cow::Borrowed("not documented"),
    limits: Cow::Borrowed("per endpoint, no number published; headers tell what is left"),
    details: Cow::Borrowed(&[Detail {
        name: Cow::Borrowed("sim_cards/{id}"),
        gives: Gives::Status,
        due: Due::EveryTurn,
    }]),
    ended: Ended::Renews,
    gone: Gone::Deactivated,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed("a MB is taken for 1,048,576 bytes; the documentation does not say"),
        Cow::Borrowed("the bounds of the billing cycle are assumed"),
        Cow::Borrowed(
            "the listing's order can change while it is read; a SIM that slips through is asked for by \
             itself",
        ),
        Cow::Borrowed(
            "a SIM card that is enabled again keeps the network status `suspended` until its turn: the listing \
             has no live session",
        ),
    ]),
};
