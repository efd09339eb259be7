//! What the workers of one dialect share, and which dialect decides what. Knows no HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, SubsecRound, Utc};

use super::calls::CallLog;
use super::config::{Dialect, DialectConfig};
use super::logins::Logins;
use super::question::{Question, Reply};
use super::sims::{self, Sim};
use super::tokens::Tokens;
use super::truth::DialectTruth;
use super::window::Windows;
use super::{cisco, emnify, onence};

/// What goes wrong with calls of one endpoint.
#[derive(Debug, Clone)]
pub struct DialectFault {
    /// The endpoint as [`DialectCalls::by_endpoint`] names it.
    pub endpoint: String,
    /// Status of the refusal; 0: no answer comes.
    pub status: u16,
    /// How many calls.
    pub calls: usize,
}

/// What all workers share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: DialectConfig,
    /// The carrier's date, to the second; it stands still, so that the truth does.
    pub(super) now: DateTime<Utc>,
    pub(super) tokens: Tokens,
    /// emnify's.
    pub(super) logins: Logins,
    /// Refusals of Cisco's so far.
    pub(super) refusals: AtomicUsize,
    pub(super) calls: CallLog,
    windows: Windows,
    faults: Mutex<Vec<DialectFault>>,
    sold: AtomicUsize,
}

impl State {
    pub(super) fn new(config: DialectConfig) -> Self {
        Self {
            now: config.now.unwrap_or_else(Utc::now).trunc_subsecs(0),
            tokens: Tokens::default(),
            logins: Logins::default(),
            refusals: AtomicUsize::new(0),
            calls: CallLog::default(),
            windows: Windows::new(config.limits.clone()),
            faults: Mutex::default(),
            sold: AtomicUsize::new(0),
            config,
        }
    }

    /// The SIM of this index.
    pub(super) fn sim(&self, account: usize, index: usize) -> Sim {
        Sim::generate(&self.config, account, index, self.now)
    }

    /// The SIM of this name, if the account has it.
    pub(super) fn sim_named(&self, account: usize, name: &str) -> Option<Sim> {
        let index = match self.config.dialect {
            Dialect::Emnify => {
                let first = sims::first_endpoint(account);
                usize::try_from(name.parse::<u64>().ok()?.checked_sub(first)?).ok()?
            }
            Dialect::OneNce | Dialect::Cisco => name.get(11..19)?.parse().ok()?,
        };
        let is_there = index < self.config.accounts[account].devices;
        let sim = is_there.then(|| self.sim(account, index))?;
        (sim.name(self.config.dialect) == name).then_some(sim)
    }

    /// A token that did not exist before, made of its number.
    pub(super) fn new_token(&self, account: usize, text: impl FnOnce(usize) -> String) -> String {
        let token = text(self.sold.fetch_add(1, Ordering::Relaxed));
        self.tokens
            .sell(token.clone(), account, self.config.token_lifetime);
        token
    }

    pub(super) fn truth(&self, sim: &Sim) -> DialectTruth {
        match self.config.dialect {
            Dialect::OneNce => onence::truth(sim),
            Dialect::Emnify => emnify::truth(sim),
            Dialect::Cisco => cisco::truth(sim),
        }
    }

    pub(super) fn account(&self, question: &Question) -> Option<usize> {
        match self.config.dialect {
            Dialect::OneNce => onence::account(self, question),
            Dialect::Emnify => emnify::account(self, question),
            Dialect::Cisco => cisco::account(self, question),
        }
    }

    pub(super) fn answer(&self, question: &Question) -> Reply {
        match self.config.dialect {
            Dialect::OneNce => onence::answer(self, question),
            Dialect::Emnify => emnify::answer(self, question),
            Dialect::Cisco => cisco::answer(self, question),
        }
    }

    /// Whether the call is within every limit; `open` calls of its account are under way.
    pub(super) fn admits(
        &self,
        account: Option<usize>,
        open: usize,
        endpoint: &str,
        now: Instant,
    ) -> bool {
        if self.config.dialect == Dialect::Cisco && account.is_some() && open > 1 {
            return false;
        }
        self.windows.admit(account, endpoint, now)
    }

    pub(super) fn too_fast(&self) -> Reply {
        match self.config.dialect {
            Dialect::Cisco => cisco::too_fast(self),
            Dialect::OneNce | Dialect::Emnify => Reply::empty(429),
        }
    }

    pub(super) fn inject(&self, fault: DialectFault) {
        self.faults().push(fault);
    }

    /// The fault that this call meets.
    pub(super) fn fault(&self, endpoint: &str) -> Option<u16> {
        let mut faults = self.faults();
        let fault = faults
            .iter_mut()
            .find(|fault| fault.endpoint == endpoint && fault.calls > 0)?;
        fault.calls -= 1;
        Some(fault.status)
    }

    fn faults(&self) -> MutexGuard<'_, Vec<DialectFault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
