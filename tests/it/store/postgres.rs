//! The suite on Postgres, where the service is the role that row-level security binds.

use super::conformance::on_engine;
use super::fleet::Fleet;

on_engine!(Fleet::postgres());
