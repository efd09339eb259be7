//! The one HTTP client: every call to every carrier goes through here.
//!
//! It adds what the carriers' dialects leave out: the base address and the credentials, a deadline, a
//! cap on the answer, permits, retries, and the egress guard. It knows no device and no database, and
//! what a body means is the [`Walk`](crate::carriers::Walk)'s business.
//!
//! ```text
//!  Request ─► permit ─────────────► send ─► status, body cap ─► Walk::read ─► Page
//!             pause · pace · rate    │            │                  │
//!             class, account, host   └── retry ◄──┴─ CallError ◄─────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `call.rs` | one call: token, permit, attempts, page |
//! | `destination.rs` | where an account's requests go and what they prove themselves with |
//! | `meter.rs` | what one sync spends |
//! | `traffic.rs` | how each attempt ended, told to whoever counts |
//! | `transport.rs` | one attempt: request out, status and capped body in |
//! | `failure.rs` | why an attempt brought nothing; one decision per status |
//! | `error.rs` | [`CallError`], named by what the caller does next |
//! | `limits.rs` | what a carrier allows; all limiters of the process |
//! | `limiter.rs` | permits of one account: pause, class, slot, account, host |
//! | `caller.rs` | an account as one tenant calls it |
//! | `host.rs` | one host, for all its accounts |
//! | `line.rs` | tenants that share a scope take turns |
//! | `scope.rs` | what calls pass: a host, an account, a class of endpoints of either |
//! | `gate.rs` | one scope: a rate and windows, waited for and taken apart |
//! | `rate.rs` | a steady rate with a burst |
//! | `window.rs` | pure: at most so many calls in any interval of a length |
//! | `token.rs` | one account's token: bought by one at a time, renewed, given back |
//! | `remembered.rs` | what outlives its users, and when it is forgotten |
//! | `tokens.rs` | the keepers of all accounts' tokens |
//! | `purchase.rs` | buying a token: where, with what, and what a refusal means |
//! | `throttle.rs` | pure: what a 429 does to an account's pace |
//! | `hint.rs` | pure: what a carrier says is left |
//! | `monotonic.rs` | the clock of the limits |
//! | `retry.rs` | pure: `Retry-After`, backoff |
//! | `egress.rs` | which addresses may be called at all |
//! | `allowed_hosts.rs` | the operator's own list of hosts |
//! | `scrub.rs` | carriers' texts without secrets |

pub mod allowance;
pub mod allowed_hosts;
pub mod call;
pub mod caller;
pub mod destination;
pub mod egress;
pub mod error;
pub mod failure;
pub mod gate;
pub mod hint;
mod host;
pub mod limiter;
pub mod limits;
mod line;
pub mod meter;
mod monotonic;
pub mod purchase;
pub mod rate;
mod remembered;
pub mod retry;
mod scope;
pub mod scrub;
mod slots;
pub mod throttle;
pub mod token;
pub mod tokens;
pub mod traffic;
pub mod transport;
pub mod window;

pub use allowance::Allowance;
pub use allowed_hosts::AllowedHosts;
pub use call::CarrierClient;
pub use caller::Caller;
pub use error::{CallError, SetUpError};
pub use gate::Tier;
pub use hint::LimitHint;
pub use limits::{AccountLimiter, CarrierLimits, Endpoint, Limits};
pub use meter::CallMeter;
pub use rate::RateLimit;
pub use tokens::Tokens;
pub use traffic::Traffic;
pub use transport::{Transport, TransportConfig};
pub use window::Window;
