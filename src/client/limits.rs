//! Every limiter of the process, by account and by host, and what a carrier allows as configured.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::Caller;
pub use super::gate::Tier;
use super::host::Host;
pub use super::limiter::{AccountLimiter, Endpoint, LimiterSnapshot, Paused, PausedBy, Permit};
use super::rate::RateLimit;
use super::remembered::Remembered;
pub use super::throttle::UnnamedPause;
pub use super::window::Window;

/// Every limiter of the process, by account and by host.
#[derive(Debug)]
pub struct Limits {
    hasher: RandomState,
    accounts: Mutex<Remembered<AccountLimiter>>,
    hosts: Mutex<Remembered<Host>>,
    processes: Arc<AtomicU32>,
    /// By integration: the ownership under which its account was last taken over. Not by account: a new key
    /// under the same ownership is nobody's former account.
    taken_over: Mutex<HashMap<String, i64>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            accounts: Mutex::default(),
            hosts: Mutex::default(),
            processes: Arc::new(AtomicU32::new(1)),
            taken_over: Mutex::default(),
        }
    }
}

/// What a carrier allows, as configured; a call needs all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CarrierLimits {
    /// One account.
    pub account: Tier,
    /// All accounts on one host together.
    pub host: Tier,
    /// Classes of endpoints of one account, by name; a call of another class has no limit beside the
    /// account's.
    pub classes: BTreeMap<String, RateLimit>,
    /// Classes of endpoints whose rate is one for all accounts on one host, by name.
    pub host_classes: BTreeMap<String, RateLimit>,
    /// Calls of one account at once; at least 1.
    pub max_concurrency: usize,
}

impl Limits {
    /// The limiter of the account at `carrier`, reached at `host`, that these `credentials` open, as `tenant`
    /// calls it.
    ///
    /// Keyed by what is sent to prove who we are, which is what carriers count on: two integrations with one
    /// key and different account ids share a limit. Only their hash is kept.
    pub fn account(
        &self,
        (carrier, host): (&str, &str),
        credentials: impl Hash,
        tenant: &str,
        limits: &CarrierLimits,
    ) -> Caller {
        let hash = self.hasher.hash_one((carrier, host, credentials));
        let limiter = unpoisoned(&self.accounts).find_or_add(hash, || {
            AccountLimiter::new(carrier, limits, self.host((carrier, host), limits))
        });
        Caller::new(limiter, tenant)
    }

    /// All accounts and hosts of `carrier` keep other limits from now on, calls that wait included. What has
    /// been used stays used: nobody may call at once who could not before, but for a slot more.
    pub fn change(&self, carrier: &str, limits: &CarrierLimits) {
        let accounts = unpoisoned(&self.accounts);
        for account in accounts.values().filter(|a| a.carrier == carrier) {
            account.change(limits);
        }
        drop(accounts);
        for host in unpoisoned(&self.hosts).values() {
            if host.carrier == carrier {
                host.change(limits);
            }
        }
    }

    /// Whether `integration` is new here under this ownership. Asked again under the same one, it is not: what
    /// its account has called since then is known.
    #[must_use]
    pub fn takes_over(&self, integration: &str, ownership: i64) -> bool {
        let mut known = unpoisoned(&self.taken_over);
        known.insert(integration.to_owned(), ownership) != Some(ownership)
    }

    /// So many processes, this one included, call the same hosts from now on: each call takes as many
    /// permits of its host, and each process its part of the host's windows.
    pub fn share_hosts_with(&self, processes: usize) {
        let processes = u32::try_from(processes.max(1)).unwrap_or(u32::MAX);
        self.processes.store(processes, Ordering::Relaxed);
    }

    /// By carrier too: a row of another carrier that leads to a host first must not decide its limits.
    fn host(&self, host: (&str, &str), limits: &CarrierLimits) -> Arc<Host> {
        let hash = self.hasher.hash_one(host);
        unpoisoned(&self.hosts).find_or_add(hash, || Host::new(host.0, limits, &self.processes))
    }
}

/// Every change under these locks leaves the state whole, so a panic elsewhere cannot have broken it.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod tests;
