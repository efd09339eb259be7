//! The running server of one dialect, on a thread of its own, and the handle that tests hold.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, http::header, rt, web,
};
use chrono::{DateTime, SubsecRound, Utc};

use super::calls::{Begun, CallLog, DialectCalls};
use super::config::{Dialect, DialectConfig};
use super::question::{Question, Reply};
use super::sims::{self, Sim};
use super::tokens::Tokens;
use super::truth::DialectTruth;
use super::window::Windows;
use super::{cisco, emnify, onence};

/// A call that is answered so never is in any test's patience.
const FOREVER: Duration = Duration::from_secs(3_600);
/// Status of a call whose caller has hung up.
const HUNG_UP: u16 = 0;

/// What goes wrong with calls of one endpoint.
#[derive(Debug, Clone)]
pub struct DialectFault {
    /// The endpoint as [`DialectCalls::by_endpoint`] names it.
    pub endpoint: String,
    /// Status of the refusal; 0: no answer comes.
    pub status: u16,
    /// How many calls.
    pub calls: usize,
}

/// What all workers share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: DialectConfig,
    /// The carrier's date, to the second; it stands still, so that the truth does.
    pub(super) now: DateTime<Utc>,
    pub(super) tokens: Tokens,
    /// Refusals of Cisco's so far.
    pub(super) refusals: AtomicUsize,
    calls: CallLog,
    windows: Windows,
    faults: Mutex<Vec<DialectFault>>,
    sold: AtomicUsize,
}

impl State {
    /// The SIM of this index.
    pub(super) fn sim(&self, account: usize, index: usize) -> Sim {
        Sim::generate(&self.config, account, index, self.now)
    }

    /// The SIM of this name, if the account has it.
    pub(super) fn sim_named(&self, account: usize, name: &str) -> Option<Sim> {
        let index = match self.config.dialect {
            Dialect::Emnify => {
                let first = sims::first_endpoint(account);
                usize::try_from(name.parse::<u64>().ok()?.checked_sub(first)?).ok()?
            }
            Dialect::OneNce | Dialect::Cisco => name.get(11..19)?.parse().ok()?,
        };
        let is_there = index < self.config.accounts[account].devices;
        let sim = is_there.then(|| self.sim(account, index))?;
        (sim.name(self.config.dialect) == name).then_some(sim)
    }

    /// A token that did not exist before, made of its number.
    pub(super) fn new_token(&self, account: usize, text: impl FnOnce(usize) -> String) -> String {
        let token = text(self.sold.fetch_add(1, Ordering::Relaxed));
        self.tokens
            .sell(token.clone(), account, self.config.token_lifetime);
        token
    }

    fn truth(&self, sim: &Sim) -> DialectTruth {
        match self.config.dialect {
            Dialect::OneNce => onence::truth(sim),
            Dialect::Emnify => emnify::truth(sim),
            Dialect::Cisco => cisco::truth(sim),
        }
    }

    fn account(&self, question: &Question) -> Option<usize> {
        match self.config.dialect {
            Dialect::OneNce => onence::account(self, question),
            Dialect::Emnify => emnify::account(self, question),
            Dialect::Cisco => cisco::account(self, question),
        }
    }

    fn answer(&self, question: &Question) -> Reply {
        match self.config.dialect {
            Dialect::OneNce => onence::answer(self, question),
            Dialect::Emnify => emnify::answer(self, question),
            Dialect::Cisco => cisco::answer(self, question),
        }
    }

    /// Whether the call is within every limit; `open` calls of its account are under way.
    fn admits(&self, account: Option<usize>, open: usize, endpoint: &str, now: Instant) -> bool {
        // Buying a token is counted by limits of its own, which no test comes near.
        let Some(account) = account else {
            return true;
        };
        if self.config.dialect == Dialect::Cisco && open > 1 {
            return false;
        }
        self.windows.admit(account, endpoint, now)
    }

