//! A panic in a carrier's parser: this sync's failure, told as such, and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::clock::SystemClock;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};

use super::parser::{PanickingCarrier, PanickingParser};
use super::rig::{Rig, Timer};
use crate::database_faults::desk::until;
use crate::fleet::{self, Account, in_system};

const SOON: Timer = Timer {
    first_delay: Duration::ZERO,
    interval: Duration::from_millis(150),
};

#[test]
fn calls_of_a_sync_that_panics_stay_counted() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    in_system(async {
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 60)],
            ..SimulatorConfig::default()
        });
        let settings = [
            ("carriers.hologram.device_page_size", "10"),
            ("carriers.hologram.calls_per_day", "9"),
        ];
        let app = fleet::app(&url, &settings);
        app.prepare().await.unwrap();
        let account = Account {
            tenant: "acme",
            org: 1001,
            in_bulk: true,
        };
        let id = fleet::link_fleet(&app, &simulator, account).await;
        let mut rig = Rig::of(app, Arc::new(SystemClock));
        let carrier = PanickingCarrier::with(PanickingParser::always());
        rig.start(&id, SOON, Some(carrier)).await;
        until("the day's budget is spent", async || {
            let records = rig.witness.records();
            let mut errors = records.iter().filter_map(|told| told.record.error.as_ref());
            errors
                .any(|error| error.contains("calls_per_day = 9 spent"))
                .then_some(())
        })
        .await;
        assert_eq!(simulator.calls().total, 9, "none was given back");
        rig.close().await;
    });
}

#[test]
fn a_panic_in_a_parser_midway_fails_this_sync_keeps_its_rows_and_the_next_repairs() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    in_system(async {
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![
                SimulatedAccount::numbered(1, 60),
                SimulatedAccount::numbered(2, 60),
            ],
            ..SimulatorConfig::default()
        });
        let pages = [
            ("carriers.hologram.device_page_size", "10"),
            ("writer.max_batch_rows", "10"),
        ];
        let app = fleet::app(&url, &pages);
        app.prepare().await.unwrap();
        let account = |tenant, org| Account {
            tenant,
            org,
            in_bulk: true,
        };
        let sick = fleet::link_fleet(&app, &simulator, account("acme", 1001)).await;
        let well = fleet::link_fleet(&app, &simulator, account("globex", 1002)).await;
        let mut rig = Rig::of(app, Arc::new(SystemClock));
        let parser = PanickingParser::at(4);
        rig.start(&sick, SOON, Some(PanickingCarrier::with(parser)))
            .await;
        rig.start(&well, SOON, None).await;

        until("both are well", async || {
            let is_well = |id| rig.status(id).last_outcome == Some(Outcome::Success);
            (is_well(&sick) && is_well(&well)).then_some(())
        })
        .await;
        let records = rig.witness.records();
        let of = |id: &IntegrationId| {
            let mut told = records.clone();
            told.retain(|told| told.record.integration_id == *id);
            told
        };
        let first = &of(&sick)[0].record;
        assert_eq!(first.outcome, Outcome::Error);
        let error = first.error.as_deref().unwrap();
        assert!(error.contains("panicked: the parser met"), "{error}");
        let is_success = |outcome| outcome == Outcome::Success;
        assert!(of(&well).iter().all(|told| is_success(told.record.outcome)));
        for (id, org) in [(&sick, 1001), (&well, 1002)] {
            let rows = fleet::devices(rig.app(), id).await;
            fleet::assert_true(&rows, &simulator.truth(org));
        }
        rig.close().await;
    });
}
