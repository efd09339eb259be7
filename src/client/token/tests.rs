//! The keeper with purchases of the test's own, in paused time.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use futures_util::poll;
use proptest::prelude::*;
use tokio::time::{advance, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Sells tokens that live for an hour, and counts.
#[derive(Debug, Default)]
struct Shop {
    sold: AtomicU32,
    asked: AtomicU32,
}

impl Shop {
    /// After a second.
    async fn sell(&self, life: Option<Duration>) -> Result<Bought, CallError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let asked_at = Instant::now();
        sleep(SECOND).await;
        let number = self.sold.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Bought {
            token: Token {
                headers: vec![("x-token".into(), format!("token-{number}").into())],
                lifetime: life,
                account: None,
            },
            asked_at,
        })
    }

    async fn fail(&self, error: CallError) -> Result<Bought, CallError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        sleep(SECOND).await;
        Err(error)
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

fn down() -> CallError {
    CallError::NoToken {
        reason: "status 500".into(),
    }
}

fn refused() -> CallError {
    CallError::Unauthorized {
        status: 401,
        words: None,
    }
}

async fn number(keeper: &TokenKeeper, shop: &Shop, life: Option<Duration>) -> u64 {
    keeper
        .token(Instant::now(), async || shop.sell(life).await)
        .await
        .unwrap()
        .number
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_at_once_buy_one_token() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    let numbers = join_all((0..50).map(|_| number(&keeper, &shop, HOUR))).await;
    assert_eq!(numbers, [1; 50]);
    assert_eq!(number(&keeper, &shop, HOUR).await, 1);
    assert_eq!(shop.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends_and_not_before_it_is_due() {
    // In seconds: life, and when it is due.
    for (life, due) in [(3600, 3540), (600, 540), (60, 54), (20, 18)] {
        let (keeper, shop) = (TokenKeeper::default(), Shop::default());
        let life = Some(Duration::from_secs(life));
        let bought_at = Instant::now();
        number(&keeper, &shop, life).await;
        let due = bought_at + Duration::from_secs(due);
        advance(due - Instant::now() - Duration::from_millis(1)).await;
        assert_eq!(number(&keeper, &shop, life).await, 1, "{life:?}");
        advance(Duration::from_millis(1)).await;
        assert_eq!(number(&keeper, &shop, life).await, 2, "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_is_counted_from_when_the_token_was_asked_for() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, Some(SECOND)).await;
    assert!(keeper.in_hand().is_none(), "it took a second to come");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_stated_life_serves_until_it_is_refused() {
    for life in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        let (keeper, shop) = (TokenKeeper::default(), Shop::default());
        number(&keeper, &shop, life).await;
        advance(Duration::from_secs(10 * 365 * 86_400)).await;
        assert_eq!(number(&keeper, &shop, life).await, 1);
        keeper.refused(&keeper.in_hand().unwrap());
        assert_eq!(number(&keeper, &shop, life).await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_with_the_old_token_while_one_of_them_renews_it() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    advance(Duration::from_secs(3550)).await;
    let mut renewing = Box::pin(number(&keeper, &shop, HOUR));
    assert!(poll!(&mut renewing).is_pending());
    let before = Instant::now();
    assert_eq!(number(&keeper, &shop, HOUR).await, 1);
    assert_eq!(Instant::now(), before, "nobody else waits");
    assert_eq!(renewing.await, 2);
    assert_eq!((number(&keeper, &shop, HOUR).await, shop.asked()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_in_vain_leaves_the_old_token_until_it_ends_and_is_not_tried_by_every_call() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    let fails = async || {
        keeper
            .token(Instant::now(), async || shop.fail(down()).await)
            .await
    };
    advance(Duration::from_secs(3545)).await;
    for _ in 0..100 {
        assert_eq!(fails().await.unwrap().number, 1);
    }
    assert_eq!(shop.asked(), 2, "one purchase, one renewal in vain");
    advance(RENEWAL_REST).await;
    assert_eq!(fails().await.unwrap().number, 1);
    assert_eq!(shop.asked(), 3);
    advance(Duration::from_secs(60)).await;
    assert_eq!(fails().await.unwrap_err(), down(), "it has ended");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_while_its_renewal_fails_is_not_used() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    advance(Duration::from_millis(3_598_500)).await;
    assert!(keeper.in_hand().is_some());
    let outcome = keeper
        .token(Instant::now(), async || shop.fail(down()).await)
        .await;
    assert_eq!(outcome.unwrap_err(), down());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_at_a_renewal_are_told_at_once() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    advance(Duration::from_secs(3550)).await;
    let outcome = keeper
        .token(Instant::now(), async || shop.fail(refused()).await)
        .await;
    assert_eq!(outcome.unwrap_err(), refused());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_however_many_calls_carried_it() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    let old = keeper.in_hand().unwrap();
    let numbers = join_all((0..50).map(|_| async {
        keeper.refused(&old);
        number(&keeper, &shop, HOUR).await
    }))
    .await;
    assert_eq!((numbers, shop.asked()), (vec![2; 50], 2));
    keeper.refused(&old);
    assert_eq!(number(&keeper, &shop, HOUR).await, 2, "the newer one stays");
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_share_the_failure_and_who_comes_later_tries_anew() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    let fails = || keeper.token(Instant::now(), async || shop.fail(refused()).await);
    let outcomes = join_all((0..50).map(|_| fails())).await;
    assert!(
        outcomes
            .into_iter()
            .all(|outcome| outcome.unwrap_err() == refused())
    );
    assert_eq!(shop.asked(), 1);
    assert_eq!(number(&keeper, &shop, HOUR).await, 1);
    assert_eq!(shop.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_holds_for_those_who_were_there_and_whoever_is_made_anew_tries() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    let refused_to = async |built_at| {
        let outcome = keeper.token(built_at, async || shop.fail(refused()).await);
        (outcome.await.unwrap_err() == refused()).then(|| shop.asked())
    };
    let at_start = Instant::now();
    assert_eq!(refused_to(at_start).await, Some(1));
    assert!(!keeper.is_forgettable());
    assert_eq!(refused_to(at_start).await, Some(1), "no second wrong login");
    let changed = Instant::now();
    assert_eq!(
        refused_to(changed).await,
        Some(2),
        "its row has been changed"
    );
    assert_eq!(refused_to(changed).await, Some(2));
    assert_eq!(refused_to(Instant::now()).await, Some(3), "and again");
    advance(REFUSAL_REST).await;
    assert!(keeper.is_forgettable());
    assert_eq!(refused_to(at_start).await, Some(4), "long ago");
    // Another failure than a refusal is no word about the credentials.
    let fails = async || {
        keeper
            .token(Instant::now(), async || shop.fail(down()).await)
            .await
    };
    assert_eq!(fails().await.unwrap_err(), down());
    assert_eq!(number(&keeper, &shop, HOUR).await, 1);
    // So is the refusal of a renewal, while the old token would still serve.
    advance(Duration::from_secs(3550)).await;
    let (asked, before) = (shop.asked(), Instant::now());
    assert_eq!(refused_to(before).await, Some(asked + 1));
    assert_eq!(refused_to(before).await, Some(asked + 1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_one_that_is_cancelled_or_lost_its_lease_buys_for_himself() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    let mut cancelled = Box::pin(number(&keeper, &shop, HOUR));
    assert!(poll!(&mut cancelled).is_pending());
    let mut lost = Box::pin(keeper.token(Instant::now(), async || {
        shop.fail(CallError::LeaseLost).await
    }));
    assert!(poll!(&mut lost).is_pending());
    let mut waits = Box::pin(number(&keeper, &shop, HOUR));
    assert!(poll!(&mut waits).is_pending());
    drop(cancelled);
    let (lost, number) = tokio::join!(lost, waits);
    assert_eq!((lost.unwrap_err(), number), (CallError::LeaseLost, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_the_token() {
    let (keeper, shop) = (TokenKeeper::default(), Shop::default());
    number(&keeper, &shop, HOUR).await;
    let text = format!("{keeper:?} {:#?}", keeper.in_hand());
    assert!(!text.contains("token-1"), "{text}");
    let unfit = async || {
        let mut bought = shop.sell(HOUR).await?;
        bought.token.headers[0].1 = "canary\n".into();
        Ok(bought)
    };
    let fresh = TokenKeeper::default();
    let error = fresh
        .token(Instant::now(), unfit)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("x-token") && !error.contains("canary"),
        "{error}"
    );
}

/// What may happen to a keeper, in seconds.
#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Ask { sells: bool },
    Refuse,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u64..40).prop_map(Event::Wait),
        any::<bool>().prop_map(|sells| Event::Ask { sells }),
        Just(Event::Refuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Nobody is ever given a token that has ended or was refused, and nobody buys while one serves.
    #[test]
    fn what_is_handed_out_is_alive_whatever_has_happened(
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (keeper, shop) = (TokenKeeper::default(), Shop::default());
            let life = Duration::from_secs(100);
            // The model: the number of the token that serves, and when it was asked for.
            let mut serving: Option<(u64, Instant)> = None;
            for event in events {
                match event {
                    Event::Wait(seconds) => advance(Duration::from_secs(seconds)).await,
                    Event::Refuse => {
                        if let Some(held) = keeper.in_hand() {
                            keeper.refused(&held);
                        }
                        serving = None;
                    }
                    Event::Ask { sells } => {
                        let (asked, came) = (shop.asked(), Instant::now());
                        let outcome = keeper.token(Instant::now(), async || match sells {
                            true => shop.sell(Some(life)).await,
                            false => shop.fail(down()).await,
                        }).await;
                        let age = serving.map(|(_, from)| came - from);
                        if age.is_some_and(|age| age < Duration::from_secs(90)) {
                            assert_eq!(shop.asked(), asked, "not due");
                        }
                        match outcome {
                            Ok(held) if serving.is_none_or(|(old, _)| held.number > old) => {
                                serving = Some((held.number, came));
                            }
                            Ok(held) => {
                                assert_eq!(held.number, serving.unwrap().0);
                                let age = serving.map(|(_, from)| Instant::now() - from);
                                assert!(age.unwrap() < life, "alive");
                            }
                            Err(_) => assert!(age.is_none_or(|age| age + SECOND >= life)),
                        }
                    }
                }
            }
        });
    }
}
