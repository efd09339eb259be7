//! Secrets at rest: an integration's credentials sealed with a key that is not in the database.
//!
//! ```text
//!  api_key ──seal──► enc:v1:KEYID:BASE64 ──store──► carrier_integrations.api_key
//!             │  bound to tenant, integration, column
//!  SyncJob ◄──open── with whichever configured key has that id
//! ```
//!
//! XChaCha20-Poly1305: its nonce is long enough to be drawn at random, so nothing has to count. The
//! tenant, the integration and the column are authenticated with the text; moved anywhere else, it
//! does not open. Clear text is read as it is, so that an existing platform works before it is sealed.
//!
//! The lowest layer: knows the vocabulary and a key file; no SQL, no actor, no HTTP, no setting's name
//! but those that its errors tell to set.
//!
//! | file | holds |
//! |---|---|
//! | `key.rs` | one key and its id |
//! | `keyring.rs` | the configured keys, the current one first |
//! | `key_file.rs` | reading them from a file that nobody else may read |
//! | `sealed.rs` | the text that is stored; sealing and opening it |
//! | `opener.rs` | what a running service opens with: takes in keys that were added since |

mod key;
mod key_file;
mod keyring;
mod opener;
mod sealed;

pub use key::{InvalidKey, Key, KeyId, RandomnessFailed};
pub use key_file::KeyFileError;
pub use keyring::{InvalidKeyring, Keyring};
pub use opener::{KeySource, Opener};
pub use sealed::{OpenError, Place, Sealed, is_sealed};
