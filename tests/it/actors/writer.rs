//! The writer: a reply per request and after the commit, batches together, bounds kept.

use std::sync::Arc;
use std::task::Poll;

use carrier_sync::actors::messages::Drain;
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::{DbWriterActor, WriterHandle};
use carrier_sync::clock::SystemClock;
use carrier_sync::device::UpdateBatch;
use carrier_sync::status::{ActorName, Board};
use carrier_sync::supervision::ExitReason;
use carrier_sync::sync::UpdateSink;
use tokio::sync::oneshot;

use super::spy::Spy;
use super::timing::writer_policy;
use super::until;
use crate::fleet::in_system;
use crate::store::fleet::{Fleet, batch, device_name, used};

struct Desk {
    fleet: Fleet,
    spy: Arc<Spy>,
    writer: WriterHandle,
    board: Arc<Board>,
    exit: oneshot::Receiver<ExitReason>,
}

/// A writer on a fleet of three tenants with ten devices each.
async fn desk(fleet: Fleet, (max_rows, max_in_flight): (usize, usize), queue_rows: usize) -> Desk {
    for tenant in ["a", "b", "c"] {
        fleet.account(tenant, &format!("{tenant}-main"), 10).await;
    }
    let spy = Spy::on(Arc::clone(&fleet.service));
    let board = Arc::new(Board::new(100));
    let actor = DbWriterActor::new(
        spy.clone(),
        writer_policy(max_rows, max_in_flight),
        Arc::clone(&board),
        Arc::new(SystemClock),
    );
    let (told, exit) = oneshot::channel();
    let (address, _) = spawn_watched(actor, 4, |reason| {
        let _ = told.send(reason);
    });
    let writer = WriterHandle::new(address, queue_rows);
    Desk {
        fleet,
        spy,
        writer,
        board,
        exit,
    }
}

/// The tenant's first so many devices have used so much.
fn rows(tenant: &str, count: usize, bytes: u64) -> UpdateBatch {
    let updates = (0..count).map(|n| used(&device_name(n), bytes));
    batch(tenant, &format!("{tenant}-main"), updates.collect())
}

impl Desk {
    async fn stored(&self, tenant: &str) -> Vec<i64> {
        let rows = self.fleet.devices(tenant).await;
        rows.iter().filter_map(|row| row.data_used_bytes).collect()
    }

    /// A batch on its way.
    fn send(&self, batch: UpdateBatch) -> tokio::task::JoinHandle<usize> {
        let writer = self.writer.clone();
        tokio::spawn(async move { writer.write(batch).await.unwrap().written })
    }

    async fn queued(&self, rows: usize) {
        until("so many rows are queued", async || {
            (self.board.get(&ActorName::Writer)?.queue_depth == rows).then_some(())
        })
        .await;
    }

    /// A first transaction that is under way and held, so that what follows gathers.
    async fn busy(&self) -> tokio::task::JoinHandle<usize> {
        self.spy.hold_writes().await;
        let first = self.send(rows("a", 1, 1));
        until("it is under way", async || {
            (self.spy.transactions().len() == 1).then_some(())
        })
        .await;
        first
    }
}

async fn replies_after_the_commit(fleet: Fleet) {
    let desk = desk(fleet, (100, 2), 1_000).await;
    for round in 1..=20 {
        let receipt = desk.writer.write(rows("a", 3, round)).await.unwrap();
        assert_eq!((receipt.written, receipt.failures.len()), (3, 0));
        let expected = vec![i64::try_from(round).unwrap(); 3];
        assert_eq!(
            desk.stored("a").await,
            expected,
            "visible to others when the reply comes"
        );
    }
}

#[test]
fn a_reply_comes_after_the_commit_on_sqlite() {
    in_system(async { replies_after_the_commit(Fleet::sqlite().await).await });
}

