//! What Soracom can tell and what that costs. Facts and their sources: `README.md` beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{
    AccountId, Capabilities, Credentials, Ended, Gone, Setting, Source,
};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Soracom"),
    credentials: Credentials {
        api_key: Cow::Borrowed(
            "AuthKey ID, begins with keyId- (user console, Security, AuthKeys of a user)",
        ),
        api_secret: Some(Cow::Borrowed(
            "AuthKey secret, begins with secret- (shown once, when the AuthKey is made)",
        )),
        account_id: Some(AccountId {
            what: Cow::Borrowed("operator id, begins with OP; without it the token's is used"),
            is_required: false,
        }),
    },
    settings: Cow::Borrowed(&[Setting {
        name: Cow::Borrowed("coverage"),
        what: Cow::Borrowed("`global` (the default) or `japan`: where the account's SIMs are"),
    }]),
    device_id: Cow::Borrowed("SIM id (simId)"),
    usage: Source::Report,
    cycle: Source::Derived,
    cycle_rule: Cow::Borrowed("calendar month, UTC"),
    sim_status: Source::Listing,
    network_status: Source::Listing,
    freshness: Cow::Borrowed(
        "usage is recorded about every 5 minutes; a device that loses power stays online until its \
         session times out",
    ),
    limits: Cow::Borrowed(
        "per operator and path, per minute, no number published; headers tell what is left",
    ),
    details: Cow::Borrowed(&[]),
    ended: Ended::Renews,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed("the column names of the usage export are not published"),
        Cow::Borrowed(
            "whether a SIM without usage has a row in the export is not published; one without a row \
             is asked for by itself",
        ),
        Cow::Borrowed("the usage of terminated SIMs is in the export only"),
    ]),
};
