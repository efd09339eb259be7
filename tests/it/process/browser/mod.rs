//! The status page in a real browser: what a person finds, with scripts and without, in the dark, on a phone, by
//! keyboard. What was seen is kept in `target/screenshots/`.

mod driver;
mod pages;
mod reach;
mod walk;

use driver::{Browser, Look};
