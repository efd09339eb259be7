//! Logging is set up once per process, so each promise runs this binary again as a child.

use std::process::{Command, Output};

use carrier_sync::{
    config::{LogConfig, LogFormat},
    logging,
};

fn run_child(name: &str) -> String {
    let Output { stderr, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", name])
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    String::from_utf8(stderr).unwrap()
}

fn init(level: &str, format: LogFormat) {
    logging::init(&LogConfig {
        level: level.to_owned(),
        format,
    })
    .unwrap();
}

#[test]
fn a_panic_is_one_json_event_with_message_and_place() {
    let stderr = run_child("logging::child_that_panics");
    let events: Vec<serde_json::Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert_eq!(events.len(), 1, "{stderr}");
    assert_eq!(events[0]["target"], "panic");
    assert_eq!(events[0]["level"], "ERROR");
    assert_eq!(events[0]["message"], "the sky fell: 7");
    assert_eq!(events[0]["thread"], "sky");
    assert!(
        events[0]["location"]
            .as_str()
            .unwrap()
            .contains("logging.rs:"),
        "{stderr}"
    );
}

#[test]
#[ignore = "run by a_panic_is_one_json_event_with_message_and_place"]
fn child_that_panics() {
    init("info", LogFormat::Json);
    let sky = std::thread::Builder::new().name("sky".to_owned());
    assert!(
        sky.spawn(|| panic!("the sky fell: {}", 7))
            .unwrap()
            .join()
            .is_err()
    );
}

#[test]
fn a_panic_in_a_task_tells_its_place_and_not_its_text() {
    let stderr = run_child("logging::child_with_a_task_that_panics");
    let event: serde_json::Value = serde_json::from_str(stderr.trim()).expect(&stderr);
    assert_eq!(event["target"], "panic");
    assert!(event["location"].as_str().unwrap().contains("logging.rs:"));
    assert!(!stderr.contains("canary"), "{stderr}");
}

#[test]
#[ignore = "run by a_panic_in_a_task_tells_its_place_and_not_its_text"]
fn child_with_a_task_that_panics() {
    init("info", LogFormat::Json);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let task = runtime.spawn(async { panic!("the key is canary-7f3a9d") });
    assert!(runtime.block_on(task).is_err());
}

#[test]
fn without_a_terminal_auto_is_json_and_the_level_holds() {
    let stderr = run_child("logging::child_that_logs");
    let event: serde_json::Value = serde_json::from_str(stderr.trim()).expect(&stderr);
    assert_eq!(event["message"], "told");
    assert_eq!(event["integration.id"], "main");
}

#[test]
#[ignore = "run by without_a_terminal_auto_is_json_and_the_level_holds"]
fn child_that_logs() {
    init("warn,it=info", LogFormat::Auto);
    tracing::info!(integration.id = "main", "told");
    tracing::debug!("not told");
    tracing::info!(target: "elsewhere", "not told");
}

#[test]
fn text_without_a_terminal_has_no_colours() {
    let stderr = run_child("logging::child_that_logs_text");
    assert!(
        stderr.contains("INFO") && stderr.contains("told"),
        "{stderr}"
    );
    assert!(
        !stderr.contains('\u{1b}') && !stderr.contains('{'),
        "{stderr}"
    );
}

#[test]
#[ignore = "run by text_without_a_terminal_has_no_colours"]
fn child_that_logs_text() {
    init("info", LogFormat::Text);
    tracing::info!("told");
}
