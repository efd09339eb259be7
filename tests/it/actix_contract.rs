//! What the actors rely on in actix 0.13, pinned: an upgrade that changes one of these must be seen
//! here and not in production. Knows nothing of carrier-sync but `spawn_watched`.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use actix::prelude::*;
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::supervision::ExitReason;
use tokio::sync::oneshot;

use crate::fleet::in_system;

/// Does as it is told, and counts what befalls it.
#[derive(Default)]
struct Probe {
    seen: Seen,
}

#[derive(Debug, Clone, Default)]
struct Seen(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    started: AtomicUsize,
    stopping: AtomicUsize,
    stopped: AtomicUsize,
    stopped_unwinding: AtomicUsize,
    restarting: AtomicUsize,
    handled: AtomicUsize,
}

impl Seen {
    fn probe(&self) -> Probe {
        Probe { seen: self.clone() }
    }

    fn of(&self, counter: impl Fn(&Counts) -> &AtomicUsize) -> usize {
        counter(&self.0).load(Ordering::SeqCst)
    }
}

impl Probe {
    fn count(&self, counter: impl Fn(&Counts) -> &AtomicUsize) {
        counter(&self.seen.0).fetch_add(1, Ordering::SeqCst);
    }
}

impl Actor for Probe {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.count(|seen| &seen.started);
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.count(|seen| &seen.stopping);
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.count(|seen| &seen.stopped);
        if std::thread::panicking() {
            self.count(|seen| &seen.stopped_unwinding);
        }
    }
}

impl Supervised for Probe {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.count(|seen| &seen.restarting);
    }
}

/// Run a closure inside the actor.
#[derive(Message)]
#[rtype(result = "()")]
struct Do(
    #[allow(clippy::type_complexity)] Box<dyn FnOnce(&mut Probe, &mut Context<Probe>) + Send>,
);

impl Do {
    fn this(work: impl FnOnce(&mut Probe, &mut Context<Probe>) + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    fn panic() -> Self {
        Self::this(|_, _| panic!("as told"))
    }

    fn nothing() -> Self {
        Self::this(|_, _| {})
    }
}

impl Handler<Do> for Probe {
    type Result = ();

    fn handle(&mut self, Do(work): Do, ctx: &mut Self::Context) {
        self.count(|seen| &seen.handled);
        work(self, ctx);
    }
}

/// A probe whose end is told.
fn watched(
    seen: &Seen,
) -> (
    Addr<Probe>,
    tokio::task::AbortHandle,
    oneshot::Receiver<ExitReason>,
) {
    let (told, exit) = oneshot::channel();
    let (address, kill) = spawn_watched(seen.probe(), 4, |reason| {
        let _ = told.send(reason);
    });
    (address, kill, exit)
}

#[test]
fn a_context_run_as_a_task_tells_how_its_actor_ended() {
    in_system(async {
        let seen = Seen::default();
        let (address, _, exit) = watched(&seen);
        address.do_send(Do::this(|_, ctx| ctx.stop()));
        assert_eq!(exit.await, Ok(ExitReason::Stopped));

        let (address, _, exit) = watched(&seen);
        address.do_send(Do::panic());
        assert_eq!(exit.await, Ok(ExitReason::Panicked("as told".to_owned())));

        let (_address, kill, exit) = watched(&seen);
        kill.abort();
        assert_eq!(exit.await, Ok(ExitReason::Killed));
    });
}

#[test]
fn an_actor_that_nobody_can_reach_and_that_has_nothing_to_do_ends_by_itself() {
    in_system(async {
        let (address, _, exit) = watched(&Seen::default());
        drop(address);
        assert_eq!(exit.await, Ok(ExitReason::Stopped));
    });
}

#[test]
fn a_panic_ends_the_actor_for_good_and_everyone_who_waits_for_it_is_told() {
    in_system(async {
        let seen = Seen::default();
        let (address, _, exit) = watched(&seen);
        let panicking = address.send(Do::panic());
        let behind_it = address.send(Do::nothing());
        assert!(matches!(panicking.await, Err(MailboxError::Closed)));
        assert!(matches!(behind_it.await, Err(MailboxError::Closed)));
        assert!(exit.await.is_ok());
        assert!(!address.connected());
        assert!(matches!(
            address.send(Do::nothing()).await,
            Err(MailboxError::Closed)
        ));
        assert_eq!(seen.of(|seen| &seen.started), 1, "nothing started it again");
        assert_eq!(
            seen.of(|seen| &seen.handled),
            1,
            "what was queued is dropped unseen"
        );
    });
}

#[test]
fn a_panic_leaves_the_other_actors_of_the_arbiter_alive() {
    in_system(async {
        let (dying, _, exit) = watched(&Seen::default());
        let (other, _, _other_exit) = watched(&Seen::default());
        dying.do_send(Do::panic());
        assert!(exit.await.is_ok());
        assert!(other.send(Do::nothing()).await.is_ok());
    });
}

#[test]
fn actix_supervisor_restarts_after_a_stop_at_once_but_never_after_a_panic() {
    in_system(async {
        let seen = Seen::default();
        let probe = seen.probe();
        let address = actix::Supervisor::start(|_| probe);
        address.send(Do::this(|_, ctx| ctx.stop())).await.unwrap();
        address.send(Do::nothing()).await.unwrap();
        assert_eq!(
            seen.of(|seen| &seen.restarting),
            1,
            "no backoff, the same value"
        );

        assert!(address.send(Do::panic()).await.is_err());
        assert!(address.send(Do::nothing()).await.is_err(), "it is gone");
        assert_eq!(seen.of(|seen| &seen.restarting), 1, "a panic is no restart");
    });
}

#[test]
fn stopping_and_stopped_also_run_while_a_panic_unwinds() {
    in_system(async {
        let seen = Seen::default();
        let (address, _, exit) = watched(&seen);
        address.do_send(Do::panic());
        assert!(exit.await.is_ok());
        assert_eq!(seen.of(|seen| &seen.stopping), 1);
        assert_eq!(
            seen.of(|seen| &seen.stopped_unwinding),
            1,
            "a panic in `stopped` would abort the process: keep it trivial"
        );
    });
}

#[test]
fn a_kill_runs_stopped_too() {
    in_system(async {
        let seen = Seen::default();
        let (_address, kill, exit) = watched(&seen);
        kill.abort();
        assert!(exit.await.is_ok());
        let stopped = (
            seen.of(|seen| &seen.stopped),
            seen.of(|seen| &seen.stopped_unwinding),
        );
        assert!(stopped.0 <= 1 && stopped.1 == 0, "{stopped:?}");
    });
}

/// Keeps the actor's mailbox from being read until released. `ctx.wait` is the only way, and the
/// reason why the service never uses it on I/O.
async fn deafen(address: &Addr<Probe>) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel::<()>();
    let deaf = Do::this(|_, ctx| {
        ctx.wait(actix::fut::wrap_future::<_, Probe>(async {
            let _ = released.await;
        }));
    });
    address.send(deaf).await.unwrap();
    release
}

