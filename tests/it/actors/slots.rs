//! Syncs wait for slots: never more at once than `supervisor.max_concurrent_syncs`, everyone gets a
//! turn, a carrier that hangs leaves room, and no slot is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::{App, Ending};
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Fault, FaultKind, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::status::{ActorName, ActorState};
use tokio::time::Instant;

use super::killer_clock::{self, KillerClock};
use super::memory_store::{MemoryStore, row};
use super::spy::{Asked, Spy};
use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

/// What one host gets of 20 slots.
const SHARE_OF_20: usize = 13;

/// The most syncs that were under way at once, and who began one.
fn at_once(asked: &[Asked]) -> (usize, BTreeSet<IntegrationId>) {
    let (mut now, mut most, mut who) = (BTreeSet::new(), 0, BTreeSet::new());
    for asked in asked {
        match asked {
            Asked::Devices(id) => {
                assert!(now.insert(id.clone()), "{id} twice at once");
                who.insert(id.clone());
            }
            Asked::Record(record) => {
                now.remove(&record.integration_id);
            }
            Asked::Write(_) => {}
        }
        most = most.max(now.len());
    }
    (most, who)
}

/// Links accounts 1001 … of `simulator`, each to a tenant of its own.
async fn link_all(app: &App, simulator: &Simulator, accounts: u64) -> Vec<IntegrationId> {
    let mut ids = Vec::new();
    for org in 1001..=1000 + accounts {
        let tenant = format!("tenant-{org}");
        ids.push(fleet::link_fleet(app, simulator, account(&tenant, org)).await);
    }
    ids
}

#[test]
fn three_hundred_due_at_a_restart_take_turns_in_the_slots() {
    in_system(async {
        const ALL: u64 = 300;
        let world = World::of(&[2; ALL as usize]);
        let settings = [("supervisor.max_concurrent_syncs", "20")];
        let app = world.app(&settings).await;
        link_all(&app, &world.simulator, ALL).await;
        for round in ["start", "restart"] {
            world
                .execute("UPDATE carrier_integrations SET last_sync_at = NULL")
                .await;
            let mut app = world.app(&settings).await;
            let spy = Spy::on(Arc::clone(&app.store));
            app.store = spy.clone();
            let service = Service::start(app);
            until(round, async || {
                let all = service.app.board.snapshot();
                let synced = all
                    .iter()
                    .filter(|(_, status)| status.last_outcome == Some(Outcome::Success));
                (synced.count() as u64 == ALL).then_some(())
            })
            .await;
            let (most, who) = at_once(&spy.asked());
            assert_eq!(who.len() as u64, ALL, "{round}: each began one");
            assert!(most <= SHARE_OF_20, "{round}: {most} at once");
            assert!(most > 5, "{round}: {most} at once is no test of a bound");
            assert_eq!(service.ends().await, Ending::Clean);
        }
    });
}

#[test]
fn a_single_round_keeps_the_same_bound() {
    in_system(async {
        let world = World::of(&[2; 100]);
        let settings = [("supervisor.max_concurrent_syncs", "20")];
        let mut app = world.app(&settings).await;
        link_all(&app, &world.simulator, 100).await;
        let spy = Spy::on(Arc::clone(&app.store));
        app.store = spy.clone();
        let reports = fleet::sync(&app).await;
        assert!(
            reports
                .iter()
                .all(|report| report.outcome == Outcome::Success)
        );
        let (most, who) = at_once(&spy.asked());
        assert_eq!((reports.len(), who.len()), (100, 100));
        assert!((6..=SHARE_OF_20).contains(&most), "{most} at once");
    });
}

