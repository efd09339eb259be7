//! The table of all carriers as a page of documentation: `docs/carriers.md`, made from their capabilities, so
//! that it says what the code does. Pure.

use std::fmt::Write as _;

use chrono::DateTime;

use super::capability::{Capabilities, Detail, Due, Gone, Source};
use super::not_yet::NOT_YET;
use super::{Account, Carrier, Context, PageSizes, custom, registry};

/// What is not the carrier's to say, but its manifest's.
const MANIFEST: &str = "as the manifest says";

/// Devices that costs are given for.
const DEVICES: u64 = 1_000;

/// The page.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Carriers\n\n\
         What each carrier tells, how, and at what cost. This page is made from the code \
         (`BLESS=1 cargo test --test carriers`); change it there.\n\n\
         *Listing*: pages of the device listing. *Report*: pages of a usage report. *Per device*: a call for \
         each; such values are refreshed in turns, as many calls per sync as `slice` allows. *Derived*: by our \
         own rule. *Not told*: the stored value stays as it is.\n\n",
    );
    summary(&mut page);
    for carrier in registry::carriers() {
        section(&mut page, *carrier);
    }
    page.push_str("\n## Not yet\n\n| carrier | why |\n|---|---|\n");
    for carrier in NOT_YET {
        let _ = writeln!(page, "| {} | {} |", carrier.name, carrier.why);
    }
    page
}

fn summary(page: &mut String) {
    page.push_str(
        "| carrier | usage | billing cycle | SIM status | network status | calls per 1,000 devices and sync |\n\
         |---|---|---|---|---|---|\n",
    );
    for carrier in registry::carriers() {
        let can = carrier.capabilities();
        // Its own capabilities are those of no manifest yet.
        let is_custom = carrier.code() == custom::CODE;
        let word = |source| if is_custom { MANIFEST } else { word(source) };
        let _ = writeln!(
            page,
            "| [{}](#{}) | {} | {} | {} | {} | {} |",
            can.name,
            anchor(&can.name),
            word(can.usage),
            word(can.cycle),
            word(can.sim_status),
            word(can.network_status),
            cost(*carrier),
        );
    }
}

fn section(page: &mut String, carrier: &dyn Carrier) {
    let can = carrier.capabilities();
    let _ = write!(page, "\n## {}\n\n| | |\n|---|---|\n", can.name);
    let mut row = |what: &str, text: &str| {
        let _ = writeln!(page, "| {what} | {text} |");
    };
    row("`--carrier`", &format!("`{}`", carrier.code()));
    row("`api_key`", &can.credentials.api_key);
    if let Some(secret) = &can.credentials.api_secret {
        row("`api_secret`", secret);
    }
    if let Some(account) = &can.credentials.account_id {
        let need = if account.is_required {
            "required"
        } else {
            "optional"
        };
        row("`account_id`", &format!("{need}: {}", account.what));
    }
    for setting in can.settings.iter() {
        row(&format!("`--setting {}=…`", setting.name), &setting.what);
    }
    row("`carrier_device_id`", &can.device_id);
    row("billing cycle", &can.cycle_rule);
    row("how fresh", &can.freshness);
    row("published limits", &can.limits);
    row("our limits", &our_limits(carrier));
    if !can.details.is_empty() {
        let details: Vec<String> = can.details.iter().map(detail).collect();
        row("per device only", &details.join("; "));
    }
    if can.gone == Gone::Deactivated {
        row(
            "a device that is gone",
            "is stored as deactivated, and told until it is unlinked",
        );
    }
    let gaps: Vec<&str> = can.gaps.iter().map(|gap| &**gap).collect();
    if !gaps.is_empty() {
        row("known gaps", &gaps.join("; "));
    }
    let _ = writeln!(
        page,
        "\nFields, sources, assumptions: [src/carriers/{0}/README.md](../src/carriers/{0}/README.md).",
        carrier.code()
    );
}

fn detail(detail: &Detail) -> String {
    let due = match detail.due {
        Due::EveryTurn => "in turns",
        Due::OncePerCycle => "once per billing cycle",
    };
    format!("`{}` ({due})", detail.name)
}

fn word(source: Source) -> &'static str {
    match source {
        Source::Listing => "listing",
        Source::Report => "report",
        Source::PerDevice => "per device",
        Source::Derived => "derived",
        Source::Nowhere => "not told",
    }
}

fn cost(carrier: &dyn Carrier) -> String {
    let can = carrier.capabilities();
    let bulk = match bulk_calls(carrier, DEVICES) {
        0 => MANIFEST.to_owned(),
        calls => calls.to_string(),
    };
    let turns = if has_turns(can) { " + slice" } else { "" };
    let once = if can.keeps_cycles() {
        " + once per cycle"
    } else {
        ""
    };
    format!("{bulk}{turns}{once}")
}

/// Whether something that is told per device only is refreshed at every sync.
fn has_turns(can: &Capabilities) -> bool {
    let told = [can.usage, can.sim_status, can.network_status];
    told.contains(&Source::PerDevice)
}

/// Calls that listing and report take for an account of so many devices, by the default page sizes.
#[must_use]
pub fn bulk_calls(carrier: &dyn Carrier, devices: u64) -> u64 {
    let account = Account {
        api_key: "key".into(),
        api_secret: None,
        account_id: Some("1".to_owned()),
        settings: serde_json::Map::new(),
    };
    let context = Context {
        account: &account,
        pages: page_sizes(carrier),
        now: DateTime::UNIX_EPOCH,
        common_cycle: None,
    };
    carrier.bulk_calls(context, devices)
}

/// The default page sizes.
#[must_use]
pub fn page_sizes(carrier: &dyn Carrier) -> PageSizes {
    let size = |key| {
        number(carrier, key)
            .and_then(|size| u32::try_from(size).ok())
            .unwrap_or(1)
    };
    PageSizes {
        devices: size("device_page_size"),
        usage: size("usage_page_size"),
        max_pages: size("max_pages"),
    }
}

fn our_limits(carrier: &dyn Carrier) -> String {
    let Some(section) = sample(carrier) else {
        return String::new();
    };
    let value = |key: &str| {
        section
            .get(key)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let mut text = format!(
        "{} calls per second, burst {}, {} at once; {} per second and host",
        value("requests_per_second"),
        value("burst"),
        value("max_concurrency"),
        value("host_requests_per_second")
    );
    for (key, whose) in [("classes", ""), ("host_classes", " and host")] {
        let classes = section.get(key).and_then(toml::Value::as_table);
        for (name, class) in classes.into_iter().flatten() {
            if let Some(rate) = class.get("requests_per_second") {
                let _ = write!(text, "; class `{name}` {rate} per second{whose}");
            }
        }
    }
    for (key, what) in [("windows", "per account"), ("host_windows", "per host")] {
        let windows = value(key);
        if windows.len() > 2 {
            let _ = write!(text, "; {windows} {what}");
        }
    }
    for key in ["slice", "calls_per_day", "calls_per_month"] {
        if number(carrier, key).is_some_and(|calls| calls > 0) {
            let _ = write!(text, "; {key} {}", value(key));
        }
    }
    text
}

fn number(carrier: &dyn Carrier, key: &str) -> Option<i64> {
    sample(carrier)?.get(key)?.as_integer()
}

fn sample(carrier: &dyn Carrier) -> Option<toml::Table> {
    let sample: toml::Table = toml::from_str(carrier.sample()).ok()?;
    sample
        .get("carriers")?
        .get(carrier.code())?
        .as_table()
        .cloned()
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
