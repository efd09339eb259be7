//! Names of faults for the command line, and `--faults` itself: one number for a mixture of all, or a
//! list of names with the part of the calls that meets each.

use std::str::FromStr;

use super::fault::{Fault, FaultKind, RetryAfter, beyond_any_cap};

/// The words of a throttled call.
const TOO_FAST: &str = r#"{"success":false,"error":"API rate limit exceeded"}"#;

/// Ten years.
const TEN_YEARS_SECONDS: &str = "315360000";

/// A name, whether it is part of the mixture, and what it stands for.
type Named = (&'static str, bool, fn() -> FaultKind);

/// Every name there is.
///
/// Outside of the mixture are the faults that change what is true, and those that make a client wait
/// for a person or for hours.
const NAMES: &[Named] = &[
    ("500", true, || status(500, None, None)),
    ("503", true, || status(503, None, None)),
    ("503-seconds", true, || status(503, Some("1".into()), None)),
    ("429", true, || status(429, None, None)),
    ("429-seconds", true, || status(429, Some("2".into()), None)),
    ("429-date", true, || status(429, date_in(2), None)),
    ("429-zero", true, || status(429, Some("0".into()), None)),
    ("429-negative", true, || {
        status(429, Some("-30".into()), None)
    }),
    ("429-past", true, || status(429, date_in(-3_600), None)),
    ("429-garbage", true, || {
        status(429, Some("soon".into()), None)
    }),
    ("429-ten-years", false, || {
        status(429, Some(TEN_YEARS_SECONDS.into()), None)
    }),
    ("throttled-200", true, || status(200, None, Some(TOO_FAST))),
    ("throttled-401", true, || status(401, None, Some(TOO_FAST))),
    ("reset", true, || FaultKind::Reset),
    ("reset-mid-body", true, || FaultKind::ResetMidBody),
    ("hang", true, || FaultKind::Hang),
    ("hang-mid-body", true, || FaultKind::HangMidBody),
    ("drip", true, || FaultKind::Drip {
        millis_per_byte: 1_000,
    }),
    ("truncate", true, || FaultKind::Truncate),
    ("html", true, || FaultKind::Html),
    ("wrong-types", true, || FaultKind::WrongTypes { only: None }),
    ("oversized", true, || FaultKind::Oversized {
        bytes: beyond_any_cap(),
    }),
    ("gzip-bomb", true, || FaultKind::GzipBomb {
        bytes: beyond_any_cap(),
    }),
    ("redirect", true, || {
        redirect("https://elsewhere.example/api/1/devices")
    }),
    ("redirect-private", true, || {
        redirect("http://169.254.169.254/latest/meta-data/")
    }),
    ("repeat-cursor", true, || FaultKind::RepeatCursor),
    ("never-ending-cursor", true, || FaultKind::NeverEndingCursor),
    ("skipping-cursor", true, || FaultKind::SkippingCursor),
    ("row-twice", true, || FaultKind::RowTwice),
    ("vanishing-device", false, || FaultKind::VanishingDevice {
        device: None,
    }),
    ("new-cycle", false, || FaultKind::NewCycle),
    ("correction", false, || FaultKind::Correction),
    ("revoke-key", false, || FaultKind::RevokeKey),
];

fn status(status: u16, retry_after: Option<RetryAfter>, body: Option<&str>) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after,
        body: body.map(str::to_owned),
    }
}

fn date_in(seconds: i64) -> Option<RetryAfter> {
    Some(RetryAfter::DateIn {
        date_in_seconds: seconds,
    })
}

fn redirect(location: &str) -> FaultKind {
    FaultKind::Redirect {
        location: location.to_owned(),
    }
}

impl FaultKind {
    /// Every name that [`named`](Self::named) knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _, _)| *name)
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (_, _, kind) = NAMES.iter().find(|(known, _, _)| *known == name)?;
        Some(kind())
    }

    /// One of all faults from which a client recovers by itself, drawn for each call.
    #[must_use]
    pub fn mixture() -> Self {
        let mixed = NAMES.iter().filter(|(_, is_mixed, _)| *is_mixed);
        Self::AnyOf {
            kinds: mixed.map(|(_, _, kind)| kind()).collect(),
        }
    }
}

/// What `--faults` says: `0.3`, or `500=0.1,reset=0.05`, or a name alone for every call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultList(pub Vec<Fault>);

impl FromStr for FaultList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A status is a name too, so only a part of one is a probability by itself.
        let alone = text.trim().parse::<f64>().ok().filter(|part| *part <= 1.0);
        let faults = match alone {
            Some(0.0) => Vec::new(),
            Some(part) => vec![Fault::new(FaultKind::mixture()).likely(part)],
            None => text.split(',').map(one).collect::<Result<_, _>>()?,
        };
        faults.iter().try_for_each(Fault::validate)?;
        Ok(Self(faults))
    }
}

fn one(text: &str) -> Result<Fault, String> {
    let (name, part) = match text.split_once('=') {
        Some((name, part)) => (name.trim(), Some(part.trim())),
        None => (text.trim(), None),
    };
    let kind = FaultKind::named(name).ok_or_else(|| {
        let names: Vec<_> = FaultKind::names().collect();
        format!("no fault is named {name:?}; there are {}", names.join(", "))
    })?;
    let fault = Fault::new(kind);
    let Some(part) = part else {
        return Ok(fault);
    };
    let probability = part.parse().map_err(|_| {
        format!("{name}={part}: the part of the calls must be a number from 0 to 1")
    })?;
    Ok(fault.likely(probability))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_a_fault_of_its_own() {
        let kinds: Vec<_> = FaultKind::names()
            .map(|name| FaultKind::named(name).unwrap())
            .collect();
        for (place, kind) in kinds.iter().enumerate() {
            assert!(!kinds[..place].contains(kind), "{kind:?}");
        }
        assert_eq!(Fault::new(FaultKind::mixture()).validate(), Ok(()));
    }

    #[test]
    fn faults_are_a_number_or_a_list() {
        let list = |text: &str| text.parse::<FaultList>();
        assert_eq!(list("0").unwrap().0, []);
        let mixture = Fault::new(FaultKind::mixture()).likely(0.3);
        assert_eq!(list("0.3").unwrap().0, [mixture]);
        let named = [Fault::status(500).likely(0.1), Fault::new(FaultKind::Reset)];
        assert_eq!(list("500=0.1, reset").unwrap().0, named);
        assert_eq!(
            list("500").unwrap().0,
            [Fault::status(500)],
            "a name, no number"
        );
        for odd in [
            "",
            "-0.1",
            "reset=2",
            "reset=x",
            "resett",
            "500=0.1,,",
            "NaN",
        ] {
            assert!(list(odd).is_err(), "{odd:?}");
        }
        assert!(list("resett").unwrap_err().contains("reset-mid-body"));
    }
}
