//! The limit: the fastest ways there are to update a fleet's rows from a client, without a service
//! around them. `scripts/bench.sh` holds the service against them; it must know nothing of our own
//! write path, or the yardstick would shrink with what it measures.
//!
//! One run is one way, over every device of a tenant, and prints one JSON line:
//!
//! ```text
//! cargo bench --bench limit -- DATABASE_URL TENANT WAY
//!
//! WAY   unnest-N   UPDATE … FROM UNNEST, N rows per transaction     (Postgres)
//!       copy       COPY into a temporary table, one UPDATE … FROM   (Postgres)
//!       json-N     UPDATE … FROM json_each, N rows per statement    (SQLite)
//!       prepared   one prepared UPDATE per row                      (SQLite)
//! ```
//!
//! The clock covers what a client has to do: lay out the values, send them, and wait for the commit.
//! Reading which devices there are is not in it. Every run writes other values than the one before,
//! and fails unless every row took them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs
)]

mod change;
mod postgres;
mod sqlite;

use std::time::Duration;

use change::Change;

/// What a run did.
struct Done {
    /// Rows that the statements said they changed.
    updated: u64,
    elapsed: Duration,
    /// Sum over the tenant's rows of what is stored now.
    stored_bytes: i64,
}

fn main() {
    // `cargo bench` adds a flag of its own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [url, tenant, way] = arguments.as_slice() else {
        println!("limit: run by scripts/bench.sh, or with DATABASE_URL TENANT WAY");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (changes, done) = runtime.block_on(async {
        if url.starts_with("sqlite:") {
            sqlite::run(url, tenant, way).await
        } else {
            postgres::run(url, tenant, way).await
        }
    });
    check(&changes, &done);
    println!(
        r#"{{"way":"{way}","rows":{},"seconds":{:.6}}}"#,
        done.updated,
        done.elapsed.as_secs_f64()
    );
}

/// A way that left a row out would be no limit.
fn check(changes: &[Change], done: &Done) {
    assert!(!changes.is_empty(), "the tenant has no devices");
    assert_eq!(done.updated, changes.len() as u64, "rows updated");
    let sent: i64 = changes.iter().map(|change| change.bytes).sum();
    assert_eq!(done.stored_bytes, sent, "what is stored is what was sent");
}

/// `N` of `PREFIX-N`.
fn rows_of(way: &str, prefix: &str) -> Option<usize> {
    way.strip_prefix(prefix)?.strip_prefix('-')?.parse().ok()
}
