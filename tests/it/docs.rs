//! What the documentation says is so: its settings exist, its commands are understood, its links lead
//! somewhere, and its maps leave nothing out.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use carrier_sync::status::ActorState;

const PAGES: [&str; 12] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/adding-a-carrier.md",
    "docs/architecture.md",
    "docs/carriers.md",
    "docs/custom-carriers.md",
    "docs/decisions.md",
    "docs/installing.md",
    "docs/operating.md",
    "docs/performance.md",
    "docs/scaling.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn toml(path: &str) -> toml::Table {
    toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text between backticks outside of fences, and every line inside of them.
fn code(page: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for (number, block) in read(page).split("```").enumerate() {
        if number % 2 == 1 {
            pieces.extend(shell_lines(block));
        } else {
            pieces.extend(block.split('`').skip(1).step_by(2).map(one_line));
        }
    }
    pieces
}

/// Lines of a fence, those that a backslash continues joined; without the fence's language.
fn shell_lines(fence: &str) -> Vec<String> {
    let (_, body) = fence.split_once('\n').unwrap_or_default();
    let body = body.replace("\\\n", " ");
    body.lines().map(str::to_owned).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

// ---- settings ------------------------------------------------------------------------------

/// Every key and section of `config/default.toml`, dotted.
fn settings() -> BTreeSet<String> {
    fn walk(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            if let toml::Value::Table(inner) = value {
                walk(&format!("{key}."), inner, found);
            }
            found.insert(key);
        }
    }
    let mut found = BTreeSet::new();
    walk("", &toml("config/default.toml"), &mut found);
    found
}

/// Words of a piece of code that look like `section.key` or `CARRIER_SYNC__SECTION__KEY`.
fn settings_named_in(piece: &str, known: &BTreeSet<String>) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let words = piece.split(|c| !is_part(c)).map(|w| w.trim_matches('.'));
    words
        .filter_map(|word| {
            if let Some(variable) = word.strip_prefix("CARRIER_SYNC__") {
                return Some(variable.to_lowercase().replace("__", "."));
            }
            let (section, key) = word.split_once('.')?;
            let is_file = word.contains('/') || ["rs", "toml", "md", "sql"].contains(&key);
            (known.contains(section) && !is_file).then(|| word.to_owned())
        })
        .collect()
}

#[test]
fn every_setting_that_the_documentation_names_exists() {
    let known = settings();
    let mut named = 0;
    for page in PAGES {
        for piece in code(page) {
            for setting in settings_named_in(&piece, &known) {
                // A placeholder, as in the explanation of the variables' form.
                if setting != "section.key" {
                    assert!(known.contains(&setting), "{page}: {setting} in `{piece}`");
                    named += 1;
                }
            }
        }
    }
    assert!(
        named >= 10,
        "only {named} settings found: does this test still read?"
    );
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let (readme, example) = (read("README.md"), read("config/example.toml"));
    assert!(readme.contains(&format!("```toml\n{example}```")));
}

// ---- commands ------------------------------------------------------------------------------

/// The arguments of each `carrier-sync` in a line of shell or a piece of code.
fn commands_in(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.replace("cargo run --release -- ", "carrier-sync ");
    line.split(['|', ';', '(', ')'])
        .flat_map(|part| part.split("&&"))
        .filter_map(arguments)
        .collect()
}

fn arguments(command: &str) -> Option<Vec<String>> {
    let is_assignment = |word: &&str| word.contains('=') && !word.starts_with('-');
    let mut words = command.split_whitespace().skip_while(is_assignment);
    (words.next()? == "carrier-sync").then(|| {
        words
            .take_while(|word| !word.starts_with(['>', '<']))
            .map(|word| word.trim_matches(['\'', '"']).to_owned())
            .collect()
    })
}

/// `--help` stops a command before it acts, but not before its flags and values are read.
#[test]
fn every_command_that_the_documentation_shows_is_understood() {
    let mut shown = BTreeSet::new();
    for page in PAGES {
        for arguments in code(page).iter().flat_map(|piece| commands_in(piece)) {
            // The name alone, and lines that the program prints.
            let is_command = arguments.first().is_some_and(|word| !word.ends_with(':'));
            if is_command {
                shown.insert((page, arguments));
            }
        }
    }
    for (page, arguments) in &shown {
        let said = Command::new(env!("CARGO_BIN_EXE_carrier-sync"))
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{page}: {arguments:?}\n{complaint}");
    }
    let names: BTreeSet<_> = shown.iter().map(|(_, words)| words[0].as_str()).collect();
    let all = [
        "check",
        "demo",
        "devices",
        "integrations",
        "migrate",
        "once",
        "run",
        "simulate",
    ];
    let missing: Vec<_> = all.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "shown nowhere: {missing:?}");
}

