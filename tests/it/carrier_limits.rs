//! The carriers' limits, seen from the carrier: what it counted is the witness, and it refuses what is over them.
//!
//! Rates are measured on real sockets of a busy machine. For how far a rate is used the best stretch of a sync
//! counts, for whether it is exceeded every call does. A call that a busy machine lets leave late is not made up
//! for, and the slower the rate, the less that is: nineteen twentieths are asserted of a slow rate, and of the
//! published ones, where few milliseconds a call are a twentieth already, no more than that they are meant.

use std::time::Duration;

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::dialects::{
    Dialect, DialectAccount, DialectCalls, DialectConfig, Limit,
};

use crate::carrier_scene::{Scene, borrowed, code, fast, link};
use crate::fleet::{self, in_system};

const SECOND: Duration = Duration::from_secs(1);
/// More of a published rate than any lower rate that somebody could have set by mistake.
const MEANT: f64 = 0.85;

/// Calls per second over the best of all stretches of so many calls: one that the machine kept waiting is no
/// worse for those before and after it.
fn best_rate(calls: &DialectCalls, stretch: usize) -> f64 {
    let stretches = calls.arrivals.windows(stretch + 1);
    let lengths = stretches.map(|stretch| stretch[stretch.len() - 1] - stretch[0]);
    stretch as f64 / lengths.min().unwrap().as_secs_f64()
}

/// Fails unless the carrier refused nothing, and answered at this part of the rate at least.
#[track_caller]
fn assert_used(calls: &DialectCalls, stretch: usize, requests_per_second: f64, part: f64) {
    let statuses: Vec<u16> = calls.by_status.keys().copied().collect();
    assert_eq!((statuses, calls.refusals), (vec![200], 0), "none refused");
    let used = best_rate(calls, stretch) / requests_per_second;
    assert!(used >= part, "{used:.3} of the rate is used");
}

/// Calls of one account that may make three a second and wants to make thirty.
async fn calls_at_three_a_second(dialect: Dialect) -> DialectCalls {
    let section = format!("carriers.{}", code(dialect));
    let settings = [
        ("requests_per_second", "3"),
        ("burst", "1"),
        ("slice", "30"),
    ]
    .map(|(key, value)| (format!("{section}.{key}"), value));
    let config = DialectConfig {
        limits: vec![Limit::of(3, SECOND)],
        ..DialectConfig::of(dialect, 30)
    };
    let scene = Scene::of(config, &borrowed(&settings)).await;
    let report = fleet::sync_one(&scene.app).await;
    assert_eq!((report.outcome, report.error), (Outcome::Success, None));
    scene.simulator.calls_of(0)
}

#[test]
fn a_configured_rate_is_used_to_nineteen_twentieths_and_never_exceeded() {
    in_system(async {
        let all = tokio::join!(
            calls_at_three_a_second(Dialect::OneNce),
            calls_at_three_a_second(Dialect::Emnify),
            calls_at_three_a_second(Dialect::Cisco),
        );
        for calls in [all.0, all.1, all.2] {
            assert_used(&calls, 9, 3.0, 0.95);
            let most = calls.most_in(SECOND);
            assert!(most <= 3, "{most} in a second");
        }
    });
}

#[test]
fn the_published_rate_of_onence_is_used_and_never_exceeded() {
    in_system(async {
        let settings = [("carriers.1nce.slice", "60")];
        let scene = Scene::of(DialectConfig::of(Dialect::OneNce, 100), &settings).await;
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        let calls = scene.simulator.calls_of(0);
        assert_used(&calls, 20, 10.0, MEANT);
        let most = calls.most_in(SECOND);
        assert!(most <= 10, "{most} in a second");
    });
}

#[test]
fn the_published_rate_of_cisco_is_used_and_never_exceeded() {
    in_system(async {
        let settings = [("carriers.cisco.slice", "30")];
        let scene = Scene::of(DialectConfig::of(Dialect::Cisco, 100), &settings).await;
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        let calls = scene.simulator.calls_of(0);
        assert_used(&calls, 12, 5.0, MEANT);
        let most = calls.most_in(SECOND);
        assert!(most <= 5, "{most} in a second");
    });
}

/// Published are 2,000 calls in five minutes by address; here it is a fortieth of both, the same rate. Two tenants
/// together use more than the window holds.
#[test]
fn emnify_s_window_of_an_address_is_kept_by_all_tenants_together_and_used() {
    in_system(async {
        let per = Duration::from_millis(7_500);
        let accounts = [1, 2].map(|number| DialectAccount::numbered(Dialect::Emnify, number, 40));
        let config = DialectConfig {
            accounts: accounts.to_vec(),
            limits: vec![Limit::of(50, per).shared()],
            ..DialectConfig::of(Dialect::Emnify, 0)
        };
        let settings = [
            ("carriers.emnify.host_windows", "50/7500ms"),
            ("carriers.emnify.slice", "30"),
        ];
        let scene = Scene::of(config, &settings).await;
        link(&scene.app, &scene.simulator, 1, None).await;
        for report in fleet::sync(&scene.app).await {
            assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        }
        let calls = scene.simulator.calls();
        assert_eq!(calls.token_calls(), 2);
        let most = calls.most_in(per);
        assert!(most <= 50 && calls.arrivals.len() > 60, "{calls:?}");
        assert_used(&calls, 20, 6.6, MEANT);
    });
}

/// Each answer takes longer than the rate keeps calls apart, so that two would meet if they could.
#[test]
fn cisco_is_called_one_at_a_time_however_slowly_it_answers() {
    in_system(async {
        let config = DialectConfig {
            latency: Duration::from_millis(450),
            ..DialectConfig::of(Dialect::Cisco, 10)
        };
        let settings = [("carriers.cisco.slice", "6")];
        let scene = Scene::of(config, &settings).await;
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        let calls = scene.simulator.calls_of(0);
        assert_eq!((calls.peak_concurrency, calls.refusals), (1, 0));
        assert_eq!(calls.by_endpoint["devices/{id}/sessionInfo"], 6);
    });
}

#[test]
fn too_fast_in_cisco_s_words_pauses_the_account_whatever_the_status() {
    in_system(async {
        for throttle_status in [429, 400, 200] {
            let config = DialectConfig {
                limits: vec![Limit::of(2, SECOND)],
                throttle_status,
                ..DialectConfig::of(Dialect::Cisco, 51)
            };
            let mut settings = fast(Dialect::Cisco);
            settings.retain(|(key, _)| !key.ends_with(".slice"));
            settings.push(("http.throttle_pause".into(), "1s"));
            settings.push((format!("carriers.{}.slice", code(Dialect::Cisco)), "0"));
            let scene = Scene::of(config, &borrowed(&settings)).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error),
                (Outcome::Success, None),
                "{throttle_status}"
            );
            // Two pages of devices and one of each of two plans: the third call is one too many.
            let calls = scene.simulator.calls();
            assert!(calls.refusals > 0, "{throttle_status}: {calls:?}");
            assert_eq!(calls.data_calls(), 4 + calls.refusals, "{calls:?}");
            for refused_at in &calls.refused_at {
                let after = calls.arrivals.iter().filter(|at| *at > refused_at);
                let next = *after.min().unwrap() - *refused_at;
                assert!(next >= SECOND, "{throttle_status}: again after {next:?}");
            }
        }
    });
}
