//! Asking for devices one by one: those that no listing has shown, or shown without their usage.
//!
//! It costs a call per device, so it is bounded, stops as soon as the carrier shows that it would be in
//! vain, and gives every device its turn.

use std::future::ready;
use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::ask::{Ask, More, Reading};
use super::asking::Asking;
use super::bulk::Listing;
use super::outcome::Halt;
use super::pages::went_down;
use super::run::{Gap, Run};
use crate::carriers::capability::Gone;
use crate::client::CallError;
use crate::device::{CarrierDeviceId, DeviceInfo, NetworkStatus, SimStatus};

/// Answers of one kind in a row that make it the carrier's trouble and not the devices'.
const TROUBLE_AFTER: u32 = 3;

impl Run<'_> {
    /// Asks for what exists per device only, and for every device that is still waited for, as far as the
    /// listing's outcome allows.
    pub(super) async fn ask_one_by_one(
        &mut self,
        asking: &Arc<Asking>,
        listing: Listing,
    ) -> Result<(), Halt> {
        // A listing that knows none of ours may be another account's, or of a key that sees nothing: it says
        // of nobody that he is gone.
        let knows_ours = self.roster.waiting() < self.roster.len();
        let is_gone = matches!(listing, Listing::Read) && knows_ours;
        self.fail_misnamed();
        if self.roster.waiting() + self.gaps.len() == 0 {
            return Ok(());
        }
        let mut missing = self.roster.missing();
        self.job.turns.order(&mut missing);
        let allowed = match listing {
            Listing::None => usize::MAX,
            Listing::Read | Listing::Left | Listing::CutShort(_) => self
                .job
                .policy
                .max_fallback_calls
                .saturating_sub(self.fallbacks),
        };
        let left_out = missing.len().saturating_sub(allowed);
        missing.truncate(allowed);
        let gaps = self.gaps.iter_mut().enumerate();
        let gaps = gaps.filter_map(|(number, gap)| gap.ask(number));
        let asks = gaps.chain(missing.into_iter().map(Ask::Device)).collect();
        self.ask_all(asking, asks, is_gone).await?;
        if left_out == 0 {
            Ok(())
        } else {
            Err(self.left_out(left_out, &listing))
        }
    }

    /// Names that cannot be the carrier's cost no call.
    fn fail_misnamed(&mut self) {
        if self.roster.waiting() == 0 {
            return;
        }
        for device in self.roster.missing() {
            if let Err(error) = self.job.carrier.check_device(device.as_str()) {
                self.fail(&device, &format!("carrier_device_id {error}"));
            }
        }
    }

    fn left_out(&self, devices: usize, listing: &Listing) -> Halt {
        let why = match listing {
            Listing::CutShort(error) => format!("the device listing broke off ({error})"),
            Listing::None | Listing::Read | Listing::Left => {
                format!("{devices} devices are not in the carrier's listing")
            }
        };
        let most = self.job.policy.max_fallback_calls;
        Halt::BudgetSpent {
            reason: format!(
                "{why}; {devices} were not asked for one by one (max_fallback_calls = {most})"
            ),
        }
    }

    async fn ask_all(
        &mut self,
        asking: &Arc<Asking>,
        asks: Vec<Ask>,
        is_gone: bool,
    ) -> Result<(), Halt> {
        let (job, meter) = (self.job, self.meter);
        // Once the budget is spent nothing new is asked; answers under way are paid for and kept.
        let (is_spent, mut spent) = (AtomicBool::new(false), None);
        let asks = stream::iter(asks).take_while(|_| ready(!is_spent.load(Ordering::Relaxed)));
        let answers = asks.map(|ask| Answered::to(ask, Arc::clone(asking)));
        let mut answers = pin!(answers.buffer_unordered(job.policy.max_concurrency));
        let mut trouble = Trouble::default();
        while let Some(answered) = self.alongside(answers.next()).await? {
            let device = answered.device.clone();
            let Some(error) = self.take_in(answered, is_gone).await? else {
                trouble = Trouble::default();
                continue;
            };
            match trouble.halt(&error, meter.answered()) {
                Some(halt) if halt.is_out_of_calls() => {
                    is_spent.store(true, Ordering::Relaxed);
                    spent = Some(halt);
                }
                Some(halt) => return Err(halt),
                None => self.fail(&device, &error.to_string()),
            }
        }
        spent.map_or(Ok(()), Err)
    }

    /// Keeps what an answer says; the error that it is, or that a part of it met.
    async fn take_in(
        &mut self,
        answered: Answered,
        is_gone: bool,
    ) -> Result<Option<CallError>, Halt> {
        let Answered {
            device,
            gap,
            is_for_usage,
            answer,
        } = answered;
        if is_for_usage {
            let usage = answer.as_ref().ok().and_then(|reading| reading.usage);
            self.job.turns.taken(&device, usage.is_none());
        }
        match answer {
            Ok(mut reading) => {
                let error = reading.trouble.take();
                match gap.and_then(|gap| self.gaps.get_mut(gap)) {
                    Some(gap) => {
                        let places = take(&mut gap.places);
                        self.put(places, reading);
                        self.hand_over_if_due().await?;
                    }
                    None => self.accept(&device, reading).await?,
                }
                Ok(error)
            }
            Err(CallError::NotFound) if is_gone => {
                self.take_for_gone(&device).await?;
                Ok(Some(CallError::NotFound))
            }
            Err(error) => Ok(Some(error)),
        }
    }

    /// A device that neither the complete listing nor its own name finds any more, where that says something
    /// of it at this carrier. Of one that was never there, a mistyped name say, it says nothing.
    async fn take_for_gone(&mut self, device: &CarrierDeviceId) -> Result<(), Halt> {
        let is_unsaid = self.job.carrier.capabilities().gone == Gone::Unsaid;
        if is_unsaid || !self.roster.was_read(device) {
            return Ok(());
        }
        let reading = Reading {
            info: DeviceInfo {
                sim_status: Some(SimStatus::Deactivated),
                network_status: Some(NetworkStatus::Unknown),
                iccid: None,
            },
            cycle: None,
            usage: None,
            shortfall: Some("the carrier does not list it any more; taken for deactivated".into()),
            trouble: None,
            observed_at: self.job.client.clock.now(),
        };
        self.accept(device, reading).await
    }
}

