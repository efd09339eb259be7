//! The promises of the slots, by table and by property.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn slots(most: usize) -> Admission<u8, usize> {
    Admission::new(NonZeroUsize::new(most).unwrap())
}

/// Lets in whoever may come in, in order.
fn pump(slots: &mut Admission<u8, usize>) -> Vec<(u8, usize)> {
    std::iter::from_fn(|| slots.admit()).collect()
}

/// A host that would take every slot and gives none back; answers how many it got.
fn hang(slots: &mut Admission<u8, usize>, host: u8, most: usize) -> usize {
    for _ in 0..=most {
        slots.enqueue(host, 0);
    }
    pump(slots).len()
}

#[test]
fn a_host_alone_gets_two_thirds_and_leaves_room() {
    let shares = [(1, 1), (2, 1), (3, 2), (4, 2), (6, 4), (20, 13), (200, 133)];
    for (most, share) in shares {
        assert_eq!(hang(&mut slots(most), 1, most), share, "of {most}");
    }
}

#[test]
fn five_hosts_that_hang_leave_the_sixth_a_slot_of_200() {
    let mut slots = slots(200);
    let held: Vec<_> = (1..=5).map(|host| hang(&mut slots, host, 200)).collect();
    assert_eq!(held, [133, 44, 15, 5, 2]);
    slots.enqueue(6, 7);
    assert_eq!(pump(&mut slots), [(6, 7)]);
}

#[test]
fn a_host_that_may_not_have_more_does_not_hold_up_who_came_after() {
    let mut slots = slots(3);
    for waiter in 0..3 {
        slots.enqueue(1, waiter);
    }
    slots.enqueue(2, 3);
    assert_eq!(pump(&mut slots), [(1, 0), (1, 1), (2, 3)]);
    slots.give_back(&2);
    assert_eq!(pump(&mut slots), [], "the third would leave none free");
    slots.give_back(&1);
    assert_eq!(pump(&mut slots), [(1, 2)]);
}

#[test]
fn across_hosts_the_first_to_come_is_the_first_to_go() {
    let mut slots = slots(1);
    for (waiter, host) in [1, 2, 1, 3, 2].into_iter().enumerate() {
        slots.enqueue(host, waiter);
    }
    let mut order = Vec::new();
    while let Some((host, waiter)) = slots.admit() {
        order.push(waiter);
        slots.give_back(&host);
    }
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn nothing_is_remembered_of_hosts_that_neither_hold_nor_wait() {
    let mut slots = slots(2);
    let ticket = slots.enqueue(1, 0);
    assert_eq!(slots.withdraw(&1, ticket), Some(0));
    slots.enqueue(2, 1);
    assert_eq!(pump(&mut slots), [(2, 1)]);
    assert_eq!(slots.withdraw(&2, ticket), None);
    slots.give_back(&2);
    slots.give_back(&2);
    assert_eq!((slots.hosts.len(), slots.taken()), (0, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Comes(u8),
    Ends(usize),
    Withdraws(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..6).prop_map(Step::Comes),
        2 => any::<usize>().prop_map(Step::Ends),
        1 => any::<usize>().prop_map(Step::Withdraws),
    ]
}

/// The slots beside the plainest record of who is where.
struct Model {
    slots: Admission<u8, usize>,
    most: usize,
    inside: Vec<u8>,
    /// By number of arrival.
    line: BTreeMap<usize, (u8, Ticket)>,
    came: usize,
}

impl Model {
    fn of(most: usize) -> Self {
        Self {
            slots: slots(most),
            most,
            inside: Vec::new(),
            line: BTreeMap::new(),
            came: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Comes(host) => {
                let ticket = self.slots.enqueue(*host, self.came);
                self.line.insert(self.came, (*host, ticket));
                self.came += 1;
            }
            Step::Ends(which) if !self.inside.is_empty() => {
                let host = self.inside.swap_remove(which % self.inside.len());
                self.slots.give_back(&host);
            }
            Step::Withdraws(which) if !self.line.is_empty() => {
                let number = *self.line.keys().nth(which % self.line.len()).unwrap();
                let (host, ticket) = self.line.remove(&number).unwrap();
                assert_eq!(self.slots.withdraw(&host, ticket), Some(number));
            }
            Step::Ends(_) | Step::Withdraws(_) => {}
        }
        self.settle();
    }

    fn holds(&self, host: u8) -> usize {
        self.inside.iter().filter(|inside| **inside == host).count()
    }

    fn settle(&mut self) {
        while let Some((host, number)) = self.slots.admit() {
            let earlier =
                |(other, (of, _)): (&usize, &(u8, Ticket))| *of == host && *other < number;
            assert!(!self.line.iter().any(earlier), "overtaken within a host");
            assert!(self.line.remove(&number).is_some(), "let in twice");
            self.inside.push(host);
            let free = self.most.checked_sub(self.inside.len()).unwrap();
            let holds = self.holds(host);
            assert!(holds == 1 || holds <= 2 * free, "{holds} held, {free} free");
        }
        assert_eq!(self.slots.taken(), self.inside.len());
        assert_eq!(self.slots.waiting(), self.line.len());
        let has_room = self.inside.len() < self.most;
        let inside: BTreeSet<u8> = self.inside.iter().copied().collect();
        let newcomer = |(host, _): &(u8, Ticket)| !inside.contains(host);
        assert!(
            !has_room || !self.line.values().any(newcomer),
            "a newcomer waits beside a free slot"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn never_too_many_never_overtaken_and_in_the_end_everyone_had_a_turn(
        most in 1_usize..12,
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mut model = Model::of(most);
        for step in &steps {
            model.take(step);
        }
        while !model.inside.is_empty() {
            model.take(&Step::Ends(0));
        }
        prop_assert!(model.line.is_empty(), "{} wait for ever", model.line.len());
        prop_assert!(model.slots.hosts.is_empty());
    }

    /// Hosts that give nothing back, coming in any order: k of them leave a slot of more than 3^(k-1).
    #[test]
    fn no_host_starves_while_others_hang(
        hung in 1_u8..5,
        more in 0_usize..30,
        order in proptest::collection::vec(0_u8..5, 0..200),
    ) {
        let most = 3_usize.pow(u32::from(hung) - 1) + 1 + more;
        let mut model = Model::of(most);
        for host in order {
            model.take(&Step::Comes(host % hung));
        }
        prop_assert!(model.inside.len() < most);
        let healthy = 9;
        let came = model.came;
        for _ in 0..3 {
            model.take(&Step::Comes(healthy));
        }
        for _ in 0..3 {
            let last = model.inside.iter().rposition(|host| *host == healthy);
            prop_assert!(last.is_some(), "a healthy host waits for ever");
            model.take(&Step::Ends(last.unwrap()));
        }
        prop_assert!(model.line.values().all(|(host, _)| *host != healthy));
        prop_assert_eq!(model.came, came + 3);
    }
}
