//! Hologram's JSON as documented and as really sent, and the envelope around it.
//!
//! Only fields that are used are named; the rest is skipped unread, the SIM's PIN and PUK with it.
//! Says nothing about what a value means: that is `normalise.rs`.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    carriers::{
        ReadError,
        lenient::{Field, FromJson, List, Object},
    },
    device::ByteCount,
};

/// Longest text of the carrier that an error repeats, in characters.
const MAX_QUOTE: usize = 200;

/// What surrounds every answer. `size` and `links` are not needed (`size` has been seen as `"2s"`).
#[derive(Deserialize)]
#[serde(bound(deserialize = "D: Deserialize<'de> + Default"))]
struct Envelope<'a, D> {
    #[serde(default)]
    success: Field<bool>,
    #[serde(default, borrow)]
    error: Field<Cow<'a, str>>,
    #[serde(default)]
    continues: Field<bool>,
    #[serde(default, borrow)]
    lastid: Field<Cow<'a, str>>,
    #[serde(default)]
    data: D,
}

/// A row of `/devices`, and the `data` of `/devices/{id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct DeviceRow<'a> {
    pub(super) id: Field<u64>,
    #[serde(borrow)]
    pub(super) links: Object<Links<'a>>,
    pub(super) lastsession: Object<LastSession>,
}

/// `links` of a device.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Links<'a> {
    #[serde(borrow)]
    pub(super) cellular: List<Object<Link<'a>>>,
}

/// One element of `links.cellular`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Link<'a> {
    pub(super) id: Field<u64>,
    #[serde(borrow)]
    pub(super) sim: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) state: Field<Cow<'a, str>>,
    pub(super) whenclaimed: Field<Timestamp>,
    pub(super) whenexpires: Field<Timestamp>,
    pub(super) overagelimit: Field<i64>,
    pub(super) cur_billing_data_used: Field<ByteCount>,
}

/// `lastsession` of a device.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LastSession {
    pub(super) linkid: Field<u64>,
    pub(super) session_begin: Field<Timestamp>,
    pub(super) session_end: Field<Timestamp>,
    pub(super) active: Field<bool>,
}

/// A row of `/usage/data/billing`: one link in one billing period.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct BillingRow<'a> {
    #[serde(borrow)]
    pub(super) record_id: Field<Cow<'a, str>>,
    pub(super) linkid: Field<u64>,
    pub(super) periods_back: Field<u64>,
    pub(super) cur_period_end: Field<Timestamp>,
    pub(super) bytes: Field<ByteCount>,
}

/// A row of `/usage/data`: one session, or one reporting window of a long one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SessionRow<'a> {
    #[serde(borrow)]
    pub(super) record_id: Field<Cow<'a, str>>,
    pub(super) bytes: Field<ByteCount>,
}

/// `YYYY-MM-DD HH:MM:SS` in UTC without saying so. The zero date of an open end is no time at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) DateTime<Utc>);

impl<'de> FromJson<'de> for Timestamp {
    fn from_json(json: &'de str) -> Option<Self> {
        let text = Cow::from_json(json)?;
        let text = text.trim();
        zoneless(text)
            .or_else(|| {
                DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|time| time.to_utc())
            })
            .map(Self)
    }
}

/// By hand: chrono's format strings cost more than the rest of the row.
fn zoneless(text: &str) -> Option<DateTime<Utc>> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let separators = [bytes[4], bytes[7], bytes[10], bytes[13], bytes[16]];
    if !matches!(separators, [b'-', b'-', b' ' | b'T', b':', b':']) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u32, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    Some(
        date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?
            .and_utc(),
    )
}

/// The rows of one page and what the envelope says about the next.
pub(super) struct Rows<'a, T> {
    /// In the order of the answer; not [`Field::Value`]: this row could not be read.
    pub(super) rows: Vec<Field<T>>,
    pub(super) continues: bool,
    /// The cursor of the next page, where the envelope names a usable one.
    pub(super) last_id: Option<Cow<'a, str>>,
}

/// Reads a page. One typed pass; only where that fails, each row by itself, so that a broken row
/// does not cost its page.
pub(super) fn rows<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Rows<'a, T>, ReadError> {
    if let Ok(envelope) = serde_json::from_str::<Envelope<'a, List<Object<T>>>>(text) {
        return page(envelope, |object| object.0);
    }
    let envelope = serde_json::from_str::<Envelope<'a, List<&'a RawValue>>>(text)
        .map_err(|error| malformed(text, &error))?;
    page(envelope, |row| {
        serde_json::from_str::<Object<T>>(row.get()).map_or(Field::Bad, |o| o.0)
    })
}

/// Reads an answer whose `data` is one object.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    let envelope = serde_json::from_str::<Envelope<'a, Object<T>>>(text)
        .map_err(|error| malformed(text, &error))?;
    envelope.refusal()?;
    present(envelope.data.0, "an object")
}

