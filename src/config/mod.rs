//! The configuration: layers of text in, one typed and valid [`Config`] out.
//!
//! ```text
//! config/default.toml ─► --config FILE ─► DATABASE_URL ─► CARRIER_SYNC__… ─► flags
//!        └── layer.rs: one map of key → (value, origin), unknown keys found (schema.rs)
//!             └── reader.rs: values become types, every problem kept (problem.rs)
//!                  └── one file per section: its struct, its rules
//! ```
//!
//! Whoever holds a [`Config`] need not check anything again. All problems are told at once, each
//! with key, value, place and what is allowed; a database's password never appears among them.
//! Knows no database, no actor and, but for the registry's names, no carrier.

mod carriers;
mod changes;
mod custom;
mod database;
mod database_url;
mod health;
mod http;
mod layer;
mod leases;
mod log;
mod origin;
mod problem;
mod reader;
mod runs;
mod schema;
mod secrets;
mod shutdown;
mod status;
mod supervisor;
mod writer;

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;

use crate::runs::Retention;

pub use carriers::CarrierConfig;
pub use changes::Change;
pub use custom::CustomConfig;
pub use database::{DatabaseConfig, MigrateOnStart};
pub use database_url::{DatabaseUrl, Engine};
pub use health::HealthConfig;
pub use http::HttpConfig;
pub use leases::LeasesConfig;
pub use log::{LogConfig, LogFormat};
pub use problem::{ConfigError, Problem};
pub use secrets::SecretsConfig;
pub use shutdown::ShutdownConfig;
pub use status::StatusConfig;
pub use supervisor::SupervisorConfig;
pub use writer::WriterConfig;

use changes::Settings;
use layer::Layer;
use reader::Reader;

/// Every setting, its default and its consequence: the compiled-in layer and the list of keys.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// Where settings come from besides the defaults. The environment is a value, so tests bring theirs.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// Names and values; only `DATABASE_URL` and `CARRIER_SYNC__…` are looked at.
    pub environment: Vec<(String, String)>,
    /// `--database-url URL`.
    pub database_url: Option<SecretString>,
    /// `--log-format FORMAT`.
    pub log_format: Option<LogFormat>,
}

impl ConfigSources {
    /// This process's environment, without file or flags.
    ///
    /// Text that is not UTF-8 is kept with replacement characters, so that a broken value of ours is
    /// refused by name instead of being skipped.
    #[must_use]
    pub fn from_process_environment() -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .collect();
        Self {
            environment,
            ..Self::default()
        }
    }
}

/// The whole configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// The fleet's database.
    pub database: DatabaseConfig,
    /// Keys for secrets at rest.
    pub secrets: SecretsConfig,
    /// What holds for calls to every carrier.
    pub http: HttpConfig,
    /// Limits and page sizes by carrier code; one entry for every registered carrier.
    pub carriers: BTreeMap<String, CarrierConfig>,
    /// Carriers that are described in manifests.
    pub custom: CustomConfig,
    /// Discovery and restarts.
    pub supervisor: SupervisorConfig,
    /// Sharing the work with other processes.
    pub leases: LeasesConfig,
    /// Batching of writes.
    pub writer: WriterConfig,
    /// How much of the history of syncs is kept.
    pub runs: Retention,
    /// The health log.
    pub health: HealthConfig,
    /// The status server and its metrics.
    pub status: StatusConfig,
    /// Draining.
    pub shutdown: ShutdownConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// All of it as it was written, to be compared with another.
    written: Settings,
}

/// One to read the devices of syncs, one to keep the leases.
const CONNECTIONS_BESIDE_WRITER: usize = 2;

impl Config {
    /// Reads every layer and validates the result.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem that was found.
    pub fn load(sources: &ConfigSources) -> Result<Self, ConfigError> {
        let defaults = Layer::compiled_in()?;
        let mut upper = Vec::new();
        if let Some(path) = &sources.file {
            upper.push(Layer::file(path)?);
        }
        upper.push(Layer::database_url_variable(&sources.environment));
        upper.push(Layer::environment(&sources.environment)?);
        upper.push(Layer::flags(
            sources.database_url.as_ref(),
            sources.log_format,
        ));
        Self::from_layers(defaults, upper)
    }