#[test]
fn a_waiting_context_hears_nothing_until_its_wait_is_over() {
    in_system(async {
        let (address, _, _exit) = watched(&Seen::default());
        let release = deafen(&address).await;
        let unheard = tokio::time::timeout(Duration::from_millis(50), address.send(Do::nothing()));
        assert!(unheard.await.is_err());
        release.send(()).unwrap();
        assert!(address.send(Do::nothing()).await.is_ok());
    });
}

#[test]
fn a_mailbox_bound_is_soft() {
    in_system(async {
        let seen = Seen::default();
        let (address, _, _exit) = watched(&seen);
        let release = deafen(&address).await;
        let refused = (0..100)
            .filter(|_| address.try_send(Do::nothing()).is_err())
            .count();
        assert!(
            refused > 90,
            "try_send keeps the bound of 4: {refused} of 100 refused"
        );
        for _ in 0..1_000 {
            address.do_send(Do::nothing());
        }
        let mut waiting: Vec<_> = (0..1_000)
            .map(|_| Box::pin(address.clone().send(Do::nothing())))
            .collect();
        for send in &mut waiting {
            assert!(futures_util::poll!(send).is_pending());
        }
        release.send(()).unwrap();
        futures_util::future::join_all(waiting).await;
        let handled = seen.of(|seen| &seen.handled) - 1;
        assert_eq!(
            handled,
            100 - refused + 2_000,
            "do_send and fresh senders pass the bound"
        );
    });
}

#[test]
fn one_sender_that_awaits_its_reply_has_one_message_in_the_mailbox() {
    in_system(async {
        let seen = Seen::default();
        let (address, _, _exit) = watched(&seen);
        let release = deafen(&address).await;
        let mut first = Box::pin(address.send(Do::nothing()));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(
            seen.of(|seen| &seen.handled),
            1,
            "only the message that deafened it"
        );
        release.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(seen.of(|seen| &seen.handled), 2);
    });
}

