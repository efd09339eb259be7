//! `[status]` and `[metrics]`: where operators and their machines ask, and how much they are told.

use secrecy::SecretString;

use super::layer::Layer;
use super::problem::Problem;
use super::reader::{Reader, text};
use crate::status::Address;
use crate::status::address::ALLOWED;

/// Shortest token: a shorter one can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// `[status]`.
#[derive(Debug, Clone)]
pub struct StatusConfig {
    /// Where the server listens.
    pub listen: Address,
    /// What opens it elsewhere than on this machine.
    pub token: Option<SecretString>,
    /// `metrics.max_integrations`: integrations that metrics tell one by one, at most.
    pub max_integrations: usize,
}

impl StatusConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let listen = reader.value("status.listen", ALLOWED, Address::Off, |setting| {
            text(setting)?.parse().ok()
        });
        let allowed = "a text of 16 or more visible characters without spaces, or empty for none";
        let token = reader.value("status.token", allowed, None, |setting| {
            let token = text(setting)?;
            let is_fit =
                token.len() >= SHORTEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
            match token {
                "" => Some(None),
                _ => is_fit.then(|| Some(token.into())),
            }
        });
        Self {
            listen,
            token,
            max_integrations: reader.count_or_zero("metrics.max_integrations") as usize,
        }
    }

    /// Others could read everything.
    pub(super) fn contradiction(&self, settings: &Layer) -> Option<Problem> {
        (!self.listen.is_local() && self.token.is_none()).then(|| {
            Problem::contradiction(
                settings,
                "status.listen",
                "needs",
                "status.token",
                "others than this machine reach that address; set a token of 16 or more characters",
            )
        })
    }
}
