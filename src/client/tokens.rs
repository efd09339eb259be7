//! The token keepers of a process's accounts, and which of them may be forgotten. They outlive the actors
//! that use them, so that a restart buys no new token.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use super::token::TokenKeeper;

/// Keepers that are kept without looking which of them may be forgotten.
const FEW_KEEPERS: usize = 64;

/// Every token keeper of the process.
#[derive(Debug, Default)]
pub struct Tokens {
    hasher: RandomState,
    keepers: Mutex<Keepers>,
}

#[derive(Debug, Default)]
struct Keepers {
    /// By a keyed hash of what buys the token, so that the map holds no credentials.
    by_key: HashMap<u64, Arc<TokenKeeper>>,
    /// How many were left when it was last looked which may be forgotten.
    kept: usize,
}

impl Tokens {
    /// The keeper of the token that `identity` buys: all that the purchase is made of, and where the token
    /// is sent.
    pub fn keeper(&self, identity: impl Hash) -> Arc<TokenKeeper> {
        let key = self.hasher.hash_one(identity);
        // Every change under this lock leaves the map whole.
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keepers.by_key.get(&key) {
            return Arc::clone(known);
        }
        keepers.forget_the_unused();
        let keeper = Arc::<TokenKeeper>::default();
        keepers.by_key.insert(key, Arc::clone(&keeper));
        keeper
    }
}

impl Keepers {
    /// Looks only when there are twice as many as it left the last time, so that ten thousand starts do
    /// not look at ten thousand accounts each.
    fn forget_the_unused(&mut self) {
        if self.by_key.len() < FEW_KEEPERS.max(2 * self.kept) {
            return;
        }
        self.by_key
            .retain(|_, keeper| Arc::strong_count(keeper) > 1 || !keeper.is_forgettable());
        self.kept = self.by_key.len();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::token::Bought;
    use super::*;
    use crate::carriers::Token;

    #[test]
    fn one_purchase_is_one_keeper_and_another_is_another() {
        let tokens = Tokens::default();
        let first = tokens.keeper(("c", "https://h", "k"));
        assert!(Arc::ptr_eq(&first, &tokens.keeper(("c", "https://h", "k"))));
        assert!(!Arc::ptr_eq(
            &first,
            &tokens.keeper(("c", "https://h", "l"))
        ));
        assert!(!Arc::ptr_eq(
            &first,
            &tokens.keeper(("c", "https://g", "k"))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_works_outlives_its_actors_and_the_rest_is_forgotten() {
        let tokens = Tokens::default();
        let buy = async || {
            Ok(Bought {
                token: Token {
                    headers: Vec::new(),
                    lifetime: Some(Duration::from_secs(100)),
                    account: None,
                },
                asked_at: Instant::now(),
            })
        };
        tokens.keeper(0).token(buy).await.unwrap();
        for key in 1..10_000 {
            drop(tokens.keeper(key));
        }
        assert!(
            tokens.keeper(0).in_hand().is_some(),
            "a restart buys nothing"
        );
        let left = tokens.keepers.lock().unwrap().by_key.len();
        assert!(left <= FEW_KEEPERS + 1, "{left} are left");
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(
            tokens.keeper(0).is_forgettable(),
            "what has ended is no loss"
        );
    }
}
