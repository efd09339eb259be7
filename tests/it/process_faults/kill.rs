//! `kill -9`: whatever the moment, every row is wholly as it was or wholly as the carrier said, nobody
//! else's row is touched, and the next sync repairs everything.

use std::collections::HashMap;
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig, Truth};
use carrier_sync::store::{DeviceRow, IntegrationChange};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use sqlx::postgres::PgConnection;
use sqlx::query_scalar;

use super::child::{Child, truth_by_name, until};
use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

const DEVICES: u64 = 5_000;
const KILLS: usize = 50;
const SETTINGS: &[(&str, &str)] = &[
    ("CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", "250"),
    ("WRITER__MAX_BATCH_ROWS", "250"),
];
/// So that rows are written afresh and each kill can be told from the one before. What was killed is out of
/// the way at once: what its lease does is not the matter here.
const FORGET: &str = "\
    UPDATE device_connections SET data_used_bytes = NULL, data_used_mb = NULL, \
        data_used_updated_at = NULL, billing_cycle_start = NULL, billing_cycle_end = NULL, \
        billing_cycle_source = NULL, sim_status = NULL, network_status = NULL, sim_iccid = NULL \
    WHERE tenant_id = 'acme'; \
    DELETE FROM carrier_sync_processes";

struct Stage {
    database: TestDatabase,
    look: PgConnection,
    owner: App,
    simulator: Simulator,
    truth: HashMap<String, Truth>,
    ours: IntegrationId,
    /// Every row of the other tenant and which transaction wrote it.
    others: String,
}

