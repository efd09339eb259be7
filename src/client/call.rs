//! One call: a permit for each attempt, a few attempts, and the page that the answer holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use http::HeaderMap;
use url::Url;

use super::caller::Caller;
use super::error::CallError;
use super::limits::{Paused, UnnamedPause};
use super::retry::backoff;
use super::transport::{Destination, Failure, Outgoing, OutgoingBody, Proof, Received, Transport};
use crate::carriers::{Answer, Page, ReadError, Request, Target, Walk};
use crate::clock::Clock;
use crate::tenure::Tenure;

/// A sync waits out a pause up to this long; for a longer one it ends and comes back later.
const PATIENCE: Duration = Duration::from_secs(60);

/// Redirects that are followed within one host.
const MAX_REDIRECTS: usize = 5;

/// Counts what one sync spends, and stops it at its budget.
#[derive(Debug)]
pub struct CallMeter {
    budget: u64,
    calls: AtomicU64,
    answers: AtomicU64,
    waited_ms: AtomicU64,
}

impl CallMeter {
    /// A meter that allows `budget` attempts.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self {
            budget,
            calls: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            waited_ms: AtomicU64::new(0),
        }
    }

    /// Attempts made so far, retries included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether the carrier has answered at all: its address and our credentials work.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answers.load(Ordering::Relaxed) > 0
    }

    /// Time spent waiting for permits, of all calls together.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms.load(Ordering::Relaxed))
    }

    fn spend(&self) -> Result<(), CallError> {
        let spent = self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| {
                (calls < self.budget).then_some(calls + 1)
            });
        spent.map(drop).map_err(|_| CallError::BudgetSpent {
            budget: self.budget,
        })
    }

    fn has_waited(&self, since: Instant) {
        let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(waited_ms, Ordering::Relaxed);
    }
}

/// Calls of one account.
#[derive(Debug)]
pub struct CarrierClient {
    /// Shared by the whole process.
    pub transport: Transport,
    /// Where this account's calls go.
    pub destination: Destination,
    /// Shared by every integration of the account.
    pub limiter: Caller,
    /// Without it no call is made.
    pub tenure: Tenure,
    /// Attempts per call; at least 1.
    pub max_attempts: u32,
    /// For `Retry-After` dates and for saying until when.
    pub clock: Arc<dyn Clock>,
}