// ---- links and maps ------------------------------------------------------------------------

#[test]
fn every_file_that_the_documentation_names_exists() {
    for page in PAGES {
        let text = read(page);
        let folder = root().join(page).parent().unwrap().to_owned();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{page}: {link}");
        }
        for path in code(page).iter().flat_map(|piece| paths_in(piece)) {
            assert!(path.exists(), "{page}: {}", path.display());
        }
    }
}

/// Words that begin with one of our folders and hold no placeholder.
fn paths_in(piece: &str) -> Vec<PathBuf> {
    let folders = [
        "src/",
        "docs/",
        "config/",
        "migrations/",
        "scripts/",
        "tests/",
        "benches/",
    ];
    piece
        .split_whitespace()
        .map(|word| word.trim_start_matches("./"))
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains(['<', '*', '…']))
        .map(|word| root().join(word.trim_end_matches(['.', ',', ':'])))
        .collect()
}

fn folders_of_src() -> Vec<String> {
    let entries = fs::read_dir(root().join("src")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn the_architecture_page_names_every_folder_of_the_source() {
    let page = read("docs/architecture.md");
    for folder in folders_of_src() {
        assert!(page.contains(&format!("`src/{folder}/`")), "src/{folder}");
    }
}

#[test]
fn the_map_in_lib_rs_names_every_module() {
    let lib = read("src/lib.rs");
    let (map, modules) = lib.split_once("\npub mod ").expect("modules after the map");
    for line in format!("pub mod {modules}").lines() {
        let module = line.trim_start_matches("pub mod ").trim_end_matches(';');
        assert!(map.contains(&format!("[`{module}`]")), "{module}");
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let (manifest, reasons) = (toml("Cargo.toml"), read("docs/decisions.md"));
    let (_, reasons) = reasons.split_once("## Dependencies").expect("the chapter");
    for table in ["dependencies", "dev-dependencies"] {
        for name in manifest[table].as_table().expect("a table").keys() {
            assert!(reasons.contains(&format!("`{name}`")), "{name}");
        }
    }
}

// ---- operating -----------------------------------------------------------------------------

#[test]
fn the_operating_page_explains_every_state() {
    let page = read("docs/operating.md");
    for state in [
        ActorState::Idle,
        ActorState::Syncing,
        ActorState::BackingOff,
        ActorState::NeedsCredentials,
        ActorState::Parked,
        ActorState::Draining,
    ] {
        let row = format!("\n| `{}` |", state.as_str());
        assert!(page.contains(&row), "{state:?}");
    }
}

/// Operators alert on these names; the event is the one place that has them all.
#[test]
fn the_operating_page_explains_every_field_of_a_health_event() {
    let page = read("docs/operating.md");
    for file in ["src/status/health.rs", "src/status/summary.rs"] {
        let source = read(file);
        let (_, event) = source
            .split_once("    target: \"health\",\n")
            .expect("the event");
        let (event, _) = event.split_once("\"health\"").expect("its message");
        let fields: Vec<_> = event
            .lines()
            .filter_map(|line| line.split_once(" ="))
            .map(|(name, _)| name.trim())
            .collect();
        assert!(fields.len() >= 15, "{fields:?}");
        for field in fields {
            assert!(page.contains(&format!("`{field}`")), "{file}: {field}");
        }
    }
}

#[test]
fn systemd_waits_longer_than_draining_takes() {
    let unit = read("config/carrier-sync.service");
    let (_, rest) = unit.split_once("\nTimeoutStopSec=").expect("the setting");
    let patience = humantime::parse_duration(rest.lines().next().unwrap()).unwrap();
    let default = toml("config/default.toml");
    let draining = default["shutdown"]["drain_timeout"].as_str().unwrap();
    assert!(patience > humantime::parse_duration(draining).unwrap());
}
