//! From the configuration to an open store, for every command alike.

use std::sync::Arc;

use super::CliError;
use crate::{
    app::store_options,
    config::{Config, DatabaseConfig, Engine},
    store::{self, Store, StoreError},
};

/// Opens the configured database, creating or upgrading its schema where `migrate_on_start` says so.
///
/// # Errors
/// [`CliError`] with what to do next.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, CliError> {
    let store = connect(config)?;
    if config
        .database
        .migrate_on_start
        .applies_to(config.database.url.engine())
    {
        store
            .migrate(None)
            .await
            .map_err(|error| at(&config.database, error))?;
    }
    Ok(store)
}

/// The store without a look at its schema.
pub(super) fn connect(config: &Config) -> Result<Arc<dyn Store>, CliError> {
    store::connect(&store_options(config)).map_err(|error| at(&config.database, error))
}

/// Which database it was, and, where it is a file, what a file needs.
pub(super) fn at(config: &DatabaseConfig, error: StoreError) -> CliError {
    let is_missing = matches!(error, StoreError::Unavailable(_));
    let told = CliError::from(error).context(&config.url.to_string());
    if is_missing && config.url.engine() == Engine::Sqlite {
        return told.hint("the file and its folder must be writable; --database-url names another");
    }
    told
}
