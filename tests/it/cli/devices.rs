//! `devices list|link|import`.

use std::fmt::Write;

use super::{Said, User};

const HEADER: &str = "device_id,carrier_device_id,sim_iccid\n";

fn import(user: &User, body: &str, more: &[&str]) -> Said {
    let arguments = [&["devices", "import", "-", "--integration", "main"], more].concat();
    user.runs_with_stdin(&arguments, &format!("{HEADER}{body}"))
}

/// `device=carrier device` of every device, in the order of the list.
fn devices(user: &User) -> Vec<String> {
    let rows = user
        .runs(&["devices", "list", "--json"])
        .succeeds()
        .json_lines();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    rows.iter()
        .map(|row| {
            format!(
                "{}={}",
                text(&row["device_id"]),
                text(&row["carrier_device_id"])
            )
        })
        .collect()
}

fn many(rows: usize) -> String {
    (0..rows).fold(String::new(), |mut body, i| {
        writeln!(body, "device-{i:05},{i},").unwrap();
        body
    })
}

#[test]
fn a_good_file_is_imported_and_can_be_imported_again() {
    let user = User::new().with_integration();
    let said = import(&user, "a,1,8944\nb,2,\n", &[]).succeeds();
    said.prints(&["2 devices created, 0 updated, 0 rows refused"]);
    import(&user, "a,1,8944\nb,3,\n", &[])
        .succeeds()
        .prints(&["0 devices created, 2 updated"]);
    assert_eq!(devices(&user), ["a=1", "b=3"]);
}

#[test]
fn bad_rows_are_all_told_by_line_and_nothing_is_imported() {
    let user = User::new().with_integration();
    let body = "a,1,\n,2,\nb,1,\na,3,\nc\nd,4,,5\n\"e\u{7}\",6,\nf,7,8944-1\ng,8,\n";
    let said = import(&user, body, &[]).fails(
        1,
        &[
            "line 3: device_id is empty\n",
            "line 4: carrier_device_id \"1\" is on line 2 already\n",
            "line 5: device_id \"a\" is on line 2 already\n",
            "line 6: 1 cells instead of 3\n",
            "line 7: 4 cells instead of 3\n",
            "line 8: device_id contains a control character\n",
            "line 9: sim_iccid holds something else",
            "error: 7 of 9 rows cannot be imported; nothing was\n",
            "hint: repair these lines, or import the others with --partial",
        ],
    );
    assert_eq!(said.stdout, "");
    assert!(devices(&user).is_empty());
}

#[test]
fn with_partial_the_good_rows_are_imported_and_the_code_says_so() {
    let user = User::new().with_integration();
    let said = import(&user, "a,1,\n,2,\nb,3,\n", &["--partial"]).fails(2, &["line 3: "]);
    said.prints(&["2 devices created, 0 updated, 1 row refused"]);
    assert_eq!(devices(&user), ["a=1", "b=3"]);
    import(&user, "c,9,\n", &["--partial"]).succeeds();
}

#[test]
fn a_conflict_in_the_database_means_that_nothing_is_imported() {
    let user = User::new().with_integration();
    import(&user, "taken,77,\n", &[]).succeeds();
    let body = many(1500) + "z,1500,\n";
    import(&user, &body, &[]).fails(1, &["77", "taken", "hint: --partial"]);
    assert_eq!(devices(&user), ["taken=77"]);
}

#[test]
fn with_partial_a_conflict_costs_its_own_row_only_and_is_told_by_line() {
    let user = User::new().with_integration();
    import(&user, "taken,77,\nalso-taken,1400,\n", &[]).succeeds();
    let said = import(&user, &many(1500), &["--partial"]);
    let said = said.fails(2, &["line 79: ", "line 1402: ", "belongs to device taken"]);
    said.prints(&["1498 devices created, 0 updated, 2 rows refused"]);
    assert_eq!(devices(&user).len(), 1500);
}

#[test]
fn a_device_of_another_integration_is_a_conflict_not_a_theft() {
    let user = User::new().with_integration();
    import(&user, "a,1,\n", &[]).succeeds();
    let add = [
        "integrations",
        "add",
        "--tenant",
        "acme",
        "--carrier",
        "hologram",
        "--id",
        "spare",
    ];
    user.runs_with_stdin(&[&add[..], &["--api-key-file", "-"]].concat(), "k")
        .succeeds();
    let link = [
        "devices",
        "link",
        "--integration",
        "spare",
        "--device-id",
        "a",
    ];
    let said = user.runs(&[&link[..], &["--carrier-device-id", "9"]].concat());
    said.fails(1, &["device a is linked to integration main"]);
    assert_eq!(devices(&user), ["a=1"]);
}

