//! The configuration's promises, with real files and an environment of the test's own.

use std::{fs, path::PathBuf, time::Duration};

use carrier_sync::config::{Config, ConfigSources, Engine, LogFormat, MigrateOnStart, Problem};
use tempfile::TempDir;

fn environment(variables: &[(&str, &str)]) -> ConfigSources {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    ConfigSources {
        environment: variables.iter().map(own).collect(),
        ..Default::default()
    }
}

fn file(text: &str) -> (TempDir, ConfigSources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrier-sync.toml");
    fs::write(&path, text).unwrap();
    (
        folder,
        ConfigSources {
            file: Some(path),
            ..Default::default()
        },
    )
}

fn refusal(sources: &ConfigSources) -> String {
    Config::load(sources)
        .expect_err("the configuration should be refused")
        .to_string()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn with_no_file_every_setting_has_its_default() {
    let config = Config::load(&ConfigSources::default()).unwrap();
    assert_eq!(config.database.url.engine(), Engine::Sqlite);
    assert!(
        config
            .database
            .url
            .to_string()
            .ends_with("carrier-sync/carrier-sync.db")
    );
    assert_eq!(config.database.max_connections, 8);
    assert_eq!(config.database.migrate_on_start, MigrateOnStart::Embedded);
    assert_eq!(config.http.max_body_bytes, 32 * 1024 * 1024);
    assert!(!config.http.allow_private_hosts);
    assert_eq!(config.writer.max_batch_age, Duration::from_millis(50));
    assert_eq!(
        config.supervisor.discover_interval,
        Duration::from_secs(300)
    );
    assert_eq!(config.log.format, LogFormat::Auto);
    let hologram = &config.carriers["hologram"];
    assert!((hologram.requests_per_second - 10.0).abs() < f64::EPSILON);
    assert_eq!(hologram.pages.usage, 5000);
    assert_eq!(hologram.max_fallback_calls, 500);
}

#[test]
fn the_example_loads_and_leaves_the_defaults_as_they_are() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/example.toml");
    let sources = ConfigSources {
        file: Some(example),
        ..Default::default()
    };
    let with_example = Config::load(&sources).unwrap();
    let without = Config::load(&ConfigSources::default()).unwrap();
    assert_eq!(format!("{with_example:?}"), format!("{without:?}"));
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let (_folder, mut sources) = file(
        "[log]\nformat = \"text\"\n[writer]\nmax_batch_rows = 10\nqueue_rows = 100\n\
         [database]\nurl = \"sqlite://file.db\"",
    );
    let load = |sources: &ConfigSources| Config::load(sources).unwrap();
    assert_eq!(load(&sources).writer.max_batch_rows, 10);
    assert_eq!(load(&sources).database.url.to_string(), "sqlite://file.db");

    sources.environment = environment(&[
        ("CARRIER_SYNC__WRITER__MAX_BATCH_ROWS", "20"),
        ("CARRIER_SYNC__LOG__FORMAT", "json"),
        ("DATABASE_URL", "sqlite://environment.db"),
    ])
    .environment;
    assert_eq!(load(&sources).writer.max_batch_rows, 20);
    assert_eq!(
        load(&sources).writer.queue_rows,
        100,
        "what an upper layer leaves out stays"
    );
    assert_eq!(load(&sources).log.format, LogFormat::Json);
    assert_eq!(
        load(&sources).database.url.to_string(),
        "sqlite://environment.db"
    );

    let own = (
        "CARRIER_SYNC__DATABASE__URL".to_owned(),
        "sqlite://own.db".to_owned(),
    );
    sources.environment.push(own);
    assert_eq!(load(&sources).database.url.to_string(), "sqlite://own.db");

    sources.database_url = Some("postgres://u:p@flag/fleet".into());
    sources.log_format = Some(LogFormat::Text);
    assert_eq!(load(&sources).database.url.to_string(), "postgres://flag");
    assert_eq!(load(&sources).log.format, LogFormat::Text);
}

