//! From batches to rows: which rows one transaction changes, tenant by tenant, and which batch
//! hears about each. Pure; both engines execute the same plan.
//!
//! Batches mean what they would mean one after the other. A device named twice is therefore one row
//! here, folded field by field: a statement that meets a row twice would pick either at random.

use std::cmp::Ordering;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::LeaseLost;
use crate::device::{
    BillingCycle, ByteCount, DeviceId, DeviceUpdate, IntegrationId, NetworkStatus, RowFailure,
    SimStatus, TenantId, UpdateBatch, WriteReceipt,
};
use crate::tenure::Epoch;

/// Reason of a row that is not there.
pub(super) const GONE: &str = "no such device in the database";
/// Reason of a row that belongs to another account by now.
pub(super) const LINKED_ELSEWHERE: &str = "the device is linked to another integration";
/// Reason of a row that is linked to another device of the same account by now.
pub(super) const RELINKED: &str = "the device has been linked to another SIM meanwhile";
/// Reason of a row that belongs to no account any more.
pub(super) const UNLINKED: &str = "the device is no longer linked to an integration";

/// What is to be stored for one device; `None` keeps the stored value.
#[derive(Debug, Clone)]
pub(super) struct RowChange<'a> {
    pub(super) integration_id: &'a IntegrationId,
    pub(super) device_id: &'a DeviceId,
    /// Written only while the row is linked to it.
    pub(super) carrier_device_id: &'a str,
    /// Its lease's index in [`TenantRows::leases`], counted from one; zero: written under none.
    pub(super) lease: i32,
    /// The batch that named it first.
    batch: usize,
    /// Bytes used, and when they were read.
    pub(super) used: Option<(ByteCount, DateTime<Utc>)>,
    pub(super) cycle: Option<BillingCycle>,
    pub(super) sim_status: Option<SimStatus>,
    pub(super) network_status: Option<NetworkStatus>,
    /// Stored only where none is: the first one said stays.
    pub(super) iccid: Option<&'a str>,
}

/// A tenant's rows, in the order of their device ids: writers that meet lock in one order.
#[derive(Debug)]
pub(super) struct TenantRows<'a> {
    pub(super) tenant_id: &'a TenantId,
    /// The leases that rows are written under.
    pub(super) leases: Vec<(&'a IntegrationId, Epoch)>,
    pub(super) rows: Vec<RowChange<'a>>,
    /// Rows that a further batch named too: (row, batch), in the order of the rows.
    also_named: Vec<(usize, usize)>,
    /// Its batches, in their order, each with its lease as rows have it.
    batches: Vec<(usize, i32)>,
}

/// A row that was not written: its index among its tenant's rows, and why.
pub(super) type Failure = (usize, String);

/// What became of a tenant's rows.
#[derive(Debug, Default)]
pub(super) struct TenantOutcome {
    /// Rows that were not written.
    pub(super) failures: Vec<Failure>,
    /// Leases that another process holds by now, counted like [`RowChange::lease`]. None of their rows
    /// was written and none of them need be among the failures.
    pub(super) lost: Vec<i32>,
}

/// The rows that one transaction changes.
#[derive(Debug)]
pub(super) struct WritePlan<'a> {
    batches: &'a [UpdateBatch],
    /// In the order of their ids.
    pub(super) tenants: Vec<TenantRows<'a>>,
}

impl<'a> WritePlan<'a> {
    pub(super) fn of(batches: &'a [UpdateBatch]) -> Self {
        let mut order: Vec<usize> = (0..batches.len()).collect();
        order.sort_by_key(|batch| &batches[*batch].tenant_id);
        let tenants = order
            .chunk_by(|a, b| batches[*a].tenant_id == batches[*b].tenant_id)
            .filter_map(|numbers| TenantRows::of(batches, numbers))
            .filter(|tenant| !tenant.rows.is_empty())
            .collect();
        Self { batches, tenants }
    }

