//! Devices that are not where they should be: each fails, or is found, by itself.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, SimulatedAccount, SimulatorConfig};

use super::{ACME, ALONE, Scene, Service, assert_usage_true};
use crate::fleet::{self, in_system};

#[test]
fn a_device_deleted_at_the_carrier_fails_alone_with_its_reason() {
    in_system(async {
        for account in [ACME, ALONE] {
            let scene = Scene::of(5, account, &[]).await;
            let id = scene.service.integration().await.id;
            let gone = [fleet::link("deleted", "424242")];
            scene
                .service
                .app
                .store
                .link_devices(&id, &gone)
                .await
                .unwrap();
            let report = scene.sync().await;
            assert_eq!(
                (report.outcome, report.synced, report.failed()),
                (Outcome::Partial, 5, 1)
            );
            assert_eq!(report.failures[0].device_id.as_str(), "deleted");
            assert_eq!(report.failures[0].reason, "not found at the carrier");
            assert_eq!(
                report.error.as_deref(),
                Some("1 of 6 devices not synced, first deleted: not found at the carrier")
            );
            assert_eq!(scene.true_rows().await, 5);
        }
    });
}

#[test]
fn a_device_of_another_organisation_of_the_same_key_is_refused_and_keeps_its_values() {
    in_system(async {
        // One key, two organisations: the second's devices are in no listing of the first.
        let mut accounts = vec![
            SimulatedAccount::numbered(1, 5),
            SimulatedAccount::numbered(2, 2),
        ];
        accounts[1].api_key = accounts[0].api_key.clone();
        let simulator = fleet::simulator(SimulatorConfig {
            accounts,
            ..SimulatorConfig::default()
        });
        let service = Service::new(&[]).await;
        let id = fleet::link_fleet(&service.app, &simulator, ACME).await;
        let moved = simulator.truth(1002);
        let links: Vec<_> = moved
            .iter()
            .map(|truth| fleet::link(&truth.carrier_device_id, &truth.carrier_device_id))
            .collect();
        service.app.store.link_devices(&id, &links).await.unwrap();
        let report = service.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 5));
        let error = report.error.unwrap();
        assert!(error.contains("belongs to another organisation"), "{error}");
        assert_eq!(simulator.calls().of(Endpoint::Device), 2);
        let read = service.rows().await;
        let read: Vec<_> = read
            .iter()
            .filter(|row| row.data_used_bytes.is_some())
            .collect();
        assert_eq!(read.len(), 5, "no figure of the other organisation");
        let truth = simulator.truth(1001);
        read.iter().for_each(|row| assert_usage_true(row, &truth));
    });
}

#[test]
fn empty_and_foreign_names_fail_alone_and_cost_the_others_nothing() {
    in_system(async {
        for (name, reason) in [
            ("", "carrier_device_id is empty"),
            ("   ", "carrier_device_id is empty"),
            ("a\u{7}b", "carrier_device_id contains a control character"),
            ("not-a-number", "not found at the carrier"),
            (
                "8944500000000000000",
                "carrier_device_id looks like an ICCID; Hologram wants the device id, a number that the \
                 dashboard shows beside the device",
            ),
            (
                "..",
                "rejected by the carrier: the id cannot be part of an address",
            ),
        ] {
            let scene = Scene::of(3, ACME, &[]).await;
            let id = scene.service.integration().await.id;
            let odd = [fleet::link("odd", "1")];
            scene
                .service
                .app
                .store
                .link_devices(&id, &odd)
                .await
                .unwrap();
            let sql = format!(
                "UPDATE device_connections SET carrier_device_id = '{name}' WHERE device_id = 'odd'"
            );
            scene.service.execute(&sql).await;
            let report = scene.sync().await;
            assert_eq!(
                (report.outcome, report.synced),
                (Outcome::Partial, 3),
                "{name:?}"
            );
            assert_eq!(report.failures[0].reason, reason, "{name:?}");
        }
    });
}

#[test]
fn rows_that_share_a_name_both_get_its_figures_in_one_call() {
    in_system(async {
        for (account, calls) in [(ACME, 2), (ALONE, 3)] {
            let scene = Scene::of(3, account, &[]).await;
            let id = scene.service.integration().await.id;
            let twin = [fleet::link("twin", "1")];
            scene
                .service
                .app
                .store
                .link_devices(&id, &twin)
                .await
                .unwrap();
            let truth = scene.truth();
            let sql = format!(
                "UPDATE device_connections SET carrier_device_id = '{}' WHERE device_id = 'twin'",
                truth[0].carrier_device_id
            );
            scene.service.execute(&sql).await;
            let report = scene.sync().await;
            assert_eq!(
                (report.outcome, report.synced),
                (Outcome::Success, 4),
                "{:?}",
                report.error
            );
            assert_eq!((scene.true_rows().await, scene.calls()), (4, calls));
        }
    });
}

#[test]
fn an_integration_without_devices_makes_no_call() {
    in_system(async {
        let scene = Scene::of(0, ACME, &[]).await;
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.devices), (Outcome::Success, 0));
        assert_eq!(scene.calls(), 0);
    });
}
