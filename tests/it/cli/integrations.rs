//! `integrations list|add|set|remove`, with the keys that must never be seen.

use super::{Said, User};

const ADD: [&str; 6] = [
    "integrations",
    "add",
    "--tenant",
    "acme",
    "--carrier",
    "hologram",
];

fn add<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ADD[..], more].concat()
}

fn listed(user: &User) -> Vec<serde_json::Value> {
    user.runs(&["integrations", "list", "--json"])
        .succeeds()
        .json_lines()
}

/// Every byte the user's home holds, database included.
fn stored(user: &User) -> Vec<u8> {
    let folder = user.home().join("carrier-sync");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[test]
fn an_integration_is_added_with_everything_that_was_said() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    let more = [
        "--id",
        "main",
        "--name",
        "Main account",
        "--account-id",
        "1234",
    ];
    let address = [
        "--api-base-url",
        "https://carrier.example/api/1",
        "--interval-minutes",
        "15",
    ];
    let said = user
        .runs(&add(&[&more[..], &address, &["--disabled"]].concat()))
        .succeeds();
    said.prints(&[
        "added integration main",
        "next: carrier-sync integrations test main",
    ]);
    let rows = listed(&user);
    assert_eq!(rows.len(), 1);
    for (key, value) in [
        ("integration_id", "main".into()),
        ("tenant_id", "acme".into()),
        ("carrier", "hologram".into()),
        ("name", "Main account".into()),
        ("account_id", "1234".into()),
        ("base_url", "https://carrier.example/api/1".into()),
        ("sync_interval_minutes", 15.into()),
        ("enabled", false.into()),
        ("has_api_key", true.into()),
        ("has_api_secret", false.into()),
        ("last_sync_status", "never".into()),
        ("last_sync_at", serde_json::Value::Null),
    ] {
        assert_eq!(rows[0][key], value, "{key}");
    }
}

#[test]
fn the_new_id_alone_goes_to_scripts() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    let quiet = user.runs(&add(&["-q"])).succeeds();
    let json = user.runs(&add(&["--json"])).succeeds();
    let ids = [
        quiet.stdout.trim_end(),
        json.json_lines()[0]["integration_id"].as_str().unwrap(),
    ]
    .map(str::to_owned);
    let mut known: Vec<String> = listed(&user)
        .iter()
        .map(|row| row["integration_id"].as_str().unwrap().to_owned())
        .collect();
    known.sort();
    let mut ids = ids.to_vec();
    ids.sort();
    assert_eq!(ids, known);
}

#[test]
fn a_key_comes_from_file_stdin_or_environment_and_is_never_printed() {
    let key = "canary-0123";
    let user = User::new();
    let file = user.file("key", format!("{key}\r\n"));
    let said = [
        user.runs(&add(&[
            "--id",
            "file",
            "--api-key-file",
            file.to_str().unwrap(),
        ])),
        user.runs_with_stdin(
            &add(&["--id", "stdin", "--api-key-file", "-"]),
            &format!("{key}\n"),
        ),
        Said::from(
            user.command(&add(&["--id", "env"]))
                .env("CARRIER_SYNC_API_KEY", key)
                .output()
                .unwrap(),
        ),
        user.runs(&["integrations", "list"]),
        user.runs(&["integrations", "list", "--json"]),
        user.runs(&["integrations", "set", "file", "--interval-minutes", "5"]),
    ];
    for said in said {
        let said = said.succeeds();
        assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    }
    assert!(listed(&user).iter().all(|row| row["has_api_key"] == true));
    let stored = stored(&user);
    assert!(contains(&stored, key), "the key itself was stored");
    assert!(!contains(&stored, &format!("{key}\r")) && !contains(&stored, &format!("{key}\n")));
}

#[test]
fn a_key_that_could_not_be_sent_is_refused_and_not_repeated() {
    let user = User::new();
    for key in [
        "",
        "can\nary",
        "can\tary",
        "canäry",
        " canary",
        "can\u{0}ary",
    ] {
        let said = user.runs_with_stdin(&add(&["--api-key-file", "-"]), key);
        let said = said.fails(1, &["the API key from stdin", "\nhint: "]);
        assert!(!said.stderr.contains("can"), "{said:?}");
    }
    assert!(listed(&user).is_empty());
}

#[test]
fn without_a_terminal_a_missing_key_is_an_error_that_says_where_to_put_it() {
    let said = User::new().runs(&add(&[]));
    said.fails(
        1,
        &["no API key", "--api-key-file FILE", "CARRIER_SYNC_API_KEY"],
    );
}

#[test]
fn what_cannot_work_is_refused_before_it_is_stored() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    let tenant = ["integrations", "add", "--tenant", "acme", "--carrier"];
    for (arguments, code, part) in [
        ([&tenant[..], &["acme"]].concat(), 64, "supported: hologram"),
        (
            [&tenant[..], &["1nce", "--setting", "coverage=japan"]].concat(),
            1,
            "unknown setting",
        ),
        (add(&["--interval-minutes", "0"]), 64, "1..="),
        (add(&["--interval-minutes=-1"]), 64, "1..="),
        (
            add(&["--account-id", "12/34"]),
            1,
            "hologram cannot be asked with this account",
        ),
        (
            add(&["--api-base-url", "carrier.example"]),
            1,
            "api_base_url is not a URL",
        ),
        (
            add(&["--api-base-url", "ftp://carrier.example"]),
            1,
            "must use https",
        ),
        (
            add(&["--api-base-url", "https://u:canary@carrier.example"]),
            1,
            "user name or password",
        ),
        (
            add(&["--api-base-url", "https://carrier.example/?key=canary"]),
            1,
            "must not hold a query",
        ),
        (
            add(&["--api-base-url", "https://"]),
            1,
            "api_base_url is not a URL",
        ),
        (
            add(&["--name", "a\u{1b}[2Jb"]),
            1,
            "--name contains a control character",
        ),
        (add(&["--api-key-file", "/no/such"]), 1, "/no/such"),
        (
            add(&["--api-key-file", "-", "--api-secret-file", "-"]),
            64,
            "both come from stdin",
        ),
    ] {
        let said = user.runs(&arguments).fails(code, &[part]);
        assert!(!said.stderr.contains("canary"), "{said:?}");
    }
    assert!(listed(&user).is_empty());
}

