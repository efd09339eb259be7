//! The actors as they run: the wired service on a real database and a simulated carrier, watched
//! through the board that operators see. Nothing here reaches inside an actor.

mod credentials;
mod database_away;
mod discovery;
mod drain;
mod killer_clock;
mod memory_store;
mod misconfigured;
mod notices;
mod panics;
mod reload;
mod requests;
mod restarts;
mod secrets;
mod sharing;
mod slots;
mod spy;
mod timing;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::{App, Ending};
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::IntegrationRow;
use carrier_sync::shutdown::Stop;
use carrier_sync::simulator::{SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::status::{ActorName, ActorState, ActorStatus};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, raw_sql};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::fleet::{self, Account};

/// Looks again and again, with nothing to hold on to but a deadline far beyond any honest wait.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    // The machine's time, also where tokio's is paused.
    let started = std::time::Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Settings with which everything happens soon.
pub const SOON: &[(&str, &str)] = &[
    ("supervisor.discover_interval", "30ms"),
    ("supervisor.start_spread", "0s"),
];

/// A tenant's account, listed in bulk.
pub const fn account(tenant: &str, org: u64) -> Account<'_> {
    Account {
        tenant,
        org,
        in_bulk: true,
    }
}

/// A simulated carrier and a SQLite file.
pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
}

impl World {
    /// Accounts 1001, 1002 … with so many devices each.
    pub fn of(fleets: &[u64]) -> Self {
        Self::with(fleets, SimulatorConfig::default())
    }

    pub fn with(fleets: &[u64], config: SimulatorConfig) -> Self {
        let accounts = (1..).zip(fleets);
        let accounts =
            accounts.map(|(number, devices)| SimulatedAccount::numbered(number, *devices));
        Self {
            simulator: fleet::simulator(SimulatorConfig {
                accounts: accounts.collect(),
                ..config
            }),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn url(&self) -> String {
        fleet::sqlite_url(&self.folder)
    }

    /// The service, wired and migrated, with everything soon.
    pub async fn app(&self, settings: &[(&str, &str)]) -> App {
        let app = fleet::app(&self.url(), &[SOON, settings].concat());
        app.prepare().await.unwrap();
        app
    }

    /// Runs SQL past every check, as a platform's own tables might hold anything.
    pub async fn execute(&self, sql: &str) {
        let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
        let sql = format!("PRAGMA ignore_check_constraints = ON; {sql}");
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

/// The service while it runs.
pub struct Service {
    pub app: Arc<App>,
    pub stop: Stop,
    serving: JoinHandle<Ending>,
}

impl Service {
    pub fn start(app: App) -> Self {
        let (app, stop) = (Arc::new(app), Stop::default());
        let (served, asked) = (Arc::clone(&app), stop.clone());
        let serving = actix::spawn(async move { served.serve(&asked).await });
        Self { app, stop, serving }
    }

    /// Asks it to stop and waits for its end.
    pub async fn ends(self) -> Ending {
        self.stop.asked.cancel();
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(self) -> Ending {
        let ending = tokio::time::timeout(Duration::from_secs(60), self.serving);
        ending.await.expect("the service ends").unwrap()
    }

    pub fn actor(&self, name: &ActorName) -> Option<ActorStatus> {
        self.app.board.get(name)
    }

    pub fn status(&self, id: &IntegrationId) -> Option<ActorStatus> {
        self.actor(&ActorName::Integration(id.clone()))
    }

    /// Waits until the integration's status is such.
    pub async fn sees(
        &self,
        id: &IntegrationId,
        what: &str,
        such: impl Fn(&ActorStatus) -> bool,
    ) -> ActorStatus {
        until(&format!("{id} {what}"), async || {
            self.status(id).filter(&such)
        })
        .await
    }

    /// Waits until the integration has come to rest after at least so many syncs.
    pub async fn has_synced(&self, id: &IntegrationId, runs: u64) -> ActorStatus {
        let rests = |status: &ActorStatus| status.runs >= runs && status.in_flight == 0;
        self.sees(id, "has synced", rests).await
    }

    /// Waits until the integration is in this state.
    pub async fn reaches(&self, id: &IntegrationId, state: ActorState) -> ActorStatus {
        self.sees(id, state.as_str(), |status| status.state == state)
            .await
    }

    /// Waits until the actor is in this state.
    pub async fn comes_to(&self, name: &ActorName, state: ActorState) -> ActorStatus {
        until(&format!("{name} {}", state.as_str()), async || {
            self.actor(name).filter(|status| status.state == state)
        })
        .await
    }

    /// The integration as stored.
    pub async fn row(&self, id: &IntegrationId) -> IntegrationRow {
        let rows = self.app.store.integrations().await.unwrap();
        rows.into_iter()
            .find(|row| row.id == *id)
            .expect("the row is there")
    }

    /// Waits until the stored integration is such.
    pub async fn stored(
        &self,
        id: &IntegrationId,
        what: &str,
        such: impl Fn(&IntegrationRow) -> bool,
    ) -> IntegrationRow {
        until(&format!("row of {id} {what}"), async || {
            Some(self.row(id).await).filter(&such)
        })
        .await
    }
}
