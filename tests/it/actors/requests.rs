//! What is asked of the supervisor out of turn: a look at once, of which many cost few, and a sync of one
//! integration in whatever state of life it is. Time is paused, and no timer would do it for an hour.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use carrier_sync::actors::messages::{LookNow, SyncAnswer, SyncIntegration};
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::supervisor::SupervisorParts;
use carrier_sync::actors::{LeaseKeeper, Supervisor};
use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::{IntegrationRow, Outcome};
use carrier_sync::status::{ActorName, ActorState, ActorStatus};
use carrier_sync::supervision::RestartPolicy;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::killer_clock::{self, KillerClock};
use super::memory_store::{MemoryStore, row};
use super::restarts::with_paused_time;
use super::timing::writer_policy;
use super::until;
use crate::fleet;

const HOUR: Duration = Duration::from_secs(3600);

/// A supervisor that would look again in an hour, and its address.
pub struct Scene {
    app: App,
    pub store: Arc<MemoryStore>,
    clock: Arc<KillerClock>,
    pub supervisor: Addr<Supervisor>,
}

impl Scene {
    /// Begun, and through with its first look.
    async fn on(store: MemoryStore) -> Self {
        Self::with_start(store, Duration::ZERO, None).await
    }

    /// The same, with a start that is spread, and as one process of several.
    pub async fn with_start(
        store: MemoryStore,
        start_spread: Duration,
        keeper: Option<Arc<LeaseKeeper>>,
    ) -> Self {
        let (store, clock) = (Arc::new(store), Arc::new(KillerClock::default()));
        let mut app = fleet::app("sqlite:///nonexistent/unused.db", &[]);
        app.clock = clock.clone();
        let (escalate, _) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(SupervisorParts {
            store: store.clone(),
            builder: Arc::clone(&app.builder),
            board: Arc::clone(&app.board),
            clock: clock.clone(),
            writer: writer_policy(100, 1),
            queue_rows: 1_000,
            slots: fleet::slots(),
            discover_interval: HOUR,
            start_spread,
            parked_retry: HOUR,
            migrate: false,
            allow_privileged_role: true,
            keeper,
            escalate,
        });
        let (supervisor, _) = spawn_watched(supervisor, 64, |_| {});
        let scene = Self {
            app,
            store,
            clock,
            supervisor,
        };
        scene.has_looked(1).await;
        scene
    }

    async fn with(rows: impl IntoIterator<Item = IntegrationRow>) -> Self {
        Self::on(MemoryStore::of(rows)).await
    }

    fn looks(&self) -> Vec<Instant> {
        self.store.looks.lock().unwrap().clone()
    }

    /// Waits until so many looks have had their answer.
    pub async fn has_looked(&self, times: u64) {
        until("it has looked", async || {
            let status = self.app.board.get(&ActorName::Supervisor)?;
            (status.runs >= times).then_some(())
        })
        .await;
    }

    pub fn add(&self, row: IntegrationRow) {
        self.store.rows.lock().unwrap().push(row);
    }

    async fn sync(&self, id: &str) -> SyncAnswer {
        let id = IntegrationId::parse(id).unwrap();
        self.supervisor.send(SyncIntegration(id)).await.unwrap()
    }

    async fn sees(&self, id: &str, what: &str, such: impl Fn(&ActorStatus) -> bool) -> ActorStatus {
        let name = ActorName::Integration(IntegrationId::parse(id).unwrap());
        until(&format!("{id} {what}"), async || {
            self.app.board.get(&name).filter(&such)
        })
        .await
    }

    pub async fn has_synced(&self, id: &str, runs: u64) -> ActorStatus {
        let rests = |status: &ActorStatus| status.runs >= runs && status.in_flight == 0;
        self.sees(id, "has synced", rests).await
    }
}

/// Synced a moment ago: not due for an hour.
fn synced(id: &str) -> IntegrationRow {
    IntegrationRow {
        last_sync_at: Some(chrono::Utc::now()),
        last_sync_status: "success".to_owned(),
        ..row(id)
    }
}

