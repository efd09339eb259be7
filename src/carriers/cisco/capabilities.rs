//! What Cisco IoT Control Center can tell and what that costs. Facts and their sources: `README.md`
//! beside this file.

use std::borrow::Cow;

use crate::carriers::capability::{
    AccountId, Capabilities, Credentials, Detail, Due, Ended, Gives, Gone, Setting, Source,
};

/// Places of the details.
pub(super) const CYCLE_TO_DATE: usize = 0;
pub(super) const SESSION: usize = 1;

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    name: Cow::Borrowed("Cisco IoT Control Center"),
    credentials: Credentials {
        api_key: Cow::Borrowed("user name of a Control Center user with API access"),
        api_secret: Some(Cow::Borrowed(
            "API key of that user (Control Center, the user's profile); not the password",
        )),
        account_id: Some(AccountId {
            what: Cow::Borrowed(
                "account id in digits, to list one account of several that the user sees",
            ),
            is_required: false,
        }),
    },
    settings: Cow::Borrowed(&[
        Setting {
            name: Cow::Borrowed("pod"),
            what: Cow::Borrowed("number of the operator's pod, such as 3 for restapi3.jasper.com"),
        },
        Setting {
            name: Cow::Borrowed("cycle_day"),
            what: Cow::Borrowed("day of the month on which billing cycles begin, 1 to 31"),
        },
    ]),
    device_id: Cow::Borrowed("ICCID"),
    usage: Source::Listing,
    cycle: Source::Listing,
    cycle_rule: Cow::Borrowed(
        "cycleStartDate of the rate plan's usage, one month long; else config.cycle_day",
    ),
    sim_status: Source::Listing,
    network_status: Source::PerDevice,
    freshness: Cow::Borrowed(
        "not published; the vendor wants a device polled once a minute at most",
    ),
    limits: Cow::Borrowed(
        "5 calls a second, one at a time, for the account with all its sub-accounts, REST and SOAP \
         together",
    ),
    details: Cow::Borrowed(&[
        Detail {
            name: Cow::Borrowed("devices/{iccid}/ctdUsages"),
            gives: Gives::Usage,
            due: Due::EveryTurn,
        },
        Detail {
            name: Cow::Borrowed("devices/{iccid}/sessionInfo"),
            gives: Gives::Status,
            due: Due::EveryTurn,
        },
    ]),
    ended: Ended::Renews,
    gone: Gone::Unsaid,
    gaps: Cow::Borrowed(&[
        Cow::Borrowed("the fields of the usage of a rate plan are not published"),
        Cow::Borrowed("the usage of a rate plan does not exist for shared plans"),
        Cow::Borrowed(
            "a device that left a plan whose usage cannot be read is counted on its new plan only",
        ),
        Cow::Borrowed(
            "two API users of one account are held for two accounts: set half the limit for each",
        ),
        Cow::Borrowed("the list of SIM statuses is not published"),
        Cow::Borrowed("the end of a billing cycle is not told"),
    ]),
};
