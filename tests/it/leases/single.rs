//! SQLite: one process, and the second is told so.

use crate::fleet;
use crate::process_faults::child::{Child, until};

#[test]
fn a_second_process_on_a_sqlite_file_is_told_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    let mut first = Child::start(&["run"], &url, &[]);
    until("it runs", || {
        first.log().contains("is running").then_some(())
    });
    for command in ["run", "once"] {
        let mut second = Child::start(&[command], &url, &[]);
        let (status, _) = second.ends();
        let said = second.log();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.contains(&first.id().to_string()) && said.contains("Postgres"),
            "{said}"
        );
    }
    let mut list = Child::start(&["integrations", "list"], &url, &[]);
    assert!(
        list.ends().0.success(),
        "administration goes on: {}",
        list.log()
    );
    first.signal("TERM");
    assert!(first.ends().0.success());
    let mut next = Child::start(&["once"], &url, &[]);
    assert!(next.ends().0.success(), "{}", next.log());
}
