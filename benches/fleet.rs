//! What it costs to look at the fleet: to put its snapshot together from the database and the board, to find the
//! integrations of one page in it, and how long those who post to the board are held up meanwhile.
//!
//! One run looks at a database that is there, so many times, and prints one JSON line of lists of seconds:
//!
//! ```text
//! cargo bench --bench fleet -- DATABASE_URL ROUNDS
//! ```
//!
//! The board has an entry for each integration, of which every second one is in trouble. The limiters are left out: the
//! page of the running program, which `scripts/bench.sh status` asks too, has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carrier_sync::clock::SystemClock;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::{IntegrationRow, Outcome};
use carrier_sync::runs::Retention;
use carrier_sync::status::fleet::query::{IntegrationFilter, Order, page};
use carrier_sync::status::{ActorName, ActorState, ActorStatus, Board, Fleet};
use carrier_sync::store::{Store, StoreOptions, connect};
use chrono::Utc;
use serde_json::json;

/// A snapshot is kept for a second and its rows for two: after this, one is put together of rows that are there.
const SNAPSHOT_IS_OLD: Duration = Duration::from_millis(1_050);
const PAGE: usize = 50;
/// Looks at the board while somebody posts.
const LOOKS: usize = 20;

fn main() {
    // `cargo bench` adds a flag of its own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [url, rounds] = arguments.as_slice() else {
        println!("fleet: run by scripts/bench.sh status, or with DATABASE_URL ROUNDS");
        return;
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let told = runtime.block_on(async {
        let store = store(url);
        let rows = store.integrations().await.expect("the database answers");
        let board = Arc::new(board(&rows));
        let told = measure(&store, &board, rounds).await;
        store.close().await;
        told
    });
    println!("{told}");
}

fn store(url: &str) -> Arc<dyn Store> {
    let options = StoreOptions {
        url: url.to_owned().into(),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(30),
        lock_timeout: Duration::from_secs(5),
        runs: Retention {
            keep: Duration::from_secs(86_400),
            per_integration: 1_000,
        },
    };
    connect(&options).expect("a database URL")
}

fn board(rows: &[IntegrationRow]) -> Board {
    // None is logged one by one.
    let board = Board::new(0);
    let now = Utc::now();
    for (number, row) in rows.iter().enumerate() {
        board.update(&ActorName::Integration(row.id.clone()), now, |status| {
            *status = ActorStatus {
                tenant_id: Some(row.tenant_id.clone()),
                carrier: Some(row.carrier_name.clone()),
                interval: Some(Duration::from_secs(3_600)),
                last_outcome: Some(Outcome::Success),
                last_success_at: Some(now),
                devices: 10,
                next_sync_at: Some(now),
                ..ActorStatus::default()
            };
            if number % 2 == 0 {
                status.state = ActorState::BackingOff;
                status.last_outcome = Some(Outcome::Error);
                status.reason = row.last_sync_error.clone();
            }
        });
    }
    board
}

async fn measure(store: &Arc<dyn Store>, board: &Arc<Board>, rounds: usize) -> serde_json::Value {
    let (mut everything, mut rows_anew, mut together) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first_page, mut searched, mut copied) = (Vec::new(), Vec::new(), Vec::new());
    let nowhere = IntegrationFilter {
        search: Some("in none of them".to_owned()),
        ..IntegrationFilter::default()
    };
    let mut integrations = 0;
    for _ in 0..rounds {
        let runtime = tokio::runtime::Handle::current();
        let fleet = Fleet::new(
            Arc::clone(store),
            Arc::clone(board),
            Arc::new(SystemClock),
            runtime,
        );
        let (first, taken) = looked(&fleet).await;
        everything.push(taken);
        assert!(first.database.is_none(), "{:?}", first.database);
        fleet.forget();
        rows_anew.push(looked(&fleet).await.1);
        tokio::time::sleep(SNAPSHOT_IS_OLD).await;
        let (snapshot, taken) = looked(&fleet).await;
        together.push(taken);
        assert!(
            snapshot.taken_at > first.taken_at + SNAPSHOT_IS_OLD,
            "one was put together"
        );
        let all = &snapshot.integrations;
        integrations = all.len();
        for (filter, times) in [
            (&IntegrationFilter::default(), &mut first_page),
            (&nowhere, &mut searched),
        ] {
            times.push(timed(|| page(all, filter, Order::Attention, None, PAGE)));
        }
        copied.push(timed(|| board.snapshot()));
    }
    let id = store.integrations().await.expect("the database answers")[0]
        .id
        .clone();
    json!({
        "integrations": integrations,
        "rows, counts and board": everything,
        "rows and board": rows_anew,
        "board, rows known": together,
        "first page found": first_page,
        "nothing found": searched,
        "board copied": copied,
        "posts, nobody looks": posts(board, &id, || std::thread::sleep(Duration::from_millis(50))),
        "posts, somebody looks": posts(board, &id, || for _ in 0..LOOKS {
            black_box(board.snapshot());
        }),
    })
}

async fn looked(fleet: &Fleet) -> (Arc<carrier_sync::status::fleet::Snapshot>, f64) {
    let begun = Instant::now();
    let snapshot = fleet.snapshot().await;
    (snapshot, begun.elapsed().as_secs_f64())
}

/// What it took to make; throwing it away is not counted.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    let made = black_box(work());
    let taken = begun.elapsed().as_secs_f64();
    drop(made);
    taken
}

/// The longest that posts to the board took, one after the other, while `meanwhile` went on.
fn posts(board: &Arc<Board>, id: &IntegrationId, meanwhile: impl Fn()) -> Vec<f64> {
    let name = ActorName::Integration(id.clone());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let poster = scope.spawn(|| {
            let mut longest = 0.0_f64;
            while !is_over.load(Ordering::Relaxed) {
                let post = || board.update(&name, Utc::now(), |status| status.calls_made += 1);
                longest = longest.max(timed(post));
                std::thread::sleep(Duration::from_micros(200));
            }
            longest
        });
        meanwhile();
        is_over.store(true, Ordering::Relaxed);
        vec![poster.join().expect("the poster ends")]
    })
}