/// What came of asking.
struct Answered {
    device: CarrierDeviceId,
    /// The gap that it closes.
    gap: Option<usize>,
    /// Whether it was asked for its usage, and not for its statuses only.
    is_for_usage: bool,
    answer: Result<Reading, CallError>,
}

impl Answered {
    /// Asks, in a task of its own: while this sync waits for the database, its calls go on. Left lying, one
    /// would hold its host's turn against everyone, and answers would come too late.
    fn to(ask: Ask, asking: Arc<Asking>) -> impl Future<Output = Self> {
        let (device, gap) = (ask.device().clone(), ask.gap());
        let is_for_usage = ask.is_for_usage(&asking.plan);
        let answer = tokio::spawn(async move { ask.answer(&asking).await });
        let answer = AbortOnDropHandle::new(answer);
        async move {
            Self {
                device,
                gap,
                is_for_usage,
                answer: answer.await.unwrap_or_else(|e| Err(went_down(e))),
            }
        }
    }
}

impl Gap {
    /// What closes it; `None`: it has been asked for.
    fn ask(&mut self, number: usize) -> Option<Ask> {
        let wants = self.wants.take()?;
        Some(Ask::More(Box::new(More {
            device: self.device.clone(),
            gap: number,
            merged: self.merged.clone(),
            wants,
        })))
    }
}

/// Tells one device's failure from the carrier's: by how many come in a row.
#[derive(Debug, Default)]
struct Trouble {
    refused: u32,
    unusable: u32,
}

impl Trouble {
    /// Whether `error` ends the asking. Once the carrier has `answered`, a 403 may be about one
    /// device that is not ours: the credentials have just worked.
    fn halt(&mut self, error: &CallError, answered: bool) -> Option<Halt> {
        match error {
            CallError::Unauthorized { status: 403, .. } => {
                self.refused += 1;
                if answered && self.refused < TROUBLE_AFTER {
                    None
                } else {
                    Halt::of(error)
                }
            }
            CallError::Unavailable { .. }
            | CallError::Malformed { .. }
            | CallError::TooLarge { .. } => {
                self.unusable += 1;
                let reason = error.to_string();
                (self.unusable >= TROUBLE_AFTER).then_some(Halt::Outage { reason })
            }
            _ => {
                *self = Self::default();
                Halt::of(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down() -> CallError {
        CallError::Unavailable {
            reason: "status 500".into(),
        }
    }

    #[test]
    fn three_in_a_row_are_the_carrier_s_trouble_and_one_is_a_device_s() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.halt(&down(), true), None);
        assert_eq!(
            trouble.halt(&CallError::NotFound, true),
            None,
            "an answer in between"
        );
        assert_eq!(trouble.halt(&down(), true), None);
        assert_eq!(trouble.halt(&down(), true), None);
        assert!(matches!(
            trouble.halt(&down(), true),
            Some(Halt::Outage { .. })
        ));
    }

    #[test]
    fn a_403_is_about_one_device_only_once_the_credentials_have_worked_and_not_for_ever() {
        let forbidden = CallError::Unauthorized {
            status: 403,
            words: None,
        };
        let halt = Trouble::default().halt(&forbidden, false);
        assert!(matches!(halt, Some(Halt::Credentials { .. })));
        let mut trouble = Trouble::default();
        assert_eq!(trouble.halt(&forbidden, true), None);
        assert_eq!(trouble.halt(&forbidden, true), None);
        assert!(matches!(
            trouble.halt(&forbidden, true),
            Some(Halt::Credentials { .. })
        ));
    }
}
