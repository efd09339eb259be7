//! Who is calling: HTTP Basic with the user name `apikey` and the key as password.
//!
//! Keys are compared as the header a right client would send, so nothing has to be decoded.

use std::collections::HashMap;

use super::fleet::{Account, Fleet, newest_first};

/// The keys and what each opens.
#[derive(Debug)]
pub(super) struct Keyring {
    /// Base64 of `apikey:KEY` to the organisations of that key.
    organisations: HashMap<String, Vec<u64>>,
}

impl Keyring {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let mut organisations: HashMap<String, Vec<u64>> = HashMap::new();
        for account in fleet.accounts() {
            let credentials = base64(format!("apikey:{}", account.api_key).as_bytes());
            organisations
                .entry(credentials)
                .or_default()
                .push(account.org_id);
        }
        Self { organisations }
    }

    /// Organisations that an `Authorization` header opens; `None`: it opens nothing.
    pub(super) fn open(&self, header: Option<&str>) -> Option<&[u64]> {
        let (scheme, credentials) = header?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        self.organisations
            .get(credentials.trim())
            .map(Vec::as_slice)
    }
}

/// The accounts of these organisations, in the order of listings.
pub(super) fn accounts_of<'a>(fleet: &'a Fleet, organisations: &[u64]) -> Vec<&'a Account> {
    let mut accounts: Vec<_> = organisations
        .iter()
        .filter_map(|org_id| fleet.account(*org_id))
        .collect();
    newest_first(&mut accounts);
    accounts
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, n| {
            group << 8 | usize::from(chunk.get(n).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let sextet = group >> (18 - 6 * place) & 0x3F;
            text.push(if place <= chunk.len() {
                char::from(ALPHABET[sextet])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_keeps_the_vectors_of_the_standard() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
