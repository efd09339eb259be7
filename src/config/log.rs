//! `[log]`: what is logged, and how.

use tracing_subscriber::EnvFilter;

use super::reader::{Reader, text};

/// Words that set one level for everything.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text where stderr is a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One object per line, for collectors.
    Json,
}

impl LogFormat {
    const WORDS: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("text", Self::Text),
        ("json", Self::Json),
    ];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Directives that `EnvFilter` accepts.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let allowed = format!(
            "one of {}, or a list like info,carrier_sync=debug",
            LEVELS.join(", ")
        );
        Self {
            level: reader.value("log.level", &allowed, String::new(), |setting| {
                text(setting)
                    .filter(|level| is_filter(level))
                    .map(str::to_owned)
            }),
            format: reader.word("log.format", &LogFormat::WORDS, LogFormat::Auto),
        }
    }
}

/// A bare word must be a level: `EnvFilter` reads any other as a target to trace, so that `inof`
/// would silence the log.
fn is_filter(directives: &str) -> bool {
    let is_plain = |part: &str| part.contains('=') || LEVELS.contains(&part);
    directives.split(',').all(is_plain) && EnvFilter::try_new(directives).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_filter;

    #[test]
    fn a_level_with_a_typing_error_is_refused() {
        for good in ["info", "off", "info,carrier_sync=debug"] {
            assert!(is_filter(good), "{good:?}");
        }
        for bad in [
            "",
            "inof",
            "loud",
            "info,",
            "carrier_sync=loud",
            "info;debug",
        ] {
            assert!(!is_filter(bad), "{bad:?}");
        }
    }
}