    fn from_layers(defaults: Layer, upper: Vec<Layer>) -> Result<Self, ConfigError> {
        let mut problems = schema::unknown_keys(&defaults, &upper);
        let merged = upper.into_iter().fold(defaults, Layer::overlaid_by);
        let mut reader = Reader::new(&merged);
        let mut config = Self::read(&mut reader);
        config.written = Settings::of(&merged);
        problems.extend(reader.into_problems());
        if problems.is_empty() {
            // Only now: a refused value's placeholder must not fail a second time.
            problems.extend(config.contradictions(&merged));
        }
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            database: DatabaseConfig::read(reader),
            secrets: SecretsConfig::read(reader),
            http: HttpConfig::read(reader),
            carriers: carriers::read_all(reader),
            custom: CustomConfig::read(reader),
            supervisor: SupervisorConfig::read(reader),
            leases: LeasesConfig::read(reader),
            writer: WriterConfig::read(reader),
            runs: runs::read(reader),
            health: HealthConfig::read(reader),
            status: StatusConfig::read(reader),
            shutdown: ShutdownConfig::read(reader),
            log: LogConfig::read(reader),
            written: Settings::default(),
        }
    }

    /// Settings that are fine alone and impossible together.
    fn contradictions(&self, settings: &Layer) -> Vec<Problem> {
        let mut found = Vec::new();
        let needed = self
            .writer
            .max_in_flight
            .saturating_add(CONNECTIONS_BESIDE_WRITER);
        // SQLite has one connection, whatever is configured.
        let is_pooled = self.database.url.engine() == Engine::Postgres;
        if is_pooled && (self.database.max_connections as usize) < needed {
            found.push(Problem::contradiction(
                settings,
                "database.max_connections",
                "must be at least 2 more than",
                "writer.max_in_flight",
                "beside the writer's, one connection reads devices and one keeps the leases",
            ));
        }
        if self.writer.queue_rows < self.writer.max_batch_rows {
            found.push(Problem::contradiction(
                settings,
                "writer.queue_rows",
                "must be at least",
                "writer.max_batch_rows",
                "a full batch would not fit into the queue",
            ));
        }
        if self.http.throttle_pause > self.http.max_retry_after {
            found.push(Problem::contradiction(
                settings,
                "http.throttle_pause",
                "must be at most",
                "http.max_retry_after",
                "no pause is longer than the latter",
            ));
        }
        found.extend(self.leases.contradiction(settings));
        found.extend(SecretsConfig::contradiction(settings));
        found.extend(self.status.contradiction(settings));
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_default_toml_is_read_and_every_setting_stands_in_it() {
        let defaults = Layer::compiled_in().unwrap();
        let mut reader = Reader::new(&defaults);
        Config::read(&mut reader);
        let read = reader.keys_read().clone();
        assert!(
            reader.into_problems().is_empty(),
            "a setting is missing from default.toml"
        );
        assert_eq!(read, defaults.keys().map(str::to_owned).collect());
    }

    /// The defaults of a carrier with classes, and a file over them.
    fn with_classes(file: &str) -> Result<Config, ConfigError> {
        let classes = "[carriers.hologram.classes.usage]\nrequests_per_second = 2.0\nburst = 3\n";
        let defaults = Layer::of_text(&format!("{DEFAULT_TOML}\n{classes}")).unwrap();
        Config::from_layers(defaults, vec![Layer::of_text(file).unwrap()])
    }

    #[test]
    fn a_class_has_its_defaults_and_what_a_file_changes_of_them() {
        for (file, rate, burst) in [
            ("", 2.0, 3),
            ("[carriers.hologram.classes.usage]\nburst = 7", 2.0, 7),
            (
                "carriers.hologram.classes.usage.requests_per_second = 0.5",
                0.5,
                3,
            ),
        ] {
            let config = with_classes(file).unwrap();
            let classes = &config.carriers["hologram"].classes;
            assert_eq!(classes.len(), 1);
            let usage = classes["usage"];
            assert!((usage.requests_per_second - rate).abs() < f64::EPSILON);
            assert_eq!(usage.burst.get(), burst);
        }
    }

    #[test]
    fn a_class_that_the_carrier_does_not_have_is_an_unknown_setting_told_once() {
        for (file, parts) in [
            (
                "[carriers.hologram.classes.usgae]\nburst = 7",
                [
                    "carriers.hologram.classes.usgae.burst = 7",
                    "line 2",
                    "unknown setting",
                ],
            ),
            (
                "[carriers.hologram.classes.usage]\nburts = 7",
                [
                    "classes.usage.burts",
                    "did you mean",
                    "has: burst, requests_per_second",
                ],
            ),
            (
                "[carriers.hologram.classes.usage]\nburst = 0",
                ["classes.usage.burst = 0", "line 2", "a whole number from 1"],
            ),
        ] {
            let text = with_classes(file).unwrap_err().to_string();
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in:\n{text}");
            }
            assert!(!text.contains("problems"), "{text}");
        }
    }

    #[test]
    fn every_setting_of_default_toml_has_a_comment() {
        let mut previous = "";
        let carriers = ("# >>> carriers", "# <<< carriers");
        let (head, rest) = DEFAULT_TOML.split_once(carriers.0).unwrap();
        // Keys of carriers are explained once, where they begin (tests/carriers).
        let (_, tail) = rest.split_once(carriers.1).unwrap();
        for line in head.lines().chain(tail.lines()) {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(previous.starts_with('#'), "no comment above `{line}`");
            }
            previous = line;
        }
    }
}
