//! A process that the database cannot hear any more, though the carrier still can.

use std::time::Duration;

use super::line::DeadLine;
use super::{LEASE, SLACK, Stage};
use crate::fleet::in_system;
use crate::process_faults::child::until;

const DEVICES: u64 = 40;
const LATENCY: Duration = Duration::from_millis(150);

#[test]
fn who_is_cut_off_stops_calling_when_its_lease_ends_and_takes_part_again_later() {
    in_system(async {
        let mut stage = Stage::set(12, DEVICES, LATENCY).await;
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
        let calls = stage.calls();
        let last = calls
            .values()
            .flatten()
            .filter(|(_, mark)| *mark == 4)
            .map(|(at, _)| *at);
        let last = last.max().expect("it has called");
        let latest = cut_at + (LEASE + SLACK).as_micros() as u64;
        assert!(last <= latest, "it called {} µs too late", last - latest);

        line.lives();
        stage.until_fair(&[&first, &second]).await;
        stage.until_all_synced().await;
        stage.assert_owners_only().await;
        stage.assert_written_by_owners(&[&first, &second]).await;
    });
}
