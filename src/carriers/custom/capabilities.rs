//! What a manifest's carrier can tell, as follows from where its fields are. Pure.

use std::borrow::Cow;

use super::manifest::{AuthKind, CycleRule, Fields, Manifest};
use crate::carriers::capability::{
    AccountId, Capabilities, Credentials, Detail, Due, Ended, Gives, Gone, Setting, Source, Text,
};

/// The table's line for any manifest.
pub(super) fn of_any() -> Capabilities {
    let manifest = |text: &'static str| Cow::Borrowed(text);
    Capabilities {
        name: manifest("Custom"),
        credentials: Credentials {
            api_key: manifest("what the manifest's [auth] wants"),
            api_secret: None,
            account_id: Some(AccountId {
                what: manifest("where the manifest holds {account_id}"),
                is_required: false,
            }),
        },
        settings: Cow::Borrowed(&[Setting {
            name: Cow::Borrowed(super::MANIFEST),
            what: Cow::Borrowed("name of the TOML manifest in the folder custom.manifests"),
        }]),
        device_id: manifest("as the manifest says"),
        usage: Source::Listing,
        cycle: Source::Derived,
        cycle_rule: manifest("as the manifest says"),
        sim_status: Source::Listing,
        network_status: Source::Listing,
        freshness: manifest("as the carrier's"),
        limits: manifest("as configured"),
        details: Cow::Borrowed(&[]),
        ended: Ended::Renews,
        gone: Gone::Unsaid,
        gaps: Cow::Borrowed(&[Cow::Borrowed(
            "ordinary REST APIs only: JSON, one row per device, one cycle rule",
        )]),
    }
}

pub(super) fn of(manifest: &Manifest) -> Capabilities {
    let listed = manifest.listing.as_ref().map(|listing| &listing.fields);
    let single = manifest.single.fields.as_ref().or(listed);
    let source = |has: fn(&Fields) -> bool| match (listed.is_some_and(has), single.is_some_and(has))
    {
        (true, _) => Source::Listing,
        (false, true) => Source::PerDevice,
        (false, false) => Source::Nowhere,
    };
    let usage = match source(|fields| fields.used.is_some()) {
        Source::Listing => Source::Listing,
        _ if manifest.usage.is_some() => Source::Report,
        Source::Nowhere if manifest.device_usage.is_some() => Source::PerDevice,
        other => other,
    };
    let network_status = source(|fields| fields.network_status.is_some());
    let sim_status = source(|fields| fields.sim_status.is_some());
    Capabilities {
        name: Cow::Owned(manifest.name.clone()),
        credentials: credentials(manifest),
        device_id: Cow::Owned(manifest.device.what.clone()),
        usage,
        cycle: match manifest.cycle.rule {
            CycleRule::CalendarMonth => Source::Derived,
            CycleRule::Fields => source(|fields| fields.cycle_end.is_some()),
            CycleRule::Unknown => Source::Nowhere,
        },
        cycle_rule: Cow::Borrowed(match manifest.cycle.rule {
            CycleRule::CalendarMonth => "calendar month, UTC",
            CycleRule::Fields => "as the carrier's fields say",
            CycleRule::Unknown => "not known",
        }),
        sim_status,
        network_status,
        limits: manifest
            .limits
            .published
            .clone()
            .map_or(Cow::Borrowed("as configured"), Cow::Owned),
        details: Cow::Owned(details(manifest, usage, [sim_status, network_status])),
        gone: match &manifest.listing {
            Some(listing) if listing.absent_is_deactivated => Gone::Deactivated,
            _ => Gone::Unsaid,
        },
        ..of_any()
    }
}

/// The call for one device, for what only it says; usage that has a call of its own is asked for after it, in the
/// same turn. Without a listing every device is asked for anyway.
fn details(manifest: &Manifest, usage: Source, statuses: [Source; 2]) -> Vec<Detail> {
    if manifest.listing.is_none() {
        return Vec::new();
    }
    let name = Cow::Owned(manifest.single.path.clone());
    let detail = |gives| Detail {
        name,
        gives,
        due: Due::EveryTurn,
    };
    if usage == Source::PerDevice {
        vec![detail(Gives::Usage)]
    } else if statuses.contains(&Source::PerDevice) {
        vec![detail(Gives::Status)]
    } else {
        Vec::new()
    }
}

fn credentials(manifest: &Manifest) -> Credentials {
    let auth = &manifest.auth;
    let hint = auth
        .hint
        .clone()
        .map(|hint| format!(" ({hint})"))
        .unwrap_or_default();
    let text = |what: &str| -> Text { Cow::Owned(format!("{what}{hint}")) };
    let (api_key, api_secret) = match auth.kind {
        AuthKind::Bearer | AuthKind::Header => (text("API key"), None),
        AuthKind::Basic => (text("user name"), Some(text("password"))),
        AuthKind::ClientCredentials => (text("client id"), Some(text("client secret"))),
    };
    let account_id = manifest.needs_account_id();
    Credentials {
        api_key,
        api_secret,
        account_id: account_id.map(|key| AccountId {
            what: Cow::Owned(format!("{{account_id}} of {key} in the manifest")),
            is_required: true,
        }),
    }
}
