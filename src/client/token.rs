//! One account's token: bought by one caller at a time, renewed before it ends, given back when it is
//! refused. Knows no HTTP: how a token is bought is the caller's business.
//!
//! ```text
//!  caller ─► in hand? ─ yes, and not due ───────────────────────────► token
//!              │ └────── yes, and due: the first to see it renews ──► new token, or the old if that fails
//!              └ no: wait for the turn ─► in hand by now? ──────────► token
//!                                          ├ the attempt waited for failed? ──────────► its failure
//!                                          ├ refused of late, since the caller was made? ► that refusal
//!                                          └ buy ────────────────────► token or failure
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::destination::secret_headers;
use super::error::CallError;
use super::remembered::Forgettable;
use super::scrub::SoldTokens;
use crate::carriers::Token;

/// A token is renewed so long before it ends, or a tenth of its life where that is shorter: for calls that
/// wait for their turn with it, and for clocks that differ.
const LONGEST_MARGIN: Duration = Duration::from_secs(60);
/// After a renewal in vain the old token is used for so long before the next.
const RENEWAL_REST: Duration = Duration::from_secs(5);
/// For so long a refusal of the credentials holds for everyone who was there before it: three wrong logins
/// may lock all others out (docs.emnify.com/developers/api-guidelines/rate-limits). Whoever has been made anew since,
/// because a row has changed, has a reason to try.
const REFUSAL_REST: Duration = Duration::from_secs(300);
/// A keeper that nobody has asked for so long may be forgotten with its token.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// The token of one account, shared by every integration that buys it with the same request.
#[derive(Debug, Default)]
pub struct TokenKeeper {
    /// Held while buying. Whoever is cancelled in it leaves the turn to the next.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// For the scrubbers of the account.
    sold: SoldTokens,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Arc<HeldToken>>,
    /// Tokens bought so far: the number of the last.
    bought: u64,
    /// Attempts that have come to an end: tells who has waited for one.
    ended: u64,
    /// How the last of them failed.
    failure: Option<Failed>,
    /// No renewal before.
    rest_until: Option<Instant>,
    last_asked: Option<Instant>,
}

/// An attempt that failed.
#[derive(Debug)]
struct Failed {
    error: CallError,
    at: Instant,
}

/// A token as calls carry it.
#[derive(Debug)]
pub struct HeldToken {
    number: u64,
    /// What a request carries; marked so that nothing prints it.
    pub headers: HeaderMap,
    /// The account's own name, where the token endpoint tells it.
    pub account: Option<String>,
    due: Option<Instant>,
    ends: Option<Instant>,
}

/// What was bought, and when it was asked for: its life begins then.
#[derive(Debug)]
pub struct Bought {
    /// As the carrier's dialect reads it.
    pub token: Token,
    /// Just before the request left.
    pub asked_at: Instant,
}

impl TokenKeeper {
    /// The token, bought with `buy` where there is none, for someone who was made at `built_at`.
    ///
    /// # Errors
    /// What `buy` says, or said to the one whose attempt this caller has waited for, or of late where it was a
    /// refusal.
    pub async fn token(
        &self,
        built_at: Instant,
        buy: impl AsyncFnOnce() -> Result<Bought, CallError>,
    ) -> Result<Arc<HeldToken>, CallError> {
        let (held, ended) = self.look();
        if let Some(held) = held {
            return self.renewed_if_due(held, built_at, buy).await;
        }
        let _turn = self.turn.lock().await;
        let (held, ended_by_now) = self.look();
        if let Some(held) = held {
            return Ok(held);
        }
        if let Some(error) = self.told(built_at, ended_by_now != ended) {
            return Err(error);
        }
        self.buy(buy).await
    }

    /// The token that is here, without buying.
    #[must_use]
    pub fn in_hand(&self) -> Option<Arc<HeldToken>> {
        self.look().0
    }

