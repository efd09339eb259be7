//! What the values of a manifest's paths mean, in the vocabulary of all carriers. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::instant::instant;
use super::manifest::{Amount, CycleRule, DeviceKind, Fields, Manifest, NetworkWord};
use super::wire::Path;
use crate::carriers::calendar;
use crate::carriers::lenient::Field;
use crate::carriers::quantity::Decimal;
use crate::carriers::record::{CycleStart, LineUsage};
use crate::carriers::rows::quote;
use crate::carriers::walk::note_unmapped;
use crate::carriers::{DeviceRecord, LineId, LineRecord};
use crate::device::{BillingCycle, ByteCount, CarrierDeviceId, CycleSource, DeviceInfo};

/// In `network_status_when`: a state of the SIM that is not in `sim_status`.
const ANY: &str = "*";

/// What reading a page gathers beside its records.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    /// Raw values outside the vocabulary.
    pub(super) unmapped: Vec<String>,
    /// By path: rows in which it led nowhere.
    pub(super) nowhere: BTreeMap<String, usize>,
}

impl Oddities {
    fn missed(&mut self, path: &Path) {
        *self.nowhere.entry(path.as_str().to_owned()).or_default() += 1;
    }

    /// What a path led to; what cannot be read is told, and is as good as missing.
    fn note<T>(&mut self, path: &Path, what: &str, read: Field<T>) -> Option<T> {
        match read {
            Field::Value(value) => return Some(value),
            Field::Missing => self.missed(path),
            Field::Bad => {
                let text = format!("{} leads to no {what}", path.as_str());
                note_unmapped(&mut self.unmapped, text);
            }
        }
        None
    }

    /// The text that a path leads to.
    pub(super) fn text(&mut self, path: &Path, row: &Value) -> Option<String> {
        self.note(path, "text", path.text(row))
    }
}

impl Manifest {
    /// A device's row; `month` is the one that a calendar's usage in it is of.
    ///
    /// # Errors
    /// In words: nobody knows which device it is.
    pub(super) fn device(
        &self,
        fields: &Fields,
        row: &Value,
        month: Option<BillingCycle>,
        odd: &mut Oddities,
    ) -> Result<DeviceRecord, String> {
        let Field::Value(name) = fields.device.text(row) else {
            return Err(format!("{} leads to no device id", fields.device.as_str()));
        };
        let name = self.device.kind.spelt(&name);
        let device = CarrierDeviceId::parse(&name).map_err(|error| error.to_string())?;
        // One id in two spellings.
        let also = (self.device.kind == DeviceKind::Uuid).then(|| name.to_uppercase());
        let also = also.filter(|also| *also != name);
        let iccid = fields.iccid.as_ref();
        let iccid = iccid.and_then(|path| odd.text(path, row));
        let iccid = iccid.map(|iccid| iccid.trim().to_owned());
        let iccid = iccid.filter(|iccid| !iccid.is_empty());
        let raw_sim = self.word(fields.sim_status.as_ref(), row, odd);
        let info = DeviceInfo {
            sim_status: raw_sim.as_deref().map(|word| self.sim(word, odd)),
            network_status: self.network(fields, raw_sim.as_deref(), row, odd),
            iccid: iccid.map(String::into_boxed_str),
        };
        let line = LineRecord {
            line: LineId::Text(device.as_str().into()),
            usage: self.line_usage(fields, row, month, odd),
        };
        Ok(DeviceRecord {
            also: also.and_then(|also| CarrierDeviceId::parse(&also).ok()),
            info,
            lines: vec![line],
            ..DeviceRecord::of(device)
        })
    }

    fn word(&self, path: Option<&Path>, row: &Value, odd: &mut Oddities) -> Option<String> {
        let path = path?;
        match path.text(row) {
            Field::Value(word) => Some(word.trim().to_owned()),
            Field::Missing => {
                odd.missed(path);
                None
            }
            Field::Bad => Some("something that is no word".to_owned()),
        }
    }

    fn sim(&self, word: &str, odd: &mut Oddities) -> crate::device::SimStatus {
        match look_up(&self.sim_status, word) {
            Some(known) => (*known).into(),
            None => {
                note_unmapped(&mut odd.unmapped, format!("sim status {:?}", quote(word)));
                crate::device::SimStatus::Unknown
            }
        }
    }

