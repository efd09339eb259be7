//! `secrets generate-key|encrypt|rotate|status`, end to end on both engines, with a canary that must
//! leave no trace.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, query_as, raw_sql};

use super::{Said, User};
use crate::postgres::TestDatabase;

const CANARY: &str = "canary-4f9a0c77";

/// A key file for its owner alone.
fn write_keys(user: &User, keys: &[&str]) {
    let path = user.file("keys", format!("# keys\n{}\n", keys.join("\n")));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn new_key(user: &User) -> String {
    let said = user.runs(&["secrets", "generate-key"]).succeeds();
    assert!(!said.stderr.contains(said.stdout.trim()), "{said:?}");
    said.stdout.trim().to_owned()
}

/// With this key file configured.
fn with_key_file(user: User) -> User {
    let path = user.home().join("keys");
    let path = path.to_str().unwrap().to_owned();
    user.with("CARRIER_SYNC__SECRETS__KEY_FILE", &path)
}

fn add(user: &User, id: &str) -> Said {
    let add = [
        "integrations",
        "add",
        "--tenant",
        "acme",
        "--carrier",
        "hologram",
    ];
    let add = [&add[..], &["--id", id, "--api-key-file", "-"]].concat();
    let said = user.runs_with_stdin(&add, CANARY).succeeds();
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    said
}

/// `(state, key, secrets)` of each way.
fn status(user: &User) -> Vec<(String, String, u64)> {
    let said = user.runs(&["secrets", "status", "--json"]).succeeds();
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |line: Value| {
        let secrets = line["secrets"].as_u64().unwrap();
        (text(&line["state"]), text(&line["key"]), secrets)
    };
    said.json_lines().into_iter().map(line).collect()
}

fn ways(expected: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let own = |(state, key, secrets): &(&str, &str, u64)| {
        ((*state).to_owned(), (*key).to_owned(), *secrets)
    };
    expected.iter().map(own).collect()
}

/// The files of a folder that hold the canary.
fn traces(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(6).any(|window| window == b"canary")
    };
    files
        .filter(|path| path.is_file() && holds(path))
        .map(|path| path.display().to_string())
        .collect()
}

/// From clear text to a rotated key, as an operator does it.
fn a_fleet_is_sealed_and_its_key_rotated(user: User) -> User {
    for id in ["one", "two", "three"] {
        add(&user, id);
    }
    assert_eq!(status(&user), ways(&[("clear", "", 3)]));
    user.runs(&["secrets", "encrypt"])
        .fails(1, &["no key is configured", "generate-key"]);

    let old = new_key(&user);
    write_keys(&user, &[&old]);
    let user = with_key_file(user);
    let said = user.runs(&["secrets", "encrypt"]).succeeds();
    said.prints(&["3 secrets sealed with key ", "0 left as before"]);
    let again = user.runs(&["secrets", "encrypt"]).succeeds();
    again.prints(&["0 secrets sealed", "3 left as before"]);
    add(&user, "four");
    assert_eq!(status(&user), ways(&[("sealed", "current", 4)]));

    let new = new_key(&user);
    write_keys(&user, &[&new, &old]);
    assert_eq!(status(&user), ways(&[("sealed", "configured", 4)]));
    user.runs(&["secrets", "status"])
        .fails(0, &["hint: carrier-sync secrets rotate"]);
    let said = user.runs(&["secrets", "rotate"]).succeeds();
    said.prints(&["4 secrets sealed with key "]);
    assert_eq!(status(&user), ways(&[("sealed", "current", 4)]));
    write_keys(&user, &[&new]);
    assert_eq!(status(&user), ways(&[("sealed", "current", 4)]));
    user.runs(&["secrets", "rotate"])
        .succeeds()
        .prints(&["0 secrets sealed", "4 left as before"]);

    write_keys(&user, &[&old]);
    assert_eq!(status(&user), ways(&[("sealed", "missing", 4)]));
    let said = user.runs(&["secrets", "rotate"]);
    said.fails(1, &["integration four (tenant acme)", "is sealed with key"]);
    write_keys(&user, &[&new]);
    user
}

