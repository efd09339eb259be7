//! One request as a dialect reads it, and what it answers.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// A request below the base address.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) is_post: bool,
    /// Segments below the base path, as they came: no name of a SIM needs an escape.
    pub(super) path: Vec<String>,
    pub(super) query: HashMap<String, String>,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Question {
    /// The path as slices, to be matched.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// A whole number in the query; `None` where it is missing or none.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }

    /// User and password of HTTP Basic.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let encoded = self.authorization.as_deref()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// The token of a bearer.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The endpoint with `{id}` in the place of names, for counting.
    pub(super) fn endpoint(&self) -> String {
        let is_id = |part: &&str| part.len() >= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
        let part = |part: &str| if is_id(&part) { "{id}" } else { part }.to_owned();
        let parts: Vec<String> = self.path.iter().map(|text| part(text)).collect();
        parts.join("/")
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// `None`: an empty body.
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    pub(super) fn refusal(status: u16, body: Value) -> Self {
        Self {
            status,
            ..Self::ok(body)
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    /// With the headers by which 1NCE and emnify count pages.
    pub(super) fn counted(mut self, page: usize, size: usize, total: usize) -> Self {
        self.headers = vec![
            ("X-Count-Per-Page", size.to_string()),
            ("X-Current-Page", page.to_string()),
            ("X-Total-Count", total.to_string()),
            (
                "X-Total-Pages",
                total.div_ceil(size.max(1)).max(1).to_string(),
            ),
        ];
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(path: &str, authorization: &str) -> Question {
        Question {
            is_post: false,
            path: path.split('/').map(str::to_owned).collect(),
            query: HashMap::new(),
            authorization: Some(authorization.to_owned()),
            body: Vec::new(),
        }
    }

    #[test]
    fn calls_are_counted_by_endpoint_and_not_by_name() {
        let counted = |path| question(path, "").endpoint();
        assert_eq!(
            counted("v2/sims/8988303000123456789/status"),
            "v2/sims/{id}/status"
        );
        assert_eq!(counted("api/v1/endpoint/10000001"), "api/v1/endpoint/{id}");
        assert_eq!(counted("v2/sims"), "v2/sims");
    }

    #[test]
    fn credentials_are_read_from_their_own_scheme_only() {
        let basic = question("", "Basic dXNlcjprZXk6MQ==");
        let read = basic.basic();
        assert_eq!(read, Some(("user".to_owned(), "key:1".to_owned())));
        assert_eq!(basic.bearer(), None);
        // A token that would decode to a user and a password.
        let bearer = question("", "Bearer dXNlcjprZXk6MQ==");
        let token = Some("dXNlcjprZXk6MQ==");
        assert_eq!((bearer.bearer(), bearer.basic()), (token, None));
        assert_eq!(question("", "Basic !").basic(), None);
    }

    #[test]
    fn an_empty_listing_has_one_page() {
        let pages = |total| {
            Reply::empty(200).counted(1, 100, total).headers[3]
                .1
                .clone()
        };
        assert_eq!([0, 1, 100, 101].map(pages), ["1", "1", "1", "2"]);
    }
}
