//! Memory: a sync of a large fleet holds ids and counters only, and many faulty syncs later the process is
//! as large as it was soon after its start.
//!
//! The real service; its integrations are changed again and again, so that the supervisor replaces
//! their actors and each syncs at once: hours of syncs and failures in seconds.

use std::time::{Duration, Instant};

use carrier_sync::simulator::{Endpoint, Fault, FaultKind, SimulatedAccount, SimulatorConfig};

use super::child::Child;
use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

const ACCOUNTS: u64 = 8;
/// Of which the first tenth is for warming up.
const STRETCH: Duration = Duration::from_secs(25);
/// On a busy machine most syncs are cut short: it goes on until enough have gone well, up to this.
const LONGEST_STRETCH: Duration = Duration::from_secs(90);
const MOST_GROWTH: f64 = 1.1;
/// A sync a minute for half an hour, by eight integrations.
const ENOUGH_SYNCS: usize = 240;
const SETTINGS: &[(&str, &str)] = &[
    ("CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", "50"),
    ("CARRIERS__HOLOGRAM__TIMEOUT", "300ms"),
    ("CARRIERS__HOLOGRAM__MAX_PAGES", "20"),
    ("SUPERVISOR__DISCOVER_INTERVAL", "20ms"),
];
/// Time for a sync that goes well; one that hangs is cut short, which must leak nothing either.
const NUDGE_EVERY: Duration = Duration::from_millis(200);
/// Due at once, and different from before. Locked in the order in which outcomes are recorded.
const NUDGE: &str = "\
    WITH all_of_them AS ( \
        SELECT id FROM carrier_integrations ORDER BY tenant_id, id FOR UPDATE) \
    UPDATE carrier_integrations AS c SET last_sync_at = NULL, \
        config = jsonb_build_object('nudge', clock_timestamp()) \
    FROM all_of_them WHERE c.id = all_of_them.id";

const SMALL_FLEET: u64 = 20_000;
const LARGE_FLEET: u64 = 100_000;
/// Between 50 and 100 are measured: 45 for names, line and place, the rest is what the pages in flight leave.
const MOST_BYTES_PER_DEVICE: u64 = 200;

/// One of each, in turn; none of them pauses an account for long.
fn fault(number: usize) -> Fault {
    let status = |status| FaultKind::Status {
        status,
        retry_after: Some("0".into()),
        body: None,
    };
    let what = match number % 7 {
        0 => status(500),
        1 => status(503),
        2 => status(429),
        3 => FaultKind::Truncate,
        4 => FaultKind::Html,
        5 => FaultKind::NeverEndingCursor,
        _ => FaultKind::Hang,
    };
    let fault = Fault::new(what).times(3);
    if number.is_multiple_of(2) {
        fault.at(Endpoint::Devices)
    } else {
        fault
    }
}

/// The middle of a few looks, so that one page in flight more or less does not count.
async fn settled_rss(child: &Child) -> f64 {
    let mut looks = Vec::new();
    for _ in 0..9 {
        looks.push(child.rss_kib());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    looks.sort_unstable();
    looks[4] as f64
}

/// Syncs that went well, and that did not.
fn outcomes(child: &Child) -> (usize, usize) {
    let ended = child.events("sync");
    let of = |word| {
        let told = ended.iter().filter(|event| event["outcome"] == word);
        told.count()
    };
    (of("success"), of("error") + of("partial"))
}

#[test]
fn a_stretch_of_faulty_syncs_leaves_memory_where_it_was() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let accounts = (1..=ACCOUNTS).map(|n| SimulatedAccount::numbered(n, 200));
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: accounts.collect(),
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        for org in 1001..=1000 + ACCOUNTS {
            let account = Account {
                tenant: &format!("tenant-{org}"),
                org,
                in_bulk: true,
            };
            fleet::link_fleet(&owner, &simulator, account).await;
        }
        let child = Child::start(&["run"], &database.service_url(), SETTINGS);
        let started = Instant::now();
        let mut early = None;
        for number in 0.. {
            simulator.inject(fault(number));
            database.execute(NUDGE).await;
            tokio::time::sleep(NUDGE_EVERY).await;
            if early.is_none() && started.elapsed() > STRETCH / 10 {
                early = Some(settled_rss(&child).await);
            }
            let is_over = || outcomes(&child).0 >= ENOUGH_SYNCS / 4;
            if started.elapsed() > LONGEST_STRETCH || started.elapsed() > STRETCH && is_over() {
                break;
            }
        }
        let (early, late) = (early.unwrap(), settled_rss(&child).await);
        let ended = child.events("sync");
        let (well, failed) = outcomes(&child);
        eprintln!("memory: {early} KiB, then {late} KiB; {well} syncs well, {failed} not");
        assert!(well + failed >= ENOUGH_SYNCS, "{well} well, {failed} not");
        assert!(
            well.min(failed) >= ENOUGH_SYNCS / 4,
            "{well} well, {failed} not: {:?}",
            ended
                .iter()
                .rev()
                .take(9)
                .map(|event| &event["error"])
                .collect::<Vec<_>>()
        );
        assert!(
            late <= early * MOST_GROWTH,
            "{early} KiB grew to {late} KiB"
        );
        owner.store.close().await;
    });
}

/// The most memory of a process that syncs so many devices once, in KiB.
async fn peak_of_a_sync(devices: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let database_url = fleet::sqlite_url(&folder);
    let simulator = fleet::simulator(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, devices)],
        ..SimulatorConfig::default()
    });
    let owner = fleet::app(&database_url, &[]);
    owner.store.migrate(None).await.unwrap();
    let account = Account {
        tenant: "acme",
        org: 1001,
        in_bulk: true,
    };
    fleet::link_fleet(&owner, &simulator, account).await;
    owner.store.close().await;
    let mut child = Child::start(&["once"], &database_url, &[]);
    let mut peak = 0;
    while child.is_running() {
        peak = child.peak_rss_kib().unwrap_or(peak);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (status, _) = child.ends();
    assert!(status.success(), "{}", child.log());
    peak
}

#[test]
fn a_device_more_costs_a_sync_its_names_and_counters_and_nothing_else() {
    in_system(async {
        let small = peak_of_a_sync(SMALL_FLEET).await;
        let large = peak_of_a_sync(LARGE_FLEET).await;
        let growth = large.saturating_sub(small) * 1024 / (LARGE_FLEET - SMALL_FLEET);
        eprintln!("memory: {small} KiB, then {large} KiB: {growth} bytes per device");
        assert!(
            growth <= MOST_BYTES_PER_DEVICE,
            "{growth} bytes per device: {small} KiB, then {large} KiB"
        );
    });
}
