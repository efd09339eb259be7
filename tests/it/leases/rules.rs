//! What the database decides: who owns what, for how long, and what it asks of its role.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrier_sync::actors::LeaseKeeper;
use carrier_sync::actors::keeper::Terms;
use carrier_sync::device::IntegrationId;
use carrier_sync::store::connect_leases;
use carrier_sync::store::leases::{Leases, Process, ProcessId};
use carrier_sync::tenure::Epoch;
use sqlx::{Connection, query, query_scalar};

use crate::fleet::{self, in_system};
use crate::postgres::{TestDatabase, store_options};

const LEASE: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::ZERO;

async fn database(integrations: usize) -> TestDatabase {
    let database = TestDatabase::migrated().await;
    for number in 0..integrations {
        let insert = format!(
            "INSERT INTO carrier_integrations (id, tenant_id, carrier_name, api_key) \
             VALUES ('i-{number}', 'acme', 'hologram', 'key-{number}')"
        );
        database.execute(&insert).await;
    }
    database
}

fn leases(database: &TestDatabase) -> Arc<dyn Leases> {
    let options = store_options(&database.service_url());
    let leases = connect_leases(&options, Duration::from_secs(20)).unwrap();
    leases.expect("Postgres has them")
}

fn keeper(database: &TestDatabase, duration: Duration) -> LeaseKeeper {
    let terms = Terms {
        duration,
        heartbeat: duration / 3,
        shares: true,
    };
    LeaseKeeper::new(leases(database), terms)
}

async fn registered(leases: &dyn Leases, lease: Duration) -> ProcessId {
    let process = Process {
        id: ProcessId::draw(),
        address: "here:1".to_owned(),
        shares: true,
    };
    leases.register(&process, lease).await.unwrap();
    process.id
}

fn lot(ids: &[usize]) -> Vec<IntegrationId> {
    let id = |number: &usize| IntegrationId::parse(&format!("i-{number}")).unwrap();
    ids.iter().map(id).collect()
}

fn owned(ids: &[(usize, i64)]) -> Vec<(IntegrationId, Epoch)> {
    let each = ids
        .iter()
        .map(|(id, epoch)| (lot(&[*id]).remove(0), Epoch(*epoch)));
    each.collect()
}

