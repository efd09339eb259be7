//! What is asked about one device, and what is known once it has been. How it is asked is `asking.rs`'s.

use chrono::{DateTime, Utc};

use super::asking::Asking;
use super::merge::Merged;
use super::plan::Plan;
use crate::client::CallError;
use crate::device::{BillingCycle, CarrierDeviceId, DeviceInfo, Usage};

/// What is known of one device when all has been asked.
#[derive(Debug)]
pub struct Reading {
    /// Statuses and ICCID.
    pub info: DeviceInfo,
    /// The billing cycle that the answers tell, also where usage is not known.
    pub cycle: Option<BillingCycle>,
    /// Usage; `None` where it is unknown, or was not to be asked for in this sync.
    pub usage: Option<Usage>,
    /// Why the device is not up to date, though a part of it may be known.
    pub shortfall: Option<String>,
    /// The failed call behind the shortfall: it may concern more than this device.
    pub trouble: Option<CallError>,
    /// When the answer was read.
    pub observed_at: DateTime<Utc>,
}

/// Something to ask for.
#[derive(Debug)]
pub enum Ask {
    /// Everything: no listing has shown the device.
    Device(CarrierDeviceId),
    /// More about a device that a listing has shown.
    More(Box<More>),
}

/// What a listing has said of a device, and what more is to be asked.
#[derive(Debug)]
pub struct More {
    /// The device.
    pub device: CarrierDeviceId,
    /// The gap that it closes: its place among them.
    pub gap: usize,
    /// What is known.
    pub merged: Merged,
    /// Details to ask for, by their place among the carrier's.
    pub wants: Vec<usize>,
}

impl Ask {
    /// The device it is about.
    pub fn device(&self) -> &CarrierDeviceId {
        match self {
            Self::Device(device) => device,
            Self::More(more) => &more.device,
        }
    }

    /// The gap that it closes.
    pub fn gap(&self) -> Option<usize> {
        match self {
            Self::Device(_) => None,
            Self::More(more) => Some(more.gap),
        }
    }

    /// Whether the device's usage is asked for, and not its statuses only.
    pub fn is_for_usage(&self, plan: &Plan) -> bool {
        match self {
            Self::Device(_) => true,
            Self::More(more) => {
                let of_usage = [plan.usage_detail, plan.cycle_detail];
                let wants = more.wants.iter().map(|detail| Some(*detail));
                more.merged.open.is_some() || wants.into_iter().any(|want| of_usage.contains(&want))
            }
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// [`CallError`] when nothing new is known of the device.
    pub async fn answer(self, asking: &Asking) -> Result<Reading, CallError> {
        match self {
            Self::Device(device) => {
                let mut record = asking.device_record(&device).await?;
                asking.add_stored(&device, &mut record);
                let merged = asking.merge_alone(record);
                let wants = asking.wants_alone(&merged);
                Ok(asking.finish(&device, merged, wants).await)
            }
            Self::More(more) => {
                let More {
                    device,
                    merged,
                    wants,
                    ..
                } = *more;
                Ok(asking.finish(&device, merged, wants).await)
            }
        }
    }
}
