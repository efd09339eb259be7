//! The program as a process: signals, exit codes, what it says and what it must never say.

mod api;
mod asked;
mod browser;
mod checks;
mod demo;
mod document;
mod health;
mod once;
mod reload;
mod secrets;
mod served;
mod sessions;
mod signals;
mod status;
mod watched;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use carrier_sync::app::App;
use carrier_sync::simulator::{Simulator, SimulatorConfig};

use crate::cli::User;
use crate::fleet::{self, Account};

/// Far beyond any honest wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A user's home with a database, and a simulated carrier.
struct Place {
    user: User,
    simulator: Simulator,
    app: App,
}

impl Place {
    /// Nothing linked yet.
    fn new(config: SimulatorConfig) -> Self {
        let simulator = fleet::simulator(config);
        let user = User::new();
        let url = format!("sqlite://{}", user.home().join("fleet.db").display());
        let app = fleet::app(&url, &[]);
        fleet::in_system(app.prepare()).unwrap();
        let set = |user: User, name: &str, value: &str| {
            user.with(&format!("CARRIER_SYNC__{name}"), value)
        };
        let user = user.with("DATABASE_URL", &url);
        let user = set(user, "HTTP__ALLOW_PRIVATE_HOSTS", "true");
        let user = set(user, "SUPERVISOR__START_SPREAD", "0s");
        let user = set(user, "SUPERVISOR__DISCOVER_INTERVAL", "50ms");
        let user = set(user, "CARRIERS__HOLOGRAM__REQUESTS_PER_SECOND", "100000");
        let user = set(user, "CARRIERS__HOLOGRAM__BURST", "100000");
        let user = set(user, "CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", "10");
        Self {
            user,
            simulator,
            app,
        }
    }

    fn with(self, name: &str, value: &str) -> Self {
        let user = self.user.with(&format!("CARRIER_SYNC__{name}"), value);
        Self { user, ..self }
    }

    /// Runs what needs the service's system, on this place's store.
    fn ask<T>(&self, question: impl AsyncFnOnce(&App) -> T) -> T {
        fleet::in_system(question(&self.app))
    }

    /// Links the whole fleet of account 1001.
    fn link(&self) -> String {
        self.link_account(1001)
    }

    /// Links the whole fleet of an account.
    fn link_account(&self, org: u64) -> String {
        let account = Account {
            tenant: "acme",
            org,
            in_bulk: true,
        };
        let simulator = &self.simulator;
        self.ask(async |app| fleet::link_fleet(app, simulator, account).await.to_string())
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.user.command(arguments))
    }

    /// Every stored device's usage, where it is known.
    fn used(&self, id: &str) -> usize {
        let id = carrier_sync::device::IntegrationId::parse(id).unwrap();
        let rows = self.ask(async |app| fleet::devices(app, &id).await);
        rows.iter()
            .filter(|row| row.data_used_bytes.is_some())
            .count()
    }

    fn assert_true(&self, id: &str) {
        let id = carrier_sync::device::IntegrationId::parse(id).unwrap();
        let rows = self.ask(async |app| fleet::devices(app, &id).await);
        fleet::assert_true(&rows, &self.simulator.truth(1001));
    }
}

/// A child of this test. Dropped, it is killed: it is ours.
struct Running {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// What a child says, line by line as it says it.
struct Lines {
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let said = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                heard.lock().unwrap().push(line.unwrap());
            }
        });
        Self {
            said,
            reader: Some(reader),
        }
    }

    fn now(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Sends a signal to this child and to nobody else.
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "SIG{name} to {pid}");
    }

    /// Waits for a line on stderr that contains this.
    #[track_caller]
    fn says(&self, part: &str) -> String {
        until(&format!("{part:?} on stderr"), || {
            self.stderr
                .now()
                .into_iter()
                .find(|line| line.contains(part))
        })
    }

    /// Waits for its end; answers how, and how long it took from now.
    #[track_caller]
    fn ends(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let status = until("the process ends", || self.child.try_wait().unwrap());
        let took = started.elapsed();
        for lines in [&mut self.stdout, &mut self.stderr] {
            lines
                .reader
                .take()
                .into_iter()
                .for_each(|reader| reader.join().unwrap());
        }
        (status, took)
    }

    /// Waits for its end with this code.
    #[track_caller]
    fn exits(&mut self, code: i32) -> Duration {
        let (status, took) = self.ends();
        assert_eq!(status.code(), Some(code), "{:#?}", self.stderr.now());
        took
    }

    /// The events it has logged to this target so far.
    fn events(&self, target: &str) -> Vec<serde_json::Value> {
        let parse = |line: String| serde_json::from_str::<serde_json::Value>(&line).ok();
        let events = self.stderr.now().into_iter().filter_map(parse);
        events.filter(|event| event["target"] == target).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
