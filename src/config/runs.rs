//! `[runs]`: how much of the history of syncs is kept.

use super::reader::Reader;
use crate::runs::Retention;

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>) -> Retention {
    Retention {
        keep: reader.duration("runs.keep"),
        per_integration: reader.count("runs.per_integration").get(),
    }
}