#[test]
fn on_sqlite_a_fleet_is_sealed_rotated_and_no_clear_text_is_left_in_any_file() {
    let user = User::new();
    let data = user.home().join("carrier-sync");
    let user = a_fleet_is_sealed_and_its_key_rotated(user);
    assert_eq!(traces(&data), Vec::<String>::new());
    drop(user);
}

/// Rows that moved about before they were sealed have left their bytes in free pages and in the log.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_clear_text_that_was_overwritten_before() {
    let user = User::new();
    let data = user.home().join("carrier-sync");
    add(&user, "main");
    let url = format!("sqlite://{}", data.join("carrier-sync.db").display());
    let mut service = SqliteConnection::connect(&url).await.unwrap();
    for length in [10, 900, 9_000, 20] {
        let sql = format!(
            "UPDATE carrier_integrations SET display_name = hex(zeroblob({length})), \
             api_secret = '{CANARY}' || hex(zeroblob({length}))"
        );
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut service)
            .await
            .unwrap();
    }
    assert!(!traces(&data).is_empty());
    let key = new_key(&user);
    write_keys(&user, &[&key]);
    let user = with_key_file(user);
    // The service still has the file open, so the log is not removed at the end.
    user.runs(&["secrets", "encrypt"])
        .succeeds()
        .prints(&["2 secrets sealed"]);
    assert_eq!(traces(&data), Vec::<String>::new());
    let (rows,): (i64,) = query_as("SELECT count(*) FROM carrier_integrations")
        .fetch_one(&mut service)
        .await
        .unwrap();
    assert_eq!(rows, 1, "its connection is as good as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_fleet_is_sealed_and_rotated_by_the_owner() {
    let database = TestDatabase::migrated().await;
    let user = User::new().with("DATABASE_URL", &database.owner_url());
    let user = tokio::task::spawn_blocking(|| a_fleet_is_sealed_and_its_key_rotated(user))
        .await
        .unwrap();
    let mut connection = PgConnection::connect(&database.superuser_url())
        .await
        .unwrap();
    let stored: Vec<(String, String)> =
        query_as("SELECT id, api_key FROM carrier_integrations ORDER BY id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(stored.len(), 4);
    assert!(
        stored.iter().all(|(_, key)| key.starts_with("enc:v1:")),
        "{stored:?}"
    );
    // The service's own role may read secrets, but not write them.
    let keys = std::fs::read_to_string(user.home().join("keys")).unwrap();
    let service = User::new().with("DATABASE_URL", &database.service_url());
    write_keys(&service, &keys.lines().collect::<Vec<_>>());
    let service = with_key_file(service);
    assert_eq!(status(&service), ways(&[("sealed", "current", 4)]));
    write_keys(
        &service,
        &[&new_key(&service), keys.lines().nth(1).unwrap()],
    );
    let said = service.runs(&["secrets", "rotate"]);
    said.fails(1, &["stopped after 0 secrets", "owns the tables"]);
}

#[test]
fn a_key_file_that_others_may_read_stops_every_command_that_needs_it() {
    let user = User::new();
    let key = new_key(&user);
    write_keys(&user, &[&key]);
    let user = with_key_file(user);
    let path = user.home().join("keys");
    add(&user, "main");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for command in [
        &["secrets", "encrypt"][..],
        &["secrets", "status"],
        &["once"],
        &["check"],
        &["integrations", "set", "main", "--interval-minutes", "5"],
    ] {
        let said = user
            .runs(command)
            .fails(1, &["key file", "644", "chmod 600"]);
        assert!(!format!("{said:?}").contains(&key), "{said:?}");
    }
    // What does not need the keys works, above all making one.
    std::fs::remove_file(&path).unwrap();
    new_key(&user);
    user.runs(&["integrations", "list"]).succeeds();
    user.runs(&["secrets", "status"])
        .fails(1, &["cannot read the key file"]);
}

#[test]
fn a_wrong_key_setting_is_refused_by_name_and_not_repeated() {
    let user = User::new().with("CARRIER_SYNC__SECRETS__KEY", "canary");
    let said = user.runs(&["secrets", "status"]);
    let said = said.fails(
        1,
        &[
            "secrets.key = (not shown)",
            "CARRIER_SYNC__SECRETS__KEY",
            "base64",
        ],
    );
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");

    let key = new_key(&User::new());
    let user = User::new().with("CARRIER_SYNC__SECRETS__KEY", &key);
    write_keys(&user, &[&key]);
    add(&user, "main");
    assert_eq!(status(&user), ways(&[("sealed", "current", 1)]));
    let user = with_key_file(user);
    let said = user.runs(&["secrets", "status"]);
    let said = said.fails(1, &["secrets.key_file", "excludes", "secrets.key"]);
    assert!(!format!("{said:?}").contains(&key), "{said:?}");
}

#[test]
fn a_sealed_key_is_not_replaced_by_clear_text_and_a_sealed_text_is_no_key() {
    let user = User::new();
    let key = new_key(&user);
    write_keys(&user, &[&key]);
    let user = with_key_file(user);
    add(&user, "main");
    let set = ["integrations", "set", "main", "--api-key-file", "-"];
    let said = user.runs_with_stdin(&set, "enc:v1:00112233:Y2FuYXJ5");
    let said = said.fails(1, &["sealed text"]);
    assert!(!format!("{said:?}").contains("Y2Fu"), "{said:?}");
    user.runs_with_stdin(&set, CANARY).succeeds();
    // The account's rules are held against the key as it is, not as it is stored.
    user.runs(&["integrations", "set", "main", "--account-id", "x"])
        .fails(1, &["account_id is not a number"]);
    assert_eq!(
        traces(&user.home().join("carrier-sync")),
        Vec::<String>::new()
    );

    let without = user.with("CARRIER_SYNC__SECRETS__KEY_FILE", "");
    without.runs_with_stdin(&set, CANARY).fails(
        1,
        &["api_key of integration main is sealed", "secrets.key_file"],
    );
    let other = ["integrations", "set", "main", "--interval-minutes", "5"];
    without.runs(&other).succeeds();
    assert_eq!(status(&without), ways(&[("sealed", "missing", 1)]));
}

#[test]
fn an_integration_added_without_a_name_is_sealed_for_the_name_it_gets() {
    let user = User::new();
    let key = new_key(&user);
    let user = user
        .with("CARRIER_SYNC__SECRETS__KEY", &key)
        .with("CARRIER_SYNC_API_KEY", CANARY);
    let add = [
        "integrations",
        "add",
        "--tenant",
        "acme",
        "--carrier",
        "hologram",
        "-q",
    ];
    let id = user.runs(&add).succeeds().stdout;
    assert_eq!(id.trim().len(), 36);
    assert_eq!(status(&user), ways(&[("sealed", "current", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_copied_to_another_row_is_shown_as_damaged() {
    let user = User::new();
    let key = new_key(&user);
    let user = user.with("CARRIER_SYNC__SECRETS__KEY", &key);
    add(&user, "one");
    add(&user, "two");
    let data = user.home().join("carrier-sync/carrier-sync.db");
    let url = format!("sqlite://{}", data.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let copy = "UPDATE carrier_integrations SET api_key = \
                (SELECT api_key FROM carrier_integrations WHERE id = 'one') WHERE id = 'two'";
    raw_sql(copy).execute(&mut connection).await.unwrap();
    assert_eq!(
        status(&user),
        ways(&[("damaged", "", 1), ("sealed", "current", 1)])
    );
    let said = user.runs(&["secrets", "rotate"]);
    assert_eq!(said.code, 0, "sealed with the current key: nothing to do");
}
