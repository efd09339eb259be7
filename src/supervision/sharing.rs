//! Which integrations a process should have when several share them. Pure, and the same in every
//! process that sees the same, so that nobody has to be asked.
//!
//! What is shared are *groups*: the integrations of one account at a carrier. A carrier counts by
//! account, so one process must make all calls of one.

use std::collections::{BTreeMap, BTreeSet};

/// How many of `groups` each process should have, by name. `holdings` is what each has now.
///
/// All get the same; where that does not come out even, those that have most keep one more, so that
/// nothing moves without need.
#[must_use]
pub fn shares<P: Ord + Clone>(holdings: &BTreeMap<P, usize>, groups: usize) -> BTreeMap<P, usize> {
    let processes = holdings.len().max(1);
    let (each, rest) = (groups / processes, groups % processes);
    let mut by_holding: Vec<_> = holdings.iter().collect();
    by_holding.sort_by_key(|(name, held)| (std::cmp::Reverse(**held), (*name).clone()));
    by_holding
        .into_iter()
        .enumerate()
        .map(|(place, (name, _))| (name.clone(), each + usize::from(place < rest)))
        .collect()
}

/// What is known when a process decides.
#[derive(Debug)]
pub struct Picture<'a, P, K> {
    /// Who decides.
    pub me: &'a P,
    /// The live processes that take a share.
    pub sharers: &'a BTreeSet<P>,
    /// All integrations to be synced, by account: each group sorted, the groups in the order that
    /// everyone has them in.
    pub groups: &'a [Vec<K>],
    /// The live owner of each integration that has one, whether it takes a share or not.
    pub owners: &'a BTreeMap<K, P>,
}

/// What a process should do about its integrations.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan<K> {
    /// To be claimed, each wholly or not at all.
    pub claim: Vec<Vec<K>>,
    /// To be given up.
    pub release: Vec<K>,
}

