//! A request as data. The base address and the credentials are added by the client, so neither can
//! leak through a request that is logged or compared in a test.

use secrecy::SecretString;

/// A GET below the base address.
///
/// Path segments and query values are raw text; the client percent-encodes each, so an id with
/// `/`, `?` or `&` cannot change which resource is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which endpoint this is, for metrics and limits, e.g. `usage/data/billing`; never an id.
    pub endpoint: &'static str,
    /// Path below the base address, a segment each.
    pub path: Vec<String>,
    /// Query parameters in order.
    pub query: Vec<(&'static str, String)>,
}

/// How a request proves who we are.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// HTTP Basic.
    Basic {
        /// The user name; not secret by itself.
        user: String,
        /// The password.
        password: SecretString,
    },
}
