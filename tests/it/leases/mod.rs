//! Several processes on one Postgres: real `carrier-sync run` children and one simulated carrier, whose
//! log says who called for which account and when. A process is known at the carrier by the page size
//! it is configured with, and in the database by a setting of its connections.

mod asked;
mod freeze;
mod line;
mod partition;
mod pgbouncer;
mod round;
mod rules;
mod shares;
mod single;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use sqlx::postgres::PgConnection;
use sqlx::{query, query_as, query_scalar};

use crate::fleet;
use crate::postgres::TestDatabase;
use crate::process_faults::child::Child;

/// How long a lease lasts without being renewed, and the time between renewals.
const LEASE: Duration = Duration::from_secs(3);
const BEAT: Duration = Duration::from_secs(1);
/// What a busy machine may add to what the leases allow: starting, a look at the database, a sync.
const SLACK: Duration = Duration::from_secs(6);

/// A database, a carrier, and integrations `i-0001`, `i-0002` … of as many accounts.
pub struct Stage {
    pub database: TestDatabase,
    pub simulator: Simulator,
    pub look: PgConnection,
    pub accounts: u64,
}

/// A process and how the carrier and the database know it.
pub struct Runner {
    pub child: Child,
    pub mark: u64,
}

/// Writes as the database sees them: who wrote, and who owned the integration then.
const AUDIT: &str = "\
    CREATE TABLE audit (writer text, owner text, integration text);
    GRANT INSERT ON audit TO PUBLIC;
    CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO audit SELECT current_setting('test.mark', true), p.address, i.id
        FROM carrier_integrations i
        LEFT JOIN carrier_sync_processes p ON p.process_id = i.lease_owner
        WHERE i.id = NEW.carrier_integration_id;
        RETURN NEW;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE ON device_connections
        FOR EACH ROW EXECUTE FUNCTION audited()";

impl Stage {
    pub async fn set(accounts: u64, devices: u64, latency: Duration) -> Self {
        Self::of((0..accounts).map(|_| devices), latency).await
    }

