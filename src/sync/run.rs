//! One sync, from the linked devices to the report.
//!
//! ```text
//!  linked devices ─► bulk usage ───► book ─┐
//!                    read ahead            ├─► merge ─► outbox ─► writer ─► report
//!                    bulk listing ─────────┘     ▲      batches   transactions
//!                    what it left out, one by one
//! ```
//!
//! The usage report is kept as a compact book; the device listing is then streamed past it page by page,
//! so each row is written once and only ids and counters are held whole. Carrier, parser, merge and
//! database work at the same time, each a bounded step ahead of the next.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::ask::Reading;
use super::asking::Asking;
use super::book::UsageBook;
use super::bulk::BulkPages;
use super::job::{Observer, Progress, SinkError, SyncJob, UpdateSink};
use super::merge::Merged;
use super::outbox::{Outbox, Written};
use super::outcome::{Halt, SyncReport, error_text, outcome};
use super::plan::{Facts, Plan};
use super::roster::{Places, Roster};
use super::turns::InTurn;
use crate::budget::CallsLeft;
use crate::carriers::capability::Ended;
use crate::client::CallMeter;
use crate::device::{
    BillingCycle, CarrierDeviceId, DeviceUpdate, LinkedDevices, SimStatus, StoredCycles,
};

/// Syncs one integration's `devices`. Never fails: whatever happens is in the report, but for what is left
/// of budgets over many syncs: who keeps them knows.
///
/// `stop` abandons the pages being read, writes what is read already, and reports.
pub async fn sync(
    job: &Arc<SyncJob>,
    (devices, cycles): (LinkedDevices, StoredCycles),
    meter: &Arc<CallMeter>,
    sink: &dyn UpdateSink,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> SyncReport {
    let started = (job.client.clock.now(), Instant::now());
    let mut run = Run {
        job,
        observer,
        stop,
        meter,
        roster: Roster::new(devices),
        cycles: Arc::new(cycles),
        twins: 0,
        in_turn: InTurn::default(),
        fallbacks: 0,
        planned_calls: 0,
        outbox: Outbox::new(sink, job),
        gaps: Vec::new(),
    };
    let halt = run.drive().await.err();
    let halt = run.flush(halt).await;
    run.close(halt.as_ref());
    let planned_calls = run.planned_calls;
    SyncReport {
        planned_calls,
        ..report(job, &run.roster, meter, started, halt)
    }
}

fn report(
    job: &SyncJob,
    roster: &Roster,
    meter: &CallMeter,
    (started_at, started): (DateTime<Utc>, Instant),
    halt: Option<Halt>,
) -> SyncReport {
    let (devices, synced) = (roster.len(), roster.synced());
    SyncReport {
        integration_id: job.integration_id.clone(),
        tenant_id: job.tenant_id.clone(),
        carrier: job.carrier.code().to_owned(),
        started_at,
        elapsed: started.elapsed(),
        devices,
        synced,
        failures: roster.failures().to_vec(),
        planned_calls: 0,
        api_calls: meter.calls(),
        token_calls: meter.token_calls(),
        permits_waited: meter.waited(),
        calls_left: CallsLeft::default(),
        outcome: outcome(devices, synced, halt.as_ref()),
        error: error_text(devices, synced, halt.as_ref(), roster.failures()),
        halt,
    }
}

/// A device that the listing showed, and of which more is to be asked.
pub(super) struct Gap {
    pub(super) device: CarrierDeviceId,
    /// The rows that name it; none once the gap is closed.
    pub(super) places: Places,
    /// What the listing said.
    pub(super) merged: Merged,
    /// Details to ask for; `None` once they have been asked for.
    pub(super) wants: Option<Vec<usize>>,
    /// When it said so.
    pub(super) read_at: DateTime<Utc>,
}

/// A sync in progress.
pub(super) struct Run<'a> {
    pub(super) job: &'a Arc<SyncJob>,
    observer: &'a dyn Observer,
    stop: &'a CancellationToken,
    pub(super) meter: &'a Arc<CallMeter>,
    pub(super) roster: Roster,
    /// Cycles that were told before.
    cycles: Arc<StoredCycles>,
    /// Rows besides the first of each name at the carrier.
    pub(super) twins: usize,
    /// Devices whose turn it is.
    pub(super) in_turn: InTurn,
    /// Gaps that are no one's turn, but what a listing should have said; bounded by policy.
    pub(super) fallbacks: usize,
    planned_calls: u64,
    pub(super) outbox: Outbox<'a>,
    /// To be asked for later; bounded by policy. Kept until the end, so that a sync that is cut short
    /// still writes what the listing said of them.
    pub(super) gaps: Vec<Gap>,
}

