//! A Postgres that tests may restart, stop and starve: one per run of the tests, apart from the server
//! of `TEST_DATABASE_URL`, which all others share. Tests that break it take turns.
//!
//! `scripts/breakable_postgres.sh` holds it. It ends when its stdin closes, so also when a test binary
//! is killed, and no test has to clean up.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::sync::MutexGuard;
use url::Url;

use crate::postgres::TestDatabase;

static SERVER: tokio::sync::Mutex<Option<Arc<Mutex<Script>>>> = tokio::sync::Mutex::const_new(None);

/// The script at the other end of two pipes.
#[derive(Debug)]
struct Script {
    _child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    url: Url,
}

impl Script {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/breakable_postgres.sh");
        let mut child = Command::new("bash")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash runs");
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        answers.read_line(&mut url).unwrap();
        let url = Url::parse(url.trim())
            .expect("no Postgres to break: install the server as scripts/test.sh says");
        Self {
            _child: child,
            commands,
            answers,
            url,
        }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "ok", "{command}");
    }
}

/// The server for as long as one test needs it.
pub struct BreakablePostgres {
    turn: MutexGuard<'static, Option<Arc<Mutex<Script>>>>,
}

impl BreakablePostgres {
    /// Waits for its turn and sees that the server runs, whatever the test before did to it.
    pub async fn take() -> Self {
        let mut turn = SERVER.lock().await;
        if turn.is_none() {
            *turn = Some(Arc::new(Mutex::new(Script::start())));
        }
        let server = Self { turn };
        server.tell("start").await;
        server
    }

    /// A migrated database on it; drop it while the server runs.
    pub async fn database(&self) -> TestDatabase {
        let url = self.script().lock().unwrap().url.clone();
        let database = TestDatabase::create_on(url).await;
        database.migrate().await;
        database
    }

    /// Rolls back and disconnects everyone, writes everything to disk, and starts again.
    pub async fn restart_fast(&self) {
        self.tell("restart fast").await;
    }

    /// As if the machine had lost power: no goodbye, and recovery from the log at the start.
    pub async fn restart_immediate(&self) {
        self.tell("restart immediate").await;
    }

    /// As if the machine had lost power and stayed off.
    pub async fn stop(&self) {
        self.tell("stop immediate").await;
    }

    /// On again, if it was off.
    pub async fn start(&self) {
        self.tell("start").await;
    }

    fn script(&self) -> Arc<Mutex<Script>> {
        Arc::clone(self.turn.as_ref().expect("started when taken"))
    }

    /// Not on this thread: what is under test goes on meanwhile.
    async fn tell(&self, command: &'static str) {
        let script = self.script();
        tokio::task::spawn_blocking(move || script.lock().unwrap().tell(command))
            .await
            .unwrap();
    }
}
