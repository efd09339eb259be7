//! The process in trouble
