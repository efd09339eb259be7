//! A large sync while many look at the status: each is answered, and what is written is what the carrier says.
//! What it costs the sync is `scripts/bench.sh status`'s to measure.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carrier_sync::device::IntegrationId;
use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};
use chrono::{DateTime, TimeDelta, Utc};

use super::served::{Served, bearer};
use super::{Place, until};
use crate::fleet;

const DEVICES: usize = 100_000;
const TOKEN: &str = "token-of-the-watched";
const QUESTIONS_PER_SECOND: u32 = 200;
const PATHS: [&str; 2] = ["/", "/metrics"];

/// Asks over one connection, in turn, until told to stop; a late answer does not lower the number, it is made up for.
/// Answers how many answers there were, and how many of them were told of the sync while it went on.
fn watch(address: &str, is_over: &AtomicBool) -> (u32, usize) {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let mut connection = BufReader::new(connection);
    let (began, mut asked, mut under_way) = (Instant::now(), 0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let due = began + asked * Duration::from_secs(1) / QUESTIONS_PER_SECOND;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let path = PATHS[asked as usize % PATHS.len()];
        let question = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.get_mut().write_all(question.as_bytes()).unwrap();
        let body = answer(&mut connection);
        under_way += usize::from(body.contains("carrier_sync_integrations{state=\"syncing\"} 1"));
        asked += 1;
    }
    (asked, under_way)
}

/// Dropped, it ends the watching: also where the test fails, which would wait for it for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn answer(connection: &mut BufReader<TcpStream>) -> String {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let begin = head.len();
        assert!(connection.read_line(&mut head).unwrap() > 0, "{head}");
        if let Some(told) = head[begin..].strip_prefix("content-length: ") {
            length = told.trim().parse().unwrap();
        }
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn two_hundred_questions_a_second_cost_a_large_sync_nothing_of_its_truth() {
    let place = Place::new(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, DEVICES as u64)],
        ..SimulatorConfig::default()
    })
    .with("STATUS__LISTEN", "127.0.0.1:0")
    .with("STATUS__TOKEN", TOKEN)
    .with("CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", "1000");
    let id = place.link();
    let began = Utc::now();
    let served = Served::by(&place);
    let ended = |count: usize| {
        until("a sync ends", || {
            let ended = served.service.events("sync");
            (ended.len() == count).then_some(ended)
        })
    };
    ended(1);
    // Its end is told a moment before it rests, and until then another is "under way".
    let path = format!("/api/v1/integrations/{id}");
    until("the first sync rests", || {
        let told = served.get(&path).json();
        (told["integration"]["state"] == "idle").then_some(())
    });
    let is_over = AtomicBool::new(false);
    let (events, (asked, under_way)) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&served.address, &is_over));
        let over = Over(&is_over);
        let path = format!("{path}/sync");
        let headers = format!("{}Content-Length: 0\r\n", bearer(TOKEN));
        assert_eq!(served.ask("POST", &path, &headers).status, 202);
        let events = ended(2);
        drop(over);
        (events, watcher.join().unwrap())
    });
    for event in &events {
        assert_eq!(event["outcome"], "success", "{event}");
        assert_eq!(event["synced"], DEVICES, "{event}");
    }
    assert!(
        under_way > 0,
        "none of {asked} answers was of during the sync"
    );
    assert_rows_true(&place, &id, began);
}

/// Of a hundred thousand devices one may begin a new cycle after it was read, and one be cancelled in a cycle's first
/// minutes, which are taken for the bound that they are next to (`sync/merge.rs`).
fn assert_rows_true(place: &Place, id: &str, began: DateTime<Utc>) {
    let id = IntegrationId::parse(id).unwrap();
    let mut rows = place.ask(async |app| fleet::devices(app, &id).await);
    let mut truth = place.simulator.truth(1001);
    assert_eq!((rows.len(), truth.len()), (DEVICES, DEVICES));
    let minutes = TimeDelta::minutes(10);
    truth.retain(|it| it.cycle_start < began && it.cycle_end - it.cycle_start > minutes);
    let are_left: HashSet<_> = truth
        .iter()
        .map(|device| &*device.carrier_device_id)
        .collect();
    rows.retain(|row| {
        let name = row.carrier_device_id.as_deref().unwrap_or_default();
        are_left.contains(name)
    });
    assert!(truth.len() > 99_900, "{}", truth.len());
    fleet::assert_true(&rows, &truth);
}
