//! Pure: when failures of single calls are an outage of the carrier, so that the rest is not asked for.

use super::outcome::Halt;
use crate::client::CallError;

/// Devices in a row that find the carrier unavailable before the rest is not asked for.
const OUTAGE_AFTER: u32 = 3;
/// The same for answers that cannot be used, as long as no answer of the sync could be. More, because
/// such an answer may be about its device alone.
const UNUSABLE_AFTER: u32 = 5;

/// Failures in a row while devices are asked for one by one.
#[derive(Debug, Default)]
pub struct Trouble {
    unavailable: u32,
    unusable: u32,
    /// Something of this sync could be read: the carrier speaks its dialect.
    heard: bool,
}

impl Trouble {
    /// Something could be read.
    pub fn heard(&mut self) {
        self.heard = true;
        (self.unavailable, self.unusable) = (0, 0);
    }

    /// A call failed: the outage that this makes it, if it does.
    pub fn met(&mut self, error: &CallError) -> Option<Halt> {
        let is_unusable = matches!(
            error,
            CallError::Malformed { .. } | CallError::TooLarge { .. }
        );
        self.unavailable = match error {
            CallError::Unavailable { .. } => self.unavailable + 1,
            _ => 0,
        };
        self.unusable = if is_unusable { self.unusable + 1 } else { 0 };
        let is_outage =
            self.unavailable >= OUTAGE_AFTER || self.unusable >= UNUSABLE_AFTER && !self.heard;
        is_outage.then(|| Halt::Outage {
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: char) -> CallError {
        let reason = String::new();
        match kind {
            'u' => CallError::Unavailable { reason },
            'm' => CallError::Malformed { reason },
            'l' => CallError::TooLarge { limit_bytes: 1 },
            _ => CallError::NotFound,
        }
    }

    /// At which call the story ends in an outage; `.` is an answer.
    fn outage(story: &str) -> Option<usize> {
        let mut trouble = Trouble::default();
        story.chars().position(|kind| match kind {
            '.' => {
                trouble.heard();
                false
            }
            kind => trouble.met(&error(kind)).is_some(),
        })
    }

    #[test]
    fn failures_in_a_row_are_an_outage_unless_they_may_be_the_devices_own() {
        let table = [
            ("uuu", Some(2)),
            (".uuu", Some(3)),
            ("uu.uu.uu", None),
            ("uunuu", None),
            ("mmlmm", Some(4)),
            ("mmmmnmmmm", None),
            (".mmmmmmmmmm", None),
            ("nnnnnnnnnn", None),
        ];
        for (story, expected) in table {
            assert_eq!(outage(story), expected, "{story}");
        }
    }
}