#[test]
fn a_reply_comes_after_the_commit_on_postgres() {
    in_system(async { replies_after_the_commit(Fleet::postgres().await).await });
}

#[test]
fn batches_of_several_tenants_share_a_transaction_and_each_has_its_reply() {
    in_system(async {
        let desk = desk(Fleet::sqlite().await, (100, 1), 1_000).await;
        let first = desk.busy().await;
        let sent = [
            desk.send(rows("a", 2, 7)),
            desk.send(rows("b", 3, 8)),
            desk.send(rows("c", 4, 9)),
        ];
        desk.queued(9).await;
        desk.spy.release_writes();
        assert_eq!(first.await.unwrap(), 1);
        let mut written = Vec::new();
        for reply in sent {
            written.push(reply.await.unwrap());
        }
        assert_eq!(written, [2, 3, 4], "each reply is about its own batch");
        let mut transactions = desk.spy.transactions();
        transactions
            .iter_mut()
            .for_each(|batches| batches.sort_unstable());
        assert_eq!(transactions, [vec![1], vec![2, 3, 4]]);
        assert_eq!(desk.stored("b").await, [8, 8, 8]);
    });
}

#[test]
fn rows_beyond_the_queue_wait_with_their_sender() {
    in_system(async {
        let desk = desk(Fleet::sqlite().await, (100, 1), 10).await;
        let first = desk.busy().await;
        let second = desk.send(rows("b", 6, 5));
        desk.queued(6).await;
        let mut third = Box::pin(desk.writer.write(rows("c", 6, 5)));
        for _ in 0..100 {
            assert!(matches!(futures_util::poll!(&mut third), Poll::Pending));
            tokio::task::yield_now().await;
        }
        let depth = desk.board.get(&ActorName::Writer).unwrap().queue_depth;
        assert_eq!(
            depth, 6,
            "the third is not in the queue, nor in the mailbox"
        );
        desk.spy.release_writes();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 6));
        assert_eq!(third.await.unwrap().written, 6);
    });
}

#[test]
fn a_batch_larger_than_a_transaction_goes_by_itself() {
    in_system(async {
        let desk = desk(Fleet::sqlite().await, (3, 1), 4).await;
        let receipt = desk.writer.write(rows("a", 10, 5)).await.unwrap();
        assert_eq!(
            receipt.written, 10,
            "larger than the transaction and than the queue"
        );

        let wide = super::writer::desk(Fleet::sqlite().await, (3, 1), 1_000).await;
        let first = wide.busy().await;
        let mut sent = Vec::new();
        for (count, depth) in [(2, 2), (8, 10), (1, 11)] {
            sent.push(wide.send(rows("b", count, 5)));
            wide.queued(depth).await;
        }
        wide.spy.release_writes();
        assert_eq!(first.await.unwrap(), 1);
        for reply in sent {
            reply.await.unwrap();
        }
        assert_eq!(
            wide.spy.transactions(),
            [vec![1], vec![2], vec![8], vec![1]]
        );
    });
}

#[test]
fn a_drained_writer_has_written_everything_and_ends() {
    in_system(async {
        let desk = desk(Fleet::sqlite().await, (2, 1), 1_000).await;
        let first = desk.busy().await;
        let (second, third) = (desk.send(rows("b", 2, 5)), desk.send(rows("c", 2, 5)));
        desk.queued(4).await;
        let mut drained = Box::pin(desk.writer.address().send(Drain));
        assert!(matches!(futures_util::poll!(&mut drained), Poll::Pending));
        desk.spy.release_writes();
        drained.await.unwrap();
        assert_eq!(
            (desk.stored("b").await.len(), desk.stored("c").await.len()),
            (2, 2)
        );
        assert_eq!(
            (
                first.await.unwrap(),
                second.await.unwrap(),
                third.await.unwrap()
            ),
            (1, 2, 2)
        );
        assert_eq!(desk.exit.await, Ok(ExitReason::Stopped));
    });
}