impl Run<'_> {
    async fn drive(&mut self) -> Result<(), Halt> {
        if self.roster.waiting() == 0 {
            return Ok(());
        }
        self.tell_progress();
        self.look_for_twins();
        let mut bulk = BulkPages::begin(self.job, self.meter, &self.cycles);
        let plan = self.plan(&bulk);
        let mut asking = Asking {
            job: Arc::clone(self.job),
            meter: Arc::clone(self.meter),
            plan,
            book: UsageBook::of(bulk.scope()),
            cycles: Arc::clone(&self.cycles),
        };
        let listing = self.read_in_bulk(&mut bulk, &mut asking).await;
        bulk.end().await;
        self.ask_one_by_one(&Arc::new(asking), listing?).await
    }

    /// Decides what is asked, and whose turn it is.
    fn plan(&mut self, bulk: &BulkPages) -> Plan {
        let (carrier, policy) = (self.job.carrier, &self.job.policy);
        let context = self.job.context_with(&self.cycles);
        let devices = self.roster.len() as u64;
        let round = self.job.turns.next_round();
        let known = self.cycles.current_count(context.now) as u64;
        let plan = Plan::new(Facts {
            capabilities: carrier.capabilities(),
            is_listed: bulk.is_listed(),
            bulk_calls: carrier.bulk_calls(context, devices),
            devices,
            without_cycle: devices.saturating_sub(known),
            slice_calls: policy.slice_calls,
            round,
            device_info_every: policy.device_info_every,
        });
        let turns = &self.job.turns;
        let rounds = (round, policy.max_fallback_calls);
        self.in_turn = turns.choose(&self.roster, &plan, rounds, |name| {
            carrier.check_device(name).is_ok()
        });
        self.planned_calls = plan.calls;
        plan
    }

    /// Puts what is known of a device into the outbox, for every row that names it.
    pub(super) async fn accept(
        &mut self,
        device: &CarrierDeviceId,
        reading: Reading,
    ) -> Result<(), Halt> {
        let places = self.roster.waiting_for(device);
        self.put(places, reading);
        self.hand_over_if_due().await
    }

    /// As [`accept`](Self::accept), the rows already looked up; whether the batch is due is the caller's
    /// to see to.
    pub(super) fn put(&mut self, places: Places, reading: Reading) {
        let Reading {
            mut info,
            cycle,
            usage,
            shortfall,
            observed_at,
            ..
        } = reading;
        if self.has_ended(&places, cycle) {
            info.sim_status = Some(SimStatus::Deactivated);
        }
        let mut places = places.into_iter().peekable();
        while let Some(place) = places.next() {
            match &shortfall {
                None => self.roster.read(place),
                Some(reason) => self.roster.fail(place, reason),
            }
            let info = match places.peek() {
                Some(_) => info.clone(),
                None => std::mem::take(&mut info),
            };
            let (device_id, carrier_device_id) = self.roster.names(place);
            let update = DeviceUpdate {
                device_id,
                carrier_device_id,
                observed_at,
                usage,
                info,
            };
            self.outbox.push(place, update);
        }
    }

    /// Whether a SIM is over because its cycle is, though its status does not say so. A cycle that has just been
    /// told goes before the stored one: it may have been renewed.
    fn has_ended(&self, places: &Places, told: Option<BillingCycle>) -> bool {
        if self.job.carrier.capabilities().ended != Ended::Deactivates {
            return false;
        }
        let now = self.job.client.clock.now();
        let name = || self.roster.carrier_name(places.first()?);
        told.map_or_else(
            || name().is_some_and(|name| self.cycles.has_ended(&name, now)),
            |cycle| cycle.end() <= now,
        )
    }

    pub(super) fn fail(&mut self, device: &CarrierDeviceId, reason: &str) {
        for place in self.roster.waiting_for(device) {
            self.roster.fail(place, reason);
        }
    }

    pub(super) async fn hand_over_if_due(&mut self) -> Result<(), Halt> {
        if self.outbox.is_due() {
            self.hand_over().await?;
        }
        Ok(())
    }

    /// Sends the batch as soon as there is room for it: the sync's back-pressure.
    pub(super) async fn hand_over(&mut self) -> Result<(), Halt> {
        while !self.outbox.has_room() {
            if let Some(written) = self.outbox.written().await {
                self.settle(written)?;
            }
        }
        self.outbox.send();
        while let Some(written) = self.outbox.written_already() {
            self.settle(written)?;
        }
        Ok(())
    }

    /// Writes what is read already, and waits until every batch is back. A halt of the store is final;
    /// any other stays what it was.
    async fn flush(&mut self, halt: Option<Halt>) -> Option<Halt> {
        let mut final_halt = halt.clone().filter(|halt| halt.is_of_the_store());
        if final_halt.is_none() {
            final_halt = self.write_the_rest(halt.as_ref()).await.err();
        }
        while let Some(written) = self.outbox.written().await {
            if let Err(error) = self.settle(written) {
                final_halt.get_or_insert(error);
            }
        }
        final_halt.or(halt)
    }

    async fn write_the_rest(&mut self, halt: Option<&Halt>) -> Result<(), Halt> {
        self.accept_gaps(halt).await?;
        self.hand_over().await
    }

    /// What the listing said of devices whose usage was not asked for any more.
    async fn accept_gaps(&mut self, halt: Option<&Halt>) -> Result<(), Halt> {
        for gap in std::mem::take(&mut self.gaps) {
            let (usage, unknown) = match gap.merged.usage {
                Ok(usage) => (Some(usage), None),
                Err(gap) => (None, Some(gap.to_string())),
            };
            let reading = Reading {
                info: gap.merged.info,
                cycle: gap.merged.cycle,
                usage,
                // What more was wanted of it has not been asked for.
                shortfall: halt.map(ToString::to_string).or(unknown),
                trouble: None,
                observed_at: gap.read_at,
            };
            self.put(gap.places, reading);
            self.hand_over_if_due().await?;
        }
        Ok(())
    }

    fn settle(&mut self, written: Written) -> Result<(), Halt> {
        let receipt = written.receipt.map_err(|error| match error {
            SinkError::LeaseLost => Halt::LeaseLost,
            SinkError::Failed(reason) => Halt::Store { reason },
        })?;
        self.roster.settle(&written.places, &receipt);
        self.tell_progress();
        Ok(())
    }

    fn tell_progress(&self) {
        self.observer.progress(Progress {
            devices: self.roster.len(),
            synced: self.roster.synced(),
            calls: self.meter.calls(),
        });
    }

    fn close(&mut self, halt: Option<&Halt>) {
        let reason = halt.map_or_else(|| "not in any answer".to_owned(), ToString::to_string);
        self.roster.close(&reason);
    }

    /// Does `work` while batches are being written, until the service stops.
    pub(super) async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let mut work = pin!(work);
        let stop = self.stop;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Halt::Stopped),
                written = self.outbox.next_written() => self.settle(written)?,
                done = &mut work => return Ok(done),
            }
        }
    }

    fn look_for_twins(&mut self) {
        let shared = self.roster.shared_ids();
        if shared == 0 {
            return;
        }
        self.twins = self.roster.twins();
        if self.job.notices.is_new("shared carrier_device_id") {
            tracing::warn!(
                integration.id = %self.job.integration_id, ids = shared,
                "several devices share a carrier_device_id; each gets the same figures"
            );
        }
    }
}
