//! `/api/v1`: what the page shows, for programs. Described by the document it serves, which is made of this code.
//!
//! | file | holds |
//! |---|---|
//! | `actions.rs` | sync now, pause, resume |
//! | `devices.rs` | the devices of an integration |
//! | `integrations.rs` | integrations, their runs, and all of them in figures |
//! | `openapi.rs`, `words.rs` | the document; in it, words of which there are few |

pub(super) mod actions;
pub(super) mod devices;
pub(super) mod integrations;
pub(super) mod openapi;
mod words;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::problem::Problem;
use super::routes::Answers;
use crate::status::fleet::Snapshot;
use crate::status::fleet::view::IntegrationView;

/// An answer's page holds so much unless asked otherwise.
const PAGE: u32 = 100;
/// And never more than this.
const LARGEST_PAGE: u32 = 1_000;

/// When an answer was true, and why it may not be true any more.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
struct AsOf {
    /// When this was put together.
    taken_at: DateTime<Utc>,
    /// Why what comes from the database is older than that; null: it is not.
    database: Option<String>,
}

impl AsOf {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            taken_at: snapshot.taken_at,
            database: snapshot.database.clone(),
        }
    }
}

/// The fleet, with the integration of this id.
pub(super) async fn known(
    answers: &Answers,
    id: &str,
) -> Result<(Arc<Snapshot>, IntegrationView), Problem> {
    let snapshot = answers.fleet.snapshot().await;
    match snapshot.integration(id).cloned() {
        Some(view) => Ok((snapshot, view)),
        None => match &snapshot.database {
            // It may be there all the same.
            Some(reason) => Err(Problem::unavailable(reason.clone())),
            None => Err(Problem::no_integration(id)),
        },
    }
}
