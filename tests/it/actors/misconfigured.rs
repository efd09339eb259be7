//! Rows that cannot be synced as they are: parked with a reason, to everyone's eyes and nobody's harm.

use carrier_sync::integration::Outcome;
use carrier_sync::status::ActorState;

use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

/// What is stored, and what the reason says about it.
const WRONG: &[(&str, &[&str])] = &[
    ("carrier_name = 'nosuch'", &["nosuch", "hologram"]),
    (
        "api_key = NULL",
        &["api_key is missing", "integrations set"],
    ),
    ("api_key = ''", &["api_key is empty"]),
    ("api_key = '  '", &["api_key is empty"]),
    (
        "sync_interval_minutes = 0",
        &["sync_interval_minutes is 0", "1 to"],
    ),
    (
        "sync_interval_minutes = -5",
        &["sync_interval_minutes is -5", "1 to"],
    ),
    ("api_base_url = 'not a url'", &["api_base_url"]),
    (
        "api_base_url = 'ftp://carrier.example/api'",
        &["api_base_url"],
    ),
    ("config = '[1]'", &["config", "JSON object"]),
    ("config = '\"text\"'", &["config", "JSON object"]),
    (
        "config = replace(hex(zeroblob(5000)), '0', '[') || replace(hex(zeroblob(5000)), '0', ']')",
        &["config", "JSON object"],
    ),
    (
        "api_key = 'canary' || char(10) || 'X: y'",
        &["api_key holds a line break"],
    ),
    (
        "api_key = 'canary' || char(13)",
        &["api_key holds a line break"],
    ),
    (
        "api_key = 'canäry'",
        &["api_key holds characters outside ASCII"],
    ),
    (
        "account_id = '1001&limit=1'",
        &["account_id is not a number"],
    ),
    (
        "account_id = '1001/../1002'",
        &["account_id is not a number"],
    ),
    ("account_id = '1001?x=y#z'", &["account_id is not a number"]),
    (
        "account_id = '10' || char(0) || '01'",
        &["account_id is not a number"],
    ),
    (
        "account_id = '10' || char(10) || '01'",
        &["account_id is not a number"],
    ),
    (
        "api_key = 'enc:v1:00112233:Y2FuYXJ5'",
        &["sealed with key 00112233", "secrets.key_file"],
    ),
    (
        "api_key = 'enc:v1:canary'",
        &["api_key is a sealed text that was cut or damaged"],
    ),
    ("api_key = 'enc:v2:canary'", &["newer carrier-sync"]),
];

#[test]
fn each_is_parked_with_a_clear_reason_and_the_others_run_on() {
    in_system(async {
        let world = World::of(&[5]);
        let app = world.app(&[]).await;
        let mut wrong = Vec::new();
        for (change, reasons) in WRONG {
            let id =
                fleet::add_integration(&app, &world.simulator.base_url(), account("acme", 1001))
                    .await;
            world
                .execute(&format!(
                    "UPDATE carrier_integrations SET {change} WHERE id = '{id}'"
                ))
                .await;
            wrong.push((id, change, reasons));
        }
        let good = fleet::link_fleet(&app, &world.simulator, account("zeta", 1001)).await;
        let service = Service::start(app);
        for (id, change, reasons) in &wrong {
            let status = service.reaches(id, ActorState::Parked).await;
            let reason = status.reason.unwrap_or_default();
            for part in reasons.iter() {
                assert!(
                    reason.contains(part),
                    "{change}: {reason:?} does not say {part:?}"
                );
            }
            let row = service
                .stored(id, "says so", |row| row.last_sync_status == "error")
                .await;
            for secret in ["canary", "canäry", "Y2FuYXJ5"] {
                assert!(!reason.contains(secret), "{change}: {reason}");
            }
            assert_eq!(row.last_sync_error, Some(reason), "{change}");
            assert_eq!(row.last_sync_at, None, "{change}: nothing was tried");
        }
        assert_eq!(
            service.has_synced(&good, 1).await.last_outcome,
            Some(Outcome::Success)
        );
    });
}

#[test]
fn a_name_of_a_megabyte_harms_nobody() {
    in_system(async {
        let world = World::of(&[5]);
        let service = Service::start(world.app(&[]).await);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        let name = "UPDATE carrier_integrations SET display_name = hex(zeroblob(500000))";
        world.execute(name).await;
        service.has_synced(&id, 1).await;
        let row = service.app.store.integrations().await.unwrap().remove(0);
        assert_eq!(row.display_name.map(|name| name.len()), Some(1_000_000));
    });
}

#[test]
fn one_that_is_put_right_is_synced() {
    in_system(async {
        let world = World::of(&[5]);
        let service = Service::start(world.app(&[]).await);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        service.has_synced(&id, 1).await;
        world
            .execute("UPDATE carrier_integrations SET carrier_name = 'nosuch'")
            .await;
        service.reaches(&id, ActorState::Parked).await;
        let calls = world.simulator.calls().total;
        world
            .execute("UPDATE carrier_integrations SET carrier_name = 'hologram'")
            .await;
        service
            .sees(&id, "is synced at once", |status| {
                status.last_outcome == Some(Outcome::Success)
            })
            .await;
        assert!(world.simulator.calls().total > calls);
    });
}

#[test]
fn a_config_that_is_not_json_costs_no_other_integration() {
    in_system(async {
        let world = World::of(&[5]);
        let service = Service::start(world.app(&[]).await);
        let bad = fleet::add_integration(
            &service.app,
            &world.simulator.base_url(),
            account("acme", 1001),
        )
        .await;
        world
            .execute(&format!(
                "UPDATE carrier_integrations SET config = '{{oops' WHERE id = '{bad}'"
            ))
            .await;
        let good = fleet::link_fleet(&service.app, &world.simulator, account("zeta", 1001)).await;
        assert_eq!(
            service.has_synced(&good, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        until("the bad one is told", async || {
            let status = service.status(&bad)?;
            (status.state == ActorState::Parked).then_some(())
        })
        .await;
    });
}
