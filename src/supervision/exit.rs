//! Why an actor ended.

/// The end of an actor, as its join handle tells it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExitReason {
    /// It was told to stop, or stopped itself.
    #[error("stopped")]
    Stopped,
    /// It panicked; the message is the panic's.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It was aborted.
    #[error("killed")]
    Killed,
}

impl ExitReason {
    /// Reads the end of a task.
    #[must_use]
    pub fn of<T>(joined: Result<T, tokio::task::JoinError>) -> Self {
        match joined {
            Ok(_) => Self::Stopped,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => Self::Panicked(panic_text(payload.as_ref())),
                Err(_) => Self::Killed,
            },
        }
    }
}

/// The text of a panic payload.
#[must_use]
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
