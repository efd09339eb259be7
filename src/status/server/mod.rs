//! The HTTP server that operators and their machines ask: the status page, the API, figures, whether the process
//! lives and can do its work. Reads the board and the database and asks no actor. What operators want done it
//! passes on (`control.rs`).
//!
//! On a thread and a runtime of its own, so that it answers while everything else is stuck. What it asks the
//! database runs where the database's connections live.
//!
//! | file | holds |
//! |---|---|
//! | `access.rs`, `guard.rs`, `sessions.rs` | who gets in: by address, by token, by a browser's key |
//! | `api/` | the answers for programs |
//! | `listener.rs` | the port or socket |
//! | `pages/` | the answers for people |
//! | `params.rs`, `problem.rs` | what is asked with, and why it is not answered |
//! | `readiness.rs` | why the service cannot do its work |
//! | `routes.rs` | what is asked, and who answers |
//! | `scrape.rs` | the figures, put together once for those who ask at once |

mod access;
mod api;
mod guard;
mod listener;
mod pages;
mod params;
mod problem;
pub mod readiness;
mod routes;
mod scrape;
mod sessions;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{HttpServer, web};
use secrecy::SecretString;

use self::guard::Guard;
use self::listener::Listener;
pub use self::readiness::Readiness;
use self::scrape::Scrape;
use super::{Address, Control, Fleet};

/// Threads that answer.
const WORKERS: usize = 2;
/// Connections at once, of each worker; more wait.
const MAX_CONNECTIONS: usize = 256;
/// A request's head must be here within this.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// A connection without a request is kept for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Answers under way may be finished within this when the server ends.
const STOP_DEADLINE_SECONDS: u64 = 2;

/// What the server answers with.
#[derive(Debug)]
pub struct ServerParts {
    /// Whether the service can do its work.
    pub readiness: Readiness,
    /// What is known of the fleet.
    pub fleet: Fleet,
    /// What can be asked of the service.
    pub control: Arc<dyn Control>,
    /// Integrations that metrics tell one by one, at most.
    pub max_integrations: usize,
    /// Opens what is not for everyone.
    pub token: Option<SecretString>,
}

/// A running server.
#[derive(Debug)]
pub struct StatusServer {
    address: Address,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl StatusServer {
    /// Listens at `address` and answers from then on; `None` where there is none to listen at.
    ///
    /// # Errors
    /// The system's own: the address is taken, or not ours.
    pub fn start(address: &Address, parts: ServerParts) -> io::Result<Option<Self>> {
        let Some(listener) = Listener::bind(address)? else {
            return Ok(None);
        };
        let bound = listener.address()?;
        parts.fleet.look_ahead();
        let answers = web::Data::new(routes::Answers {
            guard: Guard::new(parts.token, !bound.is_local()),
            sessions: sessions::Sessions::at(&bound),
            scrape: Scrape::default(),
            readiness: parts.readiness,
            fleet: parts.fleet,
            control: parts.control,
            max_integrations: parts.max_integrations,
        });
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("status".to_owned())
            .spawn(move || serve(answers, listener, &sender))?;
        match receiver.recv() {
            Ok(handle) => Ok(Some(Self {
                address: bound,
                handle,
                thread: Some(thread),
            })),
            Err(mpsc::RecvError) => Err(match thread.join() {
                Ok(Err(error)) => error,
                _ => io::Error::other("the status server did not start"),
            }),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        // The command is sent when the future is made; joining the thread is the wait.
        drop(self.handle.stop(true));
        let _ = self.thread.take().map(JoinHandle::join);
        listener::remove(&self.address);
    }
}

fn serve(
    answers: web::Data<routes::Answers>,
    listener: Listener,
    started: &mpsc::SyncSender<ServerHandle>,
) -> io::Result<()> {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || routes::app(answers.clone()))
            .workers(WORKERS)
            .max_connections(MAX_CONNECTIONS)
            .client_request_timeout(REQUEST_DEADLINE)
            .client_disconnect_timeout(Duration::from_secs(1))
            .keep_alive(KEEP_ALIVE)
            .shutdown_timeout(STOP_DEADLINE_SECONDS)
            .disable_signals();
        let server = match listener {
            Listener::Tcp(listener) => server.listen(listener)?,
            Listener::Unix(listener, _) => server.listen_uds(listener)?,
        };
        let server = server.run();
        // The socket has been listening since it was bound, so requests queue from here on.
        let _ = started.send(server.handle());
        server.await
    })
}
