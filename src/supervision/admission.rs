//! Who may sync when not everyone can: a bounded number of slots, given out first come, first served,
//! but never all of them to one host. Pure: it knows no actor and no clock, and the caller waits.
//!
//! A host's share is a dynamic threshold: with one more slot it may hold at most twice what is then
//! still free. One host alone gets two thirds, two busy ones two fifths each. So a carrier that hangs
//! fills its own share and no more, and a host that comes new finds a slot. A fixed share per host
//! would either be too small for the one carrier that most fleets have, or leave no room.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;

/// A host may hold this many slots for each that is left free.
const HELD_PER_FREE: usize = 2;

/// A place in the line; a smaller one came earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// The slots, and the lines before them. `W` is what stands for a waiter.
#[derive(Debug)]
pub struct Admission<H, W> {
    most: usize,
    taken: usize,
    next: u64,
    /// Hosts that hold a slot or wait for one, and no others.
    hosts: HashMap<H, Host<W>>,
}

#[derive(Debug)]
struct Host<W> {
    holds: usize,
    waiting: BTreeMap<Ticket, W>,
}

impl<H: Clone + Eq + Hash, W> Admission<H, W> {
    /// So many slots, all free.
    #[must_use]
    pub fn new(most: NonZeroUsize) -> Self {
        Self {
            most: most.get(),
            taken: 0,
            next: 0,
            hosts: HashMap::new(),
        }
    }

    /// So many slots from now on. Where more are taken, nobody is let in until enough have come back.
    pub fn change(&mut self, most: NonZeroUsize) {
        self.most = most.get();
    }

    /// Puts a waiter at the end of the line.
    pub fn enqueue(&mut self, host: H, waiter: W) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let host = self.hosts.entry(host).or_insert_with(|| Host {
            holds: 0,
            waiting: BTreeMap::new(),
        });
        host.waiting.insert(ticket, waiter);
        ticket
    }

    /// Lets in whoever came first among those whose host may have a slot more. To be called until it
    /// lets in nobody, after each change.
    pub fn admit(&mut self) -> Option<(H, W)> {
        let free = self.most.saturating_sub(self.taken);
        let first = |(name, host): (&H, &Host<W>)| {
            let (ticket, _) = host.waiting.first_key_value()?;
            host.may_take_one_of(free).then(|| (*ticket, name.clone()))
        };
        let (_, name) = self
            .hosts
            .iter()
            .filter_map(first)
            .min_by_key(|(ticket, _)| *ticket)?;
        let host = self.hosts.get_mut(&name)?;
        let (_, waiter) = host.waiting.pop_first()?;
        host.holds += 1;
        self.taken += 1;
        Some((name, waiter))
    }

    /// A waiter has lost its patience; one that was let in meanwhile is not in line any more.
    pub fn withdraw(&mut self, host: &H, ticket: Ticket) -> Option<W> {
        let waiter = self.hosts.get_mut(host)?.waiting.remove(&ticket);
        self.forget_if_gone(host);
        waiter
    }

    /// A sync has ended.
    pub fn give_back(&mut self, name: &H) {
        if let Some(host) = self.hosts.get_mut(name).filter(|host| host.holds > 0) {
            host.holds -= 1;
            self.taken -= 1;
        }
        self.forget_if_gone(name);
    }

    /// Slots that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Waiters in line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hosts.values().map(|host| host.waiting.len()).sum()
    }

    fn forget_if_gone(&mut self, name: &H) {
        let gone = |host: &Host<W>| host.holds == 0 && host.waiting.is_empty();
        if self.hosts.get(name).is_some_and(gone) {
            self.hosts.remove(name);
        }
    }
}

impl<W> Host<W> {
    /// A host that holds none may take the last one.
    fn may_take_one_of(&self, free: usize) -> bool {
        free > 0 && (self.holds == 0 || self.holds < HELD_PER_FREE * (free - 1))
    }
}

#[cfg(test)]
#[path = "admission/tests.rs"]
mod tests;
