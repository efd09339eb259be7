//! What to start, stop and restart when the integrations in the database have changed. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What to do so that what runs is what is wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes<K> {
    /// Wanted, and not there.
    pub start: Vec<K>,
    /// There, and no longer wanted.
    pub stop: Vec<K>,
    /// There, but as something else than is wanted now.
    pub restart: Vec<K>,
}

/// Compares what is wanted with what is there; the values are fingerprints.
#[must_use]
pub fn reconcile<K: Ord + Clone>(
    wanted: &BTreeMap<K, u64>,
    present: &BTreeMap<K, u64>,
) -> Changes<K> {
    let (want, have): (BTreeSet<_>, BTreeSet<_>) =
        (wanted.keys().collect(), present.keys().collect());
    let changed = |key: &&&K| wanted.get(**key) != present.get(**key);
    Changes {
        start: want.difference(&have).map(|key| (*key).clone()).collect(),
        stop: have.difference(&want).map(|key| (*key).clone()).collect(),
        restart: want
            .intersection(&have)
            .filter(changed)
            .map(|key| (*key).clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_becomes_what_is_wanted() {
        let wanted = BTreeMap::from([("same", 1), ("changed", 2), ("new", 3)]);
        let present = BTreeMap::from([("same", 1), ("changed", 9), ("gone", 4)]);
        let changes = reconcile(&wanted, &present);
        assert_eq!(
            changes,
            Changes {
                start: vec!["new"],
                stop: vec!["gone"],
                restart: vec!["changed"]
            }
        );
    }

    #[test]
    fn nothing_changes_when_nothing_has_changed() {
        let same = BTreeMap::from([("a", 1), ("b", 2)]);
        let changes = reconcile(&same, &same);
        assert_eq!(
            changes,
            Changes {
                start: vec![],
                stop: vec![],
                restart: vec![]
            }
        );
    }
}
