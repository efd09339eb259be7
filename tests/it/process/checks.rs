//! `check` and `integrations test`: one harmless call tells whether an account works.

use carrier_sync::simulator::{Endpoint, SimulatedAccount, SimulatorConfig};
use carrier_sync::store::IntegrationChange;

use super::Place;

fn place() -> Place {
    Place::new(SimulatorConfig {
        accounts: vec![
            SimulatedAccount::numbered(1, 3),
            SimulatedAccount::numbered(2, 3),
        ],
        ..SimulatorConfig::default()
    })
}

fn set_key(place: &Place, id: &str, key: &str) {
    let id = carrier_sync::device::IntegrationId::parse(id).unwrap();
    let change = IntegrationChange {
        api_key: Some(key.into()),
        ..IntegrationChange::default()
    };
    place
        .ask(async |app| app.store.set_integration(&id, &change).await)
        .unwrap();
}

#[test]
fn right_credentials_pass_and_wrong_ones_fail_with_what_to_do() {
    let place = place();
    let (first, second) = (place.link(), place.link_empty());
    for command in [vec!["check"], vec!["integrations", "test", &first]] {
        place.user.runs(&command).succeeds().prints(&["ok", &first]);
    }
    assert!(place.simulator.calls().total <= 3, "one harmless call each");

    set_key(&place, &first, "wrong");
    place
        .user
        .runs(&["check"])
        .fails(2, &[])
        .prints(&["FAILED", "401", "integrations set"]);
    place
        .user
        .runs(&["integrations", "test", &first])
        .fails(1, &[])
        .prints(&["FAILED", "401"]);
    set_key(&place, &second, "wrong");
    place.user.runs(&["check"]).fails(1, &[]);
    assert_eq!(place.used(&first), 0, "no device was touched");
    assert_eq!(place.simulator.calls().of(Endpoint::Billing), 0);
}

impl Place {
    /// Another integration, of account 1002, without devices.
    fn link_empty(&self) -> String {
        let account = crate::fleet::Account {
            tenant: "zeta",
            org: 1002,
            in_bulk: true,
        };
        let base = self.simulator.base_url();
        self.ask(async |app| {
            crate::fleet::add_integration(app, &base, account)
                .await
                .to_string()
        })
    }
}
