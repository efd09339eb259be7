//! What crosses a boundary, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod simulator;
