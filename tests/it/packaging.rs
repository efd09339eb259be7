//! What is installed: the Debian package's parts, the container's recipe, the unit. No release is built and no
//! container is run here; the pieces that they are made of are.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_carrier-sync");

fn at(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn run(command: &mut Command) -> Output {
    let said = command.current_dir(ROOT).output().unwrap();
    assert!(said.status.success(), "{command:?}: {said:?}");
    said
}

/// What `scripts/package.sh` makes of the program, in a folder.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("package");
    run(Command::new("bash")
        .args(["scripts/package.sh", "files", PROGRAM])
        .arg(into));
    folder
}

// ---- the Debian package --------------------------------------------------------------------

fn deb() -> toml::Table {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    manifest["package"]["metadata"]["deb"]
        .as_table()
        .unwrap()
        .clone()
}

/// Source, place and mode of each file of the package.
fn assets() -> Vec<[String; 3]> {
    let deb = deb();
    let assets = deb["assets"].as_array().unwrap().iter();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    assets
        .map(|asset| {
            let asset = asset.as_array().unwrap();
            [text(&asset[0]), text(&asset[1]), text(&asset[2])]
        })
        .collect()
}

/// Files of a path whose last step may have one `*`.
fn found(path: &Path) -> Vec<PathBuf> {
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let name = name.to_str().unwrap();
    let (before, after) = name.split_once('*').unwrap_or((name, ""));
    let fits = |path: &PathBuf| {
        let found = path.file_name().unwrap().to_str().unwrap();
        match name.contains('*') {
            true => found.starts_with(before) && found.ends_with(after),
            false => found == name,
        }
    };
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(fits)
        .collect()
}

#[test]
fn every_file_of_the_package_is_there_or_made_by_its_script() {
    let made = made();
    for [source, ..] in assets() {
        let path = match source.strip_prefix("target/") {
            Some("release/carrier-sync") => continue,
            Some(made_by_script) => made.path().join(made_by_script),
            None => at(&source),
        };
        assert!(!found(&path).is_empty(), "{source} is not there");
    }
}

#[test]
fn the_package_has_a_manual_page_for_every_command_and_a_completion_for_each_shell() {
    let made = made();
    let pages = found(&made.path().join("package/man/*.1.gz"));
    let names: BTreeSet<_> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_str().unwrap())
        .collect();
    for command in [
        "",
        "-run",
        "-health",
        "-integrations-add",
        "-devices-import",
    ] {
        let page = format!("carrier-sync{command}.1.gz");
        assert!(names.contains(&*page), "{page} is not in {names:?}");
    }
    for (name, part) in [
        ("carrier-sync", "complete -F"),
        ("_carrier-sync", "#compdef carrier-sync"),
        ("carrier-sync.fish", "complete -c carrier-sync"),
    ] {
        let script = made.path().join("package/completions").join(name);
        assert!(
            fs::read_to_string(&script).unwrap().contains(part),
            "{name}"
        );
    }
}

#[test]
fn what_the_operator_changes_is_kept_and_what_is_secret_is_roots_alone() {
    let deb = deb();
    let kept = deb["conf-files"].as_array().unwrap();
    let kept: BTreeSet<_> = kept.iter().filter_map(toml::Value::as_str).collect();
    let installed: BTreeSet<_> = assets()
        .into_iter()
        .filter(|[_, place, _]| place.starts_with("etc/"))
        .map(|[_, place, _]| format!("/{place}"))
        .collect();
    assert_eq!(kept, installed.iter().map(String::as_str).collect());
    let environment = assets()
        .into_iter()
        .find(|[_, place, _]| place == "etc/carrier-sync/environment");
    assert_eq!(environment.unwrap()[2], "600");
}

#[test]
fn the_packages_scripts_are_shell_scripts_that_can_be_run() {
    let folder = at(deb()["maintainer-scripts"].as_str().unwrap());
    for name in ["postinst", "prerm", "postrm"] {
        let script = folder.join(name);
        let mode = fs::metadata(&script).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} cannot be run");
        run(Command::new("sh").arg("-n").arg(&script));
    }
    let makes_user = fs::read_to_string(folder.join("postinst")).unwrap();
    assert!(makes_user.contains("adduser --quiet --system --group"));
}

