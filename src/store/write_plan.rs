//! From batches to rows: which rows one transaction changes, tenant by tenant, and which batch
//! hears about each. Pure; both engines execute the same plan.
//!
//! Batches mean what they would mean one after the other. A device named twice is therefore one row
//! here, folded field by field: a statement that meets a row twice would pick either at random.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, Utc};

use crate::device::{
    BillingCycle, ByteCount, DeviceId, IntegrationId, NetworkStatus, RowFailure, SimStatus,
    TenantId, UpdateBatch, WriteReceipt,
};

/// Reason of a row that is not there.
pub(super) const GONE: &str = "no such device in the database";
/// Reason of a row that belongs to another account by now.
pub(super) const LINKED_ELSEWHERE: &str = "the device is linked to another integration";
/// Reason of a row that belongs to no account any more.
pub(super) const UNLINKED: &str = "the device is no longer linked to an integration";

/// What is to be stored for one device; `None` keeps the stored value.
#[derive(Debug, Clone)]
pub(super) struct RowChange<'a> {
    pub(super) integration_id: &'a IntegrationId,
    pub(super) device_id: &'a DeviceId,
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
    pub(super) rows: Vec<RowChange<'a>>,
}

/// A row that was not written: its index among its tenant's rows, and why.
pub(super) type Failure = (usize, String);

type Key<'a> = (&'a TenantId, &'a DeviceId, &'a IntegrationId);

/// The rows that one transaction changes.
#[derive(Debug)]
pub(super) struct WritePlan<'a> {
    batches: &'a [UpdateBatch],
    pub(super) tenants: Vec<TenantRows<'a>>,
}

impl<'a> WritePlan<'a> {
    pub(super) fn of(batches: &'a [UpdateBatch]) -> Self {
        let mut rows: BTreeMap<Key<'a>, RowChange<'a>> = BTreeMap::new();
        for batch in batches {
            for update in &batch.updates {
                let key = (&batch.tenant_id, &update.device_id, &batch.integration_id);
                let change = RowChange {
                    integration_id: &batch.integration_id,
                    device_id: &update.device_id,
                    used: update.usage.map(|usage| (usage.used, update.observed_at)),
                    cycle: update.usage.and_then(|usage| usage.cycle),
                    sim_status: update.info.sim_status,
                    network_status: update.info.network_status,
                    iccid: update.info.iccid.as_deref(),
                };
                rows.entry(key)
                    .and_modify(|row| row.fold(&change))
                    .or_insert(change);
            }
        }
        Self {
            batches,
            tenants: by_tenant(rows),
        }
    }

    /// One receipt per batch, in their order; `failures` has one entry per tenant of the plan.
    pub(super) fn receipts(&self, failures: &[Vec<Failure>]) -> Vec<WriteReceipt> {
        let mut failed: BTreeMap<Key<'_>, &str> = BTreeMap::new();
        for (tenant, failures) in self.tenants.iter().zip(failures) {
            for (index, reason) in failures {
                let row = &tenant.rows[*index];
                failed.insert(
                    (tenant.tenant_id, row.device_id, row.integration_id),
                    reason,
                );
            }
        }
        self.batches
            .iter()
            .map(|batch| receipt(batch, &failed))
            .collect()
    }
}

impl<'a> RowChange<'a> {
    /// As if `later` were written after this.
    fn fold(&mut self, later: &RowChange<'a>) {
        self.used = later.used.or(self.used);
        self.cycle = later.cycle.or(self.cycle);
        self.sim_status = later.sim_status.or(self.sim_status);
        self.network_status = later.network_status.or(self.network_status);
        self.iccid = self.iccid.or(later.iccid);
    }
}

fn by_tenant<'a>(rows: BTreeMap<Key<'a>, RowChange<'a>>) -> Vec<TenantRows<'a>> {
    let mut tenants: Vec<TenantRows<'a>> = Vec::new();
    for ((tenant_id, ..), row) in rows {
        match tenants.last_mut() {
            Some(last) if last.tenant_id == tenant_id => last.rows.push(row),
            _ => tenants.push(TenantRows {
                tenant_id,
                rows: vec![row],
            }),
        }
    }
    tenants
}

fn receipt(batch: &UpdateBatch, failed: &BTreeMap<Key<'_>, &str>) -> WriteReceipt {
    let mut receipt = WriteReceipt::default();
    let mut seen = HashSet::with_capacity(batch.updates.len());
    for update in &batch.updates {
        if !seen.insert(&update.device_id) {
            continue;
        }
        match failed.get(&(&batch.tenant_id, &update.device_id, &batch.integration_id)) {
            None => receipt.written += 1,
            Some(reason) => receipt.failures.push(RowFailure {
                device_id: update.device_id.clone(),
                reason: (*reason).to_owned(),
            }),
        }
    }
    receipt
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
        let written: Vec<_> = plan.receipts(&[vec![]]).iter().map(|r| r.written).collect();
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
        ];
        let plan = WritePlan::of(&batches);
        let receipts = plan.receipts(&[vec![(1, "bad".into())], vec![]]);
        assert_eq!((receipts[0].written, receipts[0].failures.len()), (1, 0));
        assert_eq!(receipts[1].written, 1);
        assert_eq!(receipts[1].failures[0].device_id.as_str(), "d");
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
