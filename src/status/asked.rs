//! An answer of the database that is kept for a while: however many ask, it is asked by one at a time, and never
//! takes more than a small part of the database's time. Knows nothing of what is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// A costly answer is kept so many times as long as it took: a twentieth of one connection's time goes to asking.
const KEPT_PER_TAKEN: u32 = 20;
/// However long it took.
const KEPT_AT_MOST: Duration = Duration::from_secs(300);

/// How an answer is kept and waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// It holds for so long, at least; then it is asked for anew.
    pub(super) holds: Duration,
    /// While it is asked for anew, one that is no older than this does for whoever asks meanwhile.
    pub(super) serves: Duration,
    /// Who has none that does waits so long for the new one.
    pub(super) patience: Duration,
    /// It costs the database so much that it is asked for the more seldom the longer it takes, and one that no
    /// longer serves is none any more: figures that stand still look like the truth.
    pub(super) is_costly: bool,
}

/// What was answered last, and whether somebody is asking.
#[derive(Debug)]
pub(super) struct Asked<T> {
    terms: Terms,
    state: Mutex<State<T>>,
    answered: Notify,
}

#[derive(Debug)]
struct State<T> {
    /// The last answer that was none of failure, and when it came.
    value: Option<(Instant, Arc<T>)>,
    /// Why the last try failed, if it did.
    failure: Option<String>,
    /// Until when nobody asks again.
    holds_until: Option<Instant>,
    is_asking: bool,
    /// What is being asked was asked before something changed.
    is_outdated: bool,
    /// The last answer is from before a change, and serves nobody.
    is_forgotten: bool,
    /// It was asked for before anyone wanted it: it holds as long as any other, and serves nobody after that.
    is_ahead: bool,
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
    pub(super) fn new(terms: Terms) -> Arc<Self> {
        Arc::new(Self {
            terms,
            state: Mutex::new(State {
                value: None,
                failure: None,
                holds_until: None,
                is_asking: false,
                is_outdated: false,
                is_forgotten: false,
                is_ahead: false,
            }),
            answered: Notify::new(),
        })
    }

    /// The answer to `ask`, which is run on `runtime` where the one that is there holds no longer.
    pub(super) async fn get<A>(self: &Arc<Self>, runtime: &Handle, ask: impl Fn() -> A) -> Told<T>
    where
        A: Future<Output = Result<T, String>> + Send + 'static,
    {
        let deadline = tokio::time::Instant::now() + self.terms.patience;
        // A second time where the first answer was to a question from before a change.
        for _ in 0..2 {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // From here on an answer is heard, before anything is decided.
            answered.as_mut().enable();
            let asks = {
                let mut state = self.lock();
                if state
                    .holds_until
                    .is_some_and(|until| Instant::now() < until)
                {
                    break;
                }
                !std::mem::replace(&mut state.is_asking, true)
            };
            if asks {
                self.spawn(runtime, ask(), false);
            }
            if self.lock().serves_now(self.terms.serves) {
                break;
            }
            if tokio::time::timeout_at(deadline, answered).await.is_err() {
                return self.told(true);
            }
            if self.lock().holds_until.is_some() {
                break;
            }
        }
        self.told(false)
    }

    /// Asks before anyone wants to know.
    pub(super) fn ask_ahead<A>(self: &Arc<Self>, runtime: &Handle, ask: A)
    where
        A: Future<Output = Result<T, String>> + Send + 'static,
    {
        if !std::mem::replace(&mut self.lock().is_asking, true) {
            self.spawn(runtime, ask, true);
        }
    }

    fn spawn<A>(self: &Arc<Self>, runtime: &Handle, ask: A, is_ahead: bool)
    where
        A: Future<Output = Result<T, String>> + Send + 'static,
    {
        let asking = Asking(Arc::clone(self));
        runtime.spawn(async move {
            let began = Instant::now();
            let answer = ask.await;
            asking.0.keep(answer, began.elapsed());
            asking.0.lock().is_ahead = is_ahead;
        });
    }

