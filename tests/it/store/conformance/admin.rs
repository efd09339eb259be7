//! Promises about administration.

use carrier_sync::integration::SecretColumn;
use carrier_sync::store::{
    DeviceRow, IntegrationChange, LinkReceipt, NewIntegration, SecretReplacement, StoreError,
};
use secrecy::ExposeSecret;

use crate::store::fleet::*;

fn invalid<T: std::fmt::Debug>(told: Result<T, StoreError>) -> String {
    match told {
        Err(StoreError::Invalid(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

fn new(fields: IntegrationChange) -> NewIntegration {
    NewIntegration {
        id: None,
        tenant_id: tenant("t"),
        carrier_name: "hologram".into(),
        fields,
    }
}

pub async fn an_integration_is_added_with_defaults_and_named(fleet: &Fleet) {
    let first = fleet
        .admin
        .add_integration(&new(IntegrationChange::default()))
        .await
        .unwrap();
    let second = fleet
        .admin
        .add_integration(&new(IntegrationChange::default()))
        .await
        .unwrap();
    assert_ne!(first, second, "several accounts per carrier and tenant");
    let rows = fleet.service.integrations().await.unwrap();
    let row = rows.iter().find(|row| row.id == first).unwrap();
    assert_eq!(
        (row.tenant_id.as_str(), row.carrier_name.as_str()),
        ("t", "hologram")
    );
    assert!(row.enabled && row.sync_enabled);
    assert_eq!(
        (row.sync_interval_minutes, row.last_sync_status.as_str()),
        (60, "never")
    );
    assert_eq!(row.config, serde_json::json!({}));
    assert!(row.api_key.is_none() && row.last_sync_at.is_none());
}

pub async fn an_integration_is_changed_field_by_field(fleet: &Fleet) {
    let config = serde_json::json!({ "devices": ["ä", 1.5, null] });
    let all = IntegrationChange {
        display_name: Some("Main".into()),
        enabled: Some(true),
        sync_enabled: Some(false),
        sync_interval_minutes: Some(5),
        api_key: Some("key".into()),
        api_secret: Some("secret".into()),
        api_base_url: Some("https://example.test/api".into()),
        account_id: Some("42".into()),
        config: Some(config.clone()),
    };
    let id = fleet.admin.add_integration(&new(all)).await.unwrap();
    let change = IntegrationChange {
        enabled: Some(false),
        api_base_url: Some(String::new()),
        api_key: Some("other".into()),
        ..IntegrationChange::default()
    };
    fleet.admin.set_integration(&id, &change).await.unwrap();

    let row = fleet.service.integrations().await.unwrap().remove(0);
    assert_eq!(row.display_name.as_deref(), Some("Main"));
    assert_eq!(
        (row.enabled, row.sync_enabled, row.sync_interval_minutes),
        (false, false, 5)
    );
    assert_eq!(row.api_key.as_ref().unwrap().expose_secret(), "other");
    assert_eq!(row.api_secret.as_ref().unwrap().expose_secret(), "secret");
    assert_eq!(
        (row.api_base_url, row.account_id.as_deref()),
        (None, Some("42"))
    );
    assert_eq!(row.config, config);
}

pub async fn an_impossible_change_is_refused_and_changes_nothing(fleet: &Fleet) {
    let id = fleet
        .admin
        .add_integration(&new(IntegrationChange::default()))
        .await
        .unwrap();
    for minutes in [0, -5, i64::MAX] {
        let interval = IntegrationChange {
            sync_interval_minutes: Some(minutes),
            display_name: Some("never".into()),
            ..IntegrationChange::default()
        };
        let text = invalid(fleet.admin.set_integration(&id, &interval).await);
        assert!(text.contains("interval"), "{text}");
        invalid(fleet.admin.add_integration(&new(interval)).await);
    }
    let again = NewIntegration {
        id: Some(id),
        ..new(IntegrationChange::default())
    };
    invalid(fleet.admin.add_integration(&again).await);
    let rows = fleet.service.integrations().await.unwrap();
    assert_eq!((rows.len(), rows[0].display_name.as_deref()), (1, None));
}

pub async fn an_unknown_integration_is_named_in_the_error(fleet: &Fleet) {
    let id = integration("nobody-7");
    let change = IntegrationChange::default();
    for text in [
        invalid(fleet.admin.set_integration(&id, &change).await),
        invalid(fleet.admin.remove_integration(&id).await),
        invalid(fleet.admin.link_devices(&id, &[link("d")]).await),
    ] {
        assert!(text.contains("nobody-7"), "{text}");
    }
}

pub async fn a_removed_integration_leaves_its_devices_unlinked(fleet: &Fleet) {
    fleet.account("t", "i", 3).await;
    fleet.account("u", "j", 2).await;
    assert_eq!(
        fleet
            .admin
            .remove_integration(&integration("i"))
            .await
            .unwrap(),
        3
    );
    let devices = fleet.devices("t").await;
    assert_eq!(devices.len(), 3);
    assert!(
        devices
            .iter()
            .all(|device| device.carrier_integration_id.is_none())
    );
    assert!(
        fleet
            .devices("u")
            .await
            .iter()
            .all(|device| device.carrier_integration_id.is_some())
    );
    assert_eq!(fleet.service.integrations().await.unwrap().len(), 1);
}

pub async fn links_make_and_update_rows_and_are_idempotent(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    let mut links = vec![
        named_link("d0000", "new-name"),
        link("d0001"),
        link("extra"),
    ];
    links[2].sim_iccid = Some("8944".into());
    let receipt = fleet
        .admin
        .link_devices(&integration("i"), &links)
        .await
        .unwrap();
    assert_eq!(
        receipt,
        LinkReceipt {
            created: 1,
            updated: 2
        }
    );
    let names: Vec<_> = fleet
        .devices("t")
        .await
        .into_iter()
        .map(|row| row.carrier_device_id.unwrap())
        .collect();
    assert_eq!(names, ["new-name", "c-d0001", "c-extra"]);

    links[2].sim_iccid = None;
    let receipt = fleet
        .admin
        .link_devices(&integration("i"), &links)
        .await
        .unwrap();
    assert_eq!(
        receipt,
        LinkReceipt {
            created: 0,
            updated: 3
        }
    );
    assert_eq!(
        fleet.device("t", "extra").await.sim_iccid.as_deref(),
        Some("8944")
    );
    assert_eq!(
        fleet
            .admin
            .link_devices(&integration("i"), &[])
            .await
            .unwrap(),
        LinkReceipt::default()
    );
}

pub async fn of_another_sim_nothing_is_known_and_of_the_same_one_all_stays(fleet: &Fleet) {
    fleet.account("t", "i", 3).await;
    fleet.account("u", "v", 1).await;
    let updates = (0..3).map(|n| everything(&device_name(n), 1_000)).collect();
    fleet.write(&[batch("t", "i", updates)]).await;
    let before = fleet.devices("t").await;
    fleet
        .execute(
            "UPDATE device_connections SET carrier_integration_id = NULL WHERE device_id = 'd0002'",
        )
        .await;
    let links = [
        link("d0000"),
        named_link("d0001", "another-sim"),
        link("d0002"),
    ];
    let id = integration("i");
    fleet.admin.link_devices(&id, &links).await.unwrap();
    let after = fleet.devices("t").await;
    assert_eq!(after[0], before[0], "the same SIM");
    for (row, was) in after[1..].iter().zip(&before[1..]) {
        let unknown = DeviceRow {
            tenant_id: was.tenant_id.clone(),
            device_id: was.device_id.clone(),
            carrier_integration_id: Some(id.clone()),
            carrier_device_id: row.carrier_device_id.clone(),
            sim_iccid: None,
            sim_status: None,
            network_status: None,
            data_used_bytes: None,
            data_used_mb: None,
            data_used_updated_at: None,
            billing_cycle_start: None,
            billing_cycle_end: None,
            billing_cycle_source: None,
        };
        assert_eq!(*row, unknown, "another SIM, or perhaps another");
    }
}

pub async fn a_conflicting_link_refuses_the_whole_list_and_names_offenders(fleet: &Fleet) {
    fleet.account("t", "i", 8).await;
    fleet.bare_account("t", "other").await;
    let before = fleet.devices("t").await;

    // Names that other devices of the account hold.
    let taken: Vec<_> = (0..8)
        .map(|n| named_link(&format!("x{n}"), &format!("c-{}", device_name(n))))
        .chain([link("innocent")])
        .collect();
    let text = invalid(fleet.admin.link_devices(&integration("i"), &taken).await);
    assert_eq!(text.matches("belongs to device").count(), 5, "{text}");
    assert!(text.contains("and 3 more"), "{text}");
    // A device of another account; a list that contradicts itself.
    let elsewhere = [link("d0000"), link("innocent")];
    let text = invalid(
        fleet
            .admin
            .link_devices(&integration("other"), &elsewhere)
            .await,
    );
    assert!(
        text.contains("d0000") && text.contains("integration i"),
        "{text}"
    );
    let twice = [named_link("x", "same"), named_link("y", "same")];
    invalid(
        fleet
            .admin
            .link_devices(&integration("other"), &twice)
            .await,
    );
    let twice = [named_link("x", "one"), named_link("x", "two")];
    invalid(
        fleet
            .admin
            .link_devices(&integration("other"), &twice)
            .await,
    );

    assert_eq!(fleet.devices("t").await, before, "all or none");
}

pub async fn two_devices_may_swap_their_names_at_the_carrier(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    let swap = [
        named_link("d0000", "c-d0001"),
        named_link("d0001", "c-d0000"),
    ];
    let receipt = fleet
        .admin
        .link_devices(&integration("i"), &swap)
        .await
        .unwrap();
    assert_eq!(
        receipt,
        LinkReceipt {
            created: 0,
            updated: 2
        }
    );
    assert_eq!(
        fleet
            .device("t", "d0000")
            .await
            .carrier_device_id
            .as_deref(),
        Some("c-d0001")
    );
}

pub async fn a_store_that_was_closed_is_unavailable(fleet: &Fleet) {
    fleet.service.close().await;
    let told = fleet.service.integrations().await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
}

pub async fn a_secret_is_replaced_only_where_it_still_is_what_was_read(fleet: &Fleet) {
    let fields = IntegrationChange {
        api_key: Some("key".into()),
        api_secret: Some("key".into()),
        display_name: Some("Main".into()),
        ..IntegrationChange::default()
    };
    let id = fleet.admin.add_integration(&new(fields)).await.unwrap();
    let other = NewIntegration {
        tenant_id: tenant("u"),
        ..new(IntegrationChange {
            api_key: Some("key".into()),
            ..IntegrationChange::default()
        })
    };
    let other = fleet.admin.add_integration(&other).await.unwrap();
    let change = |tenant_name: &str, column, stored: &str| SecretReplacement {
        tenant_id: tenant(tenant_name),
        integration_id: id.clone(),
        column,
        stored: stored.into(),
        replacement: "enc:v1:sealed".into(),
    };
    for (tenant_name, stored, replaced) in [
        ("t", "kex", false),
        ("t", "KEY", false),
        ("t", "", false),
        ("u", "key", false),
        ("t", "key", true),
        ("t", "key", false),
    ] {
        let change = change(tenant_name, SecretColumn::ApiKey, stored);
        let done = fleet.admin.replace_secret(&change).await.unwrap();
        assert_eq!(done, replaced, "{tenant_name} {stored}");
    }
    let rows = fleet.service.integrations().await.unwrap();
    let row = rows.iter().find(|row| row.id == id).unwrap();
    assert_eq!(
        row.api_key.as_ref().unwrap().expose_secret(),
        "enc:v1:sealed"
    );
    assert_eq!(row.api_secret.as_ref().unwrap().expose_secret(), "key");
    assert_eq!(row.display_name.as_deref(), Some("Main"));
    let row = rows.iter().find(|row| row.id == other).unwrap();
    assert_eq!(row.api_key.as_ref().unwrap().expose_secret(), "key");
    fleet.admin.erase_traces().await.unwrap();
    assert_eq!(fleet.service.integrations().await.unwrap().len(), 2);
}

pub async fn a_config_nested_beyond_reading_costs_no_row(fleet: &Fleet) {
    fleet.bare_account("t", "deep").await;
    fleet.bare_account("t", "plain").await;
    let (open, close) = ("[".repeat(2_000), "]".repeat(2_000));
    let sql = format!(
        "UPDATE carrier_integrations SET config = '{{\"a\":{open}{close}}}' WHERE id = 'deep'"
    );
    fleet.execute(&sql).await;
    let rows = fleet.service.integrations().await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(!rows[0].config.is_object(), "refused where it is used");
    assert!(rows[1].config.is_object());
}

pub async fn migrating_again_keeps_every_row(fleet: &Fleet) {
    fleet.account("t", "i", 3).await;
    fleet
        .write(&[batch("t", "i", vec![everything("d0000", 77)])])
        .await;
    let before = fleet.devices("t").await;
    fleet.admin.migrate(None).await.unwrap();
    fleet.admin.migrate(None).await.unwrap();
    fleet.service.check(false).await.unwrap();
    assert_eq!(fleet.devices("t").await, before);
}

/// Asked of the service's own role: operators ask the service, not the database.
pub async fn the_service_switches_a_timer_off_and_on_and_changes_nothing_else(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    fleet.account("u", "j", 1).await;
    let before = format!("{:?}", fleet.service.integrations().await.unwrap());
    for enabled in [false, false, true] {
        let done = fleet
            .service
            .set_sync_enabled(&integration("i"), enabled)
            .await;
        done.unwrap();
        let rows = fleet.service.integrations().await.unwrap();
        let now: Vec<_> = rows.iter().map(|row| row.sync_enabled).collect();
        assert_eq!(now, [enabled, true]);
    }
    assert_eq!(
        format!("{:?}", fleet.service.integrations().await.unwrap()),
        before
    );
    let unknown = fleet
        .service
        .set_sync_enabled(&integration("k"), true)
        .await;
    assert!(
        matches!(unknown, Err(StoreError::Invalid(_))),
        "{unknown:?}"
    );
}