#[test]
fn the_environment_is_text_and_still_sets_every_type() {
    let config = Config::load(&environment(&[
        ("CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS", "true"),
        ("CARRIER_SYNC__HTTP__CONNECT_TIMEOUT", "1m 30s"),
        (
            "CARRIER_SYNC__CARRIERS__HOLOGRAM__REQUESTS_PER_SECOND",
            "0.5",
        ),
        ("CARRIER_SYNC__CARRIERS__HOLOGRAM__MAX_FALLBACK_CALLS", "0"),
        ("CARRIER_SYNC__HEALTH__INTERVAL", ""),
    ]));
    let config = config.unwrap();
    assert!(config.http.allow_private_hosts);
    assert_eq!(config.http.connect_timeout, Duration::from_secs(90));
    assert!((config.carriers["hologram"].requests_per_second - 0.5).abs() < f64::EPSILON);
    assert_eq!(config.carriers["hologram"].max_fallback_calls, 0);
    assert_eq!(
        config.health.interval,
        Duration::from_secs(30),
        "an empty variable is not set"
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("CARRIER_SYNC_API_KEY", "k"),
        ("CARRIER_SYNC_SERVICE_HOST", "10.0.0.1"), // Kubernetes sets it for a service of our name
        ("PATH", "/bin"),
    ];
    assert!(Config::load(&environment(&others)).is_ok());
}

#[test]
fn an_unknown_key_names_key_value_place_and_the_closest_known_one() {
    let (_folder, sources) = file("# a comment\n[http]\nconect_timeout = \"7s\"\n");
    assert_says(
        &refusal(&sources),
        &[
            "http.conect_timeout = \"7s\"",
            "carrier-sync.toml, line 3",
            "did you mean http.connect_timeout?",
            "[http] has: allow_private_hosts, allowed_hosts, connect_timeout,",
        ],
    );
    assert_says(
        &refusal(&environment(&[(
            "CARRIER_SYNC__WRITER__MAX_BATCH_ROW",
            "7",
        )])),
        &[
            "\"7\"",
            "CARRIER_SYNC__WRITER__MAX_BATCH_ROW)",
            "did you mean writer.max_batch_rows?",
        ],
    );
}

#[test]
fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
    for (text, expected) in [
        (
            "discover_interval = \"1m\"",
            "did you mean supervisor.discover_interval?",
        ),
        (
            "[http]\ntimeout = \"1m\"",
            "did you mean carriers.1nce.timeout?",
        ),
        (
            "[htpp]\nconnect_timeout = \"1m\"",
            "did you mean http.connect_timeout?",
        ),
        (
            "[nonsense]\nzzzzzzzzzzzz = 1",
            "no section [nonsense]; sections: carriers.1nce,",
        ),
        ("[nonsense]", "custom, database"),
        (
            "http = 5",
            "is a section, not a setting; it has: allow_private_hosts,",
        ),
        (
            "[log.level]\nx = 1",
            "log.level is a setting, not a section",
        ),
        ("[log.level]", "log.level = { … }"),
    ] {
        let (_folder, sources) = file(text);
        assert_says(&refusal(&sources), &[expected]);
    }
}

#[test]
fn a_section_of_an_unknown_carrier_shows_the_names_once() {
    let (_folder, sources) = file("[carriers.acme]\nburst = 5\ntimeout = \"1s\"");
    let text = refusal(&sources);
    assert_says(
        &text,
        &["carriers.acme", "no such carrier; carriers: hologram, 1nce"],
    );
    assert_eq!(text.matches("acme").count(), 1, "{text}");
}

