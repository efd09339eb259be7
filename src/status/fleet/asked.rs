//! An answer of the database that is kept for a while: however many ask, it is asked by one at a time, and never
//! takes more than a small part of the database's time. Knows nothing of what is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Who asks waits so long for a new answer, and then takes the old one.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer is kept so many times as long as it took: a twentieth of one connection's time goes to asking.
const KEPT_PER_TAKEN: u32 = 20;

/// What was answered last, and whether somebody is asking.
#[derive(Debug)]
pub(super) struct Asked<T> {
    /// An answer holds for so long, at least.
    holds: Duration,
    state: Mutex<State<T>>,
    answered: Notify,
}

#[derive(Debug)]
struct State<T> {
    /// The last answer that was none of failure.
    value: Option<Arc<T>>,
    /// Why the last try failed, if it did.
    failure: Option<String>,
    /// Until when nobody asks again.
    holds_until: Option<Instant>,
    is_asking: bool,
}

/// What is known of the answer.
#[derive(Debug)]
pub(super) struct Told<T> {
    /// The last answer there was.
    pub(super) value: Option<Arc<T>>,
    /// Why it is not of now.
    pub(super) failure: Option<String>,
}

impl<T: Send + Sync + 'static> Asked<T> {
    pub(super) fn new(holds: Duration) -> Arc<Self> {
        Arc::new(Self {
            holds,
            state: Mutex::new(State {
                value: None,
                failure: None,
                holds_until: None,
                is_asking: false,
            }),
            answered: Notify::new(),
        })
    }

    /// The answer to `ask`, which is run on `runtime` where the one that is there holds no longer.
    pub(super) async fn get<A>(
        self: &Arc<Self>,
        runtime: &Handle,
        ask: impl FnOnce() -> A,
    ) -> Told<T>
    where
        A: Future<Output = Result<T, String>> + Send + 'static,
    {
        let answered = self.answered.notified();
        tokio::pin!(answered);
        // From here on an answer is heard, before anything is decided.
        answered.as_mut().enable();
        let (is_held, asks) = {
            let mut state = self.lock();
            let is_held = state
                .holds_until
                .is_some_and(|until| Instant::now() < until);
            let asks = !is_held && !state.is_asking;
            state.is_asking |= asks;
            (is_held, asks)
        };
        if asks {
            let asking = Asking(Arc::clone(self));
            let ask = ask();
            runtime.spawn(async move {
                let began = Instant::now();
                let answer = ask.await;
                asking.0.keep(answer, began.elapsed());
            });
        }
        let in_vain = !is_held && tokio::time::timeout(PATIENCE, answered).await.is_err();
        self.told(in_vain)
    }

    /// Whoever asks next gets an answer that is younger than now.
    pub(super) fn forget(&self) {
        self.lock().holds_until = None;
    }

    fn told(&self, in_vain: bool) -> Told<T> {
        let state = self.lock();
        let late = || in_vain.then(|| format!("the database has not answered within {PATIENCE:?}"));
        Told {
            value: state.value.clone(),
            failure: state.failure.clone().or_else(late),
        }
    }

    fn keep(&self, answer: Result<T, String>, took: Duration) {
        let mut state = self.lock();
        let holds = self.holds.max(took * KEPT_PER_TAKEN);
        state.holds_until = Some(Instant::now() + holds);
        match answer {
            Ok(value) => (state.value, state.failure) = (Some(Arc::new(value)), None),
            Err(failure) => state.failure = Some(failure),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody is asking, until this is dropped: also where the question panics or its runtime ends.
struct Asking<T: Send + Sync + 'static>(Arc<Asked<T>>);

impl<T: Send + Sync + 'static> Drop for Asking<T> {
    fn drop(&mut self) {
        self.0.lock().is_asking = false;
        self.0.answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    async fn get(
        asked: &Arc<Asked<u32>>,
        answer: impl Future<Output = Result<u32, String>> + Send + 'static,
    ) -> (Option<u32>, Option<String>) {
        let told = asked.get(&Handle::current(), || answer).await;
        (told.value.map(|value| *value), told.failure)
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once() {
        let (asked, times) = (Asked::new(LONG), Arc::new(AtomicU32::new(0)));
        let all = (0..100).map(|_| {
            let times = Arc::clone(&times);
            get(&asked, async move {
                tokio::task::yield_now().await;
                Ok(times.fetch_add(1, Ordering::Relaxed))
            })
        });
        for told in futures_util::future::join_all(all).await {
            assert_eq!(told, (Some(0), None));
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        asked.forget();
        assert_eq!(get(&asked, async { Ok(7) }).await, (Some(7), None));
    }

    #[tokio::test]
    async fn what_was_known_stays_known_when_nobody_answers_any_more() {
        let asked = Asked::new(Duration::ZERO);
        assert_eq!(get(&asked, async { Ok(1) }).await, (Some(1), None));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let told = get(&asked, async { Err("away".to_owned()) }).await;
        assert_eq!(told, (Some(1), Some("away".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_in_vain_is_told_so_and_asks_nobody_twice() {
        let asked = Asked::new(LONG);
        for _ in 0..2 {
            let (value, failure) = get(&asked, std::future::pending()).await;
            assert_eq!(value, None);
            assert!(failure.unwrap().contains("has not answered within 2s"));
        }
    }

    #[tokio::test]
    async fn a_question_that_panics_leaves_the_way_free_for_the_next() {
        let asked = Asked::new(LONG);
        let broken = async { panic!("broken on purpose") };
        assert_eq!(get(&asked, broken).await, (None, None));
        assert_eq!(get(&asked, async { Ok(2) }).await, (Some(2), None));
    }
}
