//! A process that the database cannot hear any more, though the carrier still can.

use std::time::Duration;

use super::line::DeadLine;
use super::{LEASE, Stage};
use crate::fleet::in_system;
use crate::process_faults::child::until;

/// By turns few enough to be at the writes when the line dies, and enough to be reading still when the
/// lease ends: the report of a fleet waits for no write.
const DEVICES: [u64; 2] = [40, 300];
const ACCOUNTS: usize = 12;
/// What may pass between the decision to call and the arrival, on a busy machine.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
const LATENCY: Duration = Duration::from_millis(150);

#[test]
fn who_is_cut_off_stops_calling_when_its_lease_ends_and_takes_part_again_later() {
    in_system(async {
        let mut stage = Stage::of(DEVICES.into_iter().cycle().take(ACCOUNTS), LATENCY).await;
        let line = DeadLine::to(&stage.database.service_url()).await;
        let (first, second) = (stage.run(3), stage.run_through(4, &line.url));
        let held = stage.until_fair(&[&first, &second]).await;
        let theirs = held[&second.child.id()].clone();
        until("it is at work", || {
            let calls = stage.calls();
            let called = |id| {
                calls
                    .get(id)
                    .is_some_and(|c| c.iter().any(|(_, mark)| *mark == 4))
            };
            theirs.iter().all(called).then_some(())
        });

        let cut_at = stage.now();
        line.dies();
        stage.until_fair(&[&first]).await;
        until("it says that its leases have run out", || {
            second.child.log().contains("have run out").then_some(())
        });
        let latest = cut_at + micros(LEASE + ON_ITS_WAY);
        until("a call that comes too late would have come", || {
            (stage.now() > latest + micros(LEASE)).then_some(())
        });
        let calls = stage.calls();
        let second_s = calls.values().flatten().filter(|(_, mark)| *mark == 4);
        let last = second_s.map(|(at, _)| *at).max().expect("it has called");
        assert!(last <= latest, "it called {} µs too late", last - latest);

        line.lives();
        stage.until_fair(&[&first, &second]).await;
        let few: Vec<String> = (1001..1000 + ACCOUNTS)
            .step_by(2)
            .map(|n| format!("i-{n}"))
            .collect();
        stage.until_none(&few, "last_success_at IS NULL").await;
        stage.assert_owners_only().await;
        stage.assert_written_by_owners(&[&first, &second]).await;
    });
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}
