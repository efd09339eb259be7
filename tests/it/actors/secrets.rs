//! Sealed credentials while the service runs: who works, who is parked, and what a rotation does.

use std::path::PathBuf;

use carrier_sync::device::IntegrationId;
use carrier_sync::integration::{Outcome, SecretColumn};
use carrier_sync::secrets::{Key, Keyring, Place};
use carrier_sync::status::ActorState;
use carrier_sync::store::SecretReplacement;
use secrecy::ExposeSecret;

use super::{Service, World, account};
use crate::fleet::{self, in_system};

fn new_key() -> String {
    Key::generate().unwrap().expose_secret().to_owned()
}

/// A key file for its owner alone.
fn key_file(world: &World, keys: &[&str]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = world.folder.path().join("keys");
    std::fs::write(&path, keys.join("\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Stores the integration's key sealed, for the place of `sealed_for`.
async fn seal(
    app: &carrier_sync::app::App,
    id: &IntegrationId,
    sealed_for: &IntegrationId,
    key: &str,
) {
    let rows = app.store.integrations().await.unwrap();
    let row = rows.iter().find(|row| row.id == *id).unwrap();
    let ring = Keyring::from_lines(key).unwrap();
    let place = Place {
        tenant_id: &row.tenant_id,
        integration_id: sealed_for,
        column: SecretColumn::ApiKey,
    };
    let clear = format!("simulated-key-{}", row.account_id.as_deref().unwrap());
    let change = SecretReplacement {
        tenant_id: row.tenant_id.clone(),
        integration_id: row.id.clone(),
        column: SecretColumn::ApiKey,
        stored: row.api_key.clone().unwrap(),
        replacement: ring.current().unwrap().seal(place, &clear.into()).unwrap(),
    };
    assert!(app.store.replace_secret(&change).await.unwrap());
}

#[test]
fn a_wrong_or_missing_key_parks_those_integrations_and_no_other() {
    in_system(async {
        let world = World::of(&[5, 5, 5, 5]);
        let (known, lost) = (new_key(), new_key());
        let app = world.app(&[("secrets.key", &known)]).await;
        let mut ids = Vec::new();
        for (tenant, org) in [
            ("clear", 1001),
            ("sealed", 1002),
            ("lost", 1003),
            ("moved", 1004),
        ] {
            ids.push(fleet::link_fleet(&app, &world.simulator, account(tenant, org)).await);
        }
        let [clear, sealed, without, moved] = &ids[..] else {
            unreachable!()
        };
        seal(&app, sealed, sealed, &known).await;
        seal(&app, without, without, &lost).await;
        seal(&app, moved, sealed, &known).await;
        let service = Service::start(app);
        for id in [clear, sealed] {
            let status = service.has_synced(id, 1).await;
            assert_eq!(status.last_outcome, Some(Outcome::Success), "{status:?}");
        }
        let wanted = Keyring::from_lines(&lost)
            .unwrap()
            .current()
            .unwrap()
            .id()
            .to_string();
        for (id, says) in [
            (
                without,
                &["api_key is sealed with key", &*wanted, "secrets.key_file"][..],
            ),
            (
                moved,
                &["does not open", "another integration", "integrations set"],
            ),
        ] {
            let status = service.reaches(id, ActorState::Parked).await;
            let reason = status.reason.unwrap();
            for part in says {
                assert!(reason.contains(part), "{reason}");
            }
            assert_eq!(service.row(id).await.last_sync_error, Some(reason));
        }
        service.ends().await;
    });
}

#[test]
fn without_any_key_sealed_rows_are_parked_and_clear_ones_run() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let app = world.app(&[]).await;
        let clear = fleet::link_fleet(&app, &world.simulator, account("clear", 1001)).await;
        let sealed = fleet::link_fleet(&app, &world.simulator, account("sealed", 1002)).await;
        seal(&app, &sealed, &sealed, &new_key()).await;
        let service = Service::start(app);
        let status = service.has_synced(&clear, 1).await;
        assert_eq!(status.last_outcome, Some(Outcome::Success));
        let reason = service
            .reaches(&sealed, ActorState::Parked)
            .await
            .reason
            .unwrap();
        assert!(reason.contains("no key is configured"), "{reason}");
        assert!(reason.contains("CARRIER_SYNC__SECRETS__KEY"), "{reason}");
        service.ends().await;
    });
}

#[test]
fn a_rotation_is_followed_by_the_running_service_without_a_restart() {
    in_system(async {
        let world = World::of(&[5]);
        let (old, new) = (new_key(), new_key());
        let file = key_file(&world, &[&old]);
        let app = world
            .app(&[("secrets.key_file", file.to_str().unwrap())])
            .await;
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        seal(&app, &id, &id, &old).await;
        let service = Service::start(app);
        service.has_synced(&id, 1).await;

        key_file(&world, &[&new, &old]);
        // Due at once, as soon as the changed secret makes it noticed: so before it changes.
        world
            .execute("UPDATE carrier_integrations SET last_sync_at = NULL")
            .await;
        seal(&service.app, &id, &id, &new).await;
        let status = service.has_synced(&id, 2).await;
        assert_eq!(status.last_outcome, Some(Outcome::Success), "{status:?}");
        service.ends().await;
    });
}
