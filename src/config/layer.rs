//! Layers of settings: flat maps of `section.key` to a value and the place it was written.
//!
//! The `config` crate reads each source; the maps stay apart until every key has been compared with
//! the schema, because once merged a misspelt key no longer knows its file.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
};

use config::{Environment, File, FileFormat, Source, Value, ValueKind};
use secrecy::{ExposeSecret, SecretString};
use toml::de::{DeTable, DeValue};

use super::{ConfigError, DEFAULT_TOML, LogFormat, origin::Origin};
use crate::carriers::registry;

const PREFIX: &str = "CARRIER_SYNC";
const SEPARATOR: &str = "__";
/// Hundreds of times the size of the commented defaults.
const LARGEST_FILE_BYTES: u64 = 1024 * 1024;

/// A value and where it was written. It has no `Debug`: it may be the database's password.
pub(super) struct Setting {
    /// Scalars and arrays; a table only where it is empty or stands in a setting's place.
    pub(super) value: ValueKind,
    /// For error messages.
    pub(super) origin: Origin,
}

/// Settings of one source, by dotted key.
#[derive(Default)]
pub(super) struct Layer {
    settings: BTreeMap<String, Setting>,
}

impl Layer {
    /// The defaults: `config/default.toml`, and the samples of carriers that are not in it yet.
    pub(super) fn compiled_in() -> Result<Self, ConfigError> {
        let read = |name, text| Self::toml(Path::new(name), text, |_| Origin::CompiledIn);
        let mut layer = read("config/default.toml", DEFAULT_TOML)?;
        for carrier in registry::carriers() {
            for (key, setting) in read("sample.toml", carrier.sample())?.settings {
                layer.settings.entry(key).or_insert(setting);
            }
        }
        Ok(layer)
    }

    /// A TOML file.
    pub(super) fn file(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path).map_err(|source| ConfigError::Unreadable {
            file: path.to_owned(),
            source,
        })?;
        Self::toml(path, &text, |line| Origin::File {
            path: path.to_owned(),
            line,
        })
    }

    /// `CARRIER_SYNC__SECTION__KEY`; an empty variable counts as not set.
    pub(super) fn environment(variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let collected = Environment::with_prefix(PREFIX)
            .separator(SEPARATOR)
            .ignore_empty(true)
            .source(Some(variables.iter().cloned().collect()))
            .collect()
            .map_err(|error| ConfigError::Defect(error.to_string()))?;
        let origin = |key: &str| Origin::Variable(variable_name(variables, key));
        Ok(Self::flattened(collected, &origin))
    }

    /// `DATABASE_URL`, below `CARRIER_SYNC__DATABASE__URL`: the more particular name wins.
    pub(super) fn database_url_variable(variables: &[(String, String)]) -> Self {
        let mut layer = Self::default();
        let set = variables
            .iter()
            .find(|(name, url)| name == "DATABASE_URL" && !url.is_empty());
        if let Some((name, url)) = set {
            layer.insert("database.url", url.as_str(), Origin::Variable(name.clone()));
        }
        layer
    }

    /// Settings that have a flag.
    pub(super) fn flags(url: Option<&SecretString>, format: Option<LogFormat>) -> Self {
        let mut layer = Self::default();
        if let Some(url) = url {
            layer.insert(
                "database.url",
                url.expose_secret(),
                Origin::Flag("--database-url"),
            );
        }
        if let Some(format) = format {
            layer.insert("log.format", format.as_str(), Origin::Flag("--log-format"));
        }
        layer
    }

    /// Settings as a file would have them.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Result<Self, ConfigError> {
        Self::toml(Path::new("test.toml"), text, |line| Origin::File {
            path: "test.toml".into(),
            line,
        })
    }

    fn toml(
        path: &Path,
        text: &str,
        origin: impl Fn(Option<usize>) -> Origin,
    ) -> Result<Self, ConfigError> {
        let lines = lines_of_keys(path, text)?;
        let collected = File::from_str(text, FileFormat::Toml)
            .collect()
            .map_err(|_| ConfigError::Number {
                file: path.to_owned(),
            })?;
        Ok(Self::flattened(collected, &|key| {
            origin(lines.get(key).copied())
        }))
    }

    fn flattened(
        tables: impl IntoIterator<Item = (String, Value)>,
        origin: &dyn Fn(&str) -> Origin,
    ) -> Self {
        let mut layer = Self::default();
        for (key, value) in tables {
            layer.flatten(key, value.kind, origin);
        }
        layer
    }

    fn flatten(&mut self, key: String, value: ValueKind, origin: &dyn Fn(&str) -> Origin) {
        match value {
            ValueKind::Table(table) if !table.is_empty() => {
                for (name, value) in table {
                    self.flatten(format!("{key}.{name}"), value.kind, origin);
                }
            }
            value => {
                let origin = origin(&key);
                self.settings.insert(key, Setting { value, origin });
            }
        }
    }

    fn insert(&mut self, key: &str, value: &str, origin: Origin) {
        let value = ValueKind::String(value.to_owned());
        self.settings
            .insert(key.to_owned(), Setting { value, origin });
    }

    /// This layer with another's values in place of its own.
    pub(super) fn overlaid_by(mut self, upper: Self) -> Self {
        self.settings.extend(upper.settings);
        self
    }

    /// The setting of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// Every key, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// Every key with its setting.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.settings
            .iter()
            .map(|(key, setting)| (key.as_str(), setting))
    }
}

/// The whole file, unless it is none that anyone wrote settings into: a database or a device given by
/// mistake would fill the memory. Read to the limit rather than measured, since a pipe has no length.
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?.take(LARGEST_FILE_BYTES + 1);
    io::BufReader::new(file).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {LARGEST_FILE_BYTES} bytes"),
        ));
    }
    Ok(text)
}

fn variable_name(variables: &[(String, String)], key: &str) -> String {
    let expected = format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR));
    let found = variables
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&expected));
    found.map_or_else(|| expected.to_uppercase(), |(name, _)| name.clone())
}

/// The line of every key, or the place of the syntax error. The parser's own rendering of an error
/// is not used: it prints the line, and that line may hold a password.
fn lines_of_keys(path: &Path, text: &str) -> Result<BTreeMap<String, usize>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = error
            .span()
            .map_or((1, 1), |span| position(text, span.start));
        let message = error.message().to_owned();
        ConfigError::Syntax {
            file: path.to_owned(),
            line,
            column,
            message,
        }
    })?;
    let mut lines = BTreeMap::new();
    note_lines(text, table.get_ref(), "", &mut lines);
    Ok(lines)
}

fn note_lines(text: &str, table: &DeTable<'_>, prefix: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        lines.insert(key.clone(), position(text, name.span().start).0);
        if let DeValue::Table(inner) = value.get_ref() {
            note_lines(text, inner, &format!("{key}."), lines);
        }
    }
}

/// Line and column of a byte, both counted from one.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
