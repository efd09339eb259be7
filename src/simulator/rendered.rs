//! Pages that were rendered before: on a machine that is being measured, the carrier must not be what
//! is measured.
//!
//! Only whole, true pages are kept, and only while the carrier stands still: without growth, a page is
//! a function of who asks and what for. With a fault in force nothing is read or kept, so an answer is
//! spoilt, and a call counted by the fault, exactly as without this file.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use actix_web::web::Bytes;

/// Most bytes kept: the pages of about 100,000 devices. What comes after the room is full is rendered
/// each time; to evict would lose every page of a listing that is read in turn and a little too long.
const ROOM: usize = 128 << 20;

/// First organisation of the key, which names it, and the request's path and query.
type Asked = (u64, String);

/// Rendered pages by what was asked.
#[derive(Debug, Default)]
pub(super) struct Rendered(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    pages: HashMap<Asked, Bytes>,
    bytes: usize,
}

impl Rendered {
    pub(super) fn get(&self, asked: &Asked) -> Option<Bytes> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.pages.get(asked).cloned()
    }

    pub(super) fn keep(&self, asked: Asked, page: &Bytes) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let bytes = kept.bytes + page.len() + asked.1.len();
        // A copy, because a page's buffer may have grown to twice its length.
        if bytes <= ROOM
            && kept
                .pages
                .insert(asked, Bytes::copy_from_slice(page))
                .is_none()
        {
            kept.bytes = bytes;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::simulator::{Fault, FaultKind, Simulator, SimulatorConfig};

    /// Status line, headers and body of the first page of the listing.
    fn first_page(simulator: &Simulator) -> String {
        let mut stream = TcpStream::connect(simulator.address()).unwrap();
        let request = "GET /api/1/devices?limit=10 HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\
                       Authorization: Basic YXBpa2V5OnNpbXVsYXRlZC1rZXktMTAwMQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    #[test]
    fn a_fault_changes_a_page_that_was_kept_and_its_end_brings_it_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let simulator = Simulator::start(SimulatorConfig::default(), listener).unwrap();
        let page = first_page(&simulator);
        assert_eq!(first_page(&simulator), page, "asked again");
        simulator.inject(Fault::new(FaultKind::VanishingDevice { device: None }));
        let without_newest = first_page(&simulator);
        assert_ne!(without_newest, page, "another truth");
        simulator.clear_faults();
        simulator.inject(Fault::status(503).times(1));
        assert!(first_page(&simulator).contains("\"success\":false"));
        simulator.clear_faults();
        assert_eq!(first_page(&simulator), page);
        assert_eq!(simulator.calls().total, 5, "a kept page is a call as well");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let rendered = Rendered::default();
        let page = Bytes::from(vec![b'x'; ROOM / 2]);
        for place in 0..3 {
            rendered.keep((1, place.to_string()), &page);
        }
        assert!(rendered.get(&(1, "0".to_owned())).is_some());
        assert!(rendered.get(&(2, "0".to_owned())).is_none(), "another key");
        let kept = rendered.0.read().unwrap();
        assert!(kept.bytes <= ROOM && kept.pages.len() == 1);
    }
}