#[test]
fn a_bad_value_names_key_value_place_and_what_is_allowed() {
    for (section, line, allowed) in [
        (
            "http",
            "connect_timeout = \"10 parsecs\"",
            "a duration from 1 ms to 365 days",
        ),
        ("http", "connect_timeout = 10", "a duration"),
        ("http", "connect_timeout = \"0s\"", "a duration"),
        ("http", "connect_timeout = \"400days\"", "a duration"),
        ("http", "max_body_bytes = 0", "a whole number from 1"),
        ("http", "max_body_bytes = 1.5", "a whole number"),
        ("http", "allow_private_hosts = \"yes\"", "true or false"),
        ("database", "max_connections = -1", "a whole number from 1"),
        (
            "database",
            "max_connections = \"8\"",
            "a whole number from 1",
        ),
        (
            "database",
            "migrate_on_start = \"sometimes\"",
            "\"never\", \"embedded\", \"always\"",
        ),
        ("carriers.hologram", "requests_per_second = 0", "above zero"),
        (
            "carriers.hologram",
            "requests_per_second = 0.0",
            "above zero",
        ),
        (
            "carriers.hologram",
            "requests_per_second = -3.0",
            "above zero",
        ),
        (
            "carriers.hologram",
            "requests_per_second = inf",
            "above zero",
        ),
        (
            "carriers.hologram",
            "requests_per_second = nan",
            "above zero",
        ),
        ("carriers.hologram", "burst = 0", "a whole number from 1"),
        (
            "carriers.hologram",
            "usage_page_size = 5001",
            "a whole number from 1 to 5000",
        ),
        (
            "carriers.hologram",
            "device_page_size = 5001",
            "a whole number from 1 to 5000",
        ),
        (
            "carriers.hologram",
            "max_attempts = 99999999999",
            "a whole number",
        ),
        (
            "shutdown",
            "drain_timeout = \"-1s\"",
            "\"0s\", or a duration",
        ),
        ("writer", "max_batch_rows = []", "a whole number"),
        ("writer", "max_batch_rows = 0", "a whole number from 1"),
        ("writer", "max_batch_bytes = 0", "a whole number from 1"),
        ("writer", "max_in_flight = 0", "a whole number from 1"),
        ("writer", "queue_rows = 0", "a whole number from 1"),
        ("writer", "max_batch_age = \"0s\"", "a duration"),
        ("log", "level = \"inof\"", "one of error, warn, info"),
        (
            "log",
            "format = \"xml\"",
            "one of \"auto\", \"text\", \"json\"",
        ),
    ] {
        let (_folder, sources) = file(&format!("[{section}]\n{line}\n"));
        let key = line.split(' ').next().unwrap();
        assert_says(
            &refusal(&sources),
            &[
                &format!("{section}.{key} = "),
                "carrier-sync.toml, line 2",
                allowed,
            ],
        );
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let (_folder, mut sources) =
        file("[http]\nconnect_timeout = \"x\"\nfoo = 1\n[writer]\nmax_in_flight = 0");
    sources.environment = environment(&[("CARRIER_SYNC__HEALTH__INTERVAL", "soon")]).environment;
    let text = refusal(&sources);
    assert_says(
        &text,
        &[
            "4 problems",
            "http.connect_timeout",
            "http.foo",
            "writer.max_in_flight",
        ],
    );
    assert_says(
        &text,
        &["health.interval = \"soon\" (environment variable CARRIER_SYNC__HEALTH__"],
    );
}

#[test]
fn an_impossible_combination_names_both_keys_and_where_they_stand() {
    for (text, parts) in [
        (
            "[leases]\nheartbeat = \"11s\"",
            [
                "leases.heartbeat = \"11s\" (",
                "carrier-sync.toml, line 2",
                "must be at most a third of leases.duration = \"30s\" (the default)",
            ],
        ),
        (
            "[database]\nmax_connections = 3\nurl = \"postgres://u:p@db/fleet\"",
            [
                "database.max_connections = 3 (",
                "carrier-sync.toml, line 2",
                "must be at least 2 more than writer.max_in_flight = 2 (the default)",
            ],
        ),
        (
            "[writer]\nmax_in_flight = 4294967295\n[database]\nurl = \"postgres://u:p@db/fleet\"",
            [
                "database.max_connections = 8 (the default)",
                "must be at least 2 more than writer.max_in_flight = 4294967295 (",
                "carrier-sync.toml, line 2",
            ],
        ),
        (
            "[writer]\nqueue_rows = 10",
            [
                "writer.queue_rows = 10 (",
                "must be at least",
                "writer.max_batch_rows = 5000",
            ],
        ),
        (
            "[http]\nmax_retry_after = \"1s\"",
            [
                "http.throttle_pause = \"5s\"",
                "must be at most",
                "http.max_retry_after = \"1s\"",
            ],
        ),
    ] {
        let (_folder, sources) = file(text);
        assert_says(&refusal(&sources), &parts);
    }
}

#[test]
fn a_pool_that_is_just_large_enough_is_taken_and_sqlite_needs_none() {
    let (_folder, sources) =
        file("[database]\nmax_connections = 4\nurl = \"postgres://u:p@db/fleet\"");
    Config::load(&sources).unwrap();
    let (_folder, sources) = file("[database]\nmax_connections = 1\nurl = \"sqlite://file.db\"");
    Config::load(&sources).unwrap();
}

#[test]
fn a_syntax_error_names_file_line_and_column_and_does_not_print_the_line() {
    let (_folder, sources) = file("[database]\nurl = \"postgres://bob:canary@db\" x\n");
    let text = refusal(&sources);
    assert_says(&text, &["carrier-sync.toml, line 2, column "]);
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let sources = ConfigSources {
        file: Some("/no/such.toml".into()),
        ..Default::default()
    };
    assert_says(&refusal(&sources), &["/no/such.toml"]);
}

#[test]
fn a_number_that_fits_nowhere_is_an_error_and_not_a_panic() {
    let (_folder, sources) =
        file("[writer]\nmax_batch_rows = 99999999999999999999999999999999999999999");
    assert_says(&refusal(&sources), &["carrier-sync.toml"]);
}

#[test]
fn no_error_and_no_debug_text_holds_a_secret() {
    let secret = "canary";
    for text in [
        "[database]\nurl = \"mysql://bob:canary@db/fleet\"",
        "[database]\nurl = \"bob:canary@db\"",
        "[database]\nurl = \"postgres://bob:canary@db:port/fleet\"",
        "[database]\nurll = \"postgres://bob:canary@db/fleet\"",
        "[database]\nmax_connections = \"postgres://bob:canary@db/fleet\"",
        "[carriers.hologram]\napi_key = \"canary\"",
        "[carriers.acme]\napi_key = \"canary\"",
        "[database.url]\npassword = \"canary\"",
        "[[database.url]]\npassword = \"canary\"",
        "database = [\"canary\"]",
        "[database]\nurl = postgres://bob:canary@db/fleet",
        "[database]\nurl = canary",
        "[database]\nurl = \"\\canary\"",
        "[database]\ncanary = 1\ncanary = 2",
    ] {
        let (_folder, sources) = file(text);
        let error = Config::load(&sources).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains(secret),
            "{text}\n{error}\n{error:?}"
        );
    }
    let sources = environment(&[(
        "DATABASE_URL",
        "postgres://bob:canary@db/fleet?password=canary",
    )]);
    let config = Config::load(&sources).unwrap();
    assert!(!format!("{config:?} {sources:?}", sources = config.database.url).contains(secret));
}

