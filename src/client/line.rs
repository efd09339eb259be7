//! Who is next at what tenants share (a host, an account): in each round every tenant that waits has one
//! call, however many it has waiting and of however many accounts. Knows tenants by their doors only.
//!
//! ```text
//!  calls of tenant A ─► door A ─┐  one at a time        ┌► turn: waits for what is
//!  calls of tenant B ─► door B ─┴► line, by round ──────┘  shared, takes it, next
//! ```
//!
//! Behind a door, one that holds the turn of another line goes first.
//!
//! A tenant that comes back while a round is under way has not lost its place in the next: that is
//! what a plain queue of doors would cost the one whose calls are slow.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::oneshot;

/// Doors that are kept without looking which of them are nobody's.
const FEW_DOORS: usize = 64;

/// One tenant's entrance. Behind it only one of its calls stands in the line.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// Calls that nobody waits for but themselves; one of them at a time goes on to the head.
    queue: tokio::sync::Mutex<()>,
    head: tokio::sync::Mutex<()>,
    /// The round in which its next call may leave.
    next_round: AtomicU64,
}

/// The doors of those who may call.
#[derive(Debug, Default)]
pub(super) struct Doors {
    by_tenant: Mutex<HashMap<String, Weak<Door>>>,
}

impl Doors {
    /// The door of a tenant, for as long as anyone holds it.
    pub(super) fn of(&self, tenant: &str) -> Arc<Door> {
        let mut doors = unpoisoned(&self.by_tenant);
        if let Some(known) = doors.get(tenant).and_then(Weak::upgrade) {
            return known;
        }
        if doors.len() >= FEW_DOORS && doors.len().is_power_of_two() {
            doors.retain(|_, door| door.strong_count() > 0);
        }
        let door = Arc::new(Door::default());
        doors.insert(tenant.to_owned(), Arc::downgrade(&door));
        door
    }
}

/// The line before what is shared.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
}

/// The round of a call, and when it came among those of the round.
type Place = (u64, u64);

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    round: u64,
    came: u64,
    waiting: BTreeMap<Place, oneshot::Sender<()>>,
}

impl State {
    fn place(&mut self, door: &Door) -> Place {
        self.came += 1;
        let round = door.next_round.load(Ordering::Relaxed).max(self.round);
        (round, self.came)
    }

    fn hand_on(&mut self) {
        self.is_taken = false;
        if let Some(((round, _), next)) = self.waiting.pop_first() {
            self.is_taken = true;
            self.round = round;
            // Who has just given up still holds this turn, and hands it on when it drops it. Handed on here as
            // well, it would be two.
            let _ = next.send(());
        }
    }
}

/// Being next; while it waits, a place in the line. Dropped, the next one is.
#[derive(Debug)]
pub(super) struct LineTurn<'a> {
    line: &'a Line,
    place: Place,
    _first: tokio::sync::MutexGuard<'a, ()>,
}

impl Line {
    /// Waits for the turn of a call from behind `door`. One that `holds_another` turn, where others wait behind
    /// it, does not queue with the rest of its tenant: they would wait for all of these.
    pub(super) async fn turn<'a>(&'a self, door: &'a Door, holds_another: bool) -> LineTurn<'a> {
        let queued = match holds_another {
            true => None,
            false => Some(door.queue.lock().await),
        };
        let first = door.head.lock().await;
        drop(queued);
        let (place, called) = self.stand(door);
        let turn = LineTurn {
            line: self,
            place,
            _first: first,
        };
        if let Some(called) = called {
            // The sender leaves the line only to call.
            let _ = called.await;
        }
        door.next_round.store(place.0 + 1, Ordering::Relaxed);
        turn
    }

    fn stand(&self, door: &Door) -> (Place, Option<oneshot::Receiver<()>>) {
        let mut state = unpoisoned(&self.state);
        let place = state.place(door);
        if !state.is_taken {
            state.is_taken = true;
            state.round = place.0;
            return (place, None);
        }
        let (call, called) = oneshot::channel();
        state.waiting.insert(place, call);
        (place, Some(called))
    }
}

impl Drop for LineTurn<'_> {
    fn drop(&mut self) {
        let mut state = unpoisoned(&self.line.state);
        // Still in the line: given up. Else the turn was this one's, perhaps without knowing it yet.
        if state.waiting.remove(&self.place).is_none() {
            state.hand_on();
        }
    }
}

