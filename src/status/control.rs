//! What operators may ask the service to do. The status only passes it on: whoever can do it is behind this trait,
//! and the read side works without.

use async_trait::async_trait;

use crate::device::IntegrationId;
use crate::store::StoreError;

/// What came of asking for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncAsked {
    /// It begins as soon as there is a slot.
    Begun,
    /// One is under way already.
    UnderWay,
    /// The processes that share the database have been asked: whichever has the integration syncs it.
    PassedOn,
    /// Nobody is known to have it: the service is starting, or ending.
    Nobody,
}

impl SyncAsked {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "a sync begins",
            Self::UnderWay => "a sync is under way already",
            Self::PassedOn => {
                "the processes that share the database were asked: whichever has the integration syncs it"
            }
            Self::Nobody => "no process has taken the integration up yet; try again in a moment",
        }
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The database did not do it, or there is no such integration (`Invalid`).
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its row must be changed first; the reason holds no secret.
    #[error("it cannot be synced as it is: {0}")]
    Misconfigured(String),
}

/// Does what operators ask.
#[async_trait]
pub trait Control: std::fmt::Debug + Send + Sync {
    /// Syncs an integration now, within its limits.
    ///
    /// # Errors
    /// [`NotDone`] where the integration cannot be synced as it is, or another process would have to be told and
    /// the database does not answer.
    async fn sync_now(&self, id: &IntegrationId) -> Result<SyncAsked, NotDone>;

    /// Switches an integration's timer on or off.
    ///
    /// # Errors
    /// [`NotDone`]; `Invalid` where there is no such integration.
    async fn set_sync_enabled(&self, id: &IntegrationId, sync_enabled: bool)
    -> Result<(), NotDone>;
}