#[test]
fn a_refused_database_url_shows_its_scheme_and_what_is_allowed() {
    let sources = environment(&[("DATABASE_URL", "mysql://bob:canary@db/fleet")]);
    assert_says(
        &refusal(&sources),
        &[
            "database.url = \"mysql://…\" (environment variable DATABASE_URL)",
            "sqlite://PATH",
        ],
    );
}

#[test]
fn a_problem_says_which_key_it_is_about() {
    let (_folder, sources) = file("[http]\nfoo = 1");
    let Err(carrier_sync::config::ConfigError::Invalid(problems)) = Config::load(&sources) else {
        panic!("should be refused");
    };
    assert_eq!(
        problems.iter().map(Problem::key).collect::<Vec<_>>(),
        ["http.foo"]
    );
}

#[test]
fn allowed_hosts_are_a_list_of_host_names_in_file_and_environment() {
    use carrier_sync::client::AllowedHosts;
    let listed = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        AllowedHosts::parse(&names).unwrap()
    };
    let (_folder, sources) = file("[http]\nallowed_hosts = [\"a.test\", \"*.b.test\"]\n");
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.http.allowed_hosts, listed(&["a.test", "*.b.test"]));
    let sources = environment(&[("CARRIER_SYNC__HTTP__ALLOWED_HOSTS", "a.test, *.b.test")]);
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.http.allowed_hosts, listed(&["a.test", "*.b.test"]));

    for bad in [
        "[\"https://a.test\"]",
        "[7]",
        "\"a.test\"",
        "[\"a.test:443\"]",
        "[\"*\"]",
    ] {
        let (_folder, sources) = file(&format!("[http]\nallowed_hosts = {bad}\n"));
        let parts = ["http.allowed_hosts", "line 2", "a list of host names"];
        assert_says(&refusal(&sources), &parts);
    }
}

