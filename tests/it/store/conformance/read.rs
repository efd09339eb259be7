//! Promises about what is read.

use carrier_sync::device::freshness::fresh_since;
use carrier_sync::device::{Freshness, FreshnessCounts};
use carrier_sync::store::{DeviceFilter, StoreError};
use chrono::{SecondsFormat, TimeDelta};

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
        .map(|device| device.device_id.to_string())
        .collect();
    assert_eq!(names, ["d0002", "d0004", "d0001", "d0003", "d0000"]);
    assert_eq!(&*devices.get(0).carrier_device_id, "c-d0002");
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
    // Without a name at the carrier it is linked to no account.
    let unlink = "UPDATE device_connections SET carrier_device_id = NULL \
                  WHERE tenant_id = 'u' AND device_id = 'd0003'";
    fleet.execute(unlink).await;
    assert_eq!(fleet.admin.devices(&only).await.unwrap().len(), 11);
    assert_eq!(fleet.devices("u").await.len(), 12);
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

pub async fn devices_are_found_by_a_part_of_any_of_their_names(fleet: &Fleet) {
    fleet.account("t", "i", 3).await;
    fleet
        .execute(
            "UPDATE device_connections SET sim_iccid = '8931 440%ABC' WHERE device_id = 'd0001'; \
             UPDATE device_connections SET carrier_device_id = 'SIM_7' WHERE device_id = 'd0002'",
        )
        .await;
    for (search, found) in [
        ("D000", &["d0000", "d0001", "d0002"][..]),
        ("440%a", &["d0001"]),
        ("m_7", &["d0002"]),
        ("440_", &[]),
        ("d0001\n", &[]),
    ] {
        let filter = DeviceFilter {
            tenant_id: Some(tenant("t")),
            search: Some(search.to_owned()),
            limit: 10,
            ..DeviceFilter::default()
        };
        let devices = fleet.service.devices(&filter).await.unwrap();
        let devices: Vec<_> = devices.iter().map(|row| row.device_id.as_str()).collect();
        assert_eq!(devices, found, "{search}");
    }
}

pub async fn devices_are_counted_and_listed_by_the_age_of_their_usage(fleet: &Fleet) {
    let now = at(1);
    for (id, minutes) in [("hourly", 60), ("daily", 1_440)] {
        fleet.account(&format!("t-{id}"), id, 4).await;
        fleet
            .execute(&format!(
                "UPDATE carrier_integrations SET sync_interval_minutes = {minutes} WHERE id = '{id}'"
            ))
            .await;
        // Three hours and ten minutes are what an hourly one may be old.
        for (device, age_minutes) in [("d0000", 189), ("d0001", 191), ("d0002", 4_331)] {
            let read = now - TimeDelta::minutes(age_minutes);
            let read = read.to_rfc3339_opts(SecondsFormat::Micros, true);
            fleet
                .execute(&format!(
                    "UPDATE device_connections SET data_used_updated_at = '{read}' \
                     WHERE tenant_id = 't-{id}' AND device_id = '{device}'"
                ))
                .await;
        }
    }
    fleet
        .execute(
            "INSERT INTO device_connections (tenant_id, device_id, carrier_integration_id) \
             VALUES ('t-hourly', 'unlinked', 'hourly')",
        )
        .await;
    fleet.bare_account("t", "empty").await;
    // What nobody can sync by must not cost the others their count.
    fleet.account("t", "endless", 1).await;
    fleet
        .execute(
            "UPDATE carrier_integrations SET sync_interval_minutes = 2147483647 WHERE id = 'endless'",
        )
        .await;
    let mut counts = fleet.service.freshness(now).await.unwrap();
    counts.sort_by(|a, b| a.integration_id.cmp(&b.integration_id));
    let told: Vec<_> = counts
        .iter()
        .map(|told| (told.integration_id.as_str(), told.devices))
        .collect();
    let count = |fresh, stale, never| FreshnessCounts {
        fresh,
        stale,
        never,
    };
    assert_eq!(
        told,
        [
            ("daily", count(2, 1, 1)),
            ("endless", count(0, 0, 1)),
            ("hourly", count(1, 2, 1)),
        ]
    );
    for (freshness, found) in [
        (Freshness::Fresh, &["d0000"][..]),
        (Freshness::Stale, &["d0001", "d0002"]),
        (Freshness::Never, &["d0003"]),
    ] {
        let filter = DeviceFilter {
            integration_id: Some(integration("hourly")),
            freshness: Some((freshness, fresh_since(now, 60))),
            limit: 10,
            ..DeviceFilter::default()
        };
        let devices = fleet.service.devices(&filter).await.unwrap();
        let devices: Vec<_> = devices.iter().map(|row| row.device_id.as_str()).collect();
        assert_eq!(devices, found, "{freshness:?}");
    }
}

pub async fn devices_that_cannot_be_read_do_not_end_a_list(fleet: &Fleet) {
    fleet.account("t", "i", 30).await;
    // A line break and nothing at all are no names.
    fleet
        .execute(
            "UPDATE device_connections SET device_id = 'd0003' || chr10 FROM (SELECT '\n' AS chr10) AS n \
             WHERE device_id = 'd0003'; \
             UPDATE device_connections SET device_id = '' WHERE device_id = 'd0009'; \
             UPDATE device_connections SET device_id = 'd0029' || chr10 FROM (SELECT '\n' AS chr10) AS n \
             WHERE device_id = 'd0029'",
        )
        .await;
    let mut filter = DeviceFilter {
        integration_id: Some(integration("i")),
        limit: 9,
        ..DeviceFilter::default()
    };
    let mut sizes = Vec::new();
    loop {
        let page = fleet.service.devices(&filter).await.unwrap();
        sizes.push(page.len());
        if page.len() < 9 {
            break;
        }
        let last = page.last().unwrap();
        filter.after = Some((last.tenant_id.clone(), last.device_id.clone()));
    }
    assert_eq!(sizes, [9, 9, 9, 0]);
}

pub async fn an_unreadable_integration_is_named_to_whoever_tells_people(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    fleet.bare_account("t", "odd").await;
    fleet
        .execute("UPDATE carrier_integrations SET tenant_id = ' ' WHERE id = 'odd'")
        .await;
    let (rows, unreadable) = fleet.service.all_integrations().await.unwrap();
    assert_eq!((rows.len(), unreadable.len()), (1, 1));
    assert_eq!(unreadable[0].id.as_deref(), Some("odd"));
    assert!(
        unreadable[0].reason.contains("tenant_id is empty"),
        "{unreadable:?}"
    );
}
