//! Help, version, and command lines that make no sense.

use super::User;

const COMMANDS: [&[&str]; 21] = [
    &[],
    &["demo"],
    &["run"],
    &["once"],
    &["check"],
    &["migrate"],
    &["integrations"],
    &["integrations", "list"],
    &["integrations", "add"],
    &["integrations", "set"],
    &["integrations", "remove"],
    &["integrations", "test"],
    &["devices"],
    &["devices", "list"],
    &["devices", "link"],
    &["devices", "import"],
    &["runs"],
    &["runs", "list"],
    &["health"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_has_help_with_an_example_and_the_global_options() {
    let user = User::new();
    for command in COMMANDS {
        let said = user.runs(&[command, &["--help"]].concat()).succeeds();
        let said = said.prints(&["--config <FILE>", "--database-url <URL>", "--log-format"]);
        assert!(
            said.stdout.contains("  carrier-sync "),
            "no example: {command:?}"
        );
        assert_eq!(said.stderr, "");
    }
}

#[test]
fn help_fits_a_terminal_of_100_columns() {
    let user = User::new();
    for command in COMMANDS {
        let said = user.runs(&[command, &["--help"]].concat());
        for line in said
            .stdout
            .lines()
            .filter(|line| !line.starts_with("Usage:"))
        {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
    }
}

#[test]
fn help_says_what_the_exit_codes_of_once_and_check_mean() {
    for command in ["once", "check"] {
        let said = User::new().runs(&[command, "--help"]);
        said.prints(&[
            "Exit codes",
            "0   success",
            "1   error",
            "2   partial",
            "64  usage",
        ]);
    }
}

#[test]
fn version_is_the_package_s() {
    let said = User::new().runs(&["--version"]).succeeds();
    assert_eq!(
        said.stdout,
        concat!("carrier-sync ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn wrong_usage_ends_with_64_so_that_2_always_means_partial() {
    let user = User::new().with_integration();
    for arguments in [
        &[][..],
        &["onze"],
        &["once", "--jsno"],
        &["once", "--integration", ""],
        &["demo", "--devices", "0"],
        &["demo", "--for", "soon"],
        &["integrations"],
        &["integrations", "add"],
        &["integrations", "set", "main"],
        &["integrations", "set", "main", "--enable", "--disable"],
        &["integrations", "set", "main", "--interval-minutes", "0"],
        &["integrations", "set", "main", "--interval-minutes", "-5"],
        &["devices", "list", "--limit", "0"],
        &["--log-format", "xml", "once"],
    ] {
        let said = user.runs(arguments).fails(64, &[]);
        assert_eq!(said.stdout, "", "{arguments:?}");
        assert_ne!(said.stderr, "", "{arguments:?}");
    }
}

#[test]
fn no_flag_takes_a_key() {
    let user = User::new();
    for command in [&["integrations", "add"], &["integrations", "set"]] {
        let help = user.runs(&[&command[..], &["--help"]].concat()).stdout;
        for flag in ["--api-key ", "--api-key=", "--api-key <", "--api-secret <"] {
            assert!(!help.contains(flag), "{flag}");
        }
    }
}

#[test]
fn a_shell_completes_every_command_and_a_manual_tells_of_each() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = user.runs(&["completions", shell]).succeeds();
        for command in ["integrations", "devices", "runs", "simulate"] {
            assert!(said.stdout.contains(command), "{shell}: {command}");
        }
    }
    // By the shell itself: after `ru` it offers `run` and `runs`.
    let script = user.runs(&["completions", "bash"]).succeeds().stdout;
    let script = user.file("completions.bash", script);
    let ask = format!(
        "source {}; COMP_WORDS=(carrier-sync ru); COMP_CWORD=1; \
         _carrier__sync carrier-sync ru carrier-sync; echo ${{COMPREPLY[*]}}",
        script.display()
    );
    let said = std::process::Command::new("bash")
        .args(["-c", &ask])
        .output();
    let said = said.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "run runs\n",
        "{said:?}"
    );
    let page = user.runs(&["man"]).succeeds();
    page.prints(&[".TH carrier-sync 1", "integrations", "Exit codes"]);
    let page = user.runs(&["man", "integrations", "add"]).succeeds();
    page.prints(&[".TH carrier-sync-integrations-add 1", "\\-\\-tenant"]);
    user.runs(&["man", "nope"]).fails(1, &["nope", "--help"]);
}
