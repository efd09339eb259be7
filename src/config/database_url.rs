//! The address of the database: a secret, an engine, and a part that may be shown.

use std::{fmt, path::Path};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What a database URL may look like.
pub(super) const ALLOWED: &str = "postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH";

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `postgres://` or `postgresql://`.
    Postgres,
    /// `sqlite:`; embedded, one process.
    Sqlite,
}

/// A database URL with a known engine. Neither `Debug` nor `Display` shows user, password or query.
#[derive(Clone)]
pub struct DatabaseUrl {
    secret: SecretString,
    engine: Engine,
    address: String,
}

impl DatabaseUrl {
    /// `None` when it is the URL of no engine that we know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (engine, address) = match text.split_once(':')? {
            ("postgres" | "postgresql", _) => (Engine::Postgres, postgres_address(text)?),
            ("sqlite", path) => (Engine::Sqlite, sqlite_address(path)?),
            _ => return None,
        };
        Some(Self {
            secret: text.into(),
            engine,
            address,
        })
    }

    /// The URL of a SQLite file in a folder of our own.
    #[must_use]
    pub fn sqlite_file(path: &Path) -> Self {
        let address = format!("sqlite://{}", path.display());
        // A URL's path ends at `?`, and `%` starts an escape.
        let url = address
            .replace('%', "%25")
            .replace('?', "%3F")
            .replace('#', "%23");
        Self {
            secret: url.into(),
            engine: Engine::Sqlite,
            address,
        }
    }

    /// The whole URL, for the connection only.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Which database it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }
}

/// Where it points: scheme, host and port, or the file.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.address)
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// The part of any text that may be shown when it is refused as a URL: its scheme.
pub(super) fn masked(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _))
            if scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+') =>
        {
            format!("\"{scheme}://…\"")
        }
        _ => "(not shown)".to_owned(),
    }
}

fn postgres_address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    text.contains("://")
        .then(|| format!("{}://{host}{port}", url.scheme()))
}

fn sqlite_address(rest: &str) -> Option<String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or_default();
    (!path.is_empty()).then(|| format!("sqlite://{path}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn neither_user_nor_password_nor_query_is_ever_shown() {
        let url = DatabaseUrl::parse("postgres://bob:hunter2@db.example:6432/fleet?x=hunter2");
        let url = url.unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:6432");
        assert_eq!(
            format!("{url:?}"),
            "DatabaseUrl(postgres://db.example:6432)"
        );
        assert_eq!(masked("mysql://bob:hunter2@db"), "\"mysql://…\"");
        assert_eq!(masked("bob:hunter2@db"), "(not shown)");
        assert_eq!(masked("bob:hunter2@db://x"), "(not shown)");
    }

    #[test]
    fn each_engine_is_known_by_its_scheme_and_others_are_refused() {
        for (text, engine) in [
            ("postgres://localhost/fleet", Some(Engine::Postgres)),
            (
                "postgresql://u:p%40@[::1]:5432/fleet",
                Some(Engine::Postgres),
            ),
            (
                "postgres:///fleet?host=/run/postgresql",
                Some(Engine::Postgres),
            ),
            ("sqlite:///var/lib/fleet.db", Some(Engine::Sqlite)),
            ("sqlite:fleet.db?mode=rwc", Some(Engine::Sqlite)),
            ("sqlite://", None),
            ("postgres:fleet", None),
            ("postgres://host:port/fleet", None),
            ("mysql://localhost/fleet", None),
            ("fleet.db", None),
            ("", None),
        ] {
            assert_eq!(
                DatabaseUrl::parse(text).map(|url| url.engine()),
                engine,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_file_name_with_url_characters_stays_one_file() {
        let url = DatabaseUrl::sqlite_file(Path::new("/tmp/100% sure?#.db"));
        assert_eq!(
            url.secret().expose_secret(),
            "sqlite:///tmp/100%25 sure%3F%23.db"
        );
        assert_eq!(url.to_string(), "sqlite:///tmp/100% sure?#.db");
    }
}
