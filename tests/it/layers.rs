//! Keeps the shape of the source: who may import whom, who may know which library, how long a file
//! may be, and that it says why it exists. The table below is the architecture; a change of it is a
//! decision, not a repair.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every folder and file directly below `src/`, and what of ours it may import.
///
/// `device`, `integration` and `clock` are vocabulary: words that layers share. The simulator is an
/// independent witness and shares not even those.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("tenure", &[]),
    ("device", &["tenure"]),
    ("clock", &[]),
    ("words", &[]),
    ("budget", &["device", "tenure"]),
    ("integration", &["device"]),
    ("secrets", &["device", "integration"]),
    ("runs", &["device", "integration", "tenure"]),
    ("supervision", &[]),
    ("simulator", &[]),
    ("shutdown", &[]),
    ("carriers", &["device"]),
    (
        "client",
        &["carriers", "device", "integration", "clock", "tenure"],
    ),
    (
        "store",
        &["budget", "device", "integration", "runs", "tenure"],
    ),
    (
        "status",
        &["device", "integration", "clock", "runs", "store", "words"],
    ),
    // Files of the operator's, read into carriers.
    ("manifests", &["carriers"]),
    (
        "sync",
        &[
            "budget",
            "manifests",
            "client",
            "carriers",
            "runs",
            "secrets",
            "device",
            "integration",
            "clock",
            "tenure",
        ],
    ),
    // The registry's names and their page sizes: which sections [carriers.…] there are.
    // Keys and hosts are read into the types that use them, so that a bad one has its file and line.
    // How much of the history is kept is the store's to obey.
    (
        "config",
        &["carriers", "client", "runs", "secrets", "status"],
    ),
    ("logging", &["config"]),
    (
        "actors",
        &[
            "budget",
            "runs",
            "sync",
            "store",
            "status",
            "supervision",
            "client",
            "carriers",
            "device",
            "integration",
            "clock",
            "tenure",
        ],
    ),
    (
        "app",
        &[
            "budget",
            "manifests",
            "actors",
            "secrets",
            "sync",
            "store",
            "status",
            "supervision",
            "client",
            "carriers",
            "config",
            "shutdown",
            "device",
            "integration",
            "clock",
            "tenure",
        ],
    ),
    (
        // Not the actors: a command asks the app.
        "cli",
        &[
            "manifests",
            "app",
            "runs",
            "secrets",
            "sync",
            "store",
            "status",
            "client",
            "carriers",
            "config",
            "logging",
            "shutdown",
            "simulator",
            "device",
            "integration",
            "tenure",
            "clock",
            "words",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// Libraries that one part hides from all others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("actix", &["actors"]),
    ("actix_rt", &["actors"]),
    // An HTTP server of its own, on a thread of its own; no actor of ours is in it.
    ("actix_web", &["simulator", "status"]),
    ("sqlx", &["store"]),
    ("reqwest", &["client"]),
    ("rustls", &["client"]),
    ("chacha20poly1305", &["secrets"]),
    // Credentials; what a browser may run, named by its hash.
    ("sha2", &["secrets", "status"]),
    ("governor", &["client"]),
    ("prometheus", &["status"]),
    ("maud", &["status"]),
    ("rpds", &["status"]),
    ("utoipa", &["status"]),
    ("subtle", &["status"]),
    ("clap", &["cli", "config"]),
    ("indicatif", &["cli"]),
    ("console", &["cli"]),
    ("rpassword", &["cli"]),
    // Imports of device lists; usage reports that carriers serve as files.
    ("csv", &["cli", "carriers"]),
    ("tracing_subscriber", &["logging", "config"]),
];

/// Lines a file may have before it has to be split.
const MOST_LINES: usize = 440;

/// One source file without its comments and strings, so that words in prose are no imports.
struct Source {
    path: PathBuf,
    /// First step below `src/`: a folder's or a file's name.
    part: String,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(
        found.len() > 50,
        "the source is where this test looks for it"
    );
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).unwrap().to_owned();
            let first = below
                .components()
                .next()
                .unwrap()
                .as_os_str()
                .to_string_lossy();
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Source {
                part: first.trim_end_matches(".rs").to_owned(),
                code: without_prose(&text),
                path: below,
                text,
            });
        }
    }
}

