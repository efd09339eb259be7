//! Fair shares: as processes join, leave and are killed.

use std::time::{Duration, Instant};

use sqlx::query_scalar;

use super::{BEAT, LEASE, SLACK, Stage};
use crate::fleet::in_system;
use crate::process_faults::child::until;

#[test]
fn three_share_three_hundred_and_a_killed_one_is_replaced_in_time() {
    in_system(async {
        let mut stage = Stage::set(300, 2, Duration::ZERO).await;
        let (first, mut second, third) = (stage.run(1001), stage.run(1002), stage.run(1003));
        let held = stage.until_fair(&[&first, &second, &third]).await;
        stage.until_all_synced().await;
        // One that was cut short to be given away is synced by its new owner; one that was whole is not.
        let told = || -> Vec<String> {
            let events = [&first, &second, &third].map(|runner| runner.child.events("sync"));
            let whole = events.iter().flatten();
            let whole = whole.filter(|event| event["outcome"] == "success");
            whole
                .map(|event| event["integration.id"].to_string())
                .collect()
        };
        // The outcome is recorded before it is told.
        let patience = Instant::now();
        while told().len() < 300 && patience.elapsed() < SLACK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut whole = told();
        whole.sort();
        let syncs = whole.len();
        whole.dedup();
        assert_eq!((syncs, whole.len()), (300, 300), "each was synced once");
        stage.assert_owners_only().await;

        let orphans = &held[&second.child.id()];
        stage.make_due().await;
        let killed_at = stage.now();
        second.child.kill();
        let held = stage.until_fair(&[&first, &third]).await;
        stage.until_synced_again(orphans).await;
        let latest = killed_at + (LEASE + 2 * BEAT + SLACK).as_micros() as u64;
        let calls = stage.calls();
        for id in orphans {
            let calls = &calls[id];
            let taken_over = calls
                .iter()
                .find(|(at, mark)| *at > killed_at && *mark != 1002);
            let (at, _) = taken_over.expect("somebody has called for it");
            assert!(*at <= latest, "{id} came {} µs late", at - latest);
        }
        for id in held.values().flatten().filter(|id| !orphans.contains(id)) {
            let again = calls[id].iter().any(|(at, _)| *at > killed_at);
            assert!(!again, "{id} stayed where it was, and was not due there");
        }
        stage.assert_owners_only().await;
        stage
            .assert_written_by_owners(&[&first, &second, &third])
            .await;
    });
}

#[test]
fn who_joins_has_its_share_after_two_beats_and_who_leaves_hands_over_at_once() {
    in_system(async {
        let mut stage = Stage::set(5, 2, Duration::ZERO).await;
        let first = stage.run(1001);
        stage.until_fair(&[&first]).await;
        stage.until_all_synced().await;
        let mut second = stage.run(1002);
        let joined = Instant::now();
        let held = stage.until_fair(&[&first, &second]).await;
        assert!(
            joined.elapsed() < 2 * BEAT + SLACK,
            "{:?}",
            joined.elapsed()
        );
        assert_eq!(
            held[&first.child.id()].len(),
            3,
            "who has most keeps the odd one"
        );

        stage.make_due().await;
        second.child.signal("TERM");
        let (status, _) = second.child.ends();
        assert!(status.success(), "{}", second.child.log());
        let left = Instant::now();
        stage.until_fair(&[&first]).await;
        assert!(left.elapsed() < BEAT + SLACK, "{:?}", left.elapsed());
        let handed_over = &held[&second.child.id()];
        stage.until_synced_again(handed_over).await;
        stage.assert_owners_only().await;
        stage.assert_written_by_owners(&[&first, &second]).await;
    });
}

#[test]
fn a_newcomer_calls_nobody_before_the_others_have_made_room_for_it() {
    in_system(async {
        let mut stage = Stage::set(4, 2, Duration::ZERO).await;
        let later = "UPDATE carrier_integrations SET enabled = NOT enabled WHERE id > 'i-1002'";
        stage.database.execute(later).await;
        let first = stage.run(1001);
        let two = ["i-1001".to_owned(), "i-1002".to_owned()];
        stage.until_none(&two, "last_success_at IS NULL").await;
        // There, and not able to look who else is.
        first.child.signal("STOP");
        stage.database.execute(later).await;
        let _second = stage.run(1002);
        until("the newcomer calls", || {
            let by_newcomer = |(_, mark): &(u64, u64)| *mark == 1002;
            stage
                .calls()
                .values()
                .flatten()
                .any(by_newcomer)
                .then_some(())
        });
        let live: i64 = query_scalar("SELECT count(*) FROM carrier_sync_processes")
            .fetch_one(&mut stage.look)
            .await
            .unwrap();
        assert_eq!(
            live, 1,
            "the frozen one has not made room, so its leases had to end first"
        );
    });
}

#[test]
fn a_claim_whose_answer_was_lost_is_made_again() {
    in_system(async {
        let mut stage = Stage::set(3, 2, Duration::ZERO).await;
        let first = stage.run(1001);
        stage.until_fair(&[&first]).await;
        stage.until_all_synced().await;
        stage.make_due().await;
        // As it stands after the commit of a claim that the process never heard of.
        let lost =
            "UPDATE carrier_integrations SET lease_epoch = lease_epoch + 1 WHERE id = 'i-1003'";
        stage.database.execute(lost).await;
        stage.until_synced_again(&["i-1003".to_owned()]).await;
        stage.assert_owners_only().await;
    });
}

/// The platform removes them in its own way; only the beat sees it here, and it must not take them for another's.
#[test]
fn integrations_that_were_removed_are_told_as_gone_and_not_as_lost() {
    in_system(async {
        let mut stage = Stage::set(5, 2, Duration::ZERO).await;
        let untold = "DROP TRIGGER carrier_sync_notice ON carrier_integrations";
        stage.database.execute(untold).await;
        let first = stage.run_with(1001, &[("SUPERVISOR__DISCOVER_INTERVAL", "1h")]);
        stage.until_fair(&[&first]).await;
        stage.until_all_synced().await;
        let removed = "DELETE FROM carrier_integrations WHERE id <> 'i-1001'";
        stage.database.execute(removed).await;
        let says = |part: &str| until(part, || first.child.log().contains(part).then_some(()));
        says("integrations were removed");
        assert!(!first.child.log().contains("leases were lost"));
        // One that is another's is lost all the same.
        let taken = "INSERT INTO carrier_sync_processes (process_id, address, shares, renewed_at, expires_at) \
                     VALUES ('other', 'there:1', false, clock_timestamp(), clock_timestamp() + interval '1 h'); \
                     UPDATE carrier_integrations SET lease_owner = 'other', lease_epoch = lease_epoch + 1";
        stage.database.execute(taken).await;
        says("leases were lost");
    });
}
