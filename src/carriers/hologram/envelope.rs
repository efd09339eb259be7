//! The envelope around every answer of Hologram: refusals on a 200, the next page, the rows.
//!
//! Knows no row's shape. An error names a position and never quotes a body, which may hold the
//! SIM's PIN and PUK; only the carrier's own error text is repeated.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::carriers::{
    ReadError,
    lenient::{Field, List, Object},
    rows::{malformed, present, quote},
    verbatim,
    walk::body_text,
};

/// What surrounds the data. `size` and `links` are not needed (`size` has been seen as `"2s"`).
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

/// The rows of one page and what the envelope says about the next.
pub(super) struct Rows<'a, T> {
    /// In the order of the answer; not [`Field::Value`]: this row could not be read.
    pub(super) rows: Vec<Field<T>>,
    pub(super) continues: bool,
    /// The cursor of the next page, where the envelope names a usable one.
    pub(super) last_id: Option<Cow<'a, str>>,
}

/// Reads a page. One typed pass; only where that fails, each row by itself and each field by its raw
/// text, so that a broken field does not cost its row nor a broken row its page.
pub(super) fn rows<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Rows<'a, T>, ReadError> {
    if let Ok(envelope) = serde_json::from_str::<Envelope<'a, List<Object<T>>>>(text) {
        return page(envelope, |object| object.0);
    }
    let envelope = verbatim::from_str::<Envelope<'a, List<&'a RawValue>>>(text)
        .map_err(|error| malformed(text, &error))?;
    page(envelope, |row| {
        verbatim::from_str::<Object<T>>(row.get()).map_or(Field::Bad, |object| object.0)
    })
}

/// Reads an answer whose `data` is one object.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    let envelope = verbatim::from_str::<Envelope<'a, Object<T>>>(text)
        .map_err(|error| malformed(text, &error))?;
    envelope.refusal()?;
    present(envelope.data.0, "data", "an object")
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
    let rows = present(envelope.data.0, "data", "a list")?
        .into_iter()
        .map(read)
        .collect();
    Ok(Rows {
        rows,
        continues,
        last_id: envelope.lastid.value(),
    })
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
    let quoted = quote(text);
    if says_too_fast(text) {
        ReadError::Throttled(quoted)
    } else {
        ReadError::Rejected(quoted)
    }
}

fn says_too_fast(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["rate limit", "too many requests", "throttl"]
        .iter()
        .any(|words| lower.contains(words))
}

/// Whether the body of a refusal says "too fast", whatever its status says.
pub(super) fn is_throttling(body: &[u8]) -> bool {
    let text = body_text(body);
    let envelope = verbatim::from_str::<Envelope<'_, Option<IgnoredAny>>>(&text);
    envelope.is_ok_and(|envelope| {
        envelope
            .error
            .value()
            .is_some_and(|text| says_too_fast(&text))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{
        super::{
            normalise,
            wire::{DeviceRow, SessionRow},
        },
        *,
    };
    use crate::carriers::verbatim::tests::any_value;

    /// A repeated key: no reading of the whole page survives it, so each row is read by itself.
    const BROKEN: &str = r#"{"id":1,"id":2}"#;

    /// A device of one link with `strange` in the place of some value.
    fn device((place, strange): (&str, String)) -> String {
        let value = |name, usual: &str| {
            let value = if name == place { &strange } else { usual };
            format!("\"{name}\":{value}")
        };
        let link = [
            value("id", "7"),
            value("sim", "\"89445018\""),
            value("state", "\"LIVE\""),
            value("whenclaimed", "\"2025-10-11 17:24:43\""),
            value("whenexpires", "\"2025-11-10 17:24:43\""),
            value("overagelimit", "-1"),
            value("cur_billing_data_used", "503417039"),
        ];
        let link = format!("{{{}}}", link.join(","));
        let cellular = value("cellular", &format!("[{link}]"));
        let session = format!("{{{},{}}}", value("linkid", "7"), value("active", "true"));
        let row = [
            value("id", "5"),
            value("orgid", "1001"),
            value("name", "\"x\""),
            value("links", &format!("{{{cellular}}}")),
            value("lastsession", &session),
        ];
        format!("{{{}}}", row.join(","))
    }

    fn any_device() -> impl Strategy<Value = String> {
        let places = [
            "id",
            "sim",
            "state",
            "whenclaimed",
            "whenexpires",
            "overagelimit",
            "linkid",
            "active",
            "cur_billing_data_used",
            "cellular",
            "links",
            "lastsession",
            "orgid",
            "name",
        ];
        (select(places.to_vec()), any_value()).prop_map(device)
    }

    /// What the rows of a page of devices become, in words.
    fn devices(rows: &[&str]) -> Vec<String> {
        let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
        let page = self::rows::<DeviceRow<'_>>(&text).ok().unwrap();
        let read = |row: &Field<DeviceRow<'_>>| match row {
            Field::Value(row) => format!("{:?}", normalise::device(row, &mut Vec::new())),
            Field::Missing => "missing".to_owned(),
            Field::Bad => "bad".to_owned(),
        };
        page.rows.iter().map(read).collect()
    }

    #[test]
    fn a_value_that_no_typed_read_holds_costs_its_field_and_not_its_row() {
        let places = [
            "sim",
            "state",
            "whenclaimed",
            "overagelimit",
            "cur_billing_data_used",
            "linkid",
            "active",
        ];
        for place in places {
            for strange in ["1e999", r#""\ud800""#, "{}", "[1]", "-0.5"] {
                let row = device((place, strange.to_owned()));
                let read = devices(&[row.as_str()]).concat();
                assert!(read.starts_with("Ok("), "{place} {strange}: {read}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_says_the_same_whatever_its_neighbours_are(rows in vec(any_device(), 1..4)) {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let mut with_broken = devices(&[rows.as_slice(), &[BROKEN]].concat());
            prop_assert_eq!(with_broken.pop(), Some("bad".to_owned()));
            prop_assert_eq!(devices(&rows), with_broken);
        }
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
    fn a_refusal_says_too_fast_in_its_error_and_nowhere_else() {
        let fast = [
            r#"{"success":false,"error":"API rate limit exceeded"}"#,
            r#"{"error":"Too Many Requests"}"#,
            r#"{"success":false,"error":"request was throttled","data":[{}]}"#,
        ];
        for body in fast {
            assert!(is_throttling(body.as_bytes()), "{body}");
        }
        let other: [&[u8]; 6] = [
            b"",
            b"<html>rate limit</html>",
            br#"{"success":false,"error":"Invalid API key"}"#,
            br#"{"success":false,"error":429}"#,
            br#"{"success":false,"message":"rate limit"}"#,
            br#"{"success":false,"error":"rate limit"#,
        ];
        for body in other {
            assert!(!is_throttling(body));
        }
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
