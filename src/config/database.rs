//! `[database]`: where the fleet is stored and how patient we are with it.

use std::{path::PathBuf, time::Duration};

use directories::ProjectDirs;

use super::{
    database_url::{ALLOWED, DatabaseUrl, Engine},
    reader::{Reader, text},
};

/// When the schema is created or upgraded without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateOnStart {
    /// Only by `carrier-sync migrate`.
    Never,
    /// On SQLite, whose file nobody else looks after.
    Embedded,
    /// On any engine.
    Always,
}

impl MigrateOnStart {
    /// Whether to migrate a database of this engine.
    #[must_use]
    pub fn applies_to(self, engine: Engine) -> bool {
        match self {
            Self::Never => false,
            Self::Embedded => engine == Engine::Sqlite,
            Self::Always => true,
        }
    }
}

/// `[database]`.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The database; by default a SQLite file in the user's data directory.
    pub url: DatabaseUrl,
    /// Connections at most; at least 1.
    pub max_connections: u32,
    /// Wait for a free connection.
    pub acquire_timeout: Duration,
    /// Wait for a statement.
    pub statement_timeout: Duration,
    /// Wait for a lock.
    pub lock_timeout: Duration,
    /// Whether a role that row-level security does not bind will do.
    pub allow_privileged_role: bool,
    /// When the schema is migrated without being asked to.
    pub migrate_on_start: MigrateOnStart,
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            url: read_url(reader),
            max_connections: reader.count("database.max_connections").get(),
            acquire_timeout: reader.duration("database.acquire_timeout"),
            statement_timeout: reader.duration("database.statement_timeout"),
            lock_timeout: reader.duration("database.lock_timeout"),
            allow_privileged_role: reader.flag("database.allow_privileged_role"),
            migrate_on_start: reader.word(
                "database.migrate_on_start",
                &[
                    ("never", MigrateOnStart::Never),
                    ("embedded", MigrateOnStart::Embedded),
                    ("always", MigrateOnStart::Always),
                ],
                MigrateOnStart::Never,
            ),
        }
    }
}

fn read_url(reader: &mut Reader<'_>) -> DatabaseUrl {
    let file = default_file();
    let allowed = match file {
        Some(_) => format!("{ALLOWED} (empty: a SQLite file in your data directory)"),
        None => format!("{ALLOWED} (this user has no home directory to put a file in)"),
    };
    let placeholder = DatabaseUrl::sqlite_file(&PathBuf::from("unset"));
    reader.value(
        "database.url",
        &allowed,
        placeholder,
        |setting| match text(setting)?.trim() {
            "" => file.as_deref().map(DatabaseUrl::sqlite_file),
            url => DatabaseUrl::parse(url),
        },
    )
}

/// `carrier-sync/carrier-sync.db` in the user's data directory (`$XDG_DATA_HOME` on Linux).
fn default_file() -> Option<PathBuf> {
    let directories = ProjectDirs::from("", "", "carrier-sync")?;
    Some(directories.data_dir().join("carrier-sync.db"))
}
