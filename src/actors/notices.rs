//! From the database's notices to the supervisor. Decides nothing: when to look and whether to sync is the
//! supervisor's.

use actix::Addr;

use super::Supervisor;
use super::messages::{LookNow, SyncAnswer, SyncIntegration};
use crate::store::notices::{Notice, Notices};

/// Hands every notice on, for as long as there is a supervisor. One at a time: a flood of them waits in the
/// connection and not in the mailbox.
pub async fn forward(mut notices: Box<dyn Notices>, supervisor: Addr<Supervisor>) {
    loop {
        let handed_on = match notices.next().await {
            Notice::Look => supervisor.send(LookNow).await,
            Notice::Sync(id) => {
                let answer = supervisor.send(SyncIntegration(id.clone())).await;
                // Every process hears of it, and one of them has it.
                if !matches!(answer, Ok(SyncAnswer::NotHere)) {
                    tracing::info!(integration.id = %id, ?answer, "a sync was asked for");
                }
                answer.map(drop)
            }
        };
        if handed_on.is_err() {
            return;
        }
    }
}
