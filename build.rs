//! Tells the program which commit it is built from, for `--version` and the metrics: `CARRIER_SYNC_COMMIT` where
//! whoever packages it sets that, else git's word. Of releases only: a build that changed with every commit would
//! be made anew with every commit.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARRIER_SYNC_COMMIT");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = std::env::var("CARRIER_SYNC_COMMIT").ok();
    let commit = given
        .filter(|commit| !commit.is_empty())
        .or_else(|| is_release.then(of_git)?);
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=CARRIER_SYNC_VERSION={version}");
}

/// `None` outside of a checkout.
fn of_git() -> Option<String> {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    let arguments = [
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude=*",
    ];
    let said = Command::new("git").args(arguments).output().ok()?;
    let commit = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (said.status.success() && !commit.is_empty()).then_some(commit)
}