fn page<'a, E, T>(
    envelope: Envelope<'a, List<E>>,
    read: impl FnMut(E) -> Field<T>,
) -> Result<Rows<'a, T>, ReadError> {
    envelope.refusal()?;
    let continues = match envelope.continues {
        Field::Value(continues) => continues,
        Field::Missing => false, // the key may be absent on the last page
        Field::Bad => {
            return Err(ReadError::Malformed(
                "`continues` is not a truth value".into(),
            ));
        }
    };
    let rows = present(envelope.data.0, "a list")?
        .into_iter()
        .map(read)
        .collect();
    Ok(Rows {
        rows,
        continues,
        last_id: envelope.lastid.value(),
    })
}

fn present<T>(data: Field<T>, shape: &str) -> Result<T, ReadError> {
    match data {
        Field::Value(data) => Ok(data),
        Field::Missing => Err(ReadError::Malformed("an answer without `data`".into())),
        Field::Bad => Err(ReadError::Malformed(format!("`data` is not {shape}"))),
    }
}

impl<D> Envelope<'_, D> {
    /// The refusal that a 200 can carry.
    fn refusal(&self) -> Result<(), ReadError> {
        match (self.success, self.error.as_ref()) {
            (Field::Value(true), _) | (Field::Missing, Field::Missing) => Ok(()),
            (Field::Value(false) | Field::Missing, Field::Value(text))
                if !text.trim().is_empty() =>
            {
                Err(refused(text))
            }
            (Field::Value(false) | Field::Missing, _) => Err(ReadError::Rejected(
                "the carrier refused and gave no reason".into(),
            )),
            (Field::Bad, _) => Err(ReadError::Malformed(
                "`success` is not a truth value".into(),
            )),
        }
    }
}

fn refused(text: &str) -> ReadError {
    let lower = text.to_lowercase();
    let text = quote(text);
    if ["rate limit", "too many requests", "throttl"]
        .iter()
        .any(|word| lower.contains(word))
    {
        ReadError::Throttled(text)
    } else {
        ReadError::Rejected(text)
    }
}

/// The carrier's words on one line and of a length to be logged.
pub(super) fn quote(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(printable).take(MAX_QUOTE).collect()
}

/// Says where, never what: a body holds PIN and PUK.
fn malformed(text: &str, error: &serde_json::Error) -> ReadError {
    let what = match text.trim_start().as_bytes().first() {
        None => return ReadError::Malformed("an empty body".into()),
        Some(b'<') => "HTML instead of JSON",
        Some(_) if error.is_eof() => "JSON that is cut off",
        Some(_) if error.is_data() => "JSON of another shape",
        Some(_) => "broken JSON",
    };
    ReadError::Malformed(format!(
        "{what} (line {} column {})",
        error.line(),
        error.column()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn time(text: &str) -> Option<String> {
        Timestamp::from_json(&format!("\"{text}\"")).map(|time| time.0.to_rfc3339())
    }

    #[test]
    fn times_are_utc_though_they_do_not_say_so() {
        assert_eq!(
            time("2025-10-11 17:24:43").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
        assert_eq!(
            time("2025-10-11T17:24:43").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
        assert_eq!(
            time("2025-10-11T19:24:43+02:00").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
    }

    #[test]
    fn a_zero_date_and_a_wrong_date_are_no_time() {
        let wrong = [
            "0000-00-00 00:00:00",
            "",
            "2025-02-30 00:00:00",
            "2025-10-11",
            "2025-10-11 24:00:00",
            "2025/10/11 17:24:43",
            "٢٠٢٥-10-11 17:24",
            "+025-10-11 17:24:43",
        ];
        for text in wrong {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_json("0"), None);
    }

    #[test]
    fn a_broken_row_does_not_cost_its_page() {
        // A repeated key is an error of the whole typed pass.
        let text = r#"{"success":true,"data":[{"record_id":"1"},{"bytes":1,"bytes":2},7,{}]}"#;
        let page = rows::<SessionRow<'_>>(text).ok().unwrap();
        let read: Vec<bool> = page
            .rows
            .iter()
            .map(|row| matches!(row, Field::Value(_)))
            .collect();
        assert_eq!(read, [true, false, false, true]);
    }

    #[test]
    fn an_error_about_a_body_repeats_nothing_of_it() {
        let bodies = [
            "{\"pin\": 9876",
            "<html>9876",
            "9876",
            "\"9876\"",
            "{\"data\": 9876 9876}",
            "[9876]",
        ];
        for text in bodies {
            let error = rows::<DeviceRow<'_>>(text).err().unwrap().to_string();
            assert!(!error.contains("9876"), "{error}");
        }
    }
}
