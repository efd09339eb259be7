//! One attempt to sync one integration: read its devices, sync, record, log. A plain function, apart
//! from the actor that times it, because `once` makes attempts too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::call_book::CallBook;
use super::writer_handle::WriterHandle;
use crate::client::CallMeter;
use crate::client::scrub::Scrubber;
use crate::device::{LinkedDevices, StoredCycles};
use crate::store::{Store, StoreError};
use crate::supervision::exit::panic_text;
use crate::sync::{Halt, Observer, SyncJob, SyncReport, sync};

/// What an attempt works with.
pub struct Attempt {
    /// Where the devices are read.
    pub store: Arc<dyn Store>,
    /// Where updates and the outcome go.
    pub writer: WriterHandle,
    /// What is synced.
    pub job: Arc<SyncJob>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Ends it early.
    pub stop: CancellationToken,
    /// How long after its time it begins; `None`: it had no time.
    pub start_late: Option<Duration>,
}

impl Attempt {
    /// Makes the attempt. Never fails: whatever happens is in the report, and in the store where it
    /// can be reached.
    pub async fn make(self) -> SyncReport {
        let (writer, epoch) = (self.writer.clone(), self.job.tenure.epoch());
        let start_late = self.start_late;
        let book = CallBook::of(&self.job, &writer);
        let meter = CallMeter::new(self.job.policy.max_calls);
        let meter = Arc::new(match &book {
            Some(book) => meter.booking(Arc::<CallBook>::clone(book)),
            None => meter,
        });
        let mut report = self.sync(&meter).await;
        // Also of a sync that could not tell.
        (report.api_calls, report.token_calls) = (meter.calls(), meter.token_calls());
        if let Some(book) = book {
            report.calls_left = book.settle(meter.booked_calls()).await;
        }
        if let Some(record) = report.record(epoch)
            && let Err(error) = writer.record(record).await
        {
            tracing::error!(
                integration.id = %report.integration_id, %error,
                "the outcome of a sync could not be recorded"
            );
        }
        log(&report, start_late);
        report
    }

    async fn sync(self, meter: &Arc<CallMeter>) -> SyncReport {
        let started = (self.job.client.clock.now(), Instant::now());
        let job = Arc::clone(&self.job);
        let failed = |devices, halt| {
            let names = (
                job.integration_id.clone(),
                job.tenant_id.clone(),
                job.carrier.code().to_owned(),
            );
            SyncReport::failed_whole(names, (started.0, started.1.elapsed()), devices, halt)
        };
        let (stop, scrubber) = (self.stop.clone(), job.client.destination.scrubber.clone());
        let devices = tokio::select! {
            biased;
            () = stop.cancelled() => return failed(0, Halt::Stopped),
            devices = contained(self.devices(), &scrubber) => devices.and_then(|devices| devices),
        };
        let devices = match devices {
            Ok(devices) => devices,
            Err(halt) => return failed(0, halt),
        };
        let (count, meter) = (devices.0.len(), Arc::clone(meter));
        if count > 0
            && let Err(halt) = open(&meter, &stop).await
        {
            return failed(count, halt);
        }
        let sync = async move {
            let (writer, observer) = (&self.writer, &*self.observer);
            sync(&self.job, devices, &meter, writer, observer, &self.stop).await
        };
        contained(sync, &scrubber)
            .await
            .unwrap_or_else(|halt| failed(count, halt))
    }

    /// The linked devices and, where the carrier tells each billing cycle once, the stored cycles.
    fn devices(&self) -> impl Future<Output = Result<(LinkedDevices, StoredCycles), Halt>> + use<> {
        let (store, job) = (Arc::clone(&self.store), Arc::clone(&self.job));
        let failed = |error: StoreError| Halt::Store {
            reason: error.to_string(),
        };
        async move {
            let (tenant, integration) = (&job.tenant_id, &job.integration_id);
            let devices = store.linked_devices(tenant, integration);
            let devices = devices.await.map_err(failed)?;
            let cycles = if job.carrier.capabilities().needs_stored_cycles() {
                let cycles = store.stored_cycles(tenant, integration);
                cycles.await.map_err(failed)?
            } else {
                StoredCycles::default()
            };
            Ok((devices, cycles))
        }
    }
}

/// A sync that may not make a single call does not begin.
async fn open(meter: &CallMeter, stop: &CancellationToken) -> Result<(), Halt> {
    let opened = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(Halt::Stopped),
        opened = meter.open() => opened,
    };
    opened.map_err(|error| {
        let reason = error.to_string();
        Halt::of(&error).unwrap_or(Halt::Outage { reason })
    })
}

/// Does the work in a task of its own: a panic in it is a failed sync and nothing more. Its text is
/// whatever the code that panicked put into it, so it is scrubbed.
async fn contained<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    scrubber: &Scrubber,
) -> Result<T, Halt> {
    AbortOnDropHandle::new(tokio::spawn(work))
        .await
        .map_err(|error| match error.try_into_panic() {
            Ok(payload) => Halt::Outage {
                reason: scrubber.scrub(&format!("the sync panicked: {}", panic_text(&*payload))),
            },
            Err(_) => Halt::Stopped,
        })
}

/// The one summary line of a sync.
fn log(report: &SyncReport, start_late: Option<Duration>) {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        target: "sync",
        carrier = report.carrier,
        integration.id = %report.integration_id,
        tenant.id = %report.tenant_id,
        outcome = report.outcome.as_str(),
        devices = report.devices,
        synced = report.synced,
        failed = report.failed(),
        calls_planned = report.planned_calls,
        calls = report.api_calls,
        calls_left_today = report.calls_left.today,
        calls_left_this_month = report.calls_left.this_month,
        start_late_ms = start_late.map(milliseconds),
        token_calls = (report.token_calls > 0).then_some(report.token_calls),
        permits_waited_ms = milliseconds(report.permits_waited),
        elapsed_ms = milliseconds(report.elapsed),
        error = report.error.as_deref(),
        "sync ended"
    );
    // After a halt the devices share its reason, which has just been told.
    for failure in report.failures.iter().filter(|_| report.halt.is_none()) {
        tracing::warn!(
            target: "sync",
            reason = failure.reason,
            integration.id = %report.integration_id,
            device.id = %failure.device_id,
            "device not synced"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::{Account, Authorization};

    #[tokio::test]
    async fn a_panic_that_holds_a_key_is_told_without_it() {
        let account = Account {
            api_key: "canary-7f3a9d".into(),
            api_secret: None,
            account_id: None,
            settings: serde_json::Map::new(),
        };
        let authorization = Authorization::Basic {
            user: "apikey".into(),
            password: account.api_key.clone(),
        };
        let scrubber = Scrubber::new(&account, &authorization);
        let work = async { panic!("bad key canary-7f3a9d") };
        let halt = contained::<()>(work, &scrubber).await.unwrap_err();
        assert_eq!(halt.to_string(), "the sync panicked: bad key [secret]");
    }
}