    /// Accounts with so many devices each.
    pub async fn of(fleets: impl Iterator<Item = u64>, latency: Duration) -> Self {
        let database = TestDatabase::migrated().await;
        let fleets: Vec<_> = (1..)
            .zip(fleets)
            .map(|(number, devices)| SimulatedAccount::numbered(number, devices))
            .collect();
        let accounts = fleets.len() as u64;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: fleets,
            latency: Latency {
                fixed: latency,
                jitter: Duration::ZERO,
            },
            ..SimulatorConfig::default()
        });
        let mut look = database.superuser().await;
        for org in 1001..=1000 + accounts {
            link(&mut look, &simulator, org).await;
        }
        database.execute(AUDIT).await;
        Self {
            database,
            simulator,
            look,
            accounts,
        }
    }

    /// Starts a process that the carrier knows by `mark`.
    pub fn run(&self, mark: u64) -> Runner {
        self.run_through(mark, &self.database.service_url())
    }

    /// With more settings.
    pub fn run_with(&self, mark: u64, more: &[(&str, &str)]) -> Runner {
        let url = self.database.service_url();
        Runner {
            child: start_with(&["run"], mark, &url, more),
            mark,
        }
    }

    pub fn run_through(&self, mark: u64, database_url: &str) -> Runner {
        let url = format!("{database_url}?options=-c%20test.mark%3D{mark}");
        self.run_as_given(mark, &url)
    }

    /// Without a mark that the database could see.
    pub fn run_as_given(&self, mark: u64, database_url: &str) -> Runner {
        Runner {
            child: start(&["run"], mark, database_url),
            mark,
        }
    }

    /// Integrations by the process id of their live owner.
    pub async fn held(&mut self) -> BTreeMap<u32, Vec<String>> {
        let leases: Vec<(String, String)> = query_as(
            "SELECT p.address, i.id FROM carrier_integrations i \
             JOIN carrier_sync_processes p ON p.process_id = i.lease_owner \
             WHERE p.expires_at > clock_timestamp() ORDER BY i.id",
        )
        .fetch_all(&mut self.look)
        .await
        .unwrap();
        let mut held: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (address, id) in leases {
            let (_, pid) = address.rsplit_once(':').expect("host:pid");
            held.entry(pid.parse().unwrap()).or_default().push(id);
        }
        held
    }

    /// Waits until exactly these hold everything, in shares that differ by at most one.
    pub async fn until_fair(&mut self, runners: &[&Runner]) -> BTreeMap<u32, Vec<String>> {
        let pids: Vec<u32> = runners.iter().map(|runner| runner.child.id()).collect();
        let (accounts, each) = (self.accounts as usize, self.accounts as usize / pids.len());
        let started = Instant::now();
        loop {
            let held = self.held().await;
            let sizes: Vec<usize> = held.values().map(Vec::len).collect();
            let only_these = held.keys().all(|pid| pids.contains(pid));
            if only_these
                && held.len() == pids.len()
                && sizes.iter().sum::<usize>() == accounts
                && sizes.iter().all(|size| (each..=each + 1).contains(size))
            {
                return held;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "not fair: {sizes:?} of {pids:?}\n{}",
                runners.iter().map(|r| r.child.log()).collect::<String>()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every call for each account, in order: when, in microseconds, and by whom.
    pub fn calls(&self) -> BTreeMap<String, Vec<(u64, u64)>> {
        let calls = self.simulator.calls();
        assert_eq!(calls.arrivals_dropped, 0);
        let mut by_account: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for arrival in calls.arrivals {
            let (org, mark) = (arrival.orgid.unwrap(), arrival.page_size.unwrap());
            let calls = by_account.entry(id(org)).or_default();
            calls.push((arrival.at_micros, mark));
        }
        by_account
    }

    /// Microseconds by the carrier's clock.
    pub fn now(&self) -> u64 {
        self.simulator.log_age_micros()
    }

    /// Nobody called for an account, or wrote its rows, but its owner: each stretch of calls by one
    /// process is a tenure of its own, which the database has counted.
    pub async fn assert_owners_only(&mut self) {
        let epochs: Vec<(String, i64)> =
            query_as("SELECT id, lease_epoch FROM carrier_integrations")
                .fetch_all(&mut self.look)
                .await
                .unwrap();
        let epochs: BTreeMap<_, _> = epochs.into_iter().collect();
        for (id, calls) in self.calls() {
            let mut owners: Vec<u64> = calls.iter().map(|(_, mark)| *mark).collect();
            owners.dedup();
            let tenures = usize::try_from(epochs[&id]).unwrap();
            assert!(
                owners.len() <= tenures,
                "{id}: {owners:?} in {tenures} tenures"
            );
        }
    }

    /// Whoever wrote a row was the integration's owner when it did.
    pub async fn assert_written_by_owners(&mut self, runners: &[&Runner]) {
        let pids: BTreeMap<String, u32> = runners
            .iter()
            .map(|runner| (runner.mark.to_string(), runner.child.id()))
            .collect();
        let writes: Vec<(Option<String>, Option<String>, String)> =
            query_as("SELECT writer, owner, integration FROM audit")
                .fetch_all(&mut self.look)
                .await
                .unwrap();
        assert!(!writes.is_empty(), "the audit sees");
        for (writer, owner, id) in writes {
            let pid = writer.as_ref().and_then(|mark| pids.get(mark));
            let suffix = format!(":{}", pid.expect("one of ours"));
            let owner = owner.unwrap_or_default();
            assert!(
                owner.ends_with(&suffix),
                "{id}: {writer:?} wrote, {owner:?} owns"
            );
        }
    }

    /// Whoever takes over finds everything due; those at work are not told.
    pub async fn make_due(&mut self) {
        query("UPDATE carrier_integrations SET last_sync_at = NULL")
            .execute(&mut self.look)
            .await
            .unwrap();
    }

    /// Waits until every integration has been synced.
    pub async fn until_all_synced(&mut self) {
        let all: Vec<_> = (1001..=1000 + self.accounts).map(id).collect();
        self.until_none(&all, "last_success_at IS NULL").await;
    }

    /// Waits until what was made due has been synced.
    pub async fn until_synced_again(&mut self, ids: &[String]) {
        self.until_none(ids, "last_sync_at IS NULL").await;
    }

    /// Waits until there is no such integration among these.
    pub async fn until_none(&mut self, ids: &[String], such: &str) {
        let sql =
            format!("SELECT count(*) FROM carrier_integrations WHERE id = ANY ($1) AND {such}");
        let started = Instant::now();
        loop {
            let left: i64 = query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(ids)
                .fetch_one(&mut self.look)
                .await
                .unwrap();
            if left == 0 {
                return;
            }
            let waited = started.elapsed();
            assert!(waited < Duration::from_secs(60), "{such}: {left} left");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub fn start(command: &[&str], mark: u64, database_url: &str) -> Child {
    start_with(command, mark, database_url, &[])
}

/// The same, with more settings.
pub fn start_with(command: &[&str], mark: u64, database_url: &str, more: &[(&str, &str)]) -> Child {
    let mark = mark.to_string();
    let (lease, beat) = (
        format!("{}ms", LEASE.as_millis()),
        format!("{}ms", BEAT.as_millis()),
    );
    let settings = [
        ("LEASES__DURATION", lease.as_str()),
        ("LEASES__HEARTBEAT", &beat),
        ("SUPERVISOR__DISCOVER_INTERVAL", "1s"),
        ("DATABASE__MAX_CONNECTIONS", "4"),
        ("DATABASE__LOCK_TIMEOUT", "1s"),
        ("WRITER__MAX_BATCH_ROWS", "20"),
        ("CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", &mark),
        ("CARRIERS__HOLOGRAM__USAGE_PAGE_SIZE", &mark),
    ];
    let settings: Vec<_> = settings.iter().chain(more).copied().collect();
    Child::start(command, database_url, &settings)
}

fn id(org: u64) -> String {
    format!("i-{org}")
}

/// An integration for an account, its whole fleet linked: by SQL, since there are hundreds.
async fn link(look: &mut PgConnection, simulator: &Simulator, org: u64) {
    query(
        "INSERT INTO carrier_integrations (id, tenant_id, carrier_name, api_key, api_base_url, \
                                           account_id, sync_interval_minutes) \
         VALUES ($1, 'acme', 'hologram', $2, $3, $4, 60)",
    )
    .bind(id(org))
    .bind(format!("simulated-key-{org}"))
    .bind(simulator.base_url())
    .bind(org.to_string())
    .execute(&mut *look)
    .await
    .unwrap();
    let truth = simulator.truth(org).into_iter();
    let devices: Vec<String> = truth.map(|truth| truth.carrier_device_id).collect();
    query(
        "INSERT INTO device_connections \
            (tenant_id, device_id, carrier_integration_id, carrier_device_id) \
         SELECT 'acme', $1 || '-' || d, $1, d FROM UNNEST($2::text[]) AS d",
    )
    .bind(id(org))
    .bind(devices)
    .execute(look)
    .await
    .unwrap();
}
