//! The one HTTP client: every call to every carrier goes through here.
//!
//! It adds what the carriers' dialects leave out: the base address and the credentials, a deadline, a
//! cap on the answer, permits, retries, and the egress guard. It knows no device and no database, and
//! what a body means is the [`Walk`](crate::carriers::Walk)'s business.
//!
//! ```text
//!  Request ─► permit ─────────────► send ─► status, body cap ─► Walk::read ─► Page
//!             pause · pace · rate    │            │                  │
//!             account, then host     └── retry ◄──┴─ CallError ◄─────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `call.rs` | one call: token, permit, attempts, page |
//! | `destination.rs` | where an account's requests go and what they prove themselves with |
//! | `meter.rs` | what one sync spends |
//! | `transport.rs` | one attempt: request out, status and capped body in |
//! | `error.rs` | [`CallError`], named by what the caller does next |
//! | `limits.rs` | permits: rate, concurrency and pause of an account, rate of a host |
//! | `accounts.rs` | the limiters of all accounts, and when one is forgotten |
//! | `rate.rs` | a steady rate with a burst, first come, first served |
//! | `token.rs` | one account's token: bought by one at a time, renewed, given back |
//! | `tokens.rs` | the keepers of all accounts' tokens |
//! | `purchase.rs` | buying a token: where, with what, and what a refusal means |
//! | `throttle.rs` | pure: what a 429 does to an account's pace |
//! | `retry.rs` | pure: `Retry-After`, backoff |
//! | `egress.rs` | which addresses may be called at all |
//! | `allowed_hosts.rs` | the operator's own list of hosts |
//! | `scrub.rs` | carriers' texts without secrets |

mod accounts;
pub mod allowed_hosts;
pub mod call;
pub mod destination;
pub mod egress;
pub mod error;
pub mod limits;
pub mod meter;
pub mod purchase;
pub mod rate;
pub mod retry;
pub mod scrub;
pub mod throttle;
pub mod token;
pub mod tokens;
pub mod transport;

pub use allowed_hosts::AllowedHosts;
pub use call::CarrierClient;
pub use error::{CallError, SetUpError};
pub use limits::{AccountLimiter, Limits};
pub use meter::CallMeter;
pub use rate::RateLimit;
pub use tokens::Tokens;
pub use transport::{Transport, TransportConfig};
