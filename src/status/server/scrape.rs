//! The figures as Prometheus reads them, put together once for all who ask at about the same time: however many
//! scrape, and however many integrations there are, it takes the syncs a small part of a core. Knows no figure.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;

/// Nobody scrapes that often, so nobody sees that they are so old.
const HOLDS: Duration = Duration::from_millis(100);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Scrape(Mutex<Option<(Instant, Bytes)>>);

impl Scrape {
    /// The text that `make` makes, or has made a moment ago.
    pub(super) fn text(&self, make: impl FnOnce() -> String) -> Bytes {
        self.text_at(Instant::now(), make)
    }

    fn text_at(&self, now: Instant, make: impl FnOnce() -> String) -> Bytes {
        // Held while it is made: whoever asks meanwhile waits for this one.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = &*last
            && now.saturating_duration_since(*at) < HOLDS
        {
            return text.clone();
        }
        let text = Bytes::from(make());
        *last = Some((now, text.clone()));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ask_at_once_are_told_what_is_made_once_and_nobody_is_told_what_is_old() {
        let (scrape, now) = (Scrape::default(), Instant::now());
        let ask = |after, word: &str| scrape.text_at(now + after, || word.to_owned());
        assert_eq!(ask(Duration::ZERO, "first"), "first");
        assert_eq!(ask(HOLDS / 2, "second"), "first");
        assert_eq!(ask(HOLDS, "third"), "third");
        assert_eq!(ask(HOLDS + HOLDS / 2, "fourth"), "third");
    }
}