    fn too_fast(&self) -> Reply {
        match self.config.dialect {
            Dialect::Cisco => cisco::too_fast(self),
            Dialect::OneNce | Dialect::Emnify => Reply::empty(429),
        }
    }

    /// The fault that this call meets.
    fn fault(&self, endpoint: &str) -> Option<u16> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults
            .iter_mut()
            .find(|fault| fault.endpoint == endpoint && fault.calls > 0)?;
        fault.calls -= 1;
        Some(fault.status)
    }
}

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
        let state = Arc::new(State {
            now: config.now.unwrap_or_else(Utc::now).trunc_subsecs(0),
            tokens: Tokens::default(),
            refusals: AtomicUsize::new(0),
            calls: CallLog::default(),
            windows: Windows::new(config.limits.clone()),
            faults: Mutex::default(),
            sold: AtomicUsize::new(0),
            config,
        });
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
        let faults = &self.state.faults;
        faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
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
                .route("/sim/devices.csv", web::get().to(devices))
                .default_service(web::to(handle))
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

/// `device_id,carrier_device_id` of an account, to be imported; `?account=2` names another than the first.
async fn devices(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let query = web::Query::<HashMap<String, usize>>::from_query(request.query_string());
    let account = query
        .ok()
        .and_then(|query| query.get("account").copied())
        .unwrap_or(1);
    let Some(account) = account
        .checked_sub(1)
        .filter(|at| *at < state.config.accounts.len())
    else {
        return HttpResponse::NotFound().finish();
    };
    let mut csv = String::from("device_id,carrier_device_id\n");
    for index in 0..state.config.accounts[account].devices {
        let name = state.sim(account, index).name(state.config.dialect);
        csv.push_str(&format!("unit-{}-{index},{name}\n", account + 1));
    }
    HttpResponse::Ok().content_type("text/csv").body(csv)
}

async fn handle(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    let arrived = Instant::now();
    let Some(question) = question(&request, &body, state.config.dialect) else {
        return HttpResponse::NotFound().body("<html>not here</html>");
    };
    let (account, endpoint) = (state.account(&question), question.endpoint());
    let begun = state.calls.begin(account, arrived);
    let mut call = OpenCall {
        state: &state,
        begun,
        endpoint,
        status: HUNG_UP,
    };
    let reply = match state.fault(&call.endpoint) {
        Some(HUNG_UP) => {
            rt::time::sleep(FOREVER).await;
            Reply::empty(504)
        }
        Some(status) => Reply::empty(status),
        None if !state.admits(account, begun.open, &call.endpoint, arrived) => state.too_fast(),
        None => {
            if !state.config.latency.is_zero() {
                rt::time::sleep(state.config.latency).await;
            }
            state.answer(&question)
        }
    };
    call.status = reply.status;
    drop(call);
    respond(reply)
}

/// Counted when it ends, also when its caller hangs up.
struct OpenCall<'a> {
    state: &'a State,
    begun: Begun,
    endpoint: String,
    status: u16,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let endpoint = std::mem::take(&mut self.endpoint);
        self.state.calls.end(self.begun, endpoint, self.status);
    }
}

fn question(request: &HttpRequest, body: &[u8], dialect: Dialect) -> Option<Question> {
    let path = request.path().trim_start_matches('/');
    let below = match dialect.base_path() {
        "" => path,
        // `rws/api/v10` is another address.
        base => path.strip_prefix(base)?.strip_prefix('/')?,
    };
    let query = web::Query::<HashMap<String, String>>::from_query(request.query_string());
    let authorization = request.headers().get(header::AUTHORIZATION);
    let segments = below.trim_matches('/').split('/');
    Some(Question {
        is_post: request.method() == actix_web::http::Method::POST,
        path: segments.map(str::to_owned).collect(),
        query: query.ok()?.into_inner(),
        authorization: authorization
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: body.to_vec(),
    })
}

fn respond(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    match reply.body {
        Some(body) => response.json(body),
        None => response.finish(),
    }
}
