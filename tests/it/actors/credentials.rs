//! Refused credentials: a state, not a failure to repeat.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Fault, FaultKind};
use carrier_sync::status::{ActorName, ActorState};
use carrier_sync::store::IntegrationChange;

use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

#[test]
fn a_refused_key_ends_all_calls_until_the_row_gets_another() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let service = Service::start(world.app(&[]).await);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        let other = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1002)).await;
        service.has_synced(&id, 1).await;
        service.has_synced(&other, 1).await;

        let set = |key: &str| IntegrationChange {
            api_key: Some(key.into()),
            ..IntegrationChange::default()
        };
        world
            .execute("UPDATE carrier_integrations SET last_sync_at = NULL")
            .await;
        service
            .app
            .store
            .set_integration(&id, &set("wrong-key-canary"))
            .await
            .unwrap();
        let status = service.reaches(&id, ActorState::NeedsCredentials).await;
        let reason = status.reason.expect("a reason");
        assert!(
            reason.contains("401") && reason.contains("carrier-sync integrations set"),
            "{reason}"
        );
        assert!(!reason.contains("canary"), "{reason}");
        let row = service.row(&id).await;
        assert_eq!(row.last_sync_status, "error");
        assert_eq!(row.last_sync_error.as_ref(), Some(&reason));

        let calls = world.simulator.calls().total;
        let looks = service.actor(&ActorName::Supervisor).unwrap().runs;
        until("five more looks", async || {
            (service.actor(&ActorName::Supervisor)?.runs >= looks + 5).then_some(())
        })
        .await;
        assert_eq!(
            world.simulator.calls().total,
            calls,
            "no call with a refused key"
        );
        assert_eq!(
            service.status(&other).unwrap().last_outcome,
            Some(Outcome::Success)
        );

        service
            .app
            .store
            .set_integration(&id, &set("simulated-key-1001"))
            .await
            .unwrap();
        let status = service
            .sees(&id, "syncs again, at once", |status| {
                status.last_outcome == Some(Outcome::Success)
            })
            .await;
        assert_eq!(status.reason, None);
        assert_eq!(service.row(&id).await.last_sync_status, "success");
    });
}

#[test]
fn a_key_revoked_in_the_middle_keeps_what_was_written() {
    in_system(async {
        let world = World::of(&[50]);
        let settings = [
            ("carriers.hologram.device_page_size", "10"),
            ("carriers.hologram.usage_page_size", "1000"),
            ("writer.max_batch_rows", "10"),
        ];
        let service = Service::start(world.app(&settings).await);
        world
            .simulator
            .inject(Fault::new(FaultKind::RevokeKey).after(4));
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        let status = service.reaches(&id, ActorState::NeedsCredentials).await;
        assert_eq!(status.last_outcome, Some(Outcome::Partial));
        assert!((10..50).contains(&status.synced), "{}", status.synced);
        let rows = fleet::devices(&service.app, &id).await;
        let written = rows
            .iter()
            .filter(|row| row.data_used_bytes.is_some())
            .count();
        assert_eq!(written, status.synced, "what is told is what is stored");
    });
}
