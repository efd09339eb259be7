//! One call: a permit for each attempt, a few attempts, and the page that the answer holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use url::Url;

use super::caller::Caller;
use super::destination::{Destination, Proof};
use super::error::CallError;
use super::failure::Failure;
use super::limits::{Endpoint, Paused, PausedBy, Permit, UnnamedPause};
use super::meter::CallMeter;
use super::purchase::TokenSource;
use super::retry::backoff;
use super::token::HeldToken;
use super::traffic::{self, Attempt, Traffic};
use super::transport::{Answerer, Outgoing, OutgoingBody, Received, Transport};
use crate::carriers::{Answer, Page, ReadError, Request, Target, Walk};
use crate::clock::Clock;
use crate::tenure::Tenure;

/// A sync waits out a pause up to this long; for a longer one it ends and comes back later. A window of a minute,
/// kept a little longer than it is, must not seem longer.
const PATIENCE: Duration = Duration::from_secs(65);

/// A shorter wait is none: the permit was there.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Redirects that are followed within one host.
const MAX_REDIRECTS: usize = 5;

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
    /// Told of every attempt.
    pub traffic: Arc<dyn Traffic>,
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
        let (mut attempt, mut is_renewed) = (1, false);
        loop {
            let attempted = self.attempt(&request, walk, meter, &mut is_renewed).await?;
            let setback = match attempted {
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

    /// One attempt, with the redirects on its way. A call whose token is refused goes on with another,
    /// once.
    async fn attempt<T>(
        &self,
        request: &Request,
        walk: &mut (dyn Walk<T> + '_),
        meter: &CallMeter,
        is_renewed: &mut bool,
    ) -> Result<Result<Page<T>, Setback>, CallError> {
        let (mut moved, mut redirects) = (None, 0);
        loop {
            let Sent {
                answer,
                at,
                at_utc,
                token,
                mut attempt,
            } = self.send(request, moved.clone(), meter).await?;
            match answer {
                Ok(received) => {
                    let answer = (&received, &mut attempt);
                    return Ok(self.read(walk, &request.class, answer, (at, at_utc)));
                }
                Err(Failure::Moved { to }) if redirects < MAX_REDIRECTS => {
                    (moved, redirects) = (Some(to), redirects + 1);
                }
                Err(Failure::Moved { .. }) => {
                    return Err(CallError::Rejected {
                        reason: format!("more than {MAX_REDIRECTS} redirects"),
                    });
                }
                // A 403 says that these credentials may not, whatever token they buy.
                Err(Failure::Unauthorized { status, .. })
                    if status != 403 && !*is_renewed && give_back(token.as_ref()) =>
                {
                    *is_renewed = true;
                }
                Err(failure) => return Ok(Err(self.setback(failure, &request.class, at))),
            }
        }
    }

    /// One request on the wire: a token, a permit, a unit of the budget, an answer.
    async fn send<'a>(
        &'a self,
        request: &Request,
        moved: Option<Url>,
        meter: &CallMeter,
    ) -> Result<Sent<'a>, CallError> {
        let source = self.token_source(request);
        let mut token = match source {
            Some(source) => Some(self.token(source, meter).await?),
            None => None,
        };
        let url = match moved {
            Some(url) => url,
            None => {
                let account = token.as_ref().and_then(|token| token.account.as_deref());
                self.destination.address(request, account)?
            }
        };
        let unit = meter.unit().await?;
        let endpoint = Endpoint {
            class: &request.class,
            path: &request.endpoint,
        };
        let mut permit = self.permit(endpoint, meter).await?;
        // The wait may have outlived the token. What buys the next may need the permit, where one call at
        // a time is allowed.
        if let Some(source) = source {
            token = match source.keeper.in_hand() {
                Some(newest) => Some(newest),
                None => {
                    drop(permit);
                    let bought = self.token(source, meter).await?;
                    permit = self.permit(endpoint, meter).await?;
                    Some(bought)
                }
            };
        }
        meter.spend()?;
        unit.spend();
        let at_utc = self.clock.now();
        let call = Outgoing {
            url,
            of: match request.to {
                Target::Below(_) => Answerer::Carrier,
                Target::Download(_) => Answerer::FileHost,
            },
            proof: self.proof(request, token.as_deref()),
            body: request.body.as_deref().map(json),
        };
        let mut attempt = self.begin();
        let answer = self.on_the_wire(call, endpoint.path, at_utc).await;
        match &answer {
            Ok(_) => meter.was_answered(),
            Err(failure) => attempt.ended(failure.result()),
        }
        Ok(Sent {
            answer,
            at: permit.sent,
            at_utc,
            token: source.zip(token),
            attempt,
        })
    }

    /// The right to make one call, for as long as it is held.
    pub(super) async fn permit(
        &self,
        endpoint: Endpoint<'_>,
        meter: &CallMeter,
    ) -> Result<Permit<'_>, CallError> {
        let waiting_since = Instant::now();
        let permit = self.limiter.acquire(endpoint, PATIENCE).await;
        let waited = waiting_since.elapsed();
        meter.has_waited(waited);
        if waited >= SHORTEST_WAIT {
            let carrier = self.destination.carrier.code();
            self.traffic.permits_waited(carrier, waited);
        }
        let permit = permit.map_err(|paused| self.not_before(paused))?;
        // As late as can be: the wait may have been long, and the process may have been frozen.
        if self.tenure.is_held() {
            Ok(permit)
        } else {
            Err(CallError::LeaseLost)
        }
    }

    /// An attempt that is about to leave.
    pub(super) fn begin(&self) -> Attempt<'_> {
        Attempt::begin(&*self.traffic, self.destination.carrier.code())
    }

    pub(super) async fn on_the_wire(
        &self,
        call: Outgoing<'_>,
        path: &str,
        now: DateTime<Utc>,
    ) -> Result<Received, Failure> {
        let (answer, hint) = self.transport.send(&self.destination, call, now).await;
        if let Some(hint) = hint {
            self.limiter.learn(path, hint);
        }
        answer
    }

    /// Who sells the token that `request` carries, if it carries one.
    fn token_source(&self, request: &Request) -> Option<&TokenSource> {
        match (&self.destination.proof, &request.to) {
            (Proof::Token(source), Target::Below(_)) => Some(source),
            _ => None,
        }
    }

    /// What proves who we are to the carrier; nothing where the address is the key.
    fn proof(&self, request: &Request, token: Option<&HeldToken>) -> HeaderMap {
        match (&self.destination.proof, &request.to) {
            (_, Target::Download(_)) => HeaderMap::new(),
            (Proof::Headers(headers), Target::Below(_)) => headers.clone(),
            (Proof::Token(_), Target::Below(_)) => {
                token.map(|token| token.headers.clone()).unwrap_or_default()
            }
        }
    }

    fn read<T>(
        &self,
        walk: &mut (dyn Walk<T> + '_),
        class: &str,
        (received, attempt): (&Received, &mut Attempt<'_>),
        (sent, sent_at): (Instant, DateTime<Utc>),
    ) -> Result<Page<T>, Setback> {
        let scrub = |text: String| self.destination.scrubber.scrub(&text);
        let answer = Answer {
            body: &received.body,
            headers: &received.headers,
            sent_at,
            read_at: self.clock.now(),
        };
        let read = walk.read(&answer);
        attempt.ended(traffic::of_reading(&read));
        let error = match read {
            Ok(page) => {
                self.limiter.answered(class, sent);
                return Ok(page);
            }
            Err(ReadError::Throttled(_)) => {
                return Err(self.setback(Failure::Throttled { pause: None }, class, sent));
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
    pub(super) fn setback(&self, failure: Failure, class: &str, sent: Instant) -> Setback {
        match failure {
            Failure::Throttled { pause } => {
                let until = self.clock.now() + self.pause(pause, class, sent);
                Setback {
                    error: CallError::Throttled { until },
                    worth_retrying: true,
                }
            }
            Failure::Transient { reason, pause, .. } => {
                if let Some(pause) = pause {
                    self.limiter.throttled(class, sent, pause);
                }
                Setback {
                    error: CallError::Unavailable { reason },
                    worth_retrying: true,
                }
            }
            Failure::Down { reason, .. } => Setback::last(CallError::Unavailable { reason }),
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
    fn pause(&self, named: Option<Duration>, class: &str, sent: Instant) -> Duration {
        if let Some(pause) = named {
            self.limiter.throttled(class, sent, pause);
            return pause;
        }
        let unnamed = UnnamedPause {
            shortest: self.transport.config().throttle_pause,
            longest: self.transport.config().max_retry_after,
        };
        self.limiter.throttled_unnamed(class, sent, unnamed)
    }

    fn not_before(&self, paused: Paused) -> CallError {
        let until = self.clock.now() + paused.left;
        match paused.by {
            PausedBy::Carrier => CallError::Throttled { until },
            PausedBy::OwnLimit => CallError::LimitUsedUp { until },
        }
    }
}

/// A request that has been sent.
struct Sent<'a> {
    answer: Result<Received, Failure>,
    at: Instant,
    at_utc: DateTime<Utc>,
    /// The token that it carried, and whose it is.
    token: Option<(&'a TokenSource, Arc<HeldToken>)>,
    /// Ended already where there is no answer.
    attempt: Attempt<'a>,
}

/// Gives a refused token back; says whether there was one.
fn give_back(token: Option<&(&TokenSource, Arc<HeldToken>)>) -> bool {
    token
        .inspect(|(source, token)| source.keeper.refused(token))
        .is_some()
}

fn json(text: &str) -> OutgoingBody<'_> {
    OutgoingBody {
        content_type: "application/json",
        text,
    }
}

/// A failed attempt: what to tell if it was the last, and whether to try again.
pub(super) struct Setback {
    pub(super) error: CallError,
    pub(super) worth_retrying: bool,
}

impl Setback {
    pub(super) fn last(error: CallError) -> Self {
        Self {
            error,
            worth_retrying: false,
        }
    }
}
