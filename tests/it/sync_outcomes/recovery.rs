//! What is stored about syncs: the last attempt and the last success apart, and values that outlive a
//! carrier's bad days.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::Fault;

use super::{ACME, Scene};
use crate::fleet::in_system;

#[test]
fn a_failed_sync_keeps_the_values_and_the_last_success_and_the_next_one_repairs() {
    in_system(async {
        let scene = Scene::of(10, ACME, &[]).await;
        assert_eq!(scene.sync().await.outcome, Outcome::Success);
        let (good, rows) = (
            scene.service.integration().await,
            scene.service.rows().await,
        );
        assert_eq!(good.last_sync_status, "success");
        assert_eq!(good.last_success_at, good.last_sync_at);
        assert_eq!(good.last_sync_error, None);

        scene.inject(Fault::status(500));
        let report = scene.sync().await;
        let bad = scene.service.integration().await;
        assert_eq!(
            bad.last_sync_status, "error",
            "all failed is no partial success"
        );
        assert_eq!(bad.last_sync_error, report.error);
        assert!(
            report
                .error
                .unwrap()
                .contains("10 of 10 devices not synced")
        );
        assert_eq!(bad.last_success_at, good.last_success_at);
        assert!(bad.last_sync_at > good.last_sync_at);
        assert_eq!(scene.service.rows().await, rows, "not one value is touched");

        scene.simulator.clear_faults();
        assert_eq!(scene.sync().await.outcome, Outcome::Success);
        let again = scene.service.integration().await;
        assert_eq!(
            (again.last_sync_status.as_str(), again.last_sync_error),
            ("success", None)
        );
        assert!(again.last_success_at > good.last_success_at);
    });
}