#[test]
fn a_carrier_that_hangs_leaves_slots_for_the_others_and_for_the_end() {
    in_system(async {
        let world = World::of(&[2; 5]);
        let hanging = fleet::simulator(SimulatorConfig {
            accounts: (1..=30).map(|n| SimulatedAccount::numbered(n, 2)).collect(),
            ..SimulatorConfig::default()
        });
        hanging.inject(Fault::new(FaultKind::Hang));
        let settings = [("supervisor.max_concurrent_syncs", "6")];
        let app = world.app(&settings).await;
        for org in 1001..=1030 {
            fleet::link_fleet(&app, &hanging, account("ill", org)).await;
        }
        let service = Service::start(app);
        until("the ill ones hold what they may", async || {
            (hanging.calls().accounts.len() == 4).then_some(())
        })
        .await;
        for org in 1001..=1005 {
            let id = fleet::link_fleet(&service.app, &world.simulator, account("well", org)).await;
            service
                .sees(&id, "succeeds", |status| {
                    status.last_outcome == Some(Outcome::Success)
                })
                .await;
        }
        let states = |state| {
            let all = service.app.board.snapshot();
            all.iter().filter(|(_, it)| it.state == state).count()
        };
        assert_eq!(states(ActorState::Syncing), 4, "the others wait, as before");
        let ended = tokio::time::timeout(Duration::from_secs(5), service.ends()).await;
        assert_eq!(
            ended.expect("who waits for a slot ends at once"),
            Ending::Clean
        );
        assert_eq!(hanging.calls().accounts.len(), 4, "nothing new began");
    });
}

#[test]
fn a_sync_that_panics_and_an_actor_that_dies_give_their_slot_back() {
    in_system(async {
        let world = World::of(&[2; 4]);
        let clock = Arc::new(KillerClock::default());
        let mut app = world.app(&[("supervisor.max_concurrent_syncs", "1")]).await;
        app.clock = clock.clone();
        let service = Service::start(app);
        for (org, victim) in (1001..).zip([killer_clock::SYNC, killer_clock::INTEGRATION]) {
            clock.kill(victim, 1);
            let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", org)).await;
            until("the clock has struck", async || {
                (clock.left() == 0).then_some(())
            })
            .await;
            let next = account("zeta", org + 2);
            let next = fleet::link_fleet(&service.app, &world.simulator, next).await;
            for id in [&id, &next] {
                service.has_synced(id, 1).await;
            }
        }
    });
}

/// 2,000 integrations on paused time: virtual seconds, so what is late is late by the policy alone.
#[test]
fn two_thousand_integrations_keep_their_beat() {
    const ALL: usize = 2_000;
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let mut app = fleet::app(
            "sqlite:///nonexistent/unused.db",
            &[
                ("supervisor.max_concurrent_syncs", "60"),
                ("supervisor.start_spread", "10s"),
            ],
        );
        let rows = (0..ALL).map(|n| row(&format!("account-{n}")));
        let store = Arc::new(MemoryStore {
            reading_takes: Duration::from_millis(100),
            ..MemoryStore::of(rows)
        });
        app.store = store.clone();
        let start = Instant::now();
        let service = Service::start(app);
        let minutes = Duration::from_secs(60);
        tokio::time::sleep_until(start + 3 * 60 * minutes - minutes).await;

        let mut begun: BTreeMap<IntegrationId, Vec<Instant>> = BTreeMap::new();
        for (id, at) in store.began.lock().unwrap().iter() {
            begun.entry(id.clone()).or_default().push(*at);
        }
        assert_eq!(begun.len(), ALL);
        // At the start together; half an hour to an hour later, and from then on every hour.
        for (id, at) in &begun {
            assert!((3..=4).contains(&at.len()), "{id}: {at:?}");
            for pair in at[1..].windows(2) {
                let hour = (pair[1] - pair[0]).abs_diff(60 * minutes);
                assert!(hour < Duration::from_secs(5), "{id}: {at:?}");
            }
        }
        let in_minute = |n: u32| {
            let minute = start + n * minutes..start + (n + 1) * minutes;
            begun
                .values()
                .flatten()
                .filter(|at| minute.contains(at))
                .count()
        };
        assert!(in_minute(0) == ALL, "everyone was due at the start");
        let busiest = (1..179).map(in_minute).max();
        assert!(
            busiest < Some(ALL / 10),
            "{busiest:?} in one minute of the steady state"
        );
        let most = store.reading.lock().unwrap().1;
        assert!(
            (20..=40).contains(&most),
            "{most} at once of 60 on one host"
        );
        let mut told = 0;
        for (name, status) in service.app.board.snapshot() {
            if matches!(name, ActorName::Integration(_)) {
                assert!(
                    status.start_late < Duration::from_secs(2),
                    "{name}: {:?}",
                    status.start_late
                );
                told += 1;
            }
        }
        assert_eq!(told, ALL);
        assert_eq!(service.ends().await, Ending::Clean);
    });
}
