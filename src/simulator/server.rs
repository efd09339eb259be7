//! The running simulator: its server on a thread of its own, and the handle that tests and the demo hold.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Instant,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use chrono::Utc;

use super::{
    admin, api, auth::Keyring, call_log::CallLog, calls::Calls, config::SimulatorConfig,
    draw::Draw, fault::Fault, faults::Faults, fleet::Fleet, limiter::Limiter, rendered::Rendered,
    spoil::keep_wire, truth::Truth,
};

/// What all workers share.
#[derive(Debug)]
pub(super) struct State {
    pub config: SimulatorConfig,
    pub keyring: Keyring,
    pub limiter: Limiter,
    pub faults: Faults,
    pub calls: CallLog,
    pub rendered: Rendered,
    pub draw: Draw,
    /// `http://ADDRESS:PORT`.
    pub origin: String,
    fleet: Fleet,
    started: Instant,
}

impl State {
    /// The fleet that is true for an organisation: with what it used since the start, and what
    /// standing faults have made of it.
    pub(super) fn true_fleet(&self, org_id: u64) -> Fleet {
        self.faults.change_truth(self.fleet_now(), org_id)
    }

    /// Whether the same question has the same answer, now and later.
    pub(super) fn stands_still(&self) -> bool {
        self.config.growth_bytes_per_second == 0 && self.faults.are_none()
    }

    /// The fleet with what it used since the start.
    pub(super) fn fleet_now(&self) -> Fleet {
        let seconds = self.started.elapsed().as_secs();
        self.fleet
            .grown_by(self.config.growth_bytes_per_second.saturating_mul(seconds))
    }
}

/// A simulated carrier that accepts calls. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    state: Arc<State>,
    handle: ServerHandle,
    /// Taken when the simulator is stopped.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Simulator {
    /// Starts serving on `listener` and returns once calls are accepted.
    ///
    /// The server runs on its own thread and runtime, so a caller may block or be single-threaded.
    ///
    /// # Errors
    /// `InvalidInput` for a config that [`SimulatorConfig::validate`] refuses; else the system's
    /// own error about the socket or the thread.
    pub fn start(config: SimulatorConfig, listener: TcpListener) -> io::Result<Self> {
        config
            .validate()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Self::state(config, address));
        let (sender, receiver) = mpsc::sync_channel(1);
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || serve(served, listener, &sender))?;
        match receiver.recv() {
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

    fn state(config: SimulatorConfig, address: SocketAddr) -> State {
        let now = config.now.unwrap_or_else(Utc::now).timestamp();
        let fleet = Fleet::new(&config, now);
        State {
            keyring: Keyring::new(&fleet),
            limiter: Limiter::new(config.requests_per_second, config.burst),
            faults: Faults::new(Draw::seeded(config.seed), &config.faults),
            calls: CallLog::new(),
            rendered: Rendered::default(),
            draw: Draw::seeded(config.seed),
            origin: format!("http://{address}"),
            fleet,
            started: Instant::now(),
            config,
        }
    }

    /// Base address of the API, for `api_base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/api/1", self.state.origin)
    }

    /// Address of the simulator's own endpoints: `…/sim/truth`, `…/sim/calls`, `…/sim/faults`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("{}/sim", self.state.origin)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The instant at which the carrier's calendar stands.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<Utc> {
        super::time::to_utc(self.state.fleet.now)
    }

    /// What is true of every device of an organisation, highest id first; empty for an unknown one.
    #[must_use]
    pub fn truth(&self, org_id: u64) -> Vec<Truth> {
        let fleet = self.state.true_fleet(org_id);
        let accounts: Vec<_> = fleet.account(org_id).into_iter().collect();
        fleet
            .devices_below(&accounts, None)
            .filter_map(|device| Truth::of(&device))
            .collect()
    }

    /// What was asked since the start or the last reset.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.state.calls.snapshot()
    }

    /// Microseconds since the start or the last reset: now, as [`Calls::arrivals`] counts it.
    #[must_use]
    pub fn log_age_micros(&self) -> u64 {
        self.state.calls.age_micros()
    }

    /// Forgets what was asked.
    pub fn reset_calls(&self) {
        self.state.calls.reset();
    }

    /// Puts a fault in force, after those already in force. One that [`Fault::validate`] refuses
    /// strikes no call.
    pub fn inject(&self, fault: Fault) {
        self.state.faults.inject(fault);
    }

    /// Ends all faults; revoked keys work again.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Stops at once, dropping calls under way, and waits until the port is free.
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
        // The command is sent when the future is made; joining the thread is the wait.
        drop(self.handle.stop(false));
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the simulator's server panicked")))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.join();
    }
}

fn serve(
    state: Arc<State>,
    listener: TcpListener,
    started: &mpsc::SyncSender<ServerHandle>,
) -> io::Result<()> {
    let workers = state.config.workers;
    let state = web::Data::from(state);
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .configure(api::routes)
                .configure(admin::routes)
        })
        .workers(workers)
        .on_connect(keep_wire)
        // A caller that hung up is no longer calling; otherwise its timeout would inflate the peaks.
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(listener)?
        .run();
        // The socket has been listening since it was bound, so calls queue from here on.
        let _ = started.send(server.handle());
        server.await
    })
}
