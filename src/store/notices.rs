//! Word from the database that something has changed, or that someone wants a sync: so that it is noticed
//! at once and not at the next look. Knows neither how the word comes nor what is done about it.
//!
//! A notice can be lost (a connection that ends, a database that restarts), so nobody may rely on one: each
//! new beginning is a notice of its own, and looking on a beat stays.

use std::fmt;

use async_trait::async_trait;

use crate::device::IntegrationId;

/// How a wish for a sync begins; the integration's id follows.
const SYNC: &str = "sync:";

/// What the database tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The integrations have changed, or may have.
    Look,
    /// Whoever has this integration is to sync it now.
    Sync(IntegrationId),
}

impl Notice {
    /// As it travels. What is not understood is a reason to look, never an error.
    pub(super) fn from_payload(payload: &str) -> Self {
        let wanted = payload.strip_prefix(SYNC);
        let id = wanted.and_then(|id| IntegrationId::parse(id).ok());
        id.map_or(Self::Look, Self::Sync)
    }

    /// A wish for a sync, as it travels.
    pub(super) fn sync_payload(id: &IntegrationId) -> String {
        format!("{SYNC}{}", id.as_str())
    }
}

/// The database's notices, one after the other.
#[async_trait]
pub trait Notices: Send + fmt::Debug {
    /// Waits for the next one, for ever if there is none. A connection that has ended is made anew in here.
    async fn next(&mut self) -> Notice;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wish_for_a_sync_is_understood_and_anything_else_is_a_reason_to_look() {
        let id = IntegrationId::parse("a:b/ü").unwrap();
        let payload = Notice::sync_payload(&id);
        assert_eq!(Notice::from_payload(&payload), Notice::Sync(id));
        for other in ["", "sync", "sync:", "look", "from a later version"] {
            assert_eq!(Notice::from_payload(other), Notice::Look, "{other:?}");
        }
    }
}