    /// One answer per batch, in their order; `outcomes` has one entry per tenant of the plan.
    pub(super) fn answers(
        &self,
        outcomes: &[TenantOutcome],
    ) -> Vec<Result<WriteReceipt, LeaseLost>> {
        let mut answers: Vec<_> = self
            .batches
            .iter()
            .map(|_| Ok(WriteReceipt::default()))
            .collect();
        for (tenant, outcome) in self.tenants.iter().zip(outcomes) {
            tenant.answer(outcome, &mut answers);
        }
        answers
    }
}

impl<'a> TenantRows<'a> {
    /// `numbers`: the tenant's batches among all, in their order.
    fn of(all: &'a [UpdateBatch], numbers: &[usize]) -> Option<Self> {
        let mut tenant = Self {
            tenant_id: &all.get(*numbers.first()?)?.tenant_id,
            leases: Vec::new(),
            rows: Vec::new(),
            also_named: Vec::new(),
            batches: Vec::with_capacity(numbers.len()),
        };
        let mut named = Vec::with_capacity(numbers.iter().map(|n| all[*n].updates.len()).sum());
        for &number in numbers {
            let batch = &all[number];
            let lease = tenant.lease_of(batch);
            tenant.batches.push((number, lease));
            let updates = batch.updates.iter();
            named.extend(updates.map(|update| Named {
                update,
                integration_id: &batch.integration_id,
                lease,
                batch: number,
            }));
        }
        // Stable: of a device that is named twice, the later word comes later.
        named.sort_by(Named::compare);
        tenant.rows.reserve_exact(named.len());
        for named in &named {
            tenant.add(named);
        }
        Some(tenant)
    }

    fn lease_of(&mut self, batch: &'a UpdateBatch) -> i32 {
        let Some(epoch) = batch.epoch else { return 0 };
        let lease = (&batch.integration_id, epoch);
        let known = self.leases.iter().position(|known| *known == lease);
        let index = known.unwrap_or_else(|| {
            self.leases.push(lease);
            self.leases.len() - 1
        });
        // A transaction holds far fewer batches than this type can count.
        i32::try_from(index + 1).unwrap_or(i32::MAX)
    }

    fn add(&mut self, named: &Named<'a>) {
        let change = named.change();
        let index = self.rows.len();
        match self.rows.last_mut().filter(|last| last.is_same_as(&change)) {
            Some(last) => {
                last.fold(&change);
                self.also_named.push((index - 1, named.batch));
            }
            None => self.rows.push(change),
        }
    }

    fn answer(&self, outcome: &TenantOutcome, answers: &mut [Result<WriteReceipt, LeaseLost>]) {
        for (batch, lease) in &self.batches {
            if outcome.lost.contains(lease) {
                answers[*batch] = Err(LeaseLost);
            }
        }
        for (batch, row) in self.mentions() {
            if let Ok(receipt) = &mut answers[batch] {
                match outcome.reason(row) {
                    None => receipt.written += 1,
                    Some(reason) => receipt.failures.push(RowFailure {
                        device_id: self.rows[row].device_id.clone(),
                        reason: reason.to_owned(),
                    }),
                }
            }
        }
    }

    /// Each batch with each row that it names, once.
    fn mentions(&self) -> impl Iterator<Item = (usize, usize)> {
        let first = self.rows.iter().enumerate().map(|(row, c)| (c.batch, row));
        let further = self.also_named.iter().enumerate().filter_map(|(i, &now)| {
            // The batches of one row stand in their order, so a repetition stands beside.
            let (row, batch) = now;
            let before = match i.checked_sub(1).map(|i| self.also_named[i]) {
                Some((earlier, batch)) if earlier == row => batch,
                _ => self.rows[row].batch,
            };
            (before != batch).then_some((batch, row))
        });
        first.chain(further)
    }
}

