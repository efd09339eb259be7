//! A listing read ahead: while one page is merged and handed over, the next is fetched and parsed.
//!
//! Cursors make a listing sequential, so what can overlap is one page's way from the carrier and the
//! page before's way to the database. How far ahead is bounded twice: by a few pages, which bounds
//! memory, and by what is needed for certain, so that no call is made in vain. Knows nothing of what a
//! page says.

use std::panic::resume_unwind;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::job::SyncJob;
use crate::carriers::{Page, Walk};
use crate::client::{CallError, CallMeter};

/// Pages that wait to be taken, the one being fetched included.
const PAGES_AHEAD: usize = 2;

/// A page and when it was read.
pub struct ReadPage<T> {
    /// The page.
    pub page: Page<T>,
    /// When the carrier's answer was read.
    pub read_at: DateTime<Utc>,
}

/// A page; `None`: the listing has ended; an error: it has broken off.
type Read<T> = Result<Option<ReadPage<T>>, CallError>;

/// A listing being read by a task of its own.
pub struct Pages<T> {
    read: mpsc::Receiver<Result<ReadPage<T>, CallError>>,
    /// Rows that must be read in any case. The reader does not fetch beyond them.
    needed: watch::Sender<usize>,
    /// Rows of the pages that were taken.
    taken: usize,
    /// What was looked at and not yet taken.
    seen: Option<Read<T>>,
    /// `None` once it has ended.
    reader: Option<AbortOnDropHandle<()>>,
}

impl<T: Send + 'static> Pages<T> {
    /// Gets ready to read `walk`; nothing is fetched before something is [needed](Self::need).
    pub fn of(walk: Box<dyn Walk<T>>, job: &Arc<SyncJob>, meter: &Arc<CallMeter>) -> Self {
        let (needed, limit) = watch::channel(0);
        let (pages, read) = mpsc::channel(PAGES_AHEAD);
        let (job, meter) = (Arc::clone(job), Arc::clone(meter));
        let reader = tokio::spawn(async move { read_on(walk, &job, &meter, limit, pages).await });
        Self {
            read,
            needed,
            taken: 0,
            seen: None,
            reader: Some(AbortOnDropHandle::new(reader)),
        }
    }

    /// At least this many rows are needed besides those taken; the reader may go as far unasked.
    pub fn need(&self, rows: usize) {
        self.needed.send_replace(self.taken.saturating_add(rows));
    }

    /// Whether anything was needed so far.
    pub fn is_begun(&self) -> bool {
        *self.needed.borrow() > 0
    }

    /// Waits for the next page and leaves it where it is. Call only where a row is needed.
    pub async fn peek(&mut self) -> Result<Option<&ReadPage<T>>, &CallError> {
        if self.seen.is_none() {
            self.seen = Some(self.receive().await);
        }
        match &self.seen {
            Some(Ok(page)) => Ok(page.as_ref()),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    /// Takes the next page. Call only where a row is needed, and not again after an error.
    pub async fn next(&mut self) -> Read<T> {
        let read = match self.seen.take() {
            Some(seen) => seen,
            None => self.receive().await,
        };
        if let Ok(Some(read)) = &read {
            self.taken += rows(&read.page);
        }
        read
    }

    /// Ends the reading. Afterwards nothing of it goes on.
    pub async fn end(self) {
        if let Some(mut reader) = self.reader {
            reader.abort();
            let _ = (&mut reader).await;
        }
    }

    async fn receive(&mut self) -> Read<T> {
        if let Some(read) = self.read.recv().await {
            return read.map(Some);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let ended = reader.await;
        self.reader = None;
        ended.map(|()| None).map_err(went_down)
    }
}

/// What a page counts for. One without any row counts as one: it has been a call.
fn rows<T>(page: &Page<T>) -> usize {
    page.records.len().max(1)
}

/// A panic in a task of a sync is one in the sync: it goes on in the task that contains the sync's own.
pub(super) fn went_down(error: JoinError) -> CallError {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => CallError::Unavailable {
            reason: "the reading was ended".to_owned(),
        },
    }
}

async fn read_on<T>(
    mut walk: Box<dyn Walk<T>>,
    job: &SyncJob,
    meter: &CallMeter,
    mut needed: watch::Receiver<usize>,
    pages: mpsc::Sender<Result<ReadPage<T>, CallError>>,
) {
    let mut rows_read = 0;
    // Room first, then the call: a page that has nowhere to go is not fetched.
    while let Ok(room) = pages.reserve().await {
        if needed.wait_for(|needed| rows_read < *needed).await.is_err() {
            return;
        }
        let read = match job.client.next_page(&mut *walk, meter).await {
            // A part that this carrier does not tell (a shared rate plan) costs no other.
            Err(error @ (CallError::NotFound | CallError::Rejected { .. })) => {
                walk.pass_over().map(Some).ok_or(error)
            }
            read => read,
        };
        match read {
            Ok(Some(page)) => {
                rows_read += rows(&page);
                let read_at = job.client.clock.now();
                room.send(Ok(ReadPage { page, read_at }));
            }
            Ok(None) => return,
            Err(error) => return room.send(Err(error)),
        }
    }
}