#[test]
fn windows_are_a_list_of_calls_per_duration_in_file_and_environment() {
    use carrier_sync::client::Window;
    let listed = |texts: &[&str]| -> Vec<Window> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let (_folder, sources) = file(
        "[carriers.hologram]\nwindows = [\"60/1m\", \"1000/1h\"]\nhost_windows = [\"2000/5m\"]\n\
         calls_per_day = 5000000000\ncalls_per_month = 1\nslice = 7\n",
    );
    let config = Config::load(&sources).unwrap();
    let hologram = &config.carriers["hologram"];
    assert_eq!(hologram.windows, listed(&["60/1m", "1000/1h"]));
    assert_eq!(hologram.host_windows, listed(&["2000/5m"]));
    let budgets = (hologram.calls_per_day, hologram.calls_per_month);
    assert_eq!((budgets, hologram.slice), ((5_000_000_000, 1), 7));
    let name = "CARRIER_SYNC__CARRIERS__HOLOGRAM__WINDOWS";
    let config = Config::load(&environment(&[(name, "60/1m, 1000/1h")])).unwrap();
    let windows = &config.carriers["hologram"].windows;
    assert_eq!(*windows, listed(&["60/1m", "1000/1h"]));

    for (line, wrong) in [
        (
            "windows = [\"60/1m\", \"60/min\"]",
            "\"60/min\" is not CALLS/DURATION",
        ),
        ("windows = [\"0/1m\"]", "\"0/1m\" is not CALLS/DURATION"),
        (
            "host_windows = [\"100001/1m\"]",
            "\"100001/1m\" is not CALLS/DURATION",
        ),
        (
            "host_windows = [\"9/40days\"]",
            "\"9/40days\" is not CALLS/DURATION",
        ),
        ("windows = \"60/1m\"", "is not allowed"),
        ("windows = [60]", "is not allowed"),
    ] {
        let (_folder, sources) = file(&format!("[carriers.hologram]\n{line}\n"));
        let key = line.split(' ').next().unwrap();
        let key = format!("carriers.hologram.{key}");
        let allowed = "a list of CALLS/DURATION such as [\"60/1m\", \"1000/1h\"]";
        assert_says(
            &refusal(&sources),
            &[&key, "carrier-sync.toml, line 2", wrong, allowed],
        );
    }
    for line in [
        "calls_per_day = -1",
        "calls_per_month = 1.5",
        "slice = 4294967296",
    ] {
        let (_folder, sources) = file(&format!("[carriers.hologram]\n{line}\n"));
        assert_says(
            &refusal(&sources),
            &[line, "line 2", "a whole number from 0"],
        );
    }
}

#[test]
fn keys_for_secrets_come_from_one_place_and_are_never_repeated() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let name = "CARRIER_SYNC__SECRETS__KEY";
    let config = Config::load(&environment(&[(name, key)])).unwrap();
    assert!(!format!("{config:?}").contains(key), "{config:?}");
    for bad in [
        "canary",
        &key[..40],
        &format!("{key},canary"),
        &format!("{key},{key}"),
    ] {
        let text = refusal(&environment(&[(name, bad)]));
        assert_says(&text, &["secrets.key = (not shown)", name, "base64"]);
        assert!(
            !text.contains("canary") && !text.contains(&key[..20]),
            "{text}"
        );
    }
    let file = ("CARRIER_SYNC__SECRETS__KEY_FILE", "/etc/keys");
    let text = refusal(&environment(&[(name, key), file]));
    assert_says(
        &text,
        &["secrets.key_file", "excludes", "secrets.key", name, file.0],
    );
    assert!(!text.contains(key), "{text}");
}

#[test]
fn a_file_of_any_length_is_refused_before_it_fills_the_memory() {
    let sources = ConfigSources {
        file: Some(PathBuf::from("/dev/zero")),
        ..Default::default()
    };
    let error = Config::load(&sources).expect_err("a device is no configuration");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert_says(&reason, &["larger than 1048576 bytes"]);
    let (_folder, sources) = file(&"#".repeat(1024 * 1024));
    Config::load(&sources).unwrap();
}