    /// A state of the SIM that decides it, else the network's own word.
    fn network(
        &self,
        fields: &Fields,
        raw_sim: Option<&str>,
        row: &Value,
        odd: &mut Oddities,
    ) -> Option<crate::device::NetworkStatus> {
        if let Some(decided) = raw_sim.and_then(|word| self.decided_by(word)) {
            return Some(decided.into());
        }
        let word = self.word(fields.network_status.as_ref(), row, odd)?;
        match look_up(&self.network_status, &word) {
            Some(known) => Some(NetworkWord::into(*known)),
            None => {
                let text = format!("network status {:?}", quote(&word));
                note_unmapped(&mut odd.unmapped, text);
                Some(crate::device::NetworkStatus::Unknown)
            }
        }
    }

    /// The network status that a state of the SIM decides: its own, or that of any state not listed.
    fn decided_by(&self, word: &str) -> Option<NetworkWord> {
        let own = look_up(&self.network_status_when, word);
        let any = || {
            let is_listed = look_up(&self.sim_status, word).is_some();
            self.network_status_when.get(ANY).filter(|_| !is_listed)
        };
        own.or_else(any).copied()
    }

    fn line_usage(
        &self,
        fields: &Fields,
        row: &Value,
        month: Option<BillingCycle>,
        odd: &mut Oddities,
    ) -> LineUsage {
        let mut amount = |amount: Option<&Amount>| self.bytes(amount?, row, odd);
        let (used, limit) = (amount(fields.used.as_ref()), amount(fields.limit.as_ref()));
        match self.cycle.rule {
            // Without a cycle, usage that is asked for by itself could not be asked for.
            CycleRule::CalendarMonth if fields.used.is_some() || self.device_usage.is_some() => {
                LineUsage {
                    limit,
                    ..calendar::usage_in(month, used)
                }
            }
            CycleRule::CalendarMonth => LineUsage {
                limit,
                ..LineUsage::default()
            },
            CycleRule::Fields => LineUsage {
                used,
                limit,
                cycle_end: self.time(fields.cycle_end.as_ref(), row, odd),
                cycle_start: self.time(fields.cycle_start.as_ref(), row, odd).map(|at| {
                    CycleStart {
                        source: CycleSource::Reported,
                        at,
                    }
                }),
            },
            CycleRule::Unknown => LineUsage {
                used,
                limit,
                ..LineUsage::default()
            },
        }
    }

    /// An amount in bytes; `None` where it cannot be read or its unit is not in the manifest.
    pub(super) fn bytes(
        &self,
        amount: &Amount,
        row: &Value,
        odd: &mut Oddities,
    ) -> Option<ByteCount> {
        let number: Field<Decimal> = amount.path.scalar(row);
        let number = odd.note(&amount.path, "number", number);
        let unit = match (&amount.unit, &amount.unit_path) {
            (Some(unit), _) => unit.clone(),
            (None, Some(path)) => odd.text(path, row)?,
            (None, None) => return None,
        };
        let Some(bytes) = self.bytes_per(&unit) else {
            note_unmapped(&mut odd.unmapped, format!("unit {:?}", quote(&unit)));
            return None;
        };
        let amount_in_bytes = number?.times(bytes.into());
        if amount_in_bytes.is_none() {
            // Below zero, or more than there is.
            let text = format!("{} leads to no amount of data", amount.path.as_str());
            note_unmapped(&mut odd.unmapped, text);
        }
        amount_in_bytes
    }

    /// Bytes in one of this unit; `B` needs no entry. In another case than the manifest's only where one unit alone
    /// can be meant: an Mb is an eighth of an MB.
    pub(super) fn bytes_per(&self, unit: &str) -> Option<u64> {
        let unit = unit.trim();
        let known = self.units.iter();
        let mut alike = known.filter(|(known, _)| known.eq_ignore_ascii_case(unit));
        let exact = self.units.get(unit).copied();
        exact.or_else(|| match (alike.next(), alike.next()) {
            (Some((_, bytes)), None) => Some(*bytes),
            (None, _) => (unit == "B").then_some(1),
            (Some(_), Some(_)) => None,
        })
    }

    fn time(&self, path: Option<&Path>, row: &Value, odd: &mut Oddities) -> Option<DateTime<Utc>> {
        let path = path?;
        let Some(value) = path.first(row).filter(|value| !value.is_null()) else {
            odd.missed(path);
            return None;
        };
        let time = instant(value, self.cycle.numbers);
        if time.is_none() {
            // Its form alone: every device has its own time, and one form is told once.
            let form = value.to_string().replace(|c: char| c.is_ascii_digit(), "#");
            let text = format!("time {} of the form {}", path.as_str(), quote(&form));
            note_unmapped(&mut odd.unmapped, text);
        }
        time
    }
}

/// A word of the carrier's, in whatever case it is sent.
fn look_up<'m, T>(words: &'m BTreeMap<String, T>, word: &str) -> Option<&'m T> {
    words.get(word).or_else(|| {
        words
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, value)| value)
    })
}
