//! The whole fleet as people and their programs read it: what the database says of every integration, what this
//! process's actors have said last, and how fresh the devices are. Asks no actor, changes nothing, and tells what
//! it knows when the database does not answer.
//!
//! ```text
//! database ─► rows (every 2 s, where someone looks) ──┐
//!          ─► device counts (seldom: reads all) ──────┼─► Snapshot (kept 1 s) ─► API, page, metrics
//! board ─────────────────────────────────────────────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `query.rs` | which integrations, in which order, in pages |
//! | `state.rs` | what it does, whether a person must look, and what to do |
//! | `view.rs` | one integration, put together |

pub mod query;
pub mod state;
pub mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;

use self::state::{Attention, State};
use self::view::{DeviceCounts, FleetRow, IntegrationView, Known};
use super::asked::{Asked, Terms, Told};
use super::{ActorName, ActorStatus, Board};
use crate::clock::Clock;
use crate::device::{FreshnessCounts, IntegrationId};
use crate::store::{Store, StoreError, UnreadableRow};

/// Rows, which are read anew behind a page that is looked at again and again.
const ROWS: Terms = Terms {
    holds: Duration::from_secs(2),
    serves: Duration::from_secs(10),
    patience: Duration::from_secs(2),
    is_costly: false,
};
/// Counts of devices: every row is read for them, and a page can do without for a moment.
const COUNTS: Terms = Terms {
    holds: Duration::from_secs(10),
    serves: Duration::from_secs(900),
    patience: Duration::from_millis(100),
    is_costly: true,
};
/// However many look, it is put together so often.
const SNAPSHOT_HOLDS: Duration = Duration::from_secs(1);

/// What the database says of the integrations.
#[derive(Debug)]
struct Rows {
    /// By id.
    readable: Vec<FleetRow>,
    unreadable: Vec<UnreadableRow>,
}

type Counts = HashMap<IntegrationId, FreshnessCounts>;

/// Where the fleet is looked at.
#[derive(Debug)]
pub struct Fleet {
    store: Arc<dyn Store>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    /// Where the store's connections live; those who look may be on another runtime.
    runtime: Handle,
    rows: Arc<Asked<Rows>>,
    counts: Arc<Asked<Counts>>,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    /// Changes that whoever looks next must see.
    changes: AtomicU64,
}

/// The fleet at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// When.
    pub taken_at: DateTime<Utc>,
    /// Every integration, by id.
    pub integrations: Vec<IntegrationView>,
    /// Rows that nobody can sync or show, because they cannot be understood.
    pub unreadable: Vec<UnreadableRow>,
    /// All of them together.
    pub totals: Totals,
    /// Why the rows are not of now.
    pub database: Option<String>,
}

/// The fleet in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Totals {
    /// Integrations, whatever their state.
    pub integrations: u64,
    /// Rows of integrations that cannot be understood, and are counted nowhere else.
    pub unreadable: u64,
    /// Integrations by what they are doing.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_state: BTreeMap<&'static str, u64>,
    /// Integrations by whether a person must look.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_attention: BTreeMap<&'static str, u64>,
    /// Integrations by how their last sync ended.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_outcome: BTreeMap<&'static str, u64>,
    /// Linked devices by the age of their usage; null until they have been counted.
    pub devices: Option<DeviceCounts>,
    /// Why they have not been counted, or not anew; null: they have.
    pub devices_note: Option<String>,
}

