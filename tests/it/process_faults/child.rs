//! The program as a child of the test, with an environment of nothing but what it is given.

use std::fs::File;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use carrier_sync::simulator::Simulator;
use serde_json::Value;

/// Far beyond any honest wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A child of this test. Dropped, it is killed: it is ours.
pub struct Child {
    child: std::process::Child,
    home: tempfile::TempDir,
}

impl Child {
    /// Runs `command` on this database; `settings` are `SECTION__KEY = value`.
    pub fn start(command: &[&str], database_url: &str, settings: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let fast = [
            ("HTTP__ALLOW_PRIVATE_HOSTS", "true"),
            ("CARRIERS__HOLOGRAM__REQUESTS_PER_SECOND", "100000"),
            ("CARRIERS__HOLOGRAM__BURST", "100000"),
            ("CARRIERS__HOLOGRAM__HOST_REQUESTS_PER_SECOND", "100000"),
            ("CARRIERS__HOLOGRAM__HOST_BURST", "100000"),
            ("SUPERVISOR__START_SPREAD", "0s"),
            // Many run at once.
            ("STATUS__LISTEN", "off"),
        ];
        let settings = fast.iter().chain(settings);
        let child = Command::new(env!("CARGO_BIN_EXE_carrier-sync"))
            .args(command)
            .args(["--log-format", "json"])
            .env_clear()
            .env("HOME", home.path())
            .env("DATABASE_URL", database_url)
            .env("CARRIER_SYNC__LOG__LEVEL", "info")
            .envs(settings.map(|(key, value)| (format!("CARRIER_SYNC__{key}"), value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, home }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this child and to nobody else.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success(), "SIG{name} to {pid}");
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; answers how, and how long it took from now.
    #[track_caller]
    pub fn ends(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let status = until("the process ends", || self.child.try_wait().unwrap());
        (status, started.elapsed())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// All it has said on stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Its log events of one target.
    pub fn events(&self, target: &str) -> Vec<Value> {
        let log = self.log();
        let events = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        events
            .filter(|event: &Value| event["target"] == target)
            .collect()
    }

    /// Memory that is really there, in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
            .expect("a running process has an RSS")
    }

    /// The most memory that it has ever had at once, in KiB; `None` once it has ended.
    pub fn peak_rss_kib(&self) -> Option<u64> {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, figure: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(figure))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The truth by the carrier's name of each device.
pub fn truth_by_name(
    simulator: &Simulator,
    org: u64,
) -> std::collections::HashMap<String, carrier_sync::simulator::Truth> {
    let truth = simulator.truth(org).into_iter();
    truth.map(|t| (t.carrier_device_id.clone(), t)).collect()
}
