//! The running server of one dialect, on a thread of its own, and the handle that tests hold.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};

use super::calls::DialectCalls;
use super::config::DialectConfig;
use super::http;
use super::state::{DialectFault, State};
use super::truth::DialectTruth;

/// A simulated carrier that accepts calls. Dropping it stops it.
#[derive(Debug)]
pub struct DialectSimulator {
    address: SocketAddr,
    state: Arc<State>,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl DialectSimulator {
    /// Starts serving on `listener` and returns once calls are accepted.
    ///
    /// # Errors
    /// `InvalidInput` for a config that [`DialectConfig::validate`] refuses; else the system's own about the
    /// socket or the thread.
    pub fn start(config: DialectConfig, listener: TcpListener) -> io::Result<Self> {
        config
            .validate()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(config));
        let (started, ready) = mpsc::sync_channel(1);
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("dialect".to_owned())
            .spawn(move || serve(served, listener, &started))?;
        match ready.recv() {
            Ok(handle) => Ok(Self {
                address,
                state,
                handle,
                thread: Some(thread),
            }),
            Err(mpsc::RecvError) => Err(match thread.join() {
                Ok(Err(error)) => error,
                _ => io::Error::other("the simulator's server did not start"),
            }),
        }
    }

    /// Base address of the API, for `api_base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let path = self.state.config.dialect.base_path();
        format!("http://{}/{path}", self.address)
            .trim_end_matches('/')
            .to_owned()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is simulated.
    #[must_use]
    pub fn config(&self) -> &DialectConfig {
        &self.state.config
    }

    /// What is true of every SIM of an account, counted from 0.
    #[must_use]
    pub fn truth(&self, account: usize) -> Vec<DialectTruth> {
        let devices = self
            .state
            .config
            .accounts
            .get(account)
            .map_or(0, |account| account.devices);
        (0..devices)
            .map(|index| self.state.truth(&self.state.sim(account, index)))
            .collect()
    }

    /// What was asked since the start or the last reset.
    #[must_use]
    pub fn calls(&self) -> DialectCalls {
        self.state.calls.snapshot(None)
    }

    /// What one account asked, counted from 0; without its token calls, which carry no account yet.
    #[must_use]
    pub fn calls_of(&self, account: usize) -> DialectCalls {
        self.state.calls.snapshot(Some(account))
    }

    /// Forgets what was asked.
    pub fn reset_calls(&self) {
        self.state.calls.reset();
    }

    /// Puts a fault in force.
    pub fn inject(&self, fault: DialectFault) {
        self.state.inject(fault);
    }

    /// Ends every token that was sold, now.
    pub fn revoke_tokens(&self) {
        self.state.tokens.revoke();
    }

    /// Stops at once and waits until the port is free.
    ///
    /// # Errors
    /// The server's own, if it had ended with one.
    pub fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        drop(self.handle.stop(false));
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the simulator's server panicked")))
    }
}

impl Drop for DialectSimulator {
    fn drop(&mut self) {
        let _ = self.join();
    }
}

fn serve(
    state: Arc<State>,
    listener: TcpListener,
    started: &mpsc::SyncSender<ServerHandle>,
) -> io::Result<()> {
    let state = web::Data::from(state);
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/sim/devices.csv", web::get().to(http::devices))
                .default_service(web::to(http::handle))
        })
        .workers(2)
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(listener)?
        .run();
        let _ = started.send(server.handle());
        server.await
    })
}
