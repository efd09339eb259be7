//! Who of several processes owns which integration: what the database is asked to decide.
//!
//! A process has a row that it renews; an integration's lease names such a row and counts its owners.
//! Whoever is not renewed in time loses its row to the next that looks, and with it every lease. Knows
//! neither what a fair share is (`supervision/`) nor who acts on it (`actors/`).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::device::IntegrationId;
use crate::tenure::Epoch;

/// One registration of a process. Drawn anew for each, so that a name is never used twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(String);

impl ProcessId {
    /// A name that nobody has had.
    #[must_use]
    pub fn draw() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// As stored.
    #[must_use]
    pub fn from_column(text: String) -> Self {
        Self(text)
    }

    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A process, as it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub id: ProcessId,
    /// Where to look for it: host name and process id.
    pub address: String,
    /// Whether it takes its part of the integrations.
    pub shares: bool,
}

/// A process that is registered and has not run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveProcess {
    /// Who.
    pub process: Process,
    /// When it last renewed, in microseconds by the database's clock.
    pub renewed_at_us: i64,
}

/// The lease of an integration that a live process owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose integration.
    pub integration: IntegrationId,
    /// By whom it is owned.
    pub owner: ProcessId,
    /// Its how-manieth owner that is.
    pub epoch: Epoch,
}

/// Who is there and who owns what, in one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// When the look was taken, in microseconds by the database's clock.
    pub taken_at_us: i64,
    /// Every live process, by id.
    pub live: Vec<LiveProcess>,
    /// Every lease of theirs; an integration without one is free.
    pub leases: Vec<Lease>,
}

/// Integrations to be claimed together or not at all: the free ones of one account.
pub type Lot = Vec<IntegrationId>;

/// What several processes on one database ask of it. Times are the database's own.
#[async_trait]
pub trait Leases: Send + Sync + fmt::Debug {
    /// Makes the process known for `lease` from now on.
    async fn register(&self, process: &Process, lease: Duration) -> Result<(), StoreError>;

    /// Holds everything for `lease` from now on, and answers who is there. Removes who has run out.
    ///
    /// `None`: we have run out ourselves, and everything may be another's.
    async fn renew(&self, id: &ProcessId, lease: Duration) -> Result<Option<Census>, StoreError>;

    /// Takes what is free of `lots`, each wholly or not at all; answers what is ours now. Nothing is,
    /// when we have run out.
    async fn claim(
        &self,
        id: &ProcessId,
        lots: &[Lot],
    ) -> Result<Vec<(IntegrationId, Epoch)>, StoreError>;

    /// Gives integrations up, for others to claim.
    async fn release(
        &self,
        id: &ProcessId,
        integrations: &[IntegrationId],
    ) -> Result<(), StoreError>;

    /// Gives everything up and is no longer known.
    async fn leave(&self, id: &ProcessId) -> Result<(), StoreError>;

    /// Closes the connection; later calls fail with `Unavailable`.
    async fn close(&self);
}
