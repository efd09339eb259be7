//! A request as data. The base address and the credentials are added by the client, so neither can
//! leak through a request that is logged or compared in a test.

use std::borrow::Cow;
use std::fmt;

use url::Url;

/// A path segment that stands for the account's own name as the token endpoint tells it (Soracom's operator
/// id). The client puts the name in its place.
pub const TOKEN_ACCOUNT: &str = "{account}";

/// A GET below the base address; a POST where it has a body.
///
/// Path segments and query values are raw text; the client percent-encodes each, so an id with
/// `/`, `?` or `&` cannot change which resource is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which endpoint this is, for metrics and messages, e.g. `usage/data/billing`; never an id.
    pub endpoint: Cow<'static, str>,
    /// Which of the carrier's endpoint classes its limits count it in: a name below
    /// `[carriers.<code>.classes]`; one that is not there has no limit of its own.
    pub class: Cow<'static, str>,
    /// Where it goes.
    pub to: Target,
    /// Query parameters in order.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// A JSON body, which makes it a POST. Holds no secret.
    pub body: Option<String>,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Below the base address, a segment each, with our credentials.
    Below(Vec<String>),
    /// An address that the carrier has just told us to fetch a file from, without our credentials.
    Download(DownloadUrl),
}

/// An address that is itself a key: whoever has it can read the file. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadUrl(pub Url);

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DownloadUrl(…)")
    }
}

impl Request {
    /// A GET of `path`, segments parted by `/`; of class `list` until [said otherwise](Self::class).
    #[must_use]
    pub fn get(path: &'static str) -> Self {
        Self {
            endpoint: Cow::Borrowed(path),
            class: Cow::Borrowed("list"),
            to: Target::Below(path.split('/').map(str::to_owned).collect()),
            query: Vec::new(),
            body: None,
        }
    }

    /// A GET of a template such as `sims/{id}/status`: `id` stands in the place of `{id}`. Class `device`.
    #[must_use]
    pub fn of_device(template: &'static str, id: &str) -> Self {
        let segment = |part: &str| if part == "{id}" { id } else { part }.to_owned();
        Self {
            to: Target::Below(template.split('/').map(segment).collect()),
            class: Cow::Borrowed("device"),
            ..Self::get(template)
        }
    }

    /// In another class.
    #[must_use]
    pub fn class(self, class: &'static str) -> Self {
        Self {
            class: Cow::Borrowed(class),
            ..self
        }
    }

    /// With one more query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((Cow::Borrowed(name), value.to_string()));
        self
    }

    /// As a POST of this JSON.
    #[must_use]
    pub fn post(self, body: &serde_json::Value) -> Self {
        Self {
            body: Some(body.to_string()),
            ..self
        }
    }

    /// With these parameters in place of those of the same names: how a next page is asked for.
    #[must_use]
    pub fn replace(mut self, parameters: Vec<(Cow<'static, str>, String)>) -> Self {
        for (name, value) in parameters {
            match self.query.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => self.query.push((name, value)),
            }
        }
        self
    }
}
