//! The service behind PgBouncer in transaction mode, with fewer connections to the server than the
//! service has to the pooler: each transaction may get another one, that others have used.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::query_scalar;
use url::Url;

use super::{Stage, start};
use crate::fleet::in_system;
use crate::postgres::TestDatabase;

/// Connections to the server that the script configures.
const POOL: i64 = 2;

/// A pooler before the server of a test database; ends when dropped, since its stdin does.
struct PgBouncer {
    child: Child,
    url: String,
}

impl PgBouncer {
    fn before(database: &TestDatabase) -> Self {
        let mut url = Url::parse(&database.service_url()).unwrap();
        let mut users = tempfile::NamedTempFile::new().unwrap();
        let (user, password) = (url.username(), url.password().unwrap());
        writeln!(users, "\"{user}\" \"{password}\"").unwrap();
        let mut child = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/pgbouncer.sh"))
            .arg(url.host_str().unwrap())
            .arg(url.port().unwrap_or(5432).to_string())
            .arg(users.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash runs");
        let mut port = String::new();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        answers.read_line(&mut port).unwrap();
        let port = port.trim().parse();
        let port = port.expect("no PgBouncer to test with: run scripts/pgbouncer.sh install");
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.set_query(Some("statement-cache-capacity=0"));
        Self {
            child,
            url: url.into(),
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn behind_a_pooler_in_transaction_mode_syncs_leases_and_check_work() {
    in_system(async {
        let mut stage = Stage::set(20, 5, Duration::ZERO).await;
        stage
            .database
            .execute("DROP TRIGGER audit ON device_connections")
            .await;
        let pooler = PgBouncer::before(&stage.database);
        let first = stage.run_as_given(1001, &pooler.url);
        let second = stage.run_as_given(1002, &pooler.url);
        stage.until_fair(&[&first, &second]).await;
        stage.until_all_synced().await;
        stage.assert_owners_only().await;
        let mut check = start(&["check"], 1003, &pooler.url);
        assert!(check.ends().0.success(), "{}", check.log());
        let connections: i64 =
            query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
                .bind(stage.database.service_role())
                .fetch_one(&mut stage.look)
                .await
                .unwrap();
        assert!(
            (1..=POOL).contains(&connections),
            "they share {connections}"
        );
        for runner in [&first, &second] {
            let log = runner.child.log();
            assert!(!log.contains("prepared statement"), "{log}");
        }
    });
}