#[test]
fn run_interval_makes_up_for_a_stall_in_one_burst_and_run_later_does_not() {
    const PERIOD: Duration = Duration::from_millis(20);
    in_system(async {
        let (address, _, _exit) = watched(&Seen::default());
        let (bursting, steady) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (interval_ticks, later_ticks) = (Arc::clone(&bursting), Arc::clone(&steady));
        let begin = Do::this(move |_, ctx| {
            ctx.run_interval(PERIOD, move |_, _| {
                interval_ticks.fetch_add(1, Ordering::SeqCst);
            });
            tick_later(later_ticks, ctx);
        });
        address.send(begin).await.unwrap();
        let ticks = move || {
            (
                bursting.load(Ordering::SeqCst),
                steady.load(Ordering::SeqCst),
            )
        };
        let (told, stalled) = oneshot::channel();
        let seen = ticks.clone();
        // Holds the arbiter's thread, as a blocking call would, for twenty periods.
        let stall = Do::this(move |_, _| {
            std::thread::sleep(20 * PERIOD);
            let _ = told.send((seen(), std::time::Instant::now()));
        });
        address.send(stall).await.unwrap();
        let (before, end_of_stall) = stalled.await.unwrap();
        while ticks().0 < before.0 + 15 {
            tokio::task::yield_now().await;
        }
        let honest =
            usize::try_from(end_of_stall.elapsed().as_millis() / PERIOD.as_millis()).unwrap();
        let after = ticks();
        assert!(
            after.0 - before.0 >= honest + 10,
            "{before:?}, {after:?}, {honest} periods"
        );
        assert!(
            after.1 - before.1 <= honest + 2,
            "{before:?}, {after:?}, {honest} periods"
        );
    });
}

fn tick_later(ticks: Arc<AtomicUsize>, ctx: &mut Context<Probe>) {
    ctx.run_later(Duration::from_millis(20), move |_, ctx| {
        ticks.fetch_add(1, Ordering::SeqCst);
        tick_later(ticks, ctx);
    });
}

#[test]
fn a_panic_in_a_task_of_its_own_is_a_value_to_the_actor() {
    in_system(async {
        let (address, _, _exit) = watched(&Seen::default());
        let (told, joined) = oneshot::channel();
        let work = Do::this(move |_, ctx| {
            let task = tokio::spawn(async { panic!("contained") });
            ctx.spawn(task.into_actor_future(told));
        });
        address.send(work).await.unwrap();
        assert_eq!(
            joined.await,
            Ok(ExitReason::Panicked("contained".to_owned()))
        );
        assert!(address.send(Do::nothing()).await.is_ok(), "the actor lives");
    });
}

trait IntoActorFuture {
    fn into_actor_future(
        self,
        told: oneshot::Sender<ExitReason>,
    ) -> impl ActorFuture<Probe, Output = ()> + 'static;
}

impl IntoActorFuture for tokio::task::JoinHandle<()> {
    fn into_actor_future(
        self,
        told: oneshot::Sender<ExitReason>,
    ) -> impl ActorFuture<Probe, Output = ()> + 'static {
        actix::fut::wrap_future::<_, Probe>(self).map(move |joined, _, _| {
            let _ = told.send(ExitReason::of(joined));
        })
    }
}

#[test]
fn a_panic_in_the_actors_own_future_is_not_contained() {
    in_system(async {
        let (address, _, exit) = watched(&Seen::default());
        let work = Do::this(|_, ctx| {
            ctx.spawn(actix::fut::wrap_future::<_, Probe>(async {
                panic!("uncontained")
            }));
        });
        address.do_send(work);
        assert_eq!(
            exit.await,
            Ok(ExitReason::Panicked("uncontained".to_owned()))
        );
    });
}

#[test]
fn what_an_actor_has_spawned_ends_with_it_but_a_task_of_its_own_does_not() {
    in_system(async {
        let (address, _, exit) = watched(&Seen::default());
        let (inner_alive, inner) = oneshot::channel::<()>();
        let (outer_end, outer) = oneshot::channel::<()>();
        let (release, released) = oneshot::channel::<()>();
        let work = Do::this(move |_, ctx| {
            ctx.spawn(actix::fut::wrap_future::<_, Probe>(async move {
                let _held = inner_alive;
                pending::<()>().await;
            }));
            tokio::spawn(async move {
                let _ = released.await;
                let _ = outer_end.send(());
            });
            ctx.stop();
        });
        address.do_send(work);
        assert!(exit.await.is_ok());
        assert!(inner.await.is_err(), "dropped with the context");
        release.send(()).unwrap();
        assert!(
            outer.await.is_ok(),
            "runs on: whoever wants it ended must keep a handle"
        );
    });
}

#[test]
fn actors_share_one_thread_and_spawned_work_runs_on_others() {
    in_system(async {
        let arbiter = std::thread::current().id();
        let mut threads: Vec<ThreadId> = Vec::new();
        for _ in 0..4 {
            let (address, _, _exit) = watched(&Seen::default());
            let (told, thread) = oneshot::channel();
            let ask = Do::this(|_, _| {
                let _ = told.send(std::thread::current().id());
            });
            address.send(ask).await.unwrap();
            threads.push(thread.await.unwrap());
        }
        assert!(threads.iter().all(|thread| *thread == arbiter));

        // A worker that blocks proves that it is not the arbiter: that one goes on answering.
        let (address, _, _exit) = watched(&Seen::default());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let heavy = tokio::spawn(async move {
            let _ = held.recv();
            std::thread::current().id()
        });
        address.send(Do::nothing()).await.unwrap();
        release.send(()).unwrap();
        assert_ne!(heavy.await.unwrap(), arbiter);
    });
}