impl TenantOutcome {
    /// In the order of the rows, as the answers look them up.
    pub(super) fn new(mut failures: Vec<Failure>, lost: Vec<i32>) -> Self {
        failures.sort_by_key(|(row, _)| *row);
        Self { failures, lost }
    }

    fn reason(&self, row: usize) -> Option<&str> {
        if self.failures.is_empty() {
            return None;
        }
        let found = self.failures.binary_search_by_key(&row, |(row, _)| *row);
        found.ok().map(|index| self.failures[index].1.as_str())
    }
}

/// An update on its way to its place: small, because it is sorted.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    update: &'a DeviceUpdate,
    integration_id: &'a IntegrationId,
    lease: i32,
    batch: usize,
}

impl<'a> Named<'a> {
    fn compare(&self, other: &Self) -> Ordering {
        let by_device = self.update.device_id.cmp(&other.update.device_id);
        by_device
            .then_with(|| self.integration_id.cmp(other.integration_id))
            .then_with(|| {
                let (name, other) = (self.update, other.update);
                name.carrier_device_id.cmp(&other.carrier_device_id)
            })
            .then(self.lease.cmp(&other.lease))
    }

    fn change(&self) -> RowChange<'a> {
        let Self { update, .. } = *self;
        RowChange {
            integration_id: self.integration_id,
            device_id: &update.device_id,
            carrier_device_id: &update.carrier_device_id,
            lease: self.lease,
            batch: self.batch,
            used: update.usage.map(|usage| (usage.used, update.observed_at)),
            cycle: update.usage.and_then(|usage| usage.cycle),
            sim_status: update.info.sim_status,
            network_status: update.info.network_status,
            iccid: update.info.iccid.as_deref(),
        }
    }
}

impl<'a> RowChange<'a> {
    fn is_same_as(&self, other: &Self) -> bool {
        self.device_id == other.device_id
            && self.integration_id == other.integration_id
            && self.carrier_device_id == other.carrier_device_id
            && self.lease == other.lease
    }

    /// As if `later` were written after this.
    fn fold(&mut self, later: &RowChange<'a>) {
        self.used = later.used.or(self.used);
        self.cycle = later.cycle.or(self.cycle);
        self.sim_status = later.sim_status.or(self.sim_status);
        self.network_status = later.network_status.or(self.network_status);
        self.iccid = self.iccid.or(later.iccid);
    }
}

/// Finds the rows that break a constraint by halving, so that k bad rows among n cost about
/// k·log₂(n) statements and all others are written.
#[derive(Debug)]
pub(super) struct Bisection {
    pending: Vec<Range<usize>>,
}

impl Bisection {
    pub(super) fn over(rows: usize) -> Self {
        Self {
            pending: std::iter::once(0..rows)
                .filter(|all| !all.is_empty())
                .collect(),
        }
    }