    /// Whoever asks next gets an answer that is younger than now.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.holds_until = None;
        state.is_outdated = state.is_asking;
        state.is_forgotten = true;
    }

    fn told(&self, in_vain: bool) -> Told<T> {
        let state = self.lock();
        let patience = self.terms.patience;
        let late = || in_vain.then(|| format!("the database has not answered within {patience:?}"));
        let is_one = !self.terms.is_costly || state.serves(self.terms.serves);
        let value = state.value.as_ref().filter(|_| is_one);
        Told {
            value: value.map(|(_, value)| Arc::clone(value)),
            failure: state.failure.clone().or_else(late),
        }
    }

    fn keep(&self, answer: Result<T, String>, took: Duration) {
        let mut state = self.lock();
        let holds = match self.terms.is_costly {
            // Also of a failure: a count that is cut off for taking too long has taken as long.
            true => self
                .terms
                .holds
                .max((took * KEPT_PER_TAKEN).min(KEPT_AT_MOST)),
            false => self.terms.holds,
        };
        let is_outdated = std::mem::take(&mut state.is_outdated);
        state.is_forgotten &= is_outdated;
        state.holds_until = (!is_outdated).then(|| Instant::now() + holds);
        match answer {
            Ok(value) => {
                (state.value, state.failure) = (Some((Instant::now(), Arc::new(value))), None)
            }
            Err(failure) => state.failure = Some(failure),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether whoever asks now need not wait for the new answer.
    fn serves_now(&self, age: Duration) -> bool {
        !self.is_ahead && self.serves(age)
    }

    /// Whether the last answer does while a new one is asked for.
    fn serves(&self, age: Duration) -> bool {
        let is_young = self
            .value
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() < age);
        is_young && !self.is_forgotten
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
    const TERMS: Terms = Terms {
        holds: LONG,
        serves: Duration::ZERO,
        patience: Duration::from_secs(2),
        is_costly: false,
    };

    fn holding(holds: Duration) -> Arc<Asked<u32>> {
        Asked::new(Terms { holds, ..TERMS })
    }

    fn costly(holds: Duration) -> Arc<Asked<u32>> {
        let serves = 900 * Duration::from_secs(1);
        Asked::new(Terms {
            holds,
            serves,
            is_costly: true,
            ..TERMS
        })
    }

    async fn get<A>(asked: &Arc<Asked<u32>>, ask: impl Fn() -> A) -> (Option<u32>, Option<String>)
    where
        A: Future<Output = Result<u32, String>> + Send + 'static,
    {
        let told = asked.get(&Handle::current(), ask).await;
        (told.value.map(|value| *value), told.failure)
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once() {
        let (asked, times) = (holding(LONG), Arc::new(AtomicU32::new(0)));
        let all = (0..100).map(|_| {
            let times = &times;
            get(&asked, move || {
                let times = Arc::clone(times);
                async move {
                    tokio::task::yield_now().await;
                    Ok(times.fetch_add(1, Ordering::Relaxed))
                }
            })
        });
        for told in futures_util::future::join_all(all).await {
            assert_eq!(told, (Some(0), None));
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        asked.forget();
        assert_eq!(get(&asked, || async { Ok(7) }).await, (Some(7), None));
    }

    #[tokio::test]
    async fn what_was_known_stays_known_when_nobody_answers_any_more() {
        let asked = holding(Duration::ZERO);
        assert_eq!(get(&asked, || async { Ok(1) }).await, (Some(1), None));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let told = get(&asked, || async { Err("away".to_owned()) }).await;
        assert_eq!(told, (Some(1), Some("away".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_in_vain_is_told_so_and_asks_nobody_twice() {
        let asked = holding(LONG);
        for _ in 0..2 {
            let (value, failure) = get(&asked, std::future::pending).await;
            assert_eq!(value, None);
            assert!(failure.unwrap().contains("has not answered within 2s"));
        }
    }

    #[tokio::test]
    async fn a_question_that_panics_leaves_the_way_free_for_the_next() {
        let asked = holding(LONG);
        let broken = || async { panic!("broken on purpose") };
        assert_eq!(get(&asked, broken).await, (None, None));
        assert_eq!(get(&asked, || async { Ok(2) }).await, (Some(2), None));
    }

    /// A page that is loaded after something was changed must not show what was read before.
    #[tokio::test]
    async fn an_answer_to_a_question_from_before_a_change_is_not_taken() {
        let (asked, times) = (holding(LONG), AtomicU32::new(0));
        let ask = || {
            // The first question is under way when something changes.
            if times.fetch_add(1, Ordering::Relaxed) == 0 {
                asked.forget();
            }
            async { Ok(1) }
        };
        assert_eq!(get(&asked, ask).await, (Some(1), None));
        assert_eq!(times.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_is_costly_is_asked_for_seldom_whatever_comes_of_it() {
        let holds_for = |asked: &Asked<u32>| {
            let until = asked.lock().holds_until.unwrap();
            until.saturating_duration_since(Instant::now())
        };
        let second = Duration::from_secs(1);
        for (asked, answer, took, least, most) in [
            (holding(second), Ok(1), 10 * second, 0, 1),
            (costly(second), Ok(1), 10 * second, 199, 200),
            (costly(second), Ok(1), 1_000 * second, 299, 300),
            (
                costly(second),
                Err("away".to_owned()),
                10 * second,
                199,
                200,
            ),
        ] {
            asked.keep(answer, took);
            let held = holds_for(&asked);
            assert!(held >= least * second && held <= most * second, "{held:?}");
        }
    }

    /// Whoever looks for the first time is not told what was so when the service began.
    #[tokio::test]
    async fn what_was_asked_for_ahead_is_told_as_long_as_it_holds_and_waited_past_after_that() {
        for (holds, told) in [(LONG, 1), (Duration::ZERO, 2)] {
            let serves = LONG;
            let asked = Asked::new(Terms {
                holds,
                serves,
                ..TERMS
            });
            asked.ask_ahead(&Handle::current(), async { Ok(1) });
            while asked.lock().value.is_none() || asked.lock().is_asking {
                tokio::task::yield_now().await;
            }
            assert_eq!(get(&asked, || async { Ok(2) }).await, (Some(told), None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_serves_is_told_at_once_while_it_is_asked_for_anew() {
        let asked = costly(Duration::ZERO);
        assert_eq!(get(&asked, || async { Ok(1) }).await, (Some(1), None));
        let began = tokio::time::Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(get(&asked, std::future::pending).await, (Some(1), None));
        assert_eq!(began.elapsed(), Duration::ZERO);
        // But not after a change, and a costly one that stands still is none.
        asked.forget();
        let (_, failure) = get(&asked, std::future::pending).await;
        assert!(failure.is_some());
        asked.lock().is_forgotten = false;
        let old = Instant::now().checked_sub(LONG).unwrap();
        asked.lock().value.as_mut().unwrap().0 = old;
        assert_eq!(get(&asked, std::future::pending).await.0, None);
    }
}
