//! Carriers that are known and not spoken, and why: for whoever asks for one, and for `docs/carriers.md`.
//!
//! Facts only, from the vendors' public documents.

/// A carrier that is not spoken.
#[derive(Debug)]
pub(super) struct NotYet {
    /// What `carrier_name` would be.
    pub(super) code: &'static str,
    /// Its name as people write it.
    pub(super) name: &'static str,
    /// Why not.
    pub(super) why: &'static str,
}

pub(super) const NOT_YET: [NotYet; 4] = [
    NotYet {
        code: "verizon",
        name: "Verizon ThingSpace",
        why: "usage of many devices is delivered to a callback address only, which this service does not offer; \
              its limits and the unit of usage are not published",
    },
    NotYet {
        code: "particle",
        name: "Particle",
        why: "no answer of its API is described, the network status is a task that is polled for, and the \
              billing cycle's dates are not told",
    },
    NotYet {
        code: "monogoto",
        name: "Monogoto",
        why: "unit, billing cycle and paging of the new API are not published, and its refresh tokens work once, \
              so that two processes could lock each other out",
    },
    NotYet {
        code: "flolive",
        name: "floLIVE",
        why: "neither addresses nor authentication nor limits are public; the vendor's own document is needed",
    },
];