    /// The next rows to try together.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        self.pending.pop()
    }

    /// These were refused: try each half, or, when it is one row, answer that it is the culprit.
    pub(super) fn refused(&mut self, rows: Range<usize>) -> Option<usize> {
        if rows.len() == 1 {
            return Some(rows.start);
        }
        let middle = rows.start + rows.len() / 2;
        self.pending.push(middle..rows.end);
        self.pending.push(rows.start..middle);
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::{DeviceInfo, DeviceUpdate, Usage};

    fn update(device: &str, bytes: Option<u64>, sim: Option<SimStatus>) -> DeviceUpdate {
        let used = |bytes| Usage {
            used: ByteCount::new(bytes).unwrap(),
            limit: None,
            cycle: None,
        };
        DeviceUpdate {
            device_id: DeviceId::parse(device).unwrap(),
            carrier_device_id: device.into(),
            observed_at: DateTime::UNIX_EPOCH,
            usage: bytes.map(used),
            info: DeviceInfo {
                sim_status: sim,
                ..DeviceInfo::default()
            },
        }
    }

    fn batch(tenant: &str, integration: &str, updates: Vec<DeviceUpdate>) -> UpdateBatch {
        UpdateBatch {
            tenant_id: TenantId::parse(tenant).unwrap(),
            integration_id: IntegrationId::parse(integration).unwrap(),
            epoch: None,
            updates,
        }
    }

    #[test]
    fn a_device_named_twice_is_one_row_with_the_last_word_of_each_field() {
        let batches = [
            batch("t", "i", vec![update("d", Some(1), Some(SimStatus::Ready))]),
            batch(
                "t",
                "i",
                vec![update("d", Some(2), None), update("d", Some(3), None)],
            ),
        ];
        let plan = WritePlan::of(&batches);
        assert_eq!(plan.tenants.len(), 1);
        let row = &plan.tenants[0].rows[0];
        assert_eq!(plan.tenants[0].rows.len(), 1);
        assert_eq!(row.used.unwrap().0.bytes(), 3);
        assert_eq!(row.sim_status, Some(SimStatus::Ready));
        let answers = plan.answers(&[TenantOutcome::default()]);
        let written: Vec<_> = answers.iter().flatten().map(|r| r.written).collect();
        assert_eq!(written, [1, 1], "each batch hears of its row once");
    }

    #[test]
    fn a_failure_is_told_to_the_batches_of_its_device_and_tenant_only() {
        let batches = [
            batch("b", "i", vec![update("d", Some(1), None)]),
            batch(
                "a",
                "i",
                vec![update("d", Some(1), None), update("c", Some(1), None)],
            ),
            batch("a", "i", vec![update("d", Some(2), None)]),
        ];
        let plan = WritePlan::of(&batches);
        let bad = TenantOutcome::new(vec![(1, "bad".into())], vec![]);
        let answers = plan.answers(&[bad, TenantOutcome::default()]);
        let receipts: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!((receipts[0].written, receipts[0].failures.len()), (1, 0));
        assert_eq!(receipts[1].written, 1);
        assert_eq!(receipts[1].failures[0].device_id.as_str(), "d");
        assert_eq!((receipts[2].written, receipts[2].failures.len()), (0, 1));
    }

    #[test]
    fn a_lost_lease_is_told_to_its_batches_and_their_words_reach_no_other_row() {
        let under = |epoch, bytes| UpdateBatch {
            epoch: Some(Epoch(epoch)),
            ..batch("t", "i", vec![update("d", Some(bytes), None)])
        };
        let batches = [under(1, 10), under(2, 20), under(1, 30)];
        let plan = WritePlan::of(&batches);
        let tenant = &plan.tenants[0];
        let id = &batches[0].integration_id;
        assert_eq!(tenant.leases, [(id, Epoch(1)), (id, Epoch(2))]);
        let words = tenant.rows.iter();
        let words: Vec<_> = words
            .map(|row| (row.lease, row.used.unwrap().0.bytes()))
            .collect();
        assert_eq!(words, [(1, 30), (2, 20)]);
        let answers = plan.answers(&[TenantOutcome::new(vec![], vec![1])]);
        assert_eq!(answers[0], Err(LeaseLost));
        assert_eq!(answers[1].as_ref().unwrap().written, 1);
        assert_eq!(answers[2], Err(LeaseLost));
    }

    #[test]
    fn halving_finds_every_bad_row_and_no_good_one() {
        let bad = [0, 3, 4, 999];
        let mut bisection = Bisection::over(1_000);
        let (mut found, mut written, mut statements) = (vec![], 0, 0);
        while let Some(rows) = bisection.next() {
            statements += 1;
            if bad.iter().any(|row| rows.contains(row)) {
                found.extend(bisection.refused(rows));
            } else {
                written += rows.len();
            }
        }
        assert_eq!((found.as_slice(), written), (bad.as_slice(), 996));
        assert!(statements < 80, "{statements}");
        assert!(Bisection::over(0).next().is_none());
    }
}
