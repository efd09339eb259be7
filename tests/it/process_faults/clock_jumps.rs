//! The wall clock jumps an hour: syncs go on at their interval, without a gap and without a burst,
//! and a pause that a carrier asked for is as long as it asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use carrier_sync::clock::Clock;
use carrier_sync::device::IntegrationId;
use carrier_sync::simulator::{
    Endpoint, Fault, FaultKind, Latency, SimulatedAccount, Simulator, SimulatorConfig,
};
use carrier_sync::status::ActorState;
use chrono::{DateTime, TimeDelta, Utc};

use super::rig::{Rig, Timer};
use crate::database_faults::desk::until;
use crate::fleet::{self, Account, in_system};

const HOUR: i64 = 3_600;
const INTERVAL: Duration = Duration::from_millis(250);
const ORG: u64 = 1001;

/// The machine's clock, as far off as a test says.
#[derive(Debug, Default)]
struct JumpingClock {
    off_by_seconds: AtomicI64,
}

impl JumpingClock {
    fn jump(&self, seconds: i64) {
        self.off_by_seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.off_by_seconds.load(Ordering::Relaxed))
    }
}

struct Stage {
    simulator: Simulator,
    clock: Arc<JumpingClock>,
    rig: Rig,
    id: IntegrationId,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 20)],
            latency: Latency {
                fixed: Duration::from_millis(25),
                jitter: Duration::ZERO,
            },
            ..SimulatorConfig::default()
        });
        // One call after the other, so that none is on its way when a pause begins.
        let settings = [("carriers.hologram.max_concurrency", "1")];
        let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
        app.prepare().await.unwrap();
        let account = Account {
            tenant: "acme",
            org: ORG,
            in_bulk: true,
        };
        let id = fleet::link_fleet(&app, &simulator, account).await;
        let clock = Arc::new(JumpingClock::default());
        let mut rig = Rig::of(app, Arc::clone(&clock) as Arc<dyn Clock>);
        let timer = Timer {
            first_delay: Duration::ZERO,
            interval: INTERVAL,
        };
        rig.start(&id, timer, None).await;
        Self {
            simulator,
            clock,
            rig,
            id,
            _folder: folder,
        }
    }

    /// When each sync's first call arrived.
    fn begun(&self) -> Vec<Duration> {
        let arrivals = self.simulator.calls().arrivals;
        let first = arrivals.iter().filter(|a| a.endpoint == Endpoint::Billing);
        first.map(|a| Duration::from_micros(a.at_micros)).collect()
    }

    async fn syncs(&self, more: usize) {
        let before = self.begun().len();
        until("it goes on syncing", async || {
            (self.begun().len() >= before + more).then_some(())
        })
        .await;
    }

    async fn is(&self, state: ActorState) {
        until(state.as_str(), async || {
            (self.rig.status(&self.id).state == state).then_some(())
        })
        .await;
    }
}

#[test]
fn the_schedule_neither_stalls_nor_bursts_when_the_clock_jumps_an_hour() {
    in_system(async {
        let stage = Stage::set().await;
        for seconds in [HOUR, -HOUR, -HOUR, HOUR] {
            for moment in [ActorState::Syncing, ActorState::Idle] {
                stage.is(moment).await;
                stage.clock.jump(seconds);
                stage.syncs(3).await;
            }
        }
        let begun = stage.begun();
        let gaps: Vec<_> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let longest = gaps.iter().max().unwrap();
        assert!(*longest < INTERVAL + Duration::from_secs(5), "{longest:?}");
        // A sync that saw the clock jump forwards is followed by one at once; nothing else is early.
        let early = gaps.iter().filter(|gap| **gap < INTERVAL * 4 / 5).count();
        assert!(early <= 2 * 2, "{early} of {} were early", gaps.len());
        stage.rig.close().await;
    });
}

#[test]
fn a_pause_lasts_as_long_as_the_carrier_asked_when_the_clock_jumps_an_hour() {
    in_system(async {
        let stage = Stage::set().await;
        for seconds in [HOUR, -HOUR, -HOUR] {
            stage.is(ActorState::Idle).await;
            let throttled = Fault::new(FaultKind::Status {
                status: 429,
                retry_after: Some("1".into()),
                body: None,
            });
            stage
                .simulator
                .inject(throttled.at(Endpoint::Billing).times(1));
            let answered = |status| stage.simulator.calls().answered(status);
            let (before, answers) = (answered(429), answered(200));
            until("it is throttled", async || {
                (answered(429) > before).then_some(())
            })
            .await;
            stage.clock.jump(seconds);
            until("it goes on", async || {
                (answered(200) > answers + 2).then_some(())
            })
            .await;
            let arrivals = stage.simulator.calls().arrivals;
            let last = arrivals
                .iter()
                .rposition(|a| a.status == Some(429))
                .unwrap();
            let pause = arrivals[last + 1].at_micros - arrivals[last].at_micros;
            assert!((1_000_000..6_000_000).contains(&pause), "{pause} µs");
        }
        stage.rig.close().await;
    });
}
