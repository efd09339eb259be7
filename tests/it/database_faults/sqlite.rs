//! SQLite: a file that cannot be written. (One that is busy: `actors/database_away.rs`.)

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use carrier_sync::app::Ending;
use carrier_sync::integration::Outcome;
use carrier_sync::shutdown::Stop;

use super::desk::Desk;
use crate::fleet::{self, in_system};

/// `mode=ro`, because permissions do not bind root, as whom tests may run.
#[test]
fn a_read_only_file_is_a_state_with_its_remedy_and_no_outcome_is_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    let read_only = format!("{url}?mode=ro");
    in_system(async {
        fleet::app(&url, &[]).prepare().await.unwrap();
        let settings = [("database.migrate_on_start", "never")];
        let desk = Desk::at((&read_only, &url), &settings).await;
        desk.begin();
        desk.in_trouble(Desk::integration, "make the database file")
            .await;
        assert_eq!(desk.supervisor().reason, None, "it can still look");
        assert_eq!(desk.integration().last_outcome, Some(Outcome::Error));
        assert!(desk.witness.records().is_empty(), "none could be recorded");
        desk.assert_nothing_lost().await;
    });
}

#[test]
fn a_service_that_must_migrate_a_read_only_file_ends_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    in_system(async {
        let app = fleet::app(&format!("{url}?mode=ro"), &[]);
        std::fs::write(folder.path().join("fleet.db"), "").unwrap();
        set_permissions(
            folder.path().join("fleet.db"),
            Permissions::from_mode(0o400),
        )
        .unwrap();
        match app.serve(&Stop::default()).await {
            Ending::Escalated(reason) => assert!(reason.contains("writable"), "{reason}"),
            other => panic!("{other:?}"),
        }
    });
}