impl Fleet {
    /// Looks at what `store` and `board` say; the store is asked on `runtime`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        Self {
            store,
            board,
            clock,
            runtime,
            rows: Asked::new(ROWS),
            counts: Asked::new(COUNTS),
            last: Mutex::default(),
            changes: AtomicU64::new(0),
        }
    }

    /// Asks for the rows before anyone looks, and waits for nothing: right after a start the database has much to do.
    pub fn look_ahead(&self) {
        let asked = rows(Arc::clone(&self.store));
        self.rows.ask_ahead(&self.runtime, asked);
    }

    /// What time it is here.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The board that is looked at.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The fleet, at most a few seconds old.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        if let Some(last) = self.last() {
            return last;
        }
        let changes = self.changes.load(Ordering::Acquire);
        let (rows, counts) = tokio::join!(self.rows(), self.counts());
        // Of those who waited for the same answer, one puts it together.
        if let Some(last) = self.last() {
            return last;
        }
        let actors = self.board.snapshot();
        let snapshot = Arc::new(Snapshot::of((rows, counts), &actors, self.clock.now()));
        let mut last = self.lock();
        if self.changes.load(Ordering::Acquire) == changes {
            *last = Some((Instant::now(), Arc::clone(&snapshot)));
        }
        snapshot
    }

    /// Linked devices by freshness, as they were counted last; `None`: they have not been.
    pub async fn devices(&self) -> Option<FreshnessCounts> {
        let counts = self.counts().await.value?;
        Some(sum(counts.values().copied()))
    }

    /// Whoever looks next sees what has just been changed.
    pub fn forget(&self) {
        self.rows.forget();
        let mut last = self.lock();
        self.changes.fetch_add(1, Ordering::Release);
        *last = None;
    }

    /// Asks the store, where its connections live.
    ///
    /// # Errors
    /// The store's own; [`StoreError::Unavailable`] where the service does not answer any more.
    pub async fn ask<T, A>(&self, ask: impl FnOnce(Arc<dyn Store>) -> A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        const PATIENCE: Duration = Duration::from_secs(10);
        let asked = self.runtime.spawn(ask(Arc::clone(&self.store)));
        let asked = tokio_util::task::AbortOnDropHandle::new(asked);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Unavailable("the service is ending".to_owned())),
            Err(_) => Err(StoreError::Unavailable(format!(
                "no answer within {PATIENCE:?}"
            ))),
        }
    }

    async fn rows(&self) -> Told<Rows> {
        let ask = || rows(Arc::clone(&self.store));
        self.rows.get(&self.runtime, ask).await
    }

    async fn counts(&self) -> Told<Counts> {
        let ask = || {
            let (store, now) = (Arc::clone(&self.store), self.clock.now());
            async move {
                let counts = store.freshness(now).await.map_err(|e| e.to_string())?;
                let counts = counts.into_iter();
                Ok(counts
                    .map(|told| (told.integration_id, told.devices))
                    .collect())
            }
        };
        self.counts.get(&self.runtime, ask).await
    }

    fn last(&self) -> Option<Arc<Snapshot>> {
        let last = self.lock().clone();
        last.filter(|(at, _)| at.elapsed() < SNAPSHOT_HOLDS)
            .map(|(_, snapshot)| snapshot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<Snapshot>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    fn of(
        (rows, counts): (Told<Rows>, Told<Counts>),
        actors: &[(ActorName, Arc<ActorStatus>)],
        now: DateTime<Utc>,
    ) -> Self {
        let told = rows.value.as_deref();
        let unreadable = told.map_or_else(Vec::new, |rows| rows.unreadable.clone());
        let counted = counts.value.as_deref();
        let integrations: Vec<_> = by_id(told.map_or(&[], |rows| &rows.readable), actors)
            .map(|(id, row, actor)| {
                let devices = counted.map(|counts| counts.get(id).copied().unwrap_or_default());
                let known = Known {
                    id,
                    row,
                    actor,
                    devices,
                };
                IntegrationView::of(known, now)
            })
            .collect();
        Self {
            taken_at: now,
            totals: Totals {
                unreadable: unreadable.len() as u64,
                devices_note: counts.failure,
                ..Totals::of(&integrations, counted.is_some())
            },
            unreadable,
            integrations,
            database: rows.failure,
        }
    }

    /// One integration.
    #[must_use]
    pub fn integration(&self, id: &str) -> Option<&IntegrationView> {
        let found = self
            .integrations
            .binary_search_by(|known| known.id.as_str().cmp(id));
        found.ok().map(|index| &self.integrations[index])
    }
}

impl Totals {
    fn of(integrations: &[IntegrationView], are_counted: bool) -> Self {
        let mut totals = Self {
            integrations: integrations.len() as u64,
            unreadable: 0,
            by_state: State::ALL.map(|state| (state.as_str(), 0)).into(),
            by_attention: Attention::ALL.map(|it| (it.as_str(), 0)).into(),
            by_outcome: state::LastOutcome::ALL.map(|it| (it.as_str(), 0)).into(),
            devices: are_counted.then(DeviceCounts::default),
            devices_note: None,
        };
        for view in integrations {
            *totals.by_state.entry(view.state.as_str()).or_default() += 1;
            *totals
                .by_attention
                .entry(view.attention.as_str())
                .or_default() += 1;
            *totals
                .by_outcome
                .entry(view.last_outcome.as_str())
                .or_default() += 1;
            if let (Some(all), Some(devices)) = (&mut totals.devices, view.devices) {
                all.linked += devices.linked;
                all.fresh += devices.fresh;
                all.stale += devices.stale;
                all.never += devices.never;
            }
        }
        totals
    }
}

/// Rows with their actors, both of which are sorted by id. An actor may have no row: the database has not been read, or
/// the row has just been removed.
fn by_id<'a>(
    rows: &'a [FleetRow],
    actors: &'a [(ActorName, Arc<ActorStatus>)],
) -> impl Iterator<
    Item = (
        &'a IntegrationId,
        Option<&'a FleetRow>,
        Option<&'a ActorStatus>,
    ),
> {
    let mut rows = rows.iter().peekable();
    let mut actors = actors
        .iter()
        .filter_map(|(name, status)| match name {
            ActorName::Integration(id) => Some((id, &**status)),
            ActorName::Supervisor | ActorName::Writer => None,
        })
        .peekable();
    std::iter::from_fn(move || {
        let row_id = rows.peek().map(|row| &row.id);
        let actor_id = actors.peek().map(|(id, _)| *id);
        let id = match (row_id, actor_id) {
            (Some(row), Some(actor)) => row.min(actor),
            (row, actor) => row.or(actor)?,
        };
        let row = rows.next_if(|row| row.id == *id);
        let actor = actors.next_if(|(actor, _)| *actor == id);
        Some((id, row, actor.map(|(_, status)| status)))
    })
}

async fn rows(store: Arc<dyn Store>) -> Result<Rows, String> {
    let rows = store.all_integrations().await;
    let (readable, unreadable) = rows.map_err(|e| e.to_string())?;
    let mut readable: Vec<_> = readable.into_iter().map(FleetRow::from).collect();
    // As the board is: a database may sort in another way.
    readable.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(Rows {
        readable,
        unreadable,
    })
}

fn sum(counts: impl Iterator<Item = FreshnessCounts>) -> FreshnessCounts {
    counts.fold(FreshnessCounts::default(), |mut sum, counts| {
        sum += counts;
        sum
    })
}
