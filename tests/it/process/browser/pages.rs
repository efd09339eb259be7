//! What the pages show, whatever is in the fleet: traps in names, ten thousand integrations, thousands of devices.

use carrier_sync::device::{CarrierDeviceId, DeviceId, IntegrationId, TenantId};
use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};
use carrier_sync::store::{DeviceLink, IntegrationChange, NewIntegration};

use super::super::served::Served;
use super::super::{Place, until};
use super::{Browser, Look};

/// Text that does something where it is not escaped.
const TRAP: &str =
    "<script>document.title = 'broken into'</script><img src=x onerror=alert(1)>\"'&";

pub(super) const TOKEN: &str = "canary-token-c41d77";

pub(super) fn place(devices: u64) -> Place {
    let config = SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, devices)],
        ..SimulatorConfig::default()
    };
    Place::new(config)
        .with("STATUS__LISTEN", "127.0.0.1:0")
        .with("STATUS__TOKEN", TOKEN)
}

/// An integration that fails, all of whose names are traps.
pub(super) fn add_trap(place: &Place) {
    let id = IntegrationId::parse("a/b <i>").unwrap();
    let new = NewIntegration {
        id: Some(id.clone()),
        tenant_id: TenantId::parse(TRAP).unwrap(),
        carrier_name: TRAP.to_owned(),
        fields: IntegrationChange {
            display_name: Some(TRAP.to_owned()),
            api_key: Some("canary-key-55".into()),
            ..IntegrationChange::default()
        },
    };
    let link = DeviceLink {
        device_id: DeviceId::parse(TRAP).unwrap(),
        carrier_device_id: CarrierDeviceId::parse(TRAP).unwrap(),
        sim_iccid: Some(TRAP.to_owned()),
    };
    place.ask(async |app| {
        app.store.add_integration(&new).await.unwrap();
        app.store.link_devices(&id, &[link]).await.unwrap();
    });
}

#[test]
fn every_text_is_shown_as_it_is_and_does_nothing() {
    let place = place(3);
    place.link();
    add_trap(&place);
    let served = Served::by(&place);
    let browser = Browser::open(Look::DESK);
    browser.goto(&format!("http://{}/", served.address));
    browser.reads("#integrations tbody tr:nth-child(1)", TRAP);
    browser.reads("#integrations tbody tr:nth-child(2)", "carrier_name");
    browser.click("#integrations tbody tr:nth-child(1) a");
    browser.reads("h1", TRAP);
    browser.reads("#device-list", TRAP);
    browser.types("input[name=q]", TRAP);
    browser.click("form[action*=devices] button");
    browser.reads("#device-list", "never");
    let typed = browser.asks("return document.querySelector('input[name=q]').value");
    assert_eq!(typed, TRAP);
    let title = browser.asks("return document.title");
    assert!(title.as_str().unwrap().starts_with(TRAP), "{title}");
    let images = browser.asks("return document.images.length");
    assert_eq!(images, 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // What gets into a page all the same is not run.
    browser.asks(
        "const it = document.createElement('script'); it.textContent = 'window.ran = true'; \
         document.body.append(it)",
    );
    assert_eq!(browser.asks("return window.ran || false"), false);
    let forbidden = browser.complaints().join("\n");
    assert!(forbidden.contains("Content Security Policy"), "{forbidden}");
}

#[test]
fn ten_thousand_integrations_are_paged_and_filtered_in_pages_of_a_bounded_size() {
    const MANY: usize = 10_000;
    let place = place(1);
    place.link();
    insert_many(&place, MANY);
    let served = Served::by(&place);
    let page = until("all are told", || {
        let page = served.ask("GET", "/", "Accept: text/html\r\n");
        page.body.contains("of 10,001").then_some(page)
    });
    assert!(page.body.len() < 150_000, "{} bytes", page.body.len());
    let browser = Browser::open(Look::DESK);
    browser.goto(&format!("http://{}/", served.address));
    browser.reads("#pager", "1–50 of 10,001");
    browser.click("#pager a[rel=next]");
    browser.reads("#pager", "51–100 of 10,001");
    browser.types("input[name=q]", "i04321");
    browser.click("form.filter button");
    browser.reads("#pager", "1–1 of 1");
    browser.reads("#integrations", "i04321");
    browser.keeps("ten-thousand-filtered");
    browser.click_link("Clear");
    browser.click("#chips a[href='/?attention=partial']");
    browser.reads("#pager", "of 10,000");
}

/// Integrations that were partly read just now, are not due for a year, and have much to say.
fn insert_many(place: &Place, many: usize) {
    let url = format!("sqlite://{}", place.user.home().join("fleet.db").display());
    let reason = "the carrier said no, at length. ".repeat(60);
    let base = place.simulator.base_url();
    let insert = format!(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {many} - 1) \
         INSERT INTO carrier_integrations (id, tenant_id, carrier_name, display_name, api_key, api_base_url, \
             account_id, sync_interval_minutes, last_sync_at, last_sync_status, last_sync_error) \
         SELECT printf('i%05d', n), 'acme', 'hologram', printf('Fleet number %05d of the north', n), 'key', \
             '{base}', '1001', 500000, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), 'partial', '{reason}' FROM n"
    );
    super::super::super::fleet::in_system(async {
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    });
}

#[test]
fn devices_are_paged_searched_and_told_by_the_age_of_their_usage() {
    let place = place(120);
    let id = place.link();
    let served = Served::by(&place);
    let browser = Browser::open(Look::DESK);
    browser.goto(&format!("http://{}/integrations/{id}", served.address));
    browser.reads("#facts", "success");
    browser.reads("#device-list", "50 devices on this page");
    browser.click("#device-list a[rel=next]");
    browser.click("#device-list a[rel=next]");
    browser.reads("#device-list", "20 devices on this page");
    let name = browser.reads("#device-list tbody td.who", "device-");
    browser.types("input[name=q]", &name[name.len() - 5..]);
    browser.click("form[action*=devices] button");
    browser.reads("#device-list", "1 devices on this page");
    browser.reads("#device-list", &name);
    browser.reads("#device-list", "fresh");
    browser.keeps("one-device-found");
}
