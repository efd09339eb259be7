//! Credentials and tokens at the simulated carriers: bought once, renewed when they end or are revoked, and never
//! tried again where they are refused.

use std::time::Duration;

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::dialects::{Dialect, DialectConfig, DialectSimulator};

use crate::carrier_scene::{Scene, assert_all_true, borrowed, carrier, fast, link, unlimited};
use crate::fleet::{self, in_system};

#[test]
fn a_token_that_ends_in_the_middle_of_a_walk_is_renewed_and_nothing_is_lost() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify] {
            let settings = fast(dialect);
            let config = DialectConfig {
                token_lifetime: Duration::from_secs(2),
                latency: Duration::from_millis(60),
                ..unlimited(dialect, 150)
            };
            let scene = Scene::of(config, &borrowed(&settings)).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error.as_deref()),
                (Outcome::Success, None),
                "{dialect:?}"
            );
            assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
            let bought = scene.simulator.calls().token_calls();
            assert!(
                (2..=8).contains(&bought),
                "{dialect:?}: {bought} tokens in some 5 s"
            );
        }
    });
}

#[test]
fn a_token_that_is_revoked_is_bought_anew_once() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify] {
            let settings = fast(dialect);
            let scene = Scene::of(unlimited(dialect, 40), &borrowed(&settings)).await;
            assert_eq!(fleet::sync_one(&scene.app).await.outcome, Outcome::Success);
            scene.simulator.revoke_tokens();
            scene.simulator.reset_calls();
            assert_eq!(fleet::sync_one(&scene.app).await.outcome, Outcome::Success);
            assert_eq!(scene.simulator.calls().token_calls(), 1, "{dialect:?}");
        }
    });
}

#[test]
fn refused_credentials_are_one_failure_and_no_call_for_data() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
            let folder = tempfile::tempdir().unwrap();
            let simulator = carrier(unlimited(dialect, 30));
            let settings = fast(dialect);
            let app = fleet::app(&fleet::sqlite_url(&folder), &borrowed(&settings));
            app.prepare().await.unwrap();
            link(&app, &simulator, 0, Some("simulated-nobody")).await;
            let report = fleet::sync_one(&app).await;
            assert_eq!(report.outcome, Outcome::Error, "{dialect:?}");
            let error = report.error.unwrap();
            assert!(
                error.contains("refuses the credentials"),
                "{dialect:?}: {error}"
            );
            let calls = simulator.calls();
            assert_eq!(calls.arrivals.len(), 1, "{dialect:?}: {calls:?}");
        }
    });
}

/// Waits until the carrier has answered so many calls for data, and ends every token.
async fn revoke_after(simulator: &DialectSimulator, answers: usize) {
    while simulator.calls().data_calls() < answers {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    simulator.revoke_tokens();
}

/// In the listing and among the calls per device: what was asked in vain is asked again with one new token, however
/// many calls met the old one.
#[test]
fn a_token_that_is_revoked_in_the_middle_of_a_walk_costs_a_token_and_no_row() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify] {
            for answers in [1, 30] {
                let settings = fast(dialect);
                let config = DialectConfig {
                    latency: Duration::from_millis(40),
                    ..unlimited(dialect, 230)
                };
                let scene = Scene::of(config, &borrowed(&settings)).await;
                let (report, ()) = tokio::join!(
                    fleet::sync_one(&scene.app),
                    revoke_after(&scene.simulator, answers)
                );
                let case = format!("{dialect:?} after {answers}");
                assert_eq!(
                    (report.outcome, report.error.as_deref()),
                    (Outcome::Success, None),
                    "{case}"
                );
                assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
                let calls = scene.simulator.calls();
                assert!(calls.by_status[&401] >= 1, "{case}: none met the old token");
                assert_eq!(calls.token_calls(), 2, "{case}");
            }
        }
    });
}

/// A login that others have locked is no reason to call the credentials wrong.
#[test]
fn a_locked_login_is_too_fast_and_not_refused_credentials() {
    in_system(async {
        let mut settings = fast(Dialect::Emnify);
        settings.push(("http.throttle_pause".into(), "1s"));
        settings.push(("carriers.emnify.max_attempts".into(), "1"));
        let scene = Scene::of(unlimited(Dialect::Emnify, 3), &borrowed(&settings)).await;
        let http = reqwest::Client::new();
        let login = format!("{}/api/v1/authenticate", scene.simulator.base_url());
        for _ in 0..3 {
            let body = r#"{"application_token":"nobody"}"#;
            let answer = http.post(&login).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 401);
        }
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!(report.outcome, Outcome::Error);
        let error = report.error.unwrap();
        assert!(error.contains("throttled by the carrier"), "{error}");
        assert_eq!(scene.simulator.calls().data_calls(), 0);
    });
}
