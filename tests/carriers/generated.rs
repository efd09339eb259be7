//! Files that are made from the carriers: the sections of the default configuration and the table of what each
//! can tell. `BLESS=1 cargo test --test carriers` makes them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use carrier_sync::carriers::{Account, Context, PageSizes, matrix, registry::carriers};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_default()
}

/// Fails unless the file is `text`; with `BLESS=1` it becomes it.
#[track_caller]
fn assert_is(name: &str, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path(name), text).unwrap();
    }
    assert!(
        read(name) == text,
        "{name} is stale: make it anew with BLESS=1 cargo test --test carriers"
    );
}

const BEGIN: &str = "# >>> carriers\n";
const END: &str = "# <<< carriers\n";

#[test]
fn the_default_configuration_holds_every_carrier_s_sample() {
    let text = read("config/default.toml");
    let (head, rest) = text.split_once(BEGIN).expect("where the carriers begin");
    let (_, tail) = rest.split_once(END).expect("where they end");
    let samples: Vec<&str> = carriers()
        .iter()
        .map(|carrier| carrier.sample().trim_end())
        .collect();
    let samples = samples.join("\n\n");
    assert_is(
        "config/default.toml",
        &format!("{head}{BEGIN}{samples}\n{END}{tail}"),
    );
}

#[test]
fn every_key_of_a_carrier_is_explained_where_they_begin() {
    let text = read("config/default.toml");
    let (head, _) = text.split_once(BEGIN).unwrap();
    let explained: BTreeSet<&str> = head
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once("  "))
        .map(|(key, _)| key.trim())
        .collect();
    for carrier in carriers() {
        let sample: toml::Table = toml::from_str(carrier.sample()).unwrap();
        let section = sample["carriers"][carrier.code()].as_table().unwrap();
        for key in section.keys() {
            let key = match key.as_str() {
                "classes" => "classes.NAME",
                "host_classes" => "host_classes.NAME",
                key => key,
            };
            assert!(
                explained.contains(key),
                "{key} of {} is not explained",
                carrier.code()
            );
        }
    }
}

#[test]
fn the_table_of_carriers_says_what_the_code_does() {
    assert_is("docs/carriers.md", &matrix::markdown());
}

/// What listing and report cost an account of 1,000 devices, whatever of a slice comes on top.
#[test]
fn a_thousand_devices_cost_no_more_calls_than_promised() {
    let most = [
        ("hologram", 2),
        ("onomondo", 2),
        ("telnyx", 4),
        ("kore", 6),
        ("twilio", 3),
        ("soracom", 12),
        ("cisco", 40),
        ("1nce", 10),
        ("emnify", 2),
    ];
    for (code, most) in most {
        let carrier = *carriers()
            .iter()
            .find(|carrier| carrier.code() == code)
            .unwrap();
        let calls = matrix::bulk_calls(carrier, 1_000);
        assert!(
            (1..=most).contains(&calls),
            "{code}: {calls} calls, at most {most}"
        );
    }
}

/// The pages that a sample asks for are the pages that are asked for.
#[test]
fn a_sample_s_page_sizes_are_those_of_the_table() {
    for carrier in carriers() {
        let PageSizes { devices, usage, .. } = matrix::page_sizes(*carrier);
        let sample: toml::Table = toml::from_str(carrier.sample()).unwrap();
        let section = &sample["carriers"][carrier.code()];
        let size = |key: &str| section[key].as_integer().unwrap();
        assert_eq!(
            i64::from(devices),
            size("device_page_size"),
            "{}",
            carrier.code()
        );
        assert_eq!(
            i64::from(usage),
            size("usage_page_size"),
            "{}",
            carrier.code()
        );
    }
    let account = Account {
        api_key: "k".into(),
        api_secret: None,
        account_id: Some("1".into()),
        settings: serde_json::Map::new(),
    };
    let context = Context {
        account: &account,
        pages: matrix::page_sizes(carriers()[0]),
        now: chrono::DateTime::UNIX_EPOCH,
        common_cycle: None,
    };
    assert_eq!(carriers()[0].bulk_calls(context, 10_000), 10 + 4);
}