/// Blanks comments and string literals.
fn without_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 2;
            rest[body..]
                .find(&end)
                .map_or(rest.len(), |at| body + at + end.len())
        } else if next == '"' {
            string_end(rest)
        } else if let Some(literal) = ["'\"'", "'\\\"'"]
            .iter()
            .find(|quote| rest.starts_with(**quote))
        {
            literal.len()
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// Number of `#` of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What is named directly after `crate::`, in every form: a path, a `use`, a `use` of a group.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.trim_start().strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.extend(word(rest)),
        }
    }
    found
}

/// First words of the entries of `{a::b, c::{d, e}, f}`, its opening brace already taken.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut heads) = (0, String::new(), Vec::new());
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(word(&std::mem::take(&mut entry))),
            _ if depth == 0 => entry.push(letter),
            _ => {}
        }
    }
    heads.extend(word(&entry));
    heads
}

fn word(text: &str) -> Option<String> {
    let word: String = text
        .trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// Whether the code names the library as the head of a path, or as a whole in a `use`.
fn uses(code: &str, library: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(library).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + library.len()..];
        let steps_into = before
            .strip_suffix("::")
            .is_some_and(|root| root.ends_with(part_of_word) || root.ends_with('>'));
        let begins = !before.ends_with(part_of_word) && !steps_into;
        let head = after.starts_with("::");
        let whole = before.trim_end().ends_with("use") && !after.starts_with(part_of_word);
        begins && (head || whole)
    })
}

fn rules() -> BTreeMap<&'static str, &'static [&'static str]> {
    MAY_IMPORT.iter().copied().collect()
}

#[test]
fn imports_point_downward_only() {
    let rules = rules();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = rules.get(source.part.as_str()) else {
            panic!(
                "{} is new: give it a line in MAY_IMPORT",
                source.path.display()
            );
        };
        for import in imports(&source.code) {
            let known = rules.contains_key(import.as_str());
            if known && import != source.part && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_imports_has_no_circle() {
    let rules = rules();
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    while settled.len() < rules.len() {
        let next: Vec<_> = rules
            .iter()
            .filter(|(part, allowed)| {
                !settled.contains(*part) && allowed.iter().all(|below| settled.contains(below))
            })
            .map(|(part, _)| *part)
            .collect();
        assert!(!next.is_empty(), "a circle above {settled:?}");
        settled.extend(next);
    }
}

#[test]
fn a_library_is_known_to_the_part_that_hides_it_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (library, parts) in MAY_USE {
            if uses(&source.code, library) && !parts.contains(&source.part.as_str()) {
                wrong.push(format!("{} uses {library}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_the_output_writes_to_the_terminal() {
    for source in sources() {
        let prints = ["println!", "eprintln!", "print!(", "eprint!("]
            .iter()
            .find(|print| source.code.contains(**print));
        let terminal = Path::new("cli/output.rs");
        assert!(
            prints.is_none() || source.path == terminal,
            "{} has {prints:?}",
            source.path.display()
        );
    }
}

#[test]
fn every_file_says_why_it_exists_and_is_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not open with //!", source.path.display()));
        }
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{} has {lines} lines", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_called_utils() {
    for source in sources() {
        for name in ["utils", "util", "helpers", "common", "manager", "misc"] {
            let named = source.path.components().any(|step| {
                let step = step.as_os_str().to_string_lossy();
                step.trim_end_matches(".rs") == name
            });
            assert!(!named, "{}", source.path.display());
        }
    }
}

#[test]
fn the_scan_sees_every_form_of_import() {
    let code = without_prose(
        "use crate::{a::{x, y}, b, c::d as e};\n// crate::comment\nfn f() { crate::g::h(\"crate::text\") }\n\
         use crate::i; let quote = '\"'; pub(in crate::j) fn k() {} r#\"crate::raw\"#",
    );
    let expected = ["a", "b", "c", "g", "i", "j"].map(str::to_owned);
    assert_eq!(imports(&code), BTreeSet::from(expected), "{code}");
    assert!(
        uses("use sqlx;", "sqlx") && uses("x: sqlx::Error", "sqlx") && uses("(::sqlx::x)", "sqlx")
    );
    assert!(
        !uses("store::sqlx::x", "sqlx")
            && !uses("mysqlx::y", "sqlx")
            && !uses("let sqlx = 1", "sqlx")
    );
}
