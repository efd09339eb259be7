//! The token keepers of a process's accounts. They outlive the actors that use them, so that a restart buys
//! no new token.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use super::remembered::Remembered;
use super::token::TokenKeeper;

/// Every token keeper of the process.
#[derive(Debug, Default)]
pub struct Tokens {
    hasher: RandomState,
    keepers: Mutex<Remembered<TokenKeeper>>,
}

impl Tokens {
    /// The keeper of the token that `identity` buys: all that the purchase is made of, and where the token
    /// is sent. Only its hash is kept.
    pub fn keeper(&self, identity: impl Hash) -> Arc<TokenKeeper> {
        // Every change under this lock leaves the map whole.
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.find_or_add(self.hasher.hash_one(identity), TokenKeeper::default)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::remembered::Forgettable as _;
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
        tokens.keeper(0).token(Instant::now(), buy).await.unwrap();
        for key in 1..1_000 {
            drop(tokens.keeper(key));
        }
        assert!(
            tokens.keeper(0).in_hand().is_some(),
            "a restart buys nothing"
        );
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(
            tokens.keeper(0).is_forgettable(),
            "what has ended is no loss"
        );
    }
}
