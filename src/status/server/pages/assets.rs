//! Style and script, in the page itself, and the policy that names them by what they are: a browser runs nothing
//! else, whatever gets into a page.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style of every page.
pub(super) const STYLE: &str = include_str!("assets/style.css");

/// Fetches the page again.
pub(super) const SCRIPT: &str = include_str!("assets/refresh.js");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; form-action 'self'; \
         img-src data:; base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// What a browser may do with a page.
pub(super) fn policy() -> &'static str {
    &POLICY
}
