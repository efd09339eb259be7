//! The commands on Postgres: the owner administers, the service's role does not.

use super::User;
use crate::postgres::TestDatabase;

fn owner(database: &TestDatabase) -> User {
    User::new().with("DATABASE_URL", &database.owner_url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_set_up_from_an_empty_database() {
    let database = TestDatabase::create().await;
    let user = owner(&database);
    let role = database.service_role();
    user.runs(&["integrations", "list"])
        .fails(1, &["schema not migrated", "carrier-sync migrate"]);
    let said = user.runs(&["migrate", "--service-role", &role]).succeeds();
    said.prints(&["postgres://", "created or upgraded", &role]);
    user.runs(&["migrate", "--service-role", &role])
        .succeeds()
        .prints(&["up to date"]);

    let user = user.with_integration();
    let csv = "device_id,carrier_device_id,sim_iccid\na,1,8944\n,2,\nb,3,\n";
    let import = ["devices", "import", "-", "--integration", "main"];
    user.runs_with_stdin(&import, csv)
        .fails(1, &["line 3: device_id is empty"]);
    user.runs_with_stdin(&[&import[..], &["--partial"]].concat(), csv)
        .fails(2, &["line 3: "])
        .prints(&["2 devices created, 0 updated, 1 row refused"]);
    let csv = "device_id,carrier_device_id\nc,1\nd,4\n";
    user.runs_with_stdin(&import, csv)
        .fails(1, &["belongs to device a"]);
    user.runs_with_stdin(&[&import[..], &["--partial"]].concat(), csv)
        .fails(2, &["line 2: "])
        .prints(&["1 device created"]);
    assert_eq!(
        user.runs(&["devices", "list", "--json"])
            .succeeds()
            .json_lines()
            .len(),
        3
    );

    user.runs(&["integrations", "set", "main", "--interval-minutes", "5"])
        .succeeds();
    user.runs(&["integrations", "list"])
        .succeeds()
        .prints(&["main", "acme", "hologram", "5m"]);
    user.runs(&["integrations", "remove", "main", "--yes"])
        .succeeds()
        .prints(&["3 devices are"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_may_not_do_is_told_with_what_to_do_next() {
    let database = TestDatabase::migrated().await;
    let service = User::new().with("DATABASE_URL", &database.service_url());
    let add = [
        "integrations",
        "add",
        "--tenant",
        "acme",
        "--carrier",
        "hologram",
    ];
    let said = service.runs_with_stdin(&[&add[..], &["--api-key-file", "-"]].concat(), "canary");
    let said = said.fails(1, &["error: ", "a role that owns the tables", "\nhint: "]);
    assert!(
        !said.stderr.contains("laptop"),
        "too few rights, not too many: {said:?}"
    );
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_may_test_what_it_has_added_but_not_sync() {
    let database = TestDatabase::migrated().await;
    let user = owner(&database).with_integration();
    let refused_address = [
        "integrations",
        "set",
        "main",
        "--base-url",
        "https://127.0.0.1",
    ];
    user.command(&refused_address)
        .env("CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS", "true")
        .status()
        .unwrap();
    let said = user.runs(&["integrations", "test", "main"]);
    assert!(said.stdout.contains("not a public address"), "{said:?}");
    user.runs(&["once"])
        .fails(1, &["owns table", "migrate --service-role"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_own_policy_is_told_and_one_for_other_roles_is_not() {
    let database = TestDatabase::migrated().await;
    let on = "ON device_connections FOR SELECT";
    database
        .execute(&format!(
            "CREATE POLICY platform_reads {on} TO PUBLIC USING (true); \
             CREATE POLICY owner_reads {on} TO {} USING (true)",
            database.owner_role()
        ))
        .await;
    let service = User::new().with("DATABASE_URL", &database.service_url());
    let said = service.runs(&["once"]).succeeds();
    assert!(said.stderr.contains("platform_reads"), "{said:?}");
    assert!(!said.stderr.contains("owner_reads"), "{said:?}");
}
