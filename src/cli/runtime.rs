//! Where the service's commands run: an actix system on a runtime with a thread per core.
//!
//! Actors share the system's one arbiter; syncs, flushes and HTTP run on the runtime's workers.

use super::CliError;

/// Runs `service` until it ends.
///
/// # Errors
/// When the runtime cannot be made, or as the service does.
pub(super) fn in_system<T>(
    service: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("carrier-sync")
        .build()
        .map_err(|error| CliError::new("cannot start").because(error))?;
    actix::System::with_tokio_rt(|| runtime).block_on(service)
}
