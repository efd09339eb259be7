//! Where a listing goes on: `meta.next_page_url`.
//!
//! Only its query is read, and of that only the three parameters of paging, which are put onto our own
//! request. So no credentials go to the host that it names, and the question stays the one we asked.

use std::borrow::Cow;

use url::form_urlencoded;

use super::wire::Meta;
use crate::carriers::{ReadError, lenient::Field, paging::Next};

const TOKEN: &str = "PageToken";

/// Numbers for the vendor's own bookkeeping; `Page` alone moves nowhere.
const NUMBERS: [&str; 2] = ["Page", "PageSize"];

/// Longest token that is sent back, in bytes.
const MAX_TOKEN_BYTES: usize = 2_048;

/// # Errors
/// There is more and nobody knows where.
pub(super) fn next_page(meta: &Meta<'_>) -> Result<Next, ReadError> {
    let url = match &meta.next_page_url {
        Field::Missing => return Ok(Next::End),
        Field::Value(url) => url,
        Field::Bad => return Err(nowhere()),
    };
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let find = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    let token = find(TOKEN).filter(|token| is_usable(token));
    let mut parameters = vec![(Cow::Borrowed(TOKEN), token.ok_or_else(nowhere)?)];
    for name in NUMBERS {
        let number = find(name).filter(|number| number.parse::<u32>().is_ok());
        parameters.extend(number.map(|number| (Cow::Borrowed(name), number)));
    }
    Ok(Next::Page(parameters))
}

fn is_usable(token: &str) -> bool {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    !token.is_empty() && token.len() <= MAX_TOKEN_BYTES && is_plain
}

fn nowhere() -> ReadError {
    ReadError::Malformed(
        "the carrier promises more pages but names no usable `PageToken` (`meta.next_page_url`)"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn next(url: &str) -> Result<Next, ReadError> {
        next_page(&Meta {
            next_page_url: Field::Value(url.into()),
        })
    }

    #[test]
    fn only_the_parameters_of_paging_are_taken_from_the_address() {
        let url =
            "https://elsewhere.example/v1/Sims?Status=new&PageSize=50&Page=1&PageToken=PA%2Bx#y";
        let Next::Page(parameters) = next(url).unwrap() else {
            panic!("no page");
        };
        let expected = [("PageToken", "PA+x"), ("Page", "1"), ("PageSize", "50")];
        let expected = expected.map(|(name, value)| (Cow::Borrowed(name), value.to_owned()));
        assert_eq!(parameters, expected);
    }

    #[test]
    fn an_address_without_a_usable_token_is_an_error_that_does_not_repeat_it() {
        let long = format!("https://x.example/?PageToken={}", "a".repeat(2_049));
        let wrong = [
            "",
            "https://x.example/v1/Sims",
            "https://x.example/v1/Sims?PageSize=50&Page=1",
            "https://x.example/v1/Sims?PageToken=",
            "https://x.example/v1/Sims?PageToken=a%0Ab",
            "https://x.example/v1/Sims#PageToken=a",
            "https://x.example/v1/Sims?x=1#?PageToken=a",
            long.as_str(),
        ];
        for url in wrong {
            let error = next(url).unwrap_err().to_string();
            assert!(!error.contains("x.example"), "{error}");
        }
    }
}
