//! One host: what our address as a whole does to it, whichever account calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::limits::CarrierLimits;
use super::remembered::Forgettable;
use super::scope::Scope;

/// What all accounts at one host share, in this process and in the others that call from this address.
#[derive(Debug)]
pub(super) struct Host {
    /// Whose limits it keeps.
    pub(super) carrier: String,
    pub(super) scope: Arc<Scope>,
    /// Classes of endpoints that the host limits for our address, whoever calls.
    pub(super) classes: BTreeMap<String, Arc<Scope>>,
}

impl Host {
    /// A host that is first met now.
    pub(super) fn new(carrier: &str, limits: &CarrierLimits, processes: &Arc<AtomicU32>) -> Self {
        let shared = |tier| Arc::new(Scope::shared_by(Arc::clone(processes), &tier));
        let classes = limits.host_classes.iter();
        Self {
            carrier: carrier.to_owned(),
            scope: shared(limits.host.evened_out()),
            classes: classes
                .map(|(name, rate)| (name.clone(), shared((*rate).into())))
                .collect(),
        }
    }
}

impl Host {
    /// Allows something else from now on. The classes are the carrier's and stay the same.
    pub(super) fn change(&self, limits: &CarrierLimits) {
        self.scope.change(&limits.host.evened_out());
        for (name, class) in &self.classes {
            if let Some(rate) = limits.host_classes.get(name) {
                class.change(&(*rate).into());
            }
        }
    }
}

impl Forgettable for Host {
    fn is_forgettable(&self) -> bool {
        self.scope.is_forgettable() && self.classes.values().all(|class| class.is_forgettable())
    }
}