impl Stage {
    /// Two tenants with the same devices at the same carrier; only the first is synced.
    async fn set() -> Self {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, DEVICES)],
            latency: Latency {
                fixed: Duration::from_millis(6),
                jitter: Duration::from_millis(8),
            },
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        let account = |tenant| Account {
            tenant,
            org: 1001,
            in_bulk: true,
        };
        let ours = fleet::link_fleet(&owner, &simulator, account("acme")).await;
        let theirs = fleet::link_fleet(&owner, &simulator, account("globex")).await;
        let paused = IntegrationChange {
            sync_enabled: Some(false),
            ..IntegrationChange::default()
        };
        owner.store.set_integration(&theirs, &paused).await.unwrap();
        database
            .execute("UPDATE device_connections SET data_used_bytes = 7 WHERE tenant_id = 'globex'")
            .await;
        let truth = truth_by_name(&simulator, 1001);
        let mut look = database.superuser().await;
        let others = others(&mut look).await;
        Self {
            database,
            look,
            owner,
            simulator,
            truth,
            ours,
            others,
        }
    }

    fn once(&self) -> Child {
        Child::start(&["once", "--json"], &self.database.service_url(), SETTINGS)
    }

    /// Nothing is known of our devices; answers how many calls one undisturbed sync makes to know
    /// it all.
    async fn undisturbed(&mut self) -> u64 {
        self.forget().await;
        self.simulator.reset_calls();
        let mut child = self.once();
        let (status, _) = child.ends();
        assert!(status.success(), "{}", child.log());
        assert_eq!(self.written().await, DEVICES as usize);
        self.simulator.calls().total
    }

    /// Kills a sync after so many calls and a moment.
    async fn killed(&mut self, calls: u64, moment: Duration) {
        self.forget().await;
        self.simulator.reset_calls();
        let mut child = self.once();
        until("so many calls are made", || {
            (self.simulator.calls().total >= calls).then_some(())
        });
        // The random moment itself, not a wait for anything.
        tokio::time::sleep(moment).await;
        child.kill();
        self.server_notices().await;
    }

    async fn forget(&self) {
        self.database.execute(FORGET).await;
    }

    /// Waits until the server has noticed that its client is dead: what it was told is done or undone.
    async fn server_notices(&mut self) {
        let role = self.database.service_role();
        loop {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
            let left: i64 = query_scalar(sql)
                .bind(&role)
                .fetch_one(&mut self.look)
                .await
                .unwrap();
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Counts our rows that are written; fails on one that is neither as before nor true, and on a
    /// foreign one that was touched.
    async fn written(&mut self) -> usize {
        let rows = fleet::devices(&self.owner, &self.ours).await;
        assert_eq!(rows.len(), DEVICES as usize);
        let written: Vec<_> = rows.iter().filter(|row| !is_unwritten(row)).collect();
        for row in &written {
            let name = row.carrier_device_id.as_deref().unwrap();
            fleet::assert_row_true(row, &self.truth[name]);
        }
        assert_eq!(others(&mut self.look).await, self.others, "foreign rows");
        written.len()
    }
}

/// Every field, not just one: a row is never half written.
fn is_unwritten(row: &DeviceRow) -> bool {
    row.data_used_bytes.is_none()
        && row.data_used_mb.is_none()
        && row.data_used_updated_at.is_none()
        && row.billing_cycle_start.is_none()
        && row.billing_cycle_end.is_none()
        && row.billing_cycle_source.is_none()
        && row.sim_status.is_none()
        && row.network_status.is_none()
        && row.sim_iccid.is_none()
}

async fn others(look: &mut PgConnection) -> String {
    let sql = "SELECT md5(string_agg(d::text || d.xmin::text, ',' ORDER BY device_id)) \
               FROM device_connections AS d WHERE tenant_id = 'globex'";
    query_scalar(sql).fetch_one(look).await.unwrap()
}

#[test]
fn fifty_kills_leave_no_false_row_and_the_next_sync_repairs_all() {
    in_system(async {
        let mut stage = Stage::set().await;
        let whole = stage.undisturbed().await;
        let mut dice = SmallRng::seed_from_u64(9);
        let mut midway = 0;
        for _ in 0..KILLS {
            // In calls rather than in time: as random on a slow machine as on a fast one.
            let calls = dice.random_range(0..=whole);
            let moment = Duration::from_millis(dice.random_range(0..40));
            stage.killed(calls, moment).await;
            let written = stage.written().await;
            midway += usize::from(written > 0 && written < DEVICES as usize);
        }
        eprintln!("kill: {midway} of {KILLS} met a sync half way");
        assert!(
            midway >= KILLS / 4,
            "only {midway} kills met a sync half way"
        );
        stage.undisturbed().await;
        let rows = fleet::devices(&stage.owner, &stage.ours).await;
        fleet::assert_true(&rows, &stage.simulator.truth(1001));
        stage.owner.store.close().await;
    });
}

#[test]
fn kills_cost_a_step_of_the_budget_each_and_never_let_it_be_exceeded() {
    const BUDGET: u64 = 60;
    const STEP: u64 = BUDGET / 20;
    const AT_ONCE: u64 = 2;
    in_system(async {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 100)],
            latency: Latency {
                fixed: Duration::from_millis(5),
                jitter: Duration::ZERO,
            },
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        let account = Account {
            tenant: "acme",
            org: 1001,
            // So that each device costs a call.
            in_bulk: false,
        };
        fleet::link_fleet(&owner, &simulator, account).await;
        let settings = [
            // A month's: the test may run over midnight.
            ("CARRIERS__HOLOGRAM__CALLS_PER_MONTH", "60"),
            ("CARRIERS__HOLOGRAM__MAX_CONCURRENCY", "2"),
        ];
        let once = || Child::start(&["once", "--json"], &database.service_url(), &settings);
        let kills = [7, 20, 33];
        for calls in kills {
            let mut child = once();
            until("so many calls are made", || {
                (simulator.calls().total >= calls).then_some(())
            });
            child.kill();
            database.execute("DELETE FROM carrier_sync_processes").await;
        }
        once().ends();
        let counted: i64 = query_scalar("SELECT sum(calls)::bigint FROM carrier_calls")
            .fetch_one(&mut database.superuser().await)
            .await
            .unwrap();
        assert_eq!(counted, 60, "the last sync has taken what was left");
        let calls = simulator.calls().total;
        assert!(calls <= BUDGET, "{calls} calls");
        let lost = kills.len() as u64 * (STEP + AT_ONCE);
        assert!(calls >= BUDGET - lost, "{calls} calls");
        owner.store.close().await;
    });
}