/// Every change under these locks leaves the state whole.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn tenants_take_turns_however_many_calls_each_has_waiting() {
        let (line, doors) = (Line::default(), Doors::default());
        let (busy, quiet) = (doors.of("busy"), doors.of("quiet"));
        let held = line.turn(&busy, false).await;
        let mut many: Vec<_> = (0..5).map(|_| Box::pin(line.turn(&busy, false))).collect();
        for waiting in &mut many {
            assert!(poll!(waiting).is_pending());
        }
        let mut one = Box::pin(line.turn(&quiet, false));
        assert!(poll!(&mut one).is_pending());
        drop(held);
        assert!(poll!(&mut one).is_ready(), "the first round is not over");
    }

    #[tokio::test]
    async fn one_who_comes_back_late_in_a_round_still_has_its_call_in_the_next() {
        let (line, doors) = (Line::default(), Doors::default());
        let tenants = ["a", "b", "c", "slow"].map(|tenant| doors.of(tenant));
        // A round in which everyone calls, the slow one first.
        drop(line.turn(&tenants[3], false).await);
        let held = line.turn(&tenants[0], false).await;
        let mut second: Vec<_> = Vec::new();
        for tenant in &tenants[1..3] {
            second.push(Box::pin(line.turn(tenant, false)));
        }
        for waiting in &mut second {
            assert!(poll!(waiting).is_pending());
        }
        drop(held);
        let mut again = Box::pin(line.turn(&tenants[0], false));
        assert!(poll!(&mut again).is_pending());
        let mut slow = Box::pin(line.turn(&tenants[3], false));
        assert!(poll!(&mut slow).is_pending());
        let first = second.remove(0).await;
        drop(first);
        drop(second.remove(0).await);
        // `a` came back before the slow one, for the same round.
        assert!(poll!(&mut slow).is_pending());
        drop(again.await);
        assert!(poll!(&mut slow).is_ready());
    }

    #[tokio::test]
    async fn a_turn_is_handed_on_whenever_its_owner_gives_up() {
        let (line, doors) = (Line::default(), Doors::default());
        let tenants = ["a", "b", "c", "d"].map(|tenant| doors.of(tenant));
        let held = line.turn(&tenants[0], false).await;
        let mut waiting: Vec<_> = tenants[1..]
            .iter()
            .map(|tenant| Box::pin(line.turn(tenant, false)))
            .collect();
        for place in &mut waiting {
            assert!(poll!(place).is_pending());
        }
        let (mut d, c, b) = (waiting.pop().unwrap(), waiting.pop(), waiting.pop());
        drop(c); // while it waits
        drop(held); // b's turn, which it does not see any more
        drop(b);
        assert!(poll!(&mut d).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_at_a_time_has_the_turn_and_none_is_lost_whoever_gives_up_when() {
        let (line, doors) = (Arc::new(Line::default()), Doors::default());
        let taken = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut callers = Vec::new();
        for number in 0..32_u32 {
            let door = doors.of(&(number % 8).to_string());
            let (line, taken) = (Arc::clone(&line), Arc::clone(&taken));
            callers.push(tokio::spawn(async move {
                for call in 0..300 {
                    let mut turn = Box::pin(line.turn(&door, false));
                    let first_look = poll!(&mut turn);
                    if first_look.is_pending() && (call + number) % 3 == 0 {
                        tokio::task::yield_now().await;
                        continue; // gives up, called already or not
                    }
                    let _turn = match first_look {
                        Poll::Ready(turn) => turn,
                        Poll::Pending => turn.await,
                    };
                    assert!(!taken.swap(true, Ordering::AcqRel), "two have the turn");
                    tokio::task::yield_now().await;
                    taken.store(false, Ordering::Release);
                }
            }));
        }
        for caller in callers {
            caller.await.unwrap();
        }
        assert!(!unpoisoned(&line.state).is_taken);
    }

    #[test]
    fn doors_of_tenants_that_are_gone_are_forgotten() {
        let doors = Doors::default();
        let kept = doors.of("kept");
        for number in 0..10_000 {
            drop(doors.of(&number.to_string()));
        }
        assert!(unpoisoned(&doors.by_tenant).len() <= FEW_DOORS + 1);
        assert!(Arc::ptr_eq(&kept, &doors.of("kept")));
    }
}