#[test]
fn a_look_that_is_asked_for_comes_at_once() {
    with_paused_time(async {
        let scene = Scene::with([]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        scene.add(row("new"));
        let asked = Instant::now();
        scene.supervisor.do_send(LookNow);
        scene.has_synced("new", 1).await;
        let waited = scene.looks()[1] - asked;
        assert!(waited < Duration::from_millis(50), "{waited:?}");
    });
}

#[test]
fn a_burst_of_notices_costs_few_looks_and_the_last_of_them_is_not_lost() {
    with_paused_time(async {
        let scene = Scene::with([]).await;
        let began = Instant::now();
        for _ in 0..1_000 {
            scene.supervisor.send(LookNow).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (took, looks) = (began.elapsed(), scene.looks().len() as u128 - 1);
        let most = took.as_millis() / 200 + 1;
        assert!((2..=most).contains(&looks), "{looks} looks in {took:?}");
        scene.add(row("last"));
        scene.supervisor.do_send(LookNow);
        scene.has_synced("last", 1).await;
        let looks = scene.looks().len();
        tokio::time::sleep(HOUR / 2).await;
        assert_eq!(scene.looks().len(), looks, "quiet again");
    });
}

#[test]
fn a_notice_that_comes_while_a_look_is_under_way_leads_to_another() {
    with_paused_time(async {
        let store = MemoryStore {
            looking_takes: Duration::from_secs(1),
            ..MemoryStore::default()
        };
        let scene = Scene::on(store).await;
        scene.supervisor.do_send(LookNow);
        until("the second look has read", async || {
            (scene.looks().len() == 2).then_some(())
        })
        .await;
        scene.add(row("meanwhile"));
        let asked = Instant::now();
        scene.supervisor.do_send(LookNow);
        scene.has_synced("meanwhile", 1).await;
        assert_eq!(scene.looks().len(), 3);
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "not by the next beat"
        );
    });
}

#[test]
fn one_that_waits_for_its_time_syncs_at_once_and_one_that_syncs_goes_on() {
    with_paused_time(async {
        let store = MemoryStore {
            reading_takes: Duration::from_secs(1),
            ..MemoryStore::of([synced("waiting")])
        };
        let scene = Scene::on(store).await;
        assert_eq!(scene.sync("waiting").await, SyncAnswer::Begun);
        scene
            .sees("waiting", "syncs", |status| status.in_flight == 1)
            .await;
        assert_eq!(scene.sync("waiting").await, SyncAnswer::UnderWay);
        let status = scene.has_synced("waiting", 1).await;
        assert_eq!(status.last_outcome, Some(Outcome::Success));
        tokio::time::sleep(HOUR / 2).await;
        assert_eq!(scene.store.began.lock().unwrap().len(), 1, "one sync");
    });
}

#[test]
fn one_that_is_nobodys_here_is_said_to_be_so() {
    with_paused_time(async {
        let scene = Scene::with([synced("ours")]).await;
        assert_eq!(scene.sync("another").await, SyncAnswer::NotHere);
    });
}

#[test]
fn one_that_cannot_be_synced_is_looked_at_anew_and_told_why() {
    with_paused_time(async {
        let wrong = IntegrationRow {
            carrier_name: "nosuch".to_owned(),
            ..row("wrong")
        };
        let scene = Scene::with([wrong]).await;
        match scene.sync("wrong").await {
            SyncAnswer::Misconfigured(reason) => assert!(reason.contains("nosuch"), "{reason}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn one_that_backs_off_or_is_parked_after_deaths_starts_at_once() {
    with_paused_time(async {
        for (deaths, state) in [
            (1, ActorState::BackingOff),
            (RestartPolicy::DEFAULT.max_restarts + 1, ActorState::Parked),
        ] {
            // Its place among those of a start is not in the first second.
            let store = MemoryStore::default();
            let scene = Scene::with_start(store, Duration::from_secs(30), None).await;
            scene.clock.kill(killer_clock::INTEGRATION, deaths);
            scene.add(row("dying"));
            scene.supervisor.do_send(LookNow);
            scene
                .sees("dying", "is down", |status| status.state == state)
                .await;
            let asked = Instant::now();
            assert_eq!(scene.sync("dying").await, SyncAnswer::Begun);
            let status = scene.has_synced("dying", 1).await;
            assert_eq!(status.last_outcome, Some(Outcome::Success));
            // The wait of a first death is a random part of a second.
            assert!(asked.elapsed() < Duration::from_millis(100), "{state:?}");
        }
    });
}

#[test]
fn a_start_out_of_turn_does_not_shorten_the_wait_after_the_next_death() {
    with_paused_time(async {
        let scene = Scene::with([]).await;
        let parked = RestartPolicy::DEFAULT.max_restarts + 1;
        scene.clock.kill(killer_clock::INTEGRATION, parked);
        scene.add(row("dying"));
        scene.supervisor.do_send(LookNow);
        let is_parked = |status: &ActorStatus| status.state == ActorState::Parked;
        scene.sees("dying", "is parked", is_parked).await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        // One death more within the limit's window: parked again, for an hour from here.
        scene.clock.kill(killer_clock::INTEGRATION, 1);
        let asked = Instant::now();
        assert_eq!(scene.sync("dying").await, SyncAnswer::Begun);
        scene.has_synced("dying", 1).await;
        let waited = asked.elapsed();
        assert!(waited >= HOUR, "{waited:?}");
    });
}