    /// The carrier refuses `token`: nobody uses it any more. A newer one stays.
    pub fn refused(&self, token: &HeldToken) {
        let mut state = self.state();
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.number == token.number)
        {
            state.held = None;
        }
    }

    /// The tokens of late, for scrubbers.
    #[must_use]
    pub fn sold(&self) -> SoldTokens {
        self.sold.clone()
    }

    fn look(&self) -> (Option<Arc<HeldToken>>, u64) {
        let mut state = self.state();
        state.last_asked = Some(Instant::now());
        (usable(&state), state.ended)
    }

    fn peek(&self) -> Option<Arc<HeldToken>> {
        usable(&self.state())
    }

    /// What is told in place of an attempt: of the one that the caller `has_waited` for, or of a refusal that came
    /// after the caller had been made.
    fn told(&self, built_at: Instant, has_waited: bool) -> Option<CallError> {
        let state = self.state();
        let failed = state.failure.as_ref()?;
        let is_refusal = matches!(failed.error, CallError::Unauthorized { .. });
        let holds = is_refusal && built_at < failed.at && failed.at.elapsed() < REFUSAL_REST;
        (has_waited || holds).then(|| failed.error.clone())
    }

    /// Calls go on with `held` meanwhile, and after a renewal in vain for as long as it lives.
    async fn renewed_if_due(
        &self,
        held: Arc<HeldToken>,
        built_at: Instant,
        buy: impl AsyncFnOnce() -> Result<Bought, CallError>,
    ) -> Result<Arc<HeldToken>, CallError> {
        if !self.is_due(&held) {
            return Ok(held);
        }
        let Ok(_turn) = self.turn.try_lock() else {
            return Ok(held);
        };
        if let Some(newer) = self.peek()
            && newer.number != held.number
        {
            return Ok(newer);
        }
        if let Some(error) = self.told(built_at, false) {
            return Err(error);
        }
        match self.buy(buy).await {
            Err(error) if tolerates(&error) && !has_come(held.ends) => {
                tracing::warn!(%error, "token not renewed; the old one is used until it ends");
                self.state().rest_until = Some(Instant::now() + RENEWAL_REST);
                Ok(held)
            }
            outcome => outcome,
        }
    }

    fn is_due(&self, held: &HeldToken) -> bool {
        has_come(held.due)
            && self
                .state()
                .rest_until
                .is_none_or(|rest| has_come(Some(rest)))
    }

    /// One attempt, by the holder of the turn.
    async fn buy(
        &self,
        buy: impl AsyncFnOnce() -> Result<Bought, CallError>,
    ) -> Result<Arc<HeldToken>, CallError> {
        let outcome = buy().await.and_then(|bought| self.keep(bought));
        // Says something of the buyer and nothing of the token: the next in line buys for himself.
        if let Err(
            CallError::LeaseLost | CallError::AllowanceSpent { .. } | CallError::NotCounted { .. },
        ) = outcome
        {
            return outcome;
        }
        let mut state = self.state();
        state.ended += 1;
        state.failure = outcome.as_ref().err().map(|error| Failed {
            error: error.clone(),
            at: Instant::now(),
        });
        outcome
    }

    fn keep(&self, Bought { token, asked_at }: Bought) -> Result<Arc<HeldToken>, CallError> {
        // First of all, so that no text after this shows it.
        self.sold.add(&token.headers);
        let headers = secret_headers(&token.headers).map_err(|unfit| CallError::NoToken {
            reason: format!("no header {} can carry the token", unfit.0),
        })?;
        let life = token.lifetime.filter(|life| !life.is_zero());
        let after = |life: Duration| asked_at.checked_add(life);
        let mut state = self.state();
        state.bought += 1;
        let held = Arc::new(HeldToken {
            number: state.bought,
            headers,
            account: token.account,
            due: life.and_then(|life| after(life - margin(life))),
            ends: life.and_then(after),
        });
        state.held = Some(Arc::clone(&held));
        state.rest_until = None;
        Ok(held)
    }

    /// Every change under this lock leaves the state whole, so a panic elsewhere cannot have broken it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forgettable for TokenKeeper {
    /// No token that works and no refusal of late, or nobody has asked in long.
    fn is_forgettable(&self) -> bool {
        let state = self.state();
        let is_idle = |asked: Instant| asked.elapsed() >= LONGEST_REST;
        let is_past = |failed: &Failed| failed.at.elapsed() >= REFUSAL_REST;
        state.last_asked.is_none_or(is_idle)
            || usable(&state).is_none() && state.failure.as_ref().is_none_or(is_past)
    }
}

fn usable(state: &State) -> Option<Arc<HeldToken>> {
    state.held.clone().filter(|held| !has_come(held.ends))
}

fn has_come(instant: Option<Instant>) -> bool {
    instant.is_some_and(|instant| instant <= Instant::now())
}

fn margin(life: Duration) -> Duration {
    LONGEST_MARGIN.min(life / 10)
}

/// Whether a failed renewal says nothing against the token that is still there.
fn tolerates(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NoToken { .. } | CallError::Throttled { .. } | CallError::LimitUsedUp { .. }
    )
}

#[cfg(test)]
mod tests;