impl CarrierClient {
    /// The next page of `walk`; `None` once it has ended.
    ///
    /// An unusable answer is asked for again like a broken connection: a cut or foreign body is
    /// mostly a proxy's, and a walk does not move on an answer it cannot read. A walk that has ended
    /// on an answer it did read (a cursor that came back) is not.
    ///
    /// # Errors
    /// [`CallError`], after at most `max_attempts` attempts, each with a permit of its own.
    pub async fn next_page<T>(
        &self,
        walk: &mut (dyn Walk<T> + '_),
        meter: &CallMeter,
    ) -> Result<Option<Page<T>>, CallError> {
        let Some(request) = walk.request() else {
            return Ok(None);
        };
        let mut attempt = 1;
        loop {
            let setback = match self.attempt(&request, walk, meter).await? {
                Ok(page) => return Ok(Some(page)),
                Err(setback) => setback,
            };
            tracing::debug!(
                endpoint = %request.endpoint, attempt, error = %setback.error, "call failed"
            );
            let is_over = walk.request().is_none();
            if attempt >= self.max_attempts || !setback.worth_retrying || is_over {
                return Err(setback.error);
            }
            tokio::time::sleep(backoff(attempt, rand::random())).await;
            attempt += 1;
        }
    }

    async fn attempt<T>(
        &self,
        request: &Request,
        walk: &mut (dyn Walk<T> + '_),
        meter: &CallMeter,
    ) -> Result<Result<Page<T>, Setback>, CallError> {
        let Some(mut url) = self.destination.address(request) else {
            return Err(CallError::Rejected {
                reason: "the id cannot be part of an address".to_owned(),
            });
        };
        for _ in 0..=MAX_REDIRECTS {
            let (answer, sent, sent_at) = self.send(request, url, meter).await?;
            match answer {
                Ok(received) => return Ok(self.read(walk, &received, sent, sent_at)),
                Err(Failure::Moved { to }) => url = to,
                Err(failure) => return Ok(Err(self.setback(failure, sent))),
            }
        }
        Err(CallError::Rejected {
            reason: format!("more than {MAX_REDIRECTS} redirects"),
        })
    }

    /// One request on the wire: a permit, a unit of the budget, an answer.
    async fn send(
        &self,
        request: &Request,
        url: Url,
        meter: &CallMeter,
    ) -> Result<(Result<Received, Failure>, Instant, DateTime<Utc>), CallError> {
        let waiting_since = Instant::now();
        let permit = self.limiter.acquire(&request.class, PATIENCE).await;
        meter.has_waited(waiting_since);
        let permit = permit.map_err(|paused| self.throttled_for(paused))?;
        // As late as can be: the wait may have been long, and the process may have been frozen.
        if !self.tenure.is_held() {
            return Err(CallError::LeaseLost);
        }
        meter.spend()?;
        let now = self.clock.now();
        let call = Outgoing {
            url,
            proof: self.proof(request),
            body: request.body.as_deref().map(json),
        };
        let (answer, hint) = self.transport.send(&self.destination, call, now).await;
        if let Some(hint) = hint {
            self.limiter.learn(hint);
        }
        if answer.is_ok() {
            meter.answers.fetch_add(1, Ordering::Relaxed);
        }
        Ok((answer, permit.sent, now))
    }

    /// What proves who we are to the carrier; nothing where the address is the key.
    fn proof(&self, request: &Request) -> HeaderMap {
        match (&self.destination.proof, &request.to) {
            (Proof::Headers(headers), Target::Below(_)) => headers.clone(),
            _ => HeaderMap::new(),
        }
    }

    fn read<T>(
        &self,
        walk: &mut (dyn Walk<T> + '_),
        received: &Received,
        sent: Instant,
        sent_at: DateTime<Utc>,
    ) -> Result<Page<T>, Setback> {
        let scrub = |text: String| self.destination.scrubber.scrub(&text);
        let answer = Answer {
            body: &received.body,
            headers: &received.headers,
            sent_at,
            read_at: self.clock.now(),
        };
        let error = match walk.read(&answer) {
            Ok(page) => {
                self.limiter.answered();
                return Ok(page);
            }
            Err(ReadError::Throttled(_)) => {
                return Err(self.setback(Failure::Throttled { pause: None }, sent));
            }
            Err(ReadError::Rejected(text)) => {
                return Err(Setback::last(CallError::Rejected {
                    reason: scrub(text),
                }));
            }
            Err(ReadError::Malformed(text)) => CallError::Malformed {
                reason: scrub(text),
            },
        };
        Err(Setback {
            error,
            worth_retrying: true,
        })
    }

    /// Judges a failed attempt and, where the carrier asks for it, pauses the whole account.
    fn setback(&self, failure: Failure, sent: Instant) -> Setback {
        match failure {
            Failure::Throttled { pause } => {
                let pause = self.pause(pause, sent);
                let error = self.throttled_for(Paused { left: pause });
                Setback {
                    error,
                    worth_retrying: true,
                }
            }
            Failure::Transient { reason, pause } => {
                if let Some(pause) = pause {
                    self.limiter.throttled(sent, pause);
                }
                Setback {
                    error: CallError::Unavailable { reason },
                    worth_retrying: true,
                }
            }
            Failure::Down { reason } => Setback::last(CallError::Unavailable { reason }),
            Failure::Unauthorized { status, words } => {
                Setback::last(CallError::Unauthorized { status, words })
            }
            Failure::NotFound | Failure::Moved { .. } => Setback::last(CallError::NotFound),
            Failure::Rejected { reason } => Setback::last(CallError::Rejected { reason }),
            Failure::TooLarge => Setback::last(CallError::TooLarge {
                limit_bytes: self.transport.config().max_body_bytes,
            }),
            Failure::Forbidden { reason } => Setback::last(CallError::Forbidden { reason }),
        }
    }

    /// Pauses the account for as long as the carrier says, or as is usual.
    fn pause(&self, named: Option<Duration>, sent: Instant) -> Duration {
        if let Some(pause) = named {
            self.limiter.throttled(sent, pause);
            return pause;
        }
        let unnamed = UnnamedPause {
            shortest: self.transport.config().throttle_pause,
            longest: self.transport.config().max_retry_after,
        };
        self.limiter.throttled_unnamed(sent, unnamed)
    }

    fn throttled_for(&self, paused: Paused) -> CallError {
        CallError::Throttled {
            until: self.clock.now() + paused.left,
        }
    }
}

fn json(text: &str) -> OutgoingBody<'_> {
    OutgoingBody {
        content_type: "application/json",
        text,
    }
}

/// A failed attempt: what to tell if it was the last, and whether to try again.
struct Setback {
    error: CallError,
    worth_retrying: bool,
}

impl Setback {
    fn last(error: CallError) -> Self {
        Self {
            error,
            worth_retrying: false,
        }
    }
}
