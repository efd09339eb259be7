//! The configuration as the command line hands it on.

use super::{Said, User};

#[test]
fn a_configuration_error_is_told_with_a_hint_and_nothing_is_started() {
    let user = User::new().with("CARRIER_SYNC__HTTP__CONECT_TIMEOUT", "7s");
    let said = user.runs(&["integrations", "list"]).fails(
        1,
        &[
            "error: configuration: http.conect_timeout = \"7s\"",
            "CARRIER_SYNC__HTTP__CONECT_TIMEOUT",
            "did you mean http.connect_timeout?",
            "\nhint: ",
        ],
    );
    assert_eq!(said.stdout, "");
    assert_eq!(
        std::fs::read_dir(user.home()).unwrap().count(),
        0,
        "no database was made"
    );
}

#[test]
fn global_flags_are_taken_before_and_after_the_command() {
    let user = User::new();
    let file = user.file("c.toml", "[log]\nlevel = \"inof\"\n");
    let file = file.to_str().unwrap();
    for arguments in [
        ["--config", file, "integrations", "list"],
        ["integrations", "list", "--config", file],
    ] {
        user.runs(&arguments)
            .fails(1, &["log.level = \"inof\"", "c.toml, line 2"]);
    }
}

#[test]
fn database_url_flag_wins_over_the_environment() {
    let user = User::new().with("DATABASE_URL", "sqlite://environment.db");
    user.runs(&["integrations", "list"]).succeeds();
    assert!(user.home().join("environment.db").exists());
    user.runs(&["integrations", "list", "--database-url", "sqlite://flag.db"])
        .succeeds();
    assert!(user.home().join("flag.db").exists());
}

#[test]
fn the_default_database_is_a_file_in_the_data_directory_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    user.runs(&["integrations", "list"]).succeeds();
    let file = user.home().join("carrier-sync/carrier-sync.db");
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o077,
        0
    );
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let url = "postgres://bob:canary@127.0.0.1:1/fleet?application_name=canary";
    let user = User::new().with("CARRIER_SYNC__DATABASE__ACQUIRE_TIMEOUT", "200ms");
    for command in [
        &["integrations", "list"][..],
        &["migrate"],
        &["devices", "list"],
    ] {
        for said in [
            user.runs(&[command, &["--database-url", url]].concat()),
            Said::from(
                user.command(command)
                    .env("DATABASE_URL", url)
                    .output()
                    .unwrap(),
            ),
        ] {
            let said = said.fails(1, &["error: ", "unavailable", "\nhint: "]);
            assert!(!format!("{said:?}").contains("canary"), "{said:?}");
        }
    }
}