// ---- the unit ------------------------------------------------------------------------------

#[test]
fn the_packages_unit_starts_the_packages_program() {
    let made = made();
    let packaged = fs::read_to_string(made.path().join("package/carrier-sync.service")).unwrap();
    let starts = |unit: &str| -> Vec<String> {
        let lines = unit.lines().filter(|line| line.starts_with("Exec"));
        lines.map(str::to_owned).collect()
    };
    for line in starts(&packaged) {
        assert!(!line.contains("/usr/local/"), "{line}");
    }
    let program = "ExecStart=/usr/bin/carrier-sync run --config /etc/carrier-sync/config.toml";
    assert!(
        starts(&packaged).contains(&program.to_owned()),
        "{packaged}"
    );
}

/// systemd's own judge; `scripts/systemd.sh` says where it is.
fn systemd_analyze() -> Command {
    let script = at("scripts/systemd.sh");
    let found = Command::new("bash").arg(script).output().unwrap();
    assert!(
        found.status.success(),
        "no systemd-analyze: run scripts/systemd.sh install"
    );
    Command::new(String::from_utf8(found.stdout).unwrap().trim())
}

#[test]
fn systemd_understands_the_unit_and_finds_little_exposed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("carrier-sync.service");
    let installed = read("config/carrier-sync.service");
    // The program has to be where the unit says.
    let here = installed.replace("/usr/local/bin/carrier-sync", PROGRAM);
    assert_ne!(here, installed);
    fs::write(&unit, here).unwrap();
    let verified = run(systemd_analyze().arg("verify").arg(&unit));
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(!said.contains("carrier-sync.service"), "{said}");
    // 12 is an exposure of 1.2 out of 10.
    run(systemd_analyze()
        .args(["security", "--offline=true", "--threshold=12"])
        .arg(&unit));
}

// ---- the container -------------------------------------------------------------------------

/// Instructions and their arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("Containerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

fn last(name: &str) -> String {
    let mut of_name = instructions()
        .into_iter()
        .filter(|(found, _)| found == name);
    let (_, arguments) = of_name.next_back().unwrap_or_else(|| panic!("no {name}"));
    arguments
}

fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[test]
fn the_containers_images_are_pinned_and_what_it_copies_is_there() {
    for (name, arguments) in instructions() {
        match name.as_str() {
            "FROM" => {
                let image = arguments.split(' ').next().unwrap();
                let (_, tag) = image.split_once(':').unwrap();
                assert!(
                    tag.starts_with(|c: char| c.is_ascii_digit()),
                    "{image} moves"
                );
            }
            "COPY" if !arguments.starts_with("--from=") => {
                let paths: Vec<_> = arguments.split(' ').collect();
                let (_, sources) = paths.split_last().unwrap();
                for source in sources {
                    assert!(at(source).exists(), "{source} is not there");
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_container_builds_with_the_compiler_that_the_manifest_wants() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let wanted = manifest["package"]["rust-version"].as_str().unwrap();
    let (_, image) = instructions().into_iter().next().unwrap();
    let tag = image.split_once("rust:").unwrap().1;
    let number = |text: &str| -> u32 { text.split('.').nth(1).unwrap().parse().unwrap() };
    assert!(
        number(tag) >= number(wanted),
        "{tag} is older than {wanted}"
    );
}

#[test]
fn the_container_runs_as_nobody_of_note_keeps_its_data_and_can_be_stopped_and_asked() {
    let user = last("USER");
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(uid.parse::<u32>().unwrap() >= 1_000 && gid.parse::<u32>().unwrap() >= 1_000);
    let make = instructions()
        .into_iter()
        .find(|(name, arguments)| name == "RUN" && arguments.contains("useradd"));
    let (_, make) = make.unwrap();
    assert!(make.contains(&format!("--uid {uid} --gid {gid}")), "{make}");
    assert_eq!(last("STOPSIGNAL"), "SIGTERM");
    assert_eq!(words(&last("VOLUME")), ["/var/lib/carrier-sync"]);
    assert_eq!(words(&last("ENTRYPOINT")), ["carrier-sync"]);
    assert_eq!(words(&last("CMD")), ["run"]);
    let health = last("HEALTHCHECK");
    let asked = words(health.split_once("CMD ").unwrap().1);
    let (program, arguments) = asked.split_first().unwrap();
    assert_eq!(program, "carrier-sync");
    // Whatever it asks with is a command line that the program understands.
    run(Command::new(PROGRAM).args(arguments).arg("--help"));
}

/// Without a database of its own choice it keeps one in its volume.
#[test]
fn the_containers_default_database_is_in_its_volume() {
    let (name, data_home) = last("ENV")
        .split_once('=')
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .unwrap();
    assert_eq!(name, "XDG_DATA_HOME");
    let volume = words(&last("VOLUME")).remove(0);
    assert_eq!(format!("{data_home}/carrier-sync"), volume);
    let folder = tempfile::tempdir().unwrap();
    run(Command::new(PROGRAM)
        .arg("migrate")
        .env_clear()
        .env("XDG_DATA_HOME", folder.path()));
    assert!(folder.path().join("carrier-sync/carrier-sync.db").exists());
}

/// What a checkout holds beside the sources (keys, settings with passwords) is not even sent to a build.
#[test]
fn a_build_of_the_container_is_sent_what_it_copies_and_nothing_else() {
    let text = read(".dockerignore");
    let mut rules = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"), "all is shut out first");
    let (let_through, shut_out): (Vec<_>, Vec<_>) = rules.partition(|rule| rule.starts_with('!'));
    let let_through: BTreeSet<_> = let_through.iter().map(|rule| &rule[1..]).collect();
    let copied: Vec<String> = instructions()
        .into_iter()
        .filter(|(name, arguments)| name == "COPY" && !arguments.starts_with("--from="))
        .flat_map(|(_, arguments)| {
            let mut paths: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
            paths.pop();
            paths
        })
        .collect();
    assert_eq!(let_through, copied.iter().map(String::as_str).collect());
    for secret in ["**/*.key", "**/.env"] {
        assert!(shut_out.contains(&secret), "{secret} is sent");
        assert!(
            text.find(secret) > text.find("!src"),
            "the last rule that fits counts"
        );
    }
}

/// Podman's own format of images has no health check, and drops it with a warning only.
#[test]
fn podman_is_told_to_keep_the_health_check() {
    for page in ["Containerfile", "README.md", "docs/installing.md"] {
        let text = read(page);
        let told = text.matches("podman build").count();
        assert_eq!(told, text.matches("podman build --format docker").count());
        assert!(told > 0 || page == "README.md", "{page} is silent");
    }
}

/// `docs/PAGE.md, "HEADING"` in what is installed leads somewhere.
#[test]
fn what_refers_to_a_chapter_of_the_documentation_finds_it() {
    let mut found = 0;
    for source in [
        "Containerfile",
        "config/carrier-sync.service",
        "packaging/debian/environment",
        "packaging/debian/postinst",
        "packaging/debian/postrm",
        "packaging/debian/prerm",
    ] {
        let text = read(source).replace("\n#", "");
        for (place, _) in text.match_indices(".md, \"") {
            let page = text[..place].rsplit([' ', '(']).next().unwrap();
            let heading = text[place + 6..].split('"').next().unwrap();
            let chapters = read(&format!("{page}.md"));
            let is_chapter = |line: &str| line.starts_with('#') && line.ends_with(heading);
            assert!(
                chapters.lines().any(is_chapter),
                "{source}: {page}.md has no chapter {heading:?}"
            );
            found += 1;
        }
    }
    assert!(found >= 3, "{found} references");
}

/// Elsewhere than in the unit a command would look at a database of its caller's, and find all well there.
#[test]
fn the_documentation_runs_commands_as_the_unit_does() {
    let unit = read("config/carrier-sync.service");
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let starts = value("ExecStart=");
    let (_, settings) = starts.split_once(" run ").unwrap();
    let recipe = format!(
        "systemd-run --quiet --collect --pipe --wait -p User={} -p EnvironmentFile={} \\\n    carrier-sync check {settings}\n",
        value("User="),
        value("EnvironmentFile=")
    );
    assert!(read("docs/installing.md").contains(&recipe), "{recipe}");
}

#[test]
fn the_check_of_a_container_can_be_run() {
    let script = at("scripts/check-container.sh");
    let mode = fs::metadata(&script).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    run(Command::new("bash").arg("-n").arg(script));
}