impl<P: Ord + Clone, K: Ord + Clone> Picture<'_, P, K> {
    /// What I should do.
    #[must_use]
    pub fn plan(&self) -> Plan<K> {
        let mut holdings: BTreeMap<P, usize> =
            self.sharers.iter().map(|p| (p.clone(), 0)).collect();
        for keeper in self.groups.iter().filter_map(|group| self.keeper(group)) {
            if let Some(held) = holdings.get_mut(keeper) {
                *held += 1;
            }
        }
        let shares = shares(&holdings, self.groups.len());
        let mine = self.kept_by_me();
        let my_share = shares.get(self.me).copied().unwrap_or(0);
        let kept = &mine[..my_share.min(mine.len())];
        Plan {
            claim: self.claims(kept, &holdings, &shares),
            release: self.releases(kept),
        }
    }

    /// The owner of a group: of its first member that has one. Where a changed key has brought together
    /// what several own, the others give theirs up to this one.
    fn keeper(&self, group: &[K]) -> Option<&P> {
        group.iter().find_map(|member| self.owners.get(member))
    }

    fn kept_by_me(&self) -> Vec<&Vec<K>> {
        let is_mine = |group: &&Vec<K>| self.keeper(group) == Some(self.me);
        self.groups.iter().filter(is_mine).collect()
    }

    /// The members that are missing of what is kept, and my part of the groups that nobody has.
    ///
    /// The free ones are dealt out in one order to all who have too few, so that two processes that
    /// look at the same time do not reach for the same.
    fn claims(
        &self,
        kept: &[&Vec<K>],
        holdings: &BTreeMap<P, usize>,
        shares: &BTreeMap<P, usize>,
    ) -> Vec<Vec<K>> {
        let lacks = |name: &P| shares[name].saturating_sub(holdings[name]);
        let before_me = holdings.keys().take_while(|name| *name < self.me);
        let (skipped, mine) = match holdings.contains_key(self.me) {
            true => (before_me.map(lacks).sum(), lacks(self.me)),
            false => (0, 0),
        };
        let free = self.groups.iter().filter(|g| self.keeper(g).is_none());
        let unowned = |group: &Vec<K>| -> Vec<K> {
            let members = group.iter().filter(|m| !self.owners.contains_key(*m));
            members.cloned().collect()
        };
        let missing = kept.iter().map(|group| unowned(group));
        let whole = free.skip(skipped).take(mine).cloned();
        missing.filter(|lot| !lot.is_empty()).chain(whole).collect()
    }

    /// Everything of mine that is not in a group that I keep.
    fn releases(&self, kept: &[&Vec<K>]) -> Vec<K> {
        let kept: BTreeSet<&K> = kept.iter().flat_map(|group| group.iter()).collect();
        let mine = self.owners.iter().filter(|(_, owner)| *owner == self.me);
        mine.map(|(member, _)| member)
            .filter(|member| !kept.contains(member))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares_of(held: &[usize], groups: usize) -> Vec<usize> {
        let holdings = (0..).zip(held.iter().copied()).collect();
        shares::<usize>(&holdings, groups).into_values().collect()
    }

    #[test]
    fn all_have_the_same_and_who_has_most_keeps_the_rest() {
        let table: [(&[usize], usize, &[usize]); 9] = [
            (&[300], 300, &[300]),
            (&[0, 0, 0], 300, &[100, 100, 100]),
            (&[300, 0, 0], 300, &[100, 100, 100]),
            (&[0, 0, 0], 4, &[2, 1, 1]),
            (&[1, 1, 2], 4, &[1, 1, 2]),
            (&[0, 4, 0], 4, &[1, 2, 1]),
            (&[1, 0], 1, &[1, 0]),
            (&[0, 0], 0, &[0, 0]),
            (&[3, 2], 7, &[4, 3]),
        ];
        for (held, groups, expected) in table {
            assert_eq!(shares_of(held, groups), expected, "{held:?} of {groups}");
        }
    }

    type Owners = BTreeMap<u32, &'static str>;

    fn plan(
        me: &'static str,
        sharers: &[&'static str],
        groups: &[&[u32]],
        owners: &[(u32, &'static str)],
    ) -> Plan<u32> {
        let sharers = sharers.iter().copied().collect();
        let groups: Vec<_> = groups.iter().map(|group| group.to_vec()).collect();
        let owners: Owners = owners.iter().copied().collect();
        let picture = Picture {
            me: &me,
            sharers: &sharers,
            groups: &groups,
            owners: &owners,
        };
        picture.plan()
    }

    const FOUR: &[&[u32]] = &[&[1], &[2], &[3], &[4]];

    #[test]
    fn alone_it_takes_everything() {
        let plan = plan("a", &["a"], FOUR, &[]);
        assert_eq!(plan.claim, FOUR);
        assert!(plan.release.is_empty());
    }

    #[test]
    fn two_that_look_at_once_reach_for_different_ones() {
        let (a, b) = (
            plan("a", &["a", "b"], FOUR, &[]),
            plan("b", &["a", "b"], FOUR, &[]),
        );
        assert_eq!(
            (a.claim, b.claim),
            (vec![vec![1], vec![2]], vec![vec![3], vec![4]])
        );
    }

    #[test]
    fn who_has_too_much_gives_up_and_who_has_too_little_waits_for_it() {
        let owners = [(1, "a"), (2, "a"), (3, "a"), (4, "a")];
        assert_eq!(plan("a", &["a", "b"], FOUR, &owners).release, [3, 4]);
        assert!(plan("b", &["a", "b"], FOUR, &owners).claim.is_empty());
    }

    #[test]
    fn an_account_is_never_split() {
        let groups: &[&[u32]] = &[&[1, 2], &[3]];
        let new_member = plan("a", &["a", "b"], groups, &[(1, "a"), (3, "b")]);
        assert_eq!(new_member.claim, [[2]]);
        let elsewhere = plan("b", &["a", "b"], groups, &[(1, "a"), (3, "b")]);
        assert!(elsewhere.claim.is_empty());
    }

    #[test]
    fn an_account_that_an_edit_has_split_goes_to_who_has_its_first() {
        let groups: &[&[u32]] = &[&[1, 2], &[3]];
        let owners = [(1, "a"), (2, "b"), (3, "b")];
        assert_eq!(plan("b", &["a", "b"], groups, &owners).release, [2]);
        let a = plan("a", &["a", "b"], groups, &owners);
        assert!(a.release.is_empty() && a.claim.is_empty());
    }

    #[test]
    fn what_is_no_longer_to_be_synced_is_given_up() {
        assert_eq!(
            plan("a", &["a"], &[&[1]], &[(1, "a"), (9, "a")]).release,
            [9]
        );
    }

    #[test]
    fn who_takes_no_share_is_left_what_it_has() {
        let with_once = plan("a", &["a"], FOUR, &[(2, "once")]);
        assert_eq!(with_once.claim, [[1], [3], [4]]);
        let once = plan("once", &["a"], FOUR, &[(2, "once")]);
        assert!(once.claim.is_empty());
    }

    proptest! {
        /// However things stand: if everyone does what it plans, round after round, everything is
        /// owned in shares that differ by at most one, and then nothing moves any more.
        #[test]
        fn everyone_doing_as_it_plans_comes_to_rest_in_fair_shares(
            processes in 1_usize..6,
            groups in 0_usize..40,
            owned in proptest::collection::vec(proptest::option::of(0_usize..8), 40),
        ) {
            let sharers: BTreeSet<usize> = (0..processes).collect();
            let groups: Vec<Vec<usize>> = (0..groups).map(|g| vec![2 * g, 2 * g + 1]).collect();
            let mut owners: BTreeMap<usize, usize> = groups
                .iter()
                .zip(&owned)
                .filter_map(|(group, owner)| Some((group[0], (*owner)?)))
                .filter(|(_, owner)| *owner < processes)
                .collect();
            for _ in 0..3 {
                for me in 0..processes {
                    let plan = Picture { me: &me, sharers: &sharers, groups: &groups, owners: &owners }.plan();
                    for given_up in plan.release {
                        owners.remove(&given_up);
                    }
                    owners.extend(plan.claim.into_iter().flatten().map(|id| (id, me)));
                }
            }
            let mut held = vec![0; processes];
            for group in &groups {
                prop_assert_eq!(owners.get(&group[0]), owners.get(&group[1]));
                held[owners[&group[0]]] += 1;
            }
            let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{held:?}");
            for me in 0..processes {
                let plan = Picture { me: &me, sharers: &sharers, groups: &groups, owners: &owners }.plan();
                prop_assert_eq!(plan, Plan { claim: vec![], release: vec![] });
            }
        }
    }
}
