//! Tokens that were sold, until they end or are revoked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tokens in force, by their text: whose, and until when.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    sold: Mutex<HashMap<String, (usize, Instant)>>,
}

impl Tokens {
    /// Puts a token of `account` in force, and forgets those that have ended.
    pub(super) fn sell(&self, token: String, account: usize, lifetime: Duration) {
        let (now, mut sold) = (Instant::now(), self.sold());
        sold.retain(|_, (_, until)| now < *until);
        sold.insert(token, (account, now + lifetime));
    }

    /// Whose token it is; `None` when it is unknown, ended or revoked.
    pub(super) fn account(&self, token: &str) -> Option<usize> {
        let (account, until) = *self.sold().get(token)?;
        (Instant::now() < until).then_some(account)
    }

    /// Ends every token now.
    pub(super) fn revoke(&self) {
        self.sold().clear();
    }

    fn sold(&self) -> MutexGuard<'_, HashMap<String, (usize, Instant)>> {
        self.sold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_token_opens_its_account_until_it_ends_or_is_revoked() {
        let tokens = Tokens::default();
        tokens.sell("first".to_owned(), 0, HOUR);
        tokens.sell("second".to_owned(), 1, HOUR);
        tokens.sell("ended".to_owned(), 1, Duration::ZERO);
        let opened = ["first", "second", "ended", "unknown"].map(|token| tokens.account(token));
        assert_eq!(opened, [Some(0), Some(1), None, None]);
        tokens.revoke();
        assert_eq!(tokens.account("first"), None);
        tokens.sell("third".to_owned(), 0, HOUR);
        assert_eq!(tokens.account("third"), Some(0));
    }
}
