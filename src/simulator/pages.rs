//! Listings: which rows a page holds, where it ends and whether another follows.
//!
//! All listings run from the highest id to the lowest and continue below the cursor, so a row is
//! never on two pages. Billing rows come by period first, so the rows of one link lie far apart.

use super::{
    fleet::{Account, Fleet, Scope},
    link::Link,
    period::KEPT_PERIODS,
    session::{link_of_record, sessions},
    time::UnixSeconds,
    wire::{BillingRow, DeviceRow, SessionRow},
};

/// Billing record ids of one `periods_back`; every link id lies below it.
const RECORDS_PER_PERIOD: u64 = 1_000_000_000_000;

/// Which page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest {
    /// Most rows.
    pub limit: usize,
    /// Only rows with a lower id.
    pub below: Option<u64>,
}

/// A page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub rows: Vec<T>,
    /// Id of the last row; `None` without rows.
    pub last_id: Option<u64>,
    /// More rows follow.
    pub continues: bool,
}

impl<T> Page<T> {
    fn take(rows: impl Iterator<Item = (u64, T)>, limit: usize) -> Self {
        let mut rows = rows.peekable();
        let mut page = Self {
            rows: Vec::with_capacity(limit),
            last_id: None,
            continues: false,
        };
        while page.rows.len() < limit
            && let Some((id, row)) = rows.next()
        {
            page.rows.push(row);
            page.last_id = Some(id);
        }
        page.continues = rows.peek().is_some();
        page
    }
}

/// `/devices`.
pub(super) fn devices(
    fleet: &Fleet,
    accounts: &[&Account],
    request: PageRequest,
) -> Page<DeviceRow> {
    let devices = fleet.devices_below(accounts, request.below);
    Page::take(
        devices.map(|device| (device.id, DeviceRow::of(&device))),
        request.limit,
    )
}

/// `/usage/data/billing`: rows up to `max_periods_back` (0: the current period only).
pub(super) fn billing(
    fleet: &Fleet,
    scope: &Scope<'_>,
    max_periods_back: usize,
    request: PageRequest,
) -> Page<BillingRow> {
    let most = max_periods_back.min(KEPT_PERIODS - 1);
    let rows = (0..=most).flat_map(|back| {
        let section = (KEPT_PERIODS - back) as u64 * RECORDS_PER_PERIOD;
        let links = below_in_section(section, request.below)
            .map(|below| fleet.links_below(scope, below))
            .into_iter()
            .flatten();
        links
            .filter(move |link| back < link.periods.count())
            .map(move |link| {
                let record_id = section + link.id;
                (record_id, BillingRow::of(&link, back, record_id))
            })
    });
    Page::take(rows, request.limit)
}

/// The cursor within a section of billing records: `None` when the section lies above it.
fn below_in_section(section: u64, below: Option<u64>) -> Option<Option<u64>> {
    match below {
        Some(below) if below <= section => None,
        Some(below) if below < section + RECORDS_PER_PERIOD => Some(Some(below - section)),
        _ => Some(None),
    }
}

/// Sessions that closed between these instants, both inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionFilter {
    pub from: UnixSeconds,
    pub to: UnixSeconds,
    /// Only records with a higher id.
    pub above: u64,
}

/// `/usage/data`.
pub(super) fn session_list(
    fleet: &Fleet,
    scope: &Scope<'_>,
    filter: SessionFilter,
    request: PageRequest,
) -> Page<SessionRow> {
    let below = request.below.unwrap_or(u64::MAX);
    let above_link = link_of_record(filter.above);
    let links = fleet
        .links_below(
            scope,
            request.below.map(|record| link_of_record(record) + 1),
        )
        .take_while(move |link| link.id >= above_link);
    let rows = links.flat_map(|link: Link| {
        let rows: Vec<_> = sessions(&link)
            .into_iter()
            .filter(|session| session.record_id < below && session.record_id > filter.above)
            .filter(|session| filter.from <= session.end && session.end <= filter.to)
            .map(|session| (session.record_id, SessionRow::of(&session, &link)))
            .collect();
        rows
    });
    Page::take(rows, request.limit)
}
