//! A progress bar over every sync of a round, on a terminal; silent elsewhere.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::sync::{Observer, Progress};

/// The bar.
#[derive(Debug, Clone)]
pub(super) struct SyncBar(ProgressBar);

impl SyncBar {
    /// An empty bar; indicatif hides it where stderr is not a terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(
            "{spinner} {wide_bar} {human_pos} of {human_len} devices, {eta} left",
        );
        Self(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
    }

    /// Prints above the bar.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }

    /// An observer for one more sync.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(SyncOnBar {
            bar: self.0.clone(),
            last: Mutex::default(),
        })
    }
}

/// One sync's share of the bar.
struct SyncOnBar {
    bar: ProgressBar,
    last: Mutex<Progress>,
}

impl Observer for SyncOnBar {
    fn progress(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.bar
            .inc_length((progress.devices - last.devices) as u64);
        self.bar.inc((progress.synced - last.synced) as u64);
        *last = progress;
    }
}