/// Waits until `leases` no longer counts this process as one that lives.
async fn until_gone(leases: &dyn Leases, me: &ProcessId, gone: &ProcessId) {
    let started = Instant::now();
    loop {
        let census = leases.renew(me, LEASE).await.unwrap().expect("I live");
        if census.live.iter().all(|other| other.process.id != *gone) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn an_owner_keeps_others_out_until_it_gives_up_and_each_owner_has_its_epoch() {
    in_system(async {
        let database = database(2).await;
        let leases = leases(&database);
        let (a, b) = (
            registered(&*leases, LEASE).await,
            registered(&*leases, LEASE).await,
        );
        assert_eq!(
            leases.claim(&a, &[lot(&[0])]).await.unwrap(),
            owned(&[(0, 1)])
        );
        assert_eq!(leases.claim(&b, &[lot(&[0])]).await.unwrap(), []);
        leases.release(&b, &lot(&[0])).await.unwrap();
        assert_eq!(
            leases.claim(&b, &[lot(&[0])]).await.unwrap(),
            [],
            "not b's to release"
        );
        leases.release(&a, &lot(&[0])).await.unwrap();
        assert_eq!(
            leases.claim(&b, &[lot(&[0])]).await.unwrap(),
            owned(&[(0, 2)])
        );
        leases.leave(&b).await.unwrap();
        assert_eq!(
            leases.claim(&a, &[lot(&[0])]).await.unwrap(),
            owned(&[(0, 3)])
        );
        assert_eq!(
            leases.claim(&b, &[lot(&[1])]).await.unwrap(),
            [],
            "b has left"
        );
    });
}

#[test]
fn an_account_is_claimed_whole_or_not_at_all() {
    in_system(async {
        let database = database(3).await;
        let leases = leases(&database);
        let (a, b) = (
            registered(&*leases, LEASE).await,
            registered(&*leases, LEASE).await,
        );
        leases.claim(&a, &[lot(&[1])]).await.unwrap();
        let claimed = leases.claim(&b, &[lot(&[0, 1]), lot(&[2])]).await.unwrap();
        assert_eq!(claimed, owned(&[(2, 1)]));
    });
}

#[test]
fn who_has_run_out_has_lost_everything_and_cannot_renew_or_claim() {
    in_system(async {
        let database = database(2).await;
        let leases = leases(&database);
        let (a, b) = (
            registered(&*leases, LEASE).await,
            registered(&*leases, LEASE).await,
        );
        leases.claim(&a, &[lot(&[0])]).await.unwrap();
        leases.renew(&a, AT_ONCE).await.unwrap();
        assert_eq!(leases.renew(&a, LEASE).await.unwrap(), None);
        until_gone(&*leases, &b, &a).await;
        assert_eq!(leases.renew(&a, LEASE).await.unwrap(), None);
        assert_eq!(leases.claim(&a, &[lot(&[1])]).await.unwrap(), []);
        assert_eq!(
            leases.claim(&b, &[lot(&[0])]).await.unwrap(),
            owned(&[(0, 2)])
        );
    });
}

#[test]
fn what_its_owner_is_writing_is_not_claimed_before_the_commit() {
    in_system(async {
        let database = database(1).await;
        let leases = leases(&database);
        let b = registered(&*leases, LEASE).await;
        let mut writer = database.superuser().await;
        let mut write = writer.begin().await.unwrap();
        query("SELECT lease_epoch FROM carrier_integrations FOR KEY SHARE")
            .execute(&mut *write)
            .await
            .unwrap();
        assert_eq!(leases.claim(&b, &[lot(&[0])]).await.unwrap(), []);
        write.commit().await.unwrap();
        assert_eq!(
            leases.claim(&b, &[lot(&[0])]).await.unwrap(),
            owned(&[(0, 1)])
        );
    });
}

#[test]
fn a_newcomer_is_not_counted_in_before_everyone_else_has_looked() {
    in_system(async {
        let database = database(1).await;
        let (first, second) = (keeper(&database, LEASE), keeper(&database, LEASE));
        assert!(first.beat().await.unwrap().is_counted_in, "it is alone");
        for _ in 0..3 {
            assert!(!second.beat().await.unwrap().is_counted_in);
        }
        assert_eq!(first.beat().await.unwrap().census.live.len(), 2);
        assert!(second.beat().await.unwrap().is_counted_in);
    });
}

#[test]
fn a_tenure_that_has_run_out_does_not_come_alive_with_the_next_registration() {
    in_system(async {
        let database = database(1).await;
        let keeper = keeper(&database, LEASE);
        let first = keeper.beat().await.unwrap();
        let claimed = keeper.claim(&[lot(&[0])]).await.unwrap();
        let tenure = keeper.tenure(claimed[0].1);
        assert!(first.is_new && tenure.is_held());
        // As when the process has been frozen for so long that another one has looked.
        database.execute("DELETE FROM carrier_sync_processes").await;
        let second = keeper.beat().await.unwrap();
        assert!(second.is_new && second.me != first.me);
        assert!(second.census.leases.is_empty());
        assert!(!tenure.is_held() && keeper.tenure(Epoch(2)).is_held());
    });
}

#[test]
fn a_round_beside_a_service_leaves_its_accounts_alone_and_names_it() {
    in_system(async {
        let database = database(2).await;
        let service = keeper(&database, LEASE);
        service.beat().await.unwrap();
        service.claim(&[lot(&[0, 1])]).await.unwrap();
        let app = fleet::app(&database.service_url(), &[]);
        for report in fleet::sync(&app).await {
            let told = report.error.unwrap();
            let here = format!(":{}", std::process::id());
            assert!(
                told.contains("held by the service at") && told.contains(&here),
                "{told}"
            );
            assert_eq!(report.api_calls, 0);
        }
        let recorded: i64 = query_scalar(
            "SELECT count(*) FROM carrier_integrations WHERE last_sync_status <> 'never'",
        )
        .fetch_one(&mut database.superuser().await)
        .await
        .unwrap();
        assert_eq!(recorded, 0, "it is not the round's to record");
    });
}

#[test]
fn a_role_from_before_the_leases_is_told_what_it_lacks_and_how_to_get_it() {
    in_system(async {
        let database = database(0).await;
        let role = database.service_role();
        for (right, told) in [
            (
                "DELETE ON carrier_sync_processes",
                "DELETE on carrier_sync_processes",
            ),
            (
                "UPDATE (lease_epoch) ON carrier_integrations",
                "UPDATE (lease_epoch)",
            ),
        ] {
            database
                .execute(&format!("REVOKE {right} FROM {role}"))
                .await;
            let store = database.service_store();
            let error = store.check(false).await.unwrap_err().to_string();
            assert!(
                error.contains(told) && error.contains("--service-role"),
                "{error}"
            );
            database.migrate().await;
            store.check(false).await.unwrap();
        }
    });
}
