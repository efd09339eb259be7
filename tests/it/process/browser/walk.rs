//! A new operator's walk: start the demo, open its page, find what fails and why, mend it, see it recover.

use super::super::{Running, until};
use super::{Browser, Look};
use crate::cli::User;

/// What the demo says of itself.
struct Told {
    page: String,
    token: String,
    key: String,
    mend: Vec<String>,
}

/// Reads it as a person would, and takes the commands that it gives.
fn read(demo: &Running) -> Told {
    let lines = until("the demo says how to mend what is broken", || {
        let lines = demo.stdout.now();
        lines
            .iter()
            .any(|line| line.contains("echo "))
            .then_some(lines)
    });
    let after = |mark: &str| {
        let line = lines.iter().find(|line| line.contains(mark)).unwrap();
        line.split_once(mark).unwrap().1.trim().to_owned()
    };
    let command = after("echo ");
    let (key, command) = command.split_once(" | carrier-sync ").unwrap();
    Told {
        page: after("  status "),
        token: after("sign in with "),
        key: key.to_owned(),
        mend: command.split(' ').map(str::to_owned).collect(),
    }
}

#[test]
fn a_new_operator_finds_what_fails_mends_it_and_sees_it_recover() {
    let user = User::new();
    let demo = ["demo", "--for", "10m", "--devices", "60", "--port", "0"];
    let demo = Running::start(user.command(&demo));
    let told = read(&demo);
    let browser = Browser::open(Look::DESK);

    browser.goto(&told.page);
    // What is worst is first, with the reason and what to do.
    browser.reads("#integrations tbody tr:nth-child(1)", "needs credentials");
    browser.reads(
        "#integrations tbody tr:nth-child(2)",
        "the carrier refuses the credentials",
    );
    browser.reads(
        "#integrations tbody tr:nth-child(2)",
        "integrations set old-meters --new-api-key",
    );
    browser.reads("#chips", "needs you 1");
    browser.reads("#figures .never dd", "25");
    browser.reads("#figures .fresh dd", "60");
    browser.keeps("1-fleet-with-one-in-trouble");

    browser.click_link("Old meters, key revoked");
    browser.reads("#trouble", "status 401");
    browser.reads("#history", "Failing devices of the last run");
    browser.reads("#history", "The first");
    for mark in ["rect.error", "path.mark"] {
        let count = format!("return document.querySelectorAll('.timeline {mark}').length");
        assert_eq!(browser.asks(&count), 1, "{mark}");
    }
    browser.keeps("2-why-it-fails");

    let arguments: Vec<_> = told.mend.iter().map(String::as_str).collect();
    let mended = user.runs_with_stdin(&arguments, &format!("{}\n", told.key));
    mended.succeeds();
    // The page is not loaded again: it sees to that itself.
    browser.asks("window.same = true");
    browser.sees("#facts", "recovery", |text| {
        text.contains("success") && text.contains("idle")
    });
    assert_eq!(browser.asks("return window.same"), true);
    browser.sees("#trouble", "end of trouble", str::is_empty);
    browser.keeps("3-recovered");

    browser.click_link("Sign in to sync now, pause or resume");
    browser.types("input[name=token]", &told.token);
    browser.keeps("4-signing-in");
    browser.click(".login button");
    browser.reads("h1", "Old meters");
    browser.click("#do-sync");
    browser.reads(".notice", "A sync begins.");
    browser.sees("#history .timeline title", "three runs", |_| {
        browser.asks("return document.querySelectorAll('.timeline rect.success').length") == 2
    });
    browser.click("#do-pause");
    browser.reads("#facts", "paused");
    browser.click("#do-resume");
    browser.reads("#facts", "idle");
    browser.keeps("5-synced-now");

    browser.click_link("← Fleet");
    browser.reads("#chips", "needs you 0");
    browser.reads("#figures .fresh dd", "85");
    browser.keeps("6-all-well");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
