//! What KORE's token endpoint says, in the vocabulary of all carriers. Never quotes a body: it holds the token.

use std::time::Duration;

use super::wire::{Refusal, TokenAnswer};
use crate::carriers::{Answer, ReadError, Token, rows, token::bearer, walk::body_text};

/// Words of OAuth 2.0 (RFC 6749, 5.2) for a client that is not known or may not have a token.
const REFUSED: [&str; 2] = ["invalid_client", "unauthorized_client"];

/// # Errors
/// [`ReadError::Malformed`] where there is no token that a header can carry.
pub(super) fn token(answer: &Answer<'_>) -> Result<Token, ReadError> {
    let text = body_text(answer.body);
    let answer: TokenAnswer<'_> = rows::read(&text)?;
    let token = rows::present(answer.access_token, "access_token", "a text")?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ReadError::Malformed(
            "`access_token` is empty or no header can carry it".into(),
        ));
    }
    // A token that lasted no time would be bought again for every call; it lasts until it is refused.
    let seconds = answer.expires_in.value().filter(|seconds| *seconds > 0);
    Ok(Token {
        headers: bearer(&token.into_owned().into()),
        lifetime: seconds.map(Duration::from_secs),
        account: None,
    })
}

/// Whether the token endpoint refuses the client.
pub(super) fn is_refused_client(body: &[u8]) -> bool {
    let text = body_text(body);
    let refusal = rows::read::<Refusal<'_>>(&text);
    refusal.is_ok_and(|refusal| {
        refusal
            .error
            .value()
            .is_some_and(|error| REFUSED.contains(&&*error))
    })
}
