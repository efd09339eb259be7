//! A process that is frozen for longer than its leases last, in the middle of its syncs.

use std::time::Duration;

use super::{Runner, Stage};
use crate::fleet::in_system;
use crate::process_faults::child::until;

/// Syncs take seconds: that many pages of the size that marks a process.
const DEVICES: u64 = 40;
const LATENCY: Duration = Duration::from_millis(150);

async fn until_everyone_calls(stage: &Stage, since: u64, of: &Runner, ids: &[String]) {
    until("the process calls for each of its accounts", || {
        let calls = stage.calls();
        let called = |id: &String| {
            let calls = calls.get(id).map(Vec::as_slice).unwrap_or_default();
            calls
                .iter()
                .any(|(at, mark)| *at >= since && *mark == of.mark)
        };
        ids.iter().all(called).then_some(())
    });
}

#[test]
fn who_was_frozen_beyond_its_lease_makes_no_call_and_no_write_for_what_it_has_lost() {
    in_system(async {
        let mut stage = Stage::set(12, DEVICES, LATENCY).await;
        let (first, second) = (stage.run(3), stage.run(4));
        let held = stage.until_fair(&[&first, &second]).await;
        let theirs = held[&second.child.id()].clone();
        until_everyone_calls(&stage, 0, &second, &theirs).await;

        second.child.signal("STOP");
        let frozen_at = stage.now();
        stage.until_fair(&[&first]).await;
        until_everyone_calls(&stage, frozen_at, &first, &theirs).await;
        second.child.signal("CONT");
        let held = stage.until_fair(&[&first, &second]).await;
        let again = held[&second.child.id()].clone();
        until_everyone_calls(&stage, frozen_at, &second, &again).await;
        let log = second.child.log();
        assert!(log.contains("leases"), "it has noticed: {log}");
        stage.until_all_synced().await;
        stage.assert_owners_only().await;
        stage.assert_written_by_owners(&[&first, &second]).await;
    });
}