#[test]
fn an_id_that_is_taken_is_refused_and_the_old_integration_stays() {
    let user = User::new().with_integration();
    let said = user.runs_with_stdin(&add(&["--id", "main", "--api-key-file", "-"]), "other");
    said.fails(
        1,
        &["integration main exists already", "integrations set main"],
    );
    assert_eq!(listed(&user).len(), 1);
}

#[test]
fn set_changes_what_is_given_and_nothing_else() {
    let user = User::new()
        .with_integration()
        .with("CARRIER_SYNC_API_KEY", "canary-env");
    let before = listed(&user).remove(0);
    user.runs(&[
        "integrations",
        "set",
        "main",
        "--interval-minutes",
        "5",
        "--pause",
    ])
    .succeeds();
    let mut expected = before.clone();
    expected["sync_interval_minutes"] = 5.into();
    expected["sync_enabled"] = false.into();
    assert_eq!(listed(&user), [expected]);
    assert!(
        !contains(&stored(&user), "canary-env"),
        "a key in the environment alone is not set"
    );

    user.runs(&["integrations", "set", "main", "--new-api-key"])
        .succeeds();
    assert!(contains(&stored(&user), "canary-env"));
}

#[test]
fn an_empty_text_removes_account_and_address() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    let more = [
        "--id",
        "main",
        "--account-id",
        "7",
        "--api-base-url",
        "https://carrier.example",
    ];
    user.runs(&add(&more)).succeeds();
    user.runs(&[
        "integrations",
        "set",
        "main",
        "--account-id",
        "",
        "--api-base-url",
        "",
    ])
    .succeeds();
    let row = listed(&user).remove(0);
    assert!(
        row["account_id"].is_null() && row["base_url"].is_null(),
        "{row}"
    );
}

#[test]
fn a_change_that_the_carrier_could_not_use_is_refused() {
    let user = User::new().with_integration();
    let said = user.runs(&["integrations", "set", "main", "--account-id", "x y"]);
    said.fails(1, &["hologram cannot be asked with this account"]);
    assert!(listed(&user)[0]["account_id"].is_null());
}

#[test]
fn an_unknown_integration_is_an_error_that_says_where_the_ids_are() {
    let user = User::new();
    let csv = user.file("d.csv", "device_id,carrier_device_id\na,1\n");
    let csv = csv.to_str().unwrap();
    let link = ["devices", "link", "--integration", "no", "--device-id", "a"];
    for arguments in [
        &["integrations", "set", "no", "--enable"][..],
        &["integrations", "remove", "no", "--yes"],
        &["devices", "import", csv, "--integration", "no"],
        &[&link[..], &["--carrier-device-id", "1"]].concat(),
    ] {
        user.runs(arguments).fails(
            1,
            &["no integration \"no\"", "hint: carrier-sync integrations"],
        );
    }
}

#[test]
fn removing_wants_a_confirmation_and_keeps_the_devices() {
    let user = User::new().with_integration();
    let link = [
        "devices",
        "link",
        "--integration",
        "main",
        "--device-id",
        "a",
    ];
    user.runs(&[&link[..], &["--carrier-device-id", "1"]].concat())
        .succeeds();
    user.runs(&["integrations", "remove", "main"])
        .fails(1, &["confirmation", "--yes"]);
    assert_eq!(listed(&user).len(), 1);
    let said = user
        .runs(&["integrations", "remove", "main", "--yes"])
        .succeeds();
    said.prints(&["removed integration main; 1 device is now unlinked"]);
    assert!(listed(&user).is_empty());
    let devices = user
        .runs(&["devices", "list", "--json"])
        .succeeds()
        .json_lines();
    assert_eq!(devices.len(), 1);
    assert!(devices[0]["carrier_integration_id"].is_null());
}

#[test]
fn the_list_is_aligned_and_can_be_one_tenant_s() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    user.runs(&add(&["--id", "a"])).succeeds();
    let zeta = [
        "integrations",
        "add",
        "--tenant",
        "zeta-industries",
        "--carrier",
        "hologram",
    ];
    user.runs(&[&zeta[..], &["--id", "a-long-one", "--disabled"]].concat())
        .succeeds();
    let table = user.runs(&["integrations", "list"]).succeeds().stdout;
    let places: Vec<_> = table.lines().map(|line| line.find("hologram")).collect();
    assert_eq!(places[1], places[2], "{table}");
    assert_eq!(
        table.lines().next().unwrap().find("CARRIER"),
        places[1],
        "{table}"
    );
    let one = user
        .runs(&["integrations", "list", "--tenant", "acme"])
        .succeeds()
        .stdout;
    assert!(one.contains("acme") && !one.contains("zeta"), "{one}");
}
