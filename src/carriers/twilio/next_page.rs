//! Where a listing goes on: `meta.next_page_url`.
//!
//! Only its query is read, and of that only the three parameters of paging, which are put onto our own
//! request. So no credentials go to the host that it names, and the question stays the one we asked.

use std::borrow::Cow;

use url::form_urlencoded;

use super::wire::Meta;
use crate::carriers::{ReadError, paging::Next};

const TOKEN: &str = "PageToken";

/// Numbers for the vendor's own bookkeeping; `Page` alone moves nowhere.
const NUMBERS: [&str; 2] = ["Page", "PageSize"];

/// Longest token that is sent back, in bytes.
const MAX_TOKEN_BYTES: usize = 2_048;

/// # Errors
/// There is more and nobody knows where.
pub(super) fn next_page(meta: &Meta<'_>) -> Result<Next, ReadError> {
    let url = meta.next_page_url.ok_or_else(|| {
        ReadError::Malformed("nobody knows whether these are all rows: no `next_page_url`".into())
    })?;
    if url.get() == "null" {
        return Ok(Next::End);
    }
    let url: String = serde_json::from_str(url.get()).map_err(|_| nowhere())?;
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
    use serde_json::value::RawValue;

    use super::*;

    fn next(url: &str) -> Result<Next, ReadError> {
        let text = serde_json::to_string(url).unwrap();
        let raw: &RawValue = serde_json::from_str(&text).unwrap();
        next_page(&Meta {
            next_page_url: Some(raw),
        })
    }

    #[test]
    fn null_is_the_end_and_an_answer_that_does_not_name_it_says_nothing() {
        let end = serde_json::from_str("null").unwrap();
        let next_page_url = Some(end);
        assert_eq!(next_page(&Meta { next_page_url }), Ok(Next::End));
        assert!(next_page(&Meta::default()).is_err());
        let meta = |text| serde_json::from_str::<Meta<'_>>(text).unwrap();
        assert_eq!(next_page(&meta(r#"{"next_page_url":null}"#)), Ok(Next::End));
        assert!(next_page(&meta(r#"{"next_page_uri":"/x"}"#)).is_err());
        assert!(next_page(&meta(r#"{"next_page_url":7}"#)).is_err());
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
