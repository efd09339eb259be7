//! Starting an actor so that its end is noticed: its context runs as a task whose join handle tells
//! why it ended, a panic included. actix itself drops a panicked actor without a word.

use actix::{Actor, Addr, Context};
use tokio::task::AbortHandle;

use crate::supervision::ExitReason;

/// Starts `actor` on the current arbiter; `on_exit` is called once, however it ends.
///
/// The handle kills it: for an actor that no longer answers.
pub fn spawn_watched<A>(
    actor: A,
    mailbox: usize,
    on_exit: impl FnOnce(ExitReason) + 'static,
) -> (Addr<A>, AbortHandle)
where
    A: Actor<Context = Context<A>>,
{
    let mut context = Context::new();
    context.set_mailbox_capacity(mailbox);
    let future = context.into_future(actor);
    let address = future.address();
    let task = actix::spawn(future);
    let abort = task.abort_handle();
    actix::spawn(async move { on_exit(ExitReason::of(task.await)) });
    (address, abort)
}
