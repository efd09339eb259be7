//! Logs: where they go and how they look.
//!
//! Everything goes through tracing to stderr, panics included; stdout belongs to results. Knows
//! nothing of what is logged.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::config::{LogConfig, LogFormat};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `log.level` was valid when the configuration was read: a defect.
    #[error("log.level: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What is logged, to be changed while the process runs.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Logs what `level` says from now on.
    ///
    /// # Errors
    /// [`LoggingError::Filter`] when it is none; it stays as it was.
    pub fn set(&self, level: &str) -> Result<(), LoggingError> {
        let filter = EnvFilter::try_new(level)?;
        // Fails only when there are no logs any more.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

/// Sets up logging for the process, once.
///
/// # Errors
/// [`LoggingError`] when it is called twice.
pub fn init(config: &LogConfig) -> Result<LogLevel, LoggingError> {
    let (filter, level) = reload::Layer::new(EnvFilter::try_new(&config.level)?);
    tracing_subscriber::registry()
        .with(lines(config.format).with_filter(filter))
        .try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(LogLevel(level))
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let is_terminal = io::stderr().is_terminal();
    // A log that cannot be written (closed pipe, full disk) must not become a panic.
    let base = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Json => base
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Auto if !is_terminal => base
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Auto | LogFormat::Text => base.with_ansi(is_terminal && !no_color()).boxed(),
    }
}

/// The convention of <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Logs a panic in place of the raw text, so that collectors see it as one event.
///
/// The text of a panic is whatever the code that panicked put into it. In a task someone waits for
/// the end and tells why, without secrets; here only the place is told.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let is_task = thread != "main" && tokio::runtime::Handle::try_current().is_ok();
    let message = match is_task {
        true => "a task panicked; who waits for it tells why",
        false => message(panic.payload()),
    };
    let backtrace = Backtrace::capture(); // empty unless RUST_BACKTRACE asks for it
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: "panic", location, thread, %backtrace, "{message}");
    } else {
        tracing::error!(target: "panic", location, thread, "{message}");
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "panic without a message"
    }
}