#[test]
fn a_dry_run_tells_the_same_and_touches_no_database() {
    let user = User::new();
    import(&user, "a,1,\n", &["--dry-run"])
        .succeeds()
        .prints(&["1 row can be imported"]);
    import(&user, "a,1,\n,2,\n", &["--dry-run"]).fails(1, &["line 3: device_id is empty"]);
    import(&user, "a,1,\n,2,\n", &["--dry-run", "--partial"]).fails(2, &["line 3: "]);
    assert_eq!(
        std::fs::read_dir(user.home()).unwrap().count(),
        0,
        "no database was made"
    );
}

#[test]
fn a_wrong_header_names_the_allowed_columns() {
    let user = User::new().with_integration();
    let file = user.file("d.csv", "device_id,carrier_device_id,colour\na,1,red\n");
    let file = file.to_str().unwrap();
    user.runs(&["devices", "import", file, "--integration", "main"])
        .fails(
            1,
            &[
                "d.csv: line 1: unknown column \"colour\"",
                "device_id, carrier_device_id",
                "sim_iccid",
            ],
        );
    user.runs(&["devices", "import", "no.csv", "--integration", "main"])
        .fails(1, &["no.csv"]);
}

#[test]
fn a_row_that_is_not_text_is_told_by_its_line() {
    let user = User::new().with_integration();
    let file = user.file("d.csv", b"device_id,carrier_device_id\na,1\nb\xff,2\n");
    let said = user.runs(&[
        "devices",
        "import",
        file.to_str().unwrap(),
        "--integration",
        "main",
    ]);
    said.fails(1, &["line 3: not UTF-8 text"]);
}

#[test]
fn the_list_has_every_device_once_over_many_pages_and_obeys_its_limit() {
    let user = User::new().with_integration();
    import(&user, &many(2500), &[]).succeeds();
    let all = devices(&user);
    assert_eq!(all.len(), 2500);
    assert!(all.is_sorted(), "ordered by device, none twice");
    for limit in ["1", "1000", "1001", "9999"] {
        let said = user
            .runs(&["devices", "list", "--json", "--limit", limit])
            .succeeds();
        let expected = limit.parse::<usize>().unwrap().min(2500);
        assert_eq!(said.stdout.lines().count(), expected);
    }
    let table = user.runs(&["devices", "list"]).succeeds().stdout;
    assert_eq!(table.lines().count(), 2501, "one line of titles");
}

#[test]
fn unknown_values_are_empty_in_the_table_and_null_in_json_never_zero() {
    let user = User::new().with_integration();
    import(&user, "a,1,\n", &[]).succeeds();
    let table = user.runs(&["devices", "list"]).succeeds().stdout;
    assert_eq!(
        table.lines().nth(1).unwrap(),
        "acme    a       main         1"
    );
    let row = user
        .runs(&["devices", "list", "--json"])
        .json_lines()
        .remove(0);
    assert!(
        row["data_used_bytes"].is_null() && row["sim_status"].is_null(),
        "{row}"
    );
}

#[test]
fn an_empty_list_says_what_to_do_next_and_prints_nothing() {
    let said = User::new().runs(&["devices", "list"]).succeeds();
    assert_eq!(said.stdout, "");
    assert!(
        said.stderr.contains("hint: carrier-sync devices import"),
        "{said:?}"
    );
}

#[test]
fn an_iccid_where_an_id_is_needed_is_refused_before_it_is_linked() {
    let user = User::new().with("CARRIER_SYNC_API_KEY", "k");
    let id = user.runs(&[
        "integrations",
        "add",
        "-q",
        "--tenant",
        "acme",
        "--carrier",
        "hologram",
    ]);
    let id = id.succeeds().stdout.trim().to_owned();
    let link = |name: &str| {
        user.runs(&[
            "devices",
            "link",
            "--integration",
            &id,
            "--device-id",
            "pump-7",
            "--carrier-device-id",
            name,
        ])
    };
    let refused = link("89445018042130000001");
    assert!(
        refused.stderr.contains("looks like an ICCID"),
        "{}",
        refused.stderr
    );
    link("4711").succeeds();
    let file = user.home().join("devices.csv");
    std::fs::write(
        &file,
        "device_id,carrier_device_id\na,1\nb,89445018042130000001\n",
    )
    .unwrap();
    let refused = user.runs(&[
        "devices",
        "import",
        file.to_str().unwrap(),
        "--integration",
        &id,
    ]);
    assert!(refused.stderr.contains("line 3"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("device id, a number"),
        "{}",
        refused.stderr
    );
}
