//! What goes where: results to stdout, everything else to stderr, and closed pipes survived.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use super::User;

#[test]
fn a_reader_that_has_seen_enough_ends_the_list_quietly() {
    let user = User::new().with_integration();
    let mut csv = "device_id,carrier_device_id\n".to_owned();
    (0..5000).for_each(|i| writeln!(csv, "device-with-a-long-name-{i},{i}").unwrap());
    let import = ["devices", "import", "-", "--integration", "main"];
    user.runs_with_stdin(&import, &csv).succeeds();

    let mut child = user.command(&["devices", "list"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap(); // then closed
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
    assert!(first.starts_with("TENANT"), "{first}");
}

#[test]
fn help_into_a_closed_pipe_is_no_panic() {
    let user = User::new();
    let mut child = user.command(&["--help"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert!(!stderr.contains("panic"), "{stderr}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn nobody_on_stderr_is_no_panic_either() {
    let user = User::new();
    let mut command = user.command(&["integrations", "set", "no", "--enable"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn an_error_is_two_lines_on_stderr_and_nothing_on_stdout() {
    let said = User::new()
        .runs(&["integrations", "set", "no", "--enable"])
        .fails(1, &[]);
    assert_eq!(said.stdout, "");
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert!(
        lines[0].starts_with("error: ") && lines[1].starts_with("hint: "),
        "{said:?}"
    );
}
