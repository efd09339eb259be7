//! `once` beside the service: it takes what is free and leaves the rest to its owner.

use std::time::Duration;

use super::{Stage, start};
use crate::fleet::in_system;

#[test]
fn once_beside_a_service_says_who_has_what_and_takes_nothing_away() {
    in_system(async {
        let mut stage = Stage::set(4, 2, Duration::ZERO).await;
        let service = stage.run(1001);
        let held = stage.until_fair(&[&service]).await;
        stage.until_all_synced().await;
        let mut once = start(&["once", "--json"], 1002, &stage.database.service_url());
        let (status, _) = once.ends();
        assert_eq!(status.code(), Some(1), "{}", once.log());
        assert!(
            stage
                .calls()
                .values()
                .flatten()
                .all(|(_, mark)| *mark == 1001)
        );
        assert_eq!(stage.held().await, held, "nothing has moved");
    });
}

#[test]
fn once_without_a_service_syncs_everything_and_leaves_nothing_behind() {
    in_system(async {
        let mut stage = Stage::set(4, 2, Duration::ZERO).await;
        for _ in 0..2 {
            let mut once = start(&["once", "--json"], 1002, &stage.database.service_url());
            let (status, _) = once.ends();
            assert_eq!(status.code(), Some(0), "{}", once.log());
        }
        stage.until_all_synced().await;
        assert!(stage.held().await.is_empty());
    });
}
