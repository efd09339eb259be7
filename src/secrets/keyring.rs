//! The configured keys: the first seals, all open. Pure; errors name lines, never what stands there.

use std::fmt;

use super::key::{InvalidKey, Key, KeyId};

/// A text that is no keyring, by line (or place in the list), counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyring {
    /// This line holds something else.
    #[error("line {line} is {reason}")]
    NotAKey {
        /// Which.
        line: usize,
        /// What was expected.
        reason: InvalidKey,
    },
    /// The same key again: one of them was meant to be another.
    #[error("line {line} repeats key {key_id}")]
    Repeated {
        /// Which.
        line: usize,
        /// The key.
        key_id: KeyId,
    },
    /// Nothing but white space and comments.
    #[error("holds no key; `carrier-sync secrets generate-key` prints one")]
    Empty,
}

/// Keys, the current one first. The default holds none: it seals nothing and opens clear text.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// One key per line; `#` begins a comment.
    ///
    /// # Errors
    /// [`InvalidKeyring`].
    pub fn from_lines(text: &str) -> Result<Self, InvalidKeyring> {
        Self::read(text.lines())
    }

    /// Keys between commas.
    ///
    /// # Errors
    /// [`InvalidKeyring`]; a line is a place in the list.
    pub fn from_list(text: &str) -> Result<Self, InvalidKeyring> {
        Self::read(text.split(','))
    }

    fn read<'a>(entries: impl Iterator<Item = &'a str>) -> Result<Self, InvalidKeyring> {
        let mut ring = Self::default();
        for (line, entry) in (1..).zip(entries) {
            // Base64 has no `#`.
            let entry = entry.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let key =
                Key::parse(entry).map_err(|reason| InvalidKeyring::NotAKey { line, reason })?;
            if let Some(known) = ring.get(key.id()) {
                let key_id = known.id();
                return Err(InvalidKeyring::Repeated { line, key_id });
            }
            ring.keys.push(key);
        }
        match ring.keys.is_empty() {
            true => Err(InvalidKeyring::Empty),
            false => Ok(ring),
        }
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// The key of an id.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// Which keys there are, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(Key::id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "HxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAAECAwQ=";

    #[test]
    fn the_first_key_seals_and_comments_are_no_keys() {
        let text = format!("# keys of acme\r\n\r\n {TWO} # since November\r\n{ONE}\r\n");
        let ring = Keyring::from_lines(&text).unwrap();
        let ids: Vec<_> = ring.ids().collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ring.current().unwrap().id(), Key::parse(TWO).unwrap().id());
        let list = Keyring::from_list(&format!("{TWO}, {ONE}")).unwrap();
        assert_eq!(list.ids().collect::<Vec<_>>(), ids);
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        let told = |text: &str| {
            let error = Keyring::from_lines(text).unwrap_err().to_string();
            assert!(!error.contains("canary") && !error.contains(ONE), "{error}");
            error
        };
        assert!(told(&format!("{ONE}\n# x\ncanary\n")).contains("line 3"));
        assert!(told(&format!("{ONE}\n\n{ONE}\n")).contains("line 3 repeats key"));
        assert!(told("# nothing\n\n").contains("generate-key"));
        assert_eq!(Keyring::from_list(""), Err(InvalidKeyring::Empty));
    }

    impl PartialEq for Keyring {
        fn eq(&self, other: &Self) -> bool {
            self.ids().eq(other.ids())
        }
    }
}
