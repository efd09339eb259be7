//! `migrate` on SQLite; what it does to tables is the stores' own suite.

use super::User;

#[test]
fn it_says_whether_there_was_anything_to_do() {
    let user = User::new();
    user.runs(&["migrate"])
        .succeeds()
        .prints(&["sqlite://", "created or upgraded"]);
    user.runs(&["migrate"])
        .succeeds()
        .prints(&["is up to date"]);
}

#[test]
fn a_service_role_is_refused_where_there_are_no_roles() {
    let said = User::new().runs(&["migrate", "--service-role", "carrier_sync"]);
    said.fails(1, &["--service-role is for Postgres", "hint: "]);
}

#[test]
fn without_the_schema_a_command_says_how_to_create_it() {
    let user = User::new().with("CARRIER_SYNC__DATABASE__MIGRATE_ON_START", "never");
    let said = user.runs(&["integrations", "list"]);
    said.fails(
        1,
        &["schema not migrated", "hint: ", "carrier-sync migrate"],
    );
    user.runs(&["migrate"]).succeeds();
    user.runs(&["integrations", "list"]).succeeds();
}
