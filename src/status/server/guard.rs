//! Who may ask: on any address but a local one, whoever has the token. Wrong ones are few per caller.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// So many wrong tokens of one caller are looked at per [`WINDOW`].
const MOST_FAILURES: u32 = 10;
/// In which they count.
const WINDOW: Duration = Duration::from_secs(60);
/// Callers that are remembered; with more, the oldest failures are forgotten.
const MOST_CALLERS: usize = 10_000;

/// The guard at the door.
#[derive(Debug)]
pub(super) struct Guard {
    /// `None`: there is none, and no way in where one is needed.
    token: Option<SecretString>,
    /// Whether reading needs it too.
    guards_reading: bool,
    /// By address; at a socket in the file system callers have none and count together.
    failures: Mutex<HashMap<Option<IpAddr>, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer it.
    Welcome,
    /// It has no token, or a wrong one.
    Refused,
    /// Its caller has had too many wrong ones.
    TooMany,
}

impl Guard {
    pub(super) fn new(token: Option<SecretString>, guards_reading: bool) -> Self {
        Self {
            token,
            guards_reading,
            failures: Mutex::default(),
        }
    }

    /// Whether reading wants the token.
    pub(super) fn guards_reading(&self) -> bool {
        self.guards_reading
    }

    /// Whether there is a token at all: without one, nothing can be done here.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Judges a caller by the value of its `Authorization` header.
    pub(super) fn judge(&self, caller: Option<IpAddr>, authorization: Option<&[u8]>) -> Verdict {
        self.judge_at(caller, authorization.and_then(bearer), Instant::now())
    }

    /// Judges a caller by the token itself.
    pub(super) fn judge_token(&self, caller: Option<IpAddr>, token: &str) -> Verdict {
        self.judge_at(caller, Some(token.as_bytes()), Instant::now())
    }

    fn judge_at(&self, caller: Option<IpAddr>, token: Option<&[u8]>, now: Instant) -> Verdict {
        let caller = caller.map(counted_with);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures
            .get(&caller)
            .copied()
            .filter(|known| now.saturating_duration_since(known.since) < WINDOW);
        // The right token waits as well: who is let in with it while others are not has guessed it.
        if known.is_some_and(|known| known.count >= MOST_FAILURES) {
            return Verdict::TooMany;
        }
        if self.is_ours(token) {
            return Verdict::Welcome;
        }
        // Who shows none guesses nothing.
        if token.is_some() {
            if failures.len() >= MOST_CALLERS {
                failures.retain(|_, old| now.saturating_duration_since(old.since) < WINDOW);
            }
            if failures.len() >= MOST_CALLERS {
                failures.clear();
            }
            let known = known.unwrap_or(Failures {
                count: 0,
                since: now,
            });
            let count = known.count + 1;
            failures.insert(caller, Failures { count, ..known });
        }
        Verdict::Refused
    }

    /// Compares in a time that tells nothing of where they differ.
    fn is_ours(&self, given: Option<&[u8]>) -> bool {
        let Some((token, given)) = self.token.as_ref().zip(given) else {
            return false;
        };
        bool::from(given.trim_ascii().ct_eq(token.expose_secret().as_bytes()))
    }
}

/// With whom a caller's failures are counted: of IPv6 with all of the network that one household is given (a /64).
fn counted_with(caller: IpAddr) -> IpAddr {
    match caller.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// The token of an `Authorization` header.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn guard() -> Guard {
        Guard::new(Some("s3cret".into()), true)
    }

    #[test]
    fn only_the_token_opens() {
        for (given, verdict) in [
            (Some("Bearer s3cret"), Verdict::Welcome),
            (Some("bearer s3cret"), Verdict::Welcome),
            (Some("Bearer s3cre"), Verdict::Refused),
            (Some("Bearer s3crets"), Verdict::Refused),
            (Some("Basic s3cret"), Verdict::Refused),
            (Some("Bearer"), Verdict::Refused),
            (Some(""), Verdict::Refused),
            (None, Verdict::Refused),
        ] {
            let told = guard().judge(HERE, given.map(str::as_bytes));
            assert_eq!(told, verdict, "{given:?}");
        }
        let without = Guard::new(None, true);
        assert_eq!(without.judge(HERE, Some(b"Bearer ")), Verdict::Refused);
    }

    #[test]
    fn a_caller_with_too_many_wrong_tokens_waits_and_keeps_no_other_waiting() {
        let other = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        // Those at a socket have no address.
        for caller in [HERE, None] {
            let (guard, now) = (guard(), Instant::now());
            let ask = |caller, token: &str, at| guard.judge_at(caller, Some(token.as_bytes()), at);
            for _ in 0..MOST_FAILURES {
                assert_eq!(guard.judge_at(caller, None, now), Verdict::Refused);
                assert_eq!(ask(caller, "wrong", now), Verdict::Refused);
            }
            assert_eq!(ask(caller, "s3cret", now), Verdict::TooMany, "{caller:?}");
            assert_eq!(ask(other, "s3cret", now), Verdict::Welcome);
            assert_eq!(ask(caller, "s3cret", now + WINDOW), Verdict::Welcome);
        }
    }

    #[test]
    fn one_who_has_many_addresses_is_one() {
        for (first, second, are_one) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            let guard = guard();
            for _ in 0..MOST_FAILURES {
                guard.judge_token(first.parse().ok(), "wrong");
            }
            let is_stopped = guard.judge_token(second.parse().ok(), "s3cret") == Verdict::TooMany;
            assert_eq!(is_stopped, are_one, "{first} {second}");
        }
    }

    #[test]
    fn those_who_try_are_remembered_in_a_bounded_number() {
        let (guard, now) = (guard(), Instant::now());
        for number in 0..30_000_u32 {
            let caller = IpAddr::V4(Ipv4Addr::from_bits(number));
            guard.judge_at(Some(caller), Some(b"wrong"), now);
        }
        assert!(
            guard
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len()
                <= MOST_CALLERS
        );
    }
}
