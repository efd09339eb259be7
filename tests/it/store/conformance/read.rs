//! Promises about what is read.

use carrier_sync::store::{DeviceFilter, StoreError};

use crate::store::fleet::*;

pub async fn integrations_of_all_tenants_are_seen_by_id(fleet: &Fleet) {
    for (tenant, id) in [("t", "b"), ("u", "c"), ("t", "a"), ("v", "B")] {
        fleet.bare_account(tenant, id).await;
    }
    let rows = fleet.service.integrations().await.unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.tenant_id.as_str()))
        .collect();
    assert_eq!(seen, [("B", "v"), ("a", "t"), ("b", "t"), ("c", "u")]);
}

pub async fn linked_devices_come_never_read_first_then_oldest(fleet: &Fleet) {
    fleet.account("t", "i", 5).await;
    let read_at = |name: &str, second| carrier_sync::device::DeviceUpdate {
        observed_at: at(second),
        ..used(name, 1)
    };
    let updates = vec![
        read_at("d0000", 30),
        read_at("d0001", 10),
        read_at("d0003", 20),
    ];
    fleet.write(&[batch("t", "i", updates)]).await;
    let devices = fleet
        .service
        .linked_devices(&tenant("t"), &integration("i"))
        .await
        .unwrap();
    let names: Vec<_> = devices
        .iter()
        .map(|device| device.device_id.as_str())
        .collect();
    assert_eq!(names, ["d0002", "d0004", "d0001", "d0003", "d0000"]);
    assert_eq!(&*devices[0].carrier_device_id, "c-d0002");
}

pub async fn linked_devices_are_those_with_a_name_at_the_carrier(fleet: &Fleet) {
    fleet.account("t", "i", 3).await;
    fleet.account("t", "other", 0).await;
    fleet.account("u", "j", 2).await;
    fleet
        .execute(
            "UPDATE device_connections SET carrier_device_id = NULL WHERE device_id = 'd0000'; \
             UPDATE device_connections SET carrier_device_id = '' WHERE device_id = 'd0001'",
        )
        .await;
    let linked = |tenant_id: &str, id: &str| {
        let (tenant_id, id) = (tenant(tenant_id), integration(id));
        async move { fleet.service.linked_devices(&tenant_id, &id).await.unwrap() }
    };
    let names: Vec<_> = linked("t", "i")
        .await
        .iter()
        .map(|device| device.carrier_device_id.to_string())
        .collect();
    assert_eq!(
        names,
        ["", "c-d0002"],
        "an empty name is there to be told of"
    );
    assert!(linked("t", "other").await.is_empty());
    assert!(
        linked("t", "j").await.is_empty(),
        "another tenant's account"
    );
}

pub async fn an_unreadable_row_costs_no_other(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    fleet.bare_account("t", "odd").await;
    fleet
        .execute(
            "UPDATE device_connections SET device_id = '' WHERE device_id = 'd0000'; \
             UPDATE carrier_integrations SET tenant_id = ' ' WHERE id = 'odd'",
        )
        .await;
    let devices = fleet
        .service
        .linked_devices(&tenant("t"), &integration("i"))
        .await
        .unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(fleet.service.integrations().await.unwrap().len(), 1);
    assert_eq!(fleet.devices("t").await.len(), 1);
}

pub async fn devices_are_listed_in_pages_without_gap_or_repetition(fleet: &Fleet) {
    fleet.account("t", "i", 25).await;
    fleet.account("u", "j", 12).await;
    let mut filter = DeviceFilter {
        limit: 10,
        ..DeviceFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = fleet.admin.devices(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 10);
        filter.after = Some((last.tenant_id.clone(), last.device_id.clone()));
        seen.extend(page.into_iter().map(|row| (row.tenant_id, row.device_id)));
    }
    assert_eq!(seen.len(), 37);
    assert!(seen.is_sorted_by(|a, b| a < b));

    let only = DeviceFilter {
        integration_id: Some(integration("j")),
        limit: 99,
        ..filter.clone()
    };
    let only = DeviceFilter {
        after: None,
        ..only
    };
    assert_eq!(fleet.admin.devices(&only).await.unwrap().len(), 12);
    let none = DeviceFilter {
        tenant_id: Some(tenant("nobody")),
        after: None,
        ..filter.clone()
    };
    assert!(fleet.admin.devices(&none).await.unwrap().is_empty());
    let endless = DeviceFilter { limit: 0, ..filter };
    assert!(matches!(
        fleet.admin.devices(&endless).await,
        Err(StoreError::Invalid(_))
    ));
}
