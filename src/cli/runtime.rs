//! Where the service's commands run: in the service's own system, with its failure told as any other.

use super::CliError;
use crate::app;

/// Runs `service` until it ends.
///
/// # Errors
/// When the system cannot be made, or as the service does.
pub(super) fn in_system<T>(
    service: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    app::in_system(service).map_err(|error| CliError::new("cannot start").because(error))?
}
