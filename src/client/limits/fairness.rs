//! Ten minutes of calls in simulated time: the rate is used, never exceeded, and shared fairly.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const AT: (&str, &str) = ("c", "h");

fn rate(requests_per_second: f64, burst: u32) -> RateLimit {
    RateLimit {
        requests_per_second,
        burst: NonZeroU32::new(burst).unwrap(),
    }
}

fn tier(rate: RateLimit, windows: &[&str]) -> Tier {
    Tier {
        rate,
        windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn no_limit() -> Tier {
    rate(1e6, 1_000_000).into()
}

fn limits(account: Tier, host: Tier, max_concurrency: usize) -> CarrierLimits {
    CarrierLimits {
        account,
        host,
        classes: BTreeMap::new(),
        host_classes: BTreeMap::new(),
        max_concurrency,
    }
}

fn of(class: &str) -> Endpoint<'_> {
    Endpoint { class, path: class }
}

/// When calls left, by whoever made them.
type Log = Arc<Mutex<Vec<Instant>>>;

/// Calls as fast as it is let until `end`; each answer takes `latency`.
async fn call_until(end: Instant, caller: Caller, class: &str, latency: Duration, log: Log) {
    while Instant::now() < end {
        match caller.acquire(of(class), PATIENCE).await {
            Ok(_permit) => {
                if Instant::now() < end {
                    unpoisoned(&log).push(Instant::now());
                }
                sleep(latency).await;
            }
            Err(paused) => sleep(paused.left).await,
        }
    }
}

/// Most calls in any interval of this length.
fn most_within(calls: &[Instant], per: Duration) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, at) in calls.iter().enumerate() {
        while *at - calls[first] >= per {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[derive(Clone, Copy)]
struct Tenant {
    accounts: usize,
    workers: usize,
    latency: Duration,
}

/// How many calls each of these tenants has made on one host after ten minutes.
async fn shares(host: Tier, tenants: &[Tenant]) -> (Vec<usize>, Vec<Instant>) {
    let (all, end) = (Limits::default(), Instant::now() + TEN_MINUTES);
    let limits = limits(no_limit(), host, 25);
    let (mut logs, mut tasks) = (Vec::new(), Vec::new());
    for (number, tenant) in tenants.iter().enumerate() {
        let log = Log::default();
        for key in 0..tenant.accounts {
            let key = format!("{number}-{key}");
            let caller = all.account(AT, key, &number.to_string(), &limits);
            for _ in 0..tenant.workers {
                let (caller, log, latency) = (caller.clone(), Arc::clone(&log), tenant.latency);
                tasks.push(tokio::spawn(async move {
                    call_until(end, caller, "", latency, log).await;
                }));
            }
        }
        logs.push(log);
    }
    for task in tasks {
        task.await.unwrap();
    }
    let each: Vec<Vec<Instant>> = logs.iter().map(|log| unpoisoned(log).clone()).collect();
    let mut calls: Vec<_> = each.concat();
    calls.sort();
    (each.iter().map(Vec::len).collect(), calls)
}

/// Twenty tenants, as different as can be.
fn twenty() -> Vec<Tenant> {
    let kinds = [
        (1, 1, 100),
        (1, 25, 100),
        (8, 4, 100),
        (1, 2, 350),
        (1, 1, 350),
    ];
    let tenant = |(accounts, workers, latency_ms)| Tenant {
        accounts,
        workers,
        latency: Duration::from_millis(latency_ms),
    };
    kinds.iter().cycle().take(20).copied().map(tenant).collect()
}

#[tokio::test(start_paused = true)]
async fn the_slowest_of_twenty_tenants_has_at_least_four_fifths_of_the_average() {
    let hosts = [
        tier(rate(2_000.0 / 300.0, 5), &["2000/5m"]),
        tier(rate(50.0, 50), &[]),
        tier(rate(1e6, 1_000_000), &["600/1m", "5000/10m"]),
        tier(rate(10.0, 1), &["60/1m"]),
    ];
    for host in hosts {
        let (shares, calls) = shares(host.clone(), &twenty()).await;
        let average = calls.len() as f64 / shares.len() as f64;
        let least = *shares.iter().min().unwrap() as f64;
        assert!(least >= 0.8 * average, "{host:?}: {shares:?}");
        for window in &host.windows {
            let most = most_within(&calls, window.per);
            assert!(most <= window.calls.get() as usize, "{most} in {window:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_is_used_to_nineteen_twentieths_while_all_want_it() {
    let host = tier(rate(2_000.0 / 300.0, 5), &["2000/5m"]);
    let (_, calls) = shares(host, &twenty()).await;
    let used = calls.len() as f64 / 4_000.0;
    assert!((0.95..=1.0).contains(&used), "{used}");
}

/// The calls of one account with four workers in this time.
async fn calls_of(limits: &CarrierLimits, time: Duration) -> Vec<Instant> {
    let caller = Limits::default().account(AT, "k", "t", limits);
    let (log, end) = (Log::default(), Instant::now() + time);
    let latency = Duration::from_millis(80);
    let call = || call_until(end, caller.clone(), "", latency, Arc::clone(&log));
    tokio::join!(call(), call(), call(), call());
    unpoisoned(&log).clone()
}

#[tokio::test(start_paused = true)]
async fn two_windows_hold_at_once_and_are_used_while_there_is_demand() {
    let account = tier(rate(1e6, 1_000_000), &["60/1m", "1000/1h"]);
    let hours = 4;
    let calls = calls_of(
        &limits(account, no_limit(), 4),
        hours * Duration::from_secs(3_600),
    )
    .await;
    assert!(most_within(&calls, Duration::from_secs(60)) <= 60);
    assert!(most_within(&calls, Duration::from_secs(3_600)) <= 1_000);
    let used = calls.len() as f64 / (f64::from(hours) * 1_000.0);
    assert!(used >= 0.95, "{used}");
    // Before the hour is spent, the minute is what is used.
    let first: Vec<_> = calls.iter().take(900).collect();
    let minutes = (*first[899] - *first[0]).as_secs_f64() / 60.0;
    assert!(900.0 / (minutes + 1.0) >= 0.95 * 60.0, "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn a_rate_and_a_window_are_used_to_nineteen_twentieths() {
    for (rate, windows, allowed) in [
        (rate(10.0, 5), &[][..], 6_000.0),
        (rate(10.0, 1), &[], 6_000.0),
        (rate(1e6, 1_000_000), &["600/1m"], 6_000.0),
        (rate(1e6, 1_000_000), &["5/1s"], 3_000.0),
        (rate(2.0, 3), &["10/1s"], 1_200.0),
    ] {
        let account = tier(rate, windows);
        let calls = calls_of(&limits(account, no_limit(), 4), TEN_MINUTES).await;
        let used = calls.len() as f64 / allowed;
        let burst = if windows.is_empty() { 0.01 } else { 0.0 };
        assert!(
            (0.95..=1.0 + burst).contains(&used),
            "{rate:?} {windows:?}: {used}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_class_has_its_own_rate_and_keeps_no_other_class_waiting() {
    let mut limits = limits(rate(20.0, 1).into(), no_limit(), 3);
    limits.classes.insert("slow".to_owned(), rate(1.0, 1));
    let caller = Limits::default().account(AT, "k", "t", &limits);
    let (slow, fast) = (Log::default(), Log::default());
    let end = Instant::now() + TEN_MINUTES;
    let call = |class, log: &Log| {
        let latency = Duration::from_millis(100);
        call_until(end, caller.clone(), class, latency, Arc::clone(log))
    };
    tokio::join!(
        call("slow", &slow),
        call("slow", &slow),
        call("slow", &slow),
        call("fast", &fast),
        call("fast", &fast),
    );
    let (slow, fast) = (unpoisoned(&slow).len(), unpoisoned(&fast).len());
    assert!((570..=601).contains(&slow), "{slow} of 600");
    assert!(fast > 9_000, "{fast} beside {slow} of the slow class");
}

/// The calls of each of three tenants who share one account, or one host with an account each, and of whom
/// one is the busiest by far.
async fn shares_of_class(limits: &CarrierLimits, one_account: bool) -> Vec<usize> {
    let (all, end) = (Limits::default(), Instant::now() + TEN_MINUTES);
    let (mut logs, mut tasks) = (Vec::new(), Vec::new());
    for (tenant, workers) in [("busy", 25), ("quiet", 1), ("slow", 2)] {
        let log = Log::default();
        let key = if one_account { "k" } else { tenant };
        for _ in 0..workers {
            let (caller, log) = (all.account(AT, key, tenant, limits), Arc::clone(&log));
            let latency = Duration::from_millis(if tenant == "slow" { 900 } else { 100 });
            tasks.push(tokio::spawn(async move {
                call_until(end, caller, "scarce", latency, log).await;
            }));
        }
        logs.push(log);
    }
    for task in tasks {
        task.await.unwrap();
    }
    logs.iter().map(|log| unpoisoned(log).len()).collect()
}

#[tokio::test(start_paused = true)]
async fn tenants_have_fair_parts_of_a_class_that_is_short() {
    let scarce = BTreeMap::from([("scarce".to_owned(), rate(1.0, 2))]);
    let of_account = CarrierLimits {
        classes: scarce.clone(),
        ..limits(no_limit(), no_limit(), 25)
    };
    let of_host = CarrierLimits {
        host_classes: scarce,
        ..limits(no_limit(), no_limit(), 25)
    };
    for (limits, one_account) in [(of_account, true), (of_host, false)] {
        let shares = shares_of_class(&limits, one_account).await;
        let all: usize = shares.iter().sum();
        assert!((570..=602).contains(&all), "{shares:?}");
        let least = *shares.iter().min().unwrap() as f64;
        assert!(least >= 0.8 * all as f64 / 3.0, "{shares:?}");
    }
}

/// A call that has the turn of a class keeps the others of it waiting: it must not wait for all that its tenant has
/// waiting elsewhere.
#[tokio::test(start_paused = true)]
async fn one_with_much_to_do_elsewhere_keeps_nobody_of_a_class_waiting() {
    let limits = CarrierLimits {
        host_classes: BTreeMap::from([("scarce".to_owned(), rate(1.0, 2))]),
        ..limits(no_limit(), rate(5.0, 1).into(), 30)
    };
    let (all, end) = (Limits::default(), Instant::now() + TEN_MINUTES);
    let (busy, quiet) = (Log::default(), Log::default());
    let mut tasks = Vec::new();
    let workers = [
        ("busy", "", 25),
        ("busy", "scarce", 1),
        ("quiet", "scarce", 1),
    ];
    for (tenant, class, workers) in workers {
        for number in 0..workers {
            let log = match (tenant, class) {
                ("quiet", _) => Arc::clone(&quiet),
                (_, "scarce") => Arc::clone(&busy),
                _ => Log::default(),
            };
            let caller = all.account(AT, (tenant, class, number), tenant, &limits);
            let latency = Duration::from_millis(100);
            tasks.push(tokio::spawn(async move {
                call_until(end, caller, class, latency, log).await;
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (busy, quiet) = (unpoisoned(&busy).len(), unpoisoned(&quiet).len());
    assert!(busy + quiet >= 540, "{busy} and {quiet} of 600");
    assert!(quiet * 5 >= busy * 4, "{quiet} beside {busy}");
}

#[tokio::test(start_paused = true)]
async fn tenants_that_share_an_account_have_fair_parts_of_it() {
    let all = Limits::default();
    let limits = limits(rate(5.0, 1).into(), no_limit(), 4);
    let (end, busy, quiet) = (Instant::now() + TEN_MINUTES, Log::default(), Log::default());
    let mut tasks = Vec::new();
    for (tenant, workers, log) in [("busy", 25, &busy), ("quiet", 2, &quiet)] {
        for _ in 0..workers {
            let caller = all.account(AT, "k", tenant, &limits);
            let latency = Duration::from_millis(200);
            let log = Arc::clone(log);
            tasks.push(tokio::spawn(async move {
                call_until(end, caller, "", latency, log).await;
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (busy, quiet) = (unpoisoned(&busy).len(), unpoisoned(&quiet).len());
    let average = (busy + quiet) as f64 / 2.0;
    assert!(quiet as f64 >= 0.8 * average, "{quiet} beside {busy}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Demand comes and goes, callers give up: no window is ever exceeded, by whole and by part.
    #[test]
    fn no_window_is_exceeded_whatever_the_demand(
        windows in proptest::collection::vec((1_u32..40, 1_u64..60), 0..4),
        host in proptest::collection::vec((1_u32..40, 1_u64..60), 0..3),
        burst in 1_u32..20,
        processes in 1_usize..4,
        workers in proptest::collection::vec((0_u64..5_000, 0_u64..3_000, any::<bool>()), 1..30),
    ) {
        let windows_of = |pairs: &[(u32, u64)]| -> Vec<Window> {
            let window = |(calls, secs): &(u32, u64)| Window {
                calls: NonZeroU32::new(*calls).unwrap(),
                per: Duration::from_secs(*secs),
            };
            pairs.iter().map(window).collect()
        };
        let limits = CarrierLimits {
            account: Tier { rate: rate(8.0, burst), windows: windows_of(&windows) },
            host: Tier { rate: rate(1e6, 1_000_000), windows: windows_of(&host) },
            classes: BTreeMap::new(),
            host_classes: BTreeMap::new(),
            max_concurrency: 5,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let calls = runtime.block_on(demand(&limits, processes, &workers));
        for window in &limits.account.windows {
            prop_assert!(most_within(&calls, window.per) <= window.calls.get() as usize);
        }
        for window in &limits.host.windows {
            let part = (window.calls.get() as usize / processes).max(1);
            prop_assert!(most_within(&calls, window.per) <= part);
        }
    }
}

/// Two minutes of calls by workers that rest, wait for their answers and, some of them, give up.
async fn demand(
    limits: &CarrierLimits,
    processes: usize,
    workers: &[(u64, u64, bool)],
) -> Vec<Instant> {
    let all = Limits::default();
    all.share_hosts_with(processes);
    let caller = all.account(AT, "k", "t", limits);
    let (log, end) = (Log::default(), Instant::now() + Duration::from_secs(120));
    let work = |(rest, latency, gives_up): (u64, u64, bool)| {
        let (caller, log) = (caller.clone(), Arc::clone(&log));
        async move {
            let patience = Duration::from_secs(if gives_up { 1 } else { 60 });
            while Instant::now() < end {
                let permit = caller.acquire(of(""), patience);
                match tokio::time::timeout(patience * 2, permit).await {
                    Ok(Ok(_permit)) => {
                        unpoisoned(&log).push(Instant::now());
                        sleep(Duration::from_millis(latency)).await;
                    }
                    Ok(Err(paused)) => sleep(paused.left).await,
                    Err(_) => {}
                }
                sleep(Duration::from_millis(rest)).await;
            }
        }
    };
    futures_util::future::join_all(workers.iter().copied().map(work)).await;
    unpoisoned(&log).clone()
}
