//! `carrier-sync migrate`: create or upgrade the schema.

use clap::Args;

use super::{CliError, Exit, Output, database};
use crate::{
    config::{Config, Engine},
    store::StoreError,
};

const AFTER_HELP: &str = "\
Creates what is missing and adopts what is there; it never drops or rewrites anything. Where a present \
column has another type than the service needs, it changes nothing and says what to run.

On Postgres it forces row-level security on every table with a tenant_id, so connect as the tables' \
owner. The service itself should connect as another role, which --service-role prepares; the role has \
to exist (CREATE ROLE carrier_sync LOGIN PASSWORD '…').

Examples:
  carrier-sync migrate
  DATABASE_URL=postgres://owner@db/fleet carrier-sync migrate --service-role carrier_sync

Next:
  carrier-sync integrations add --tenant acme --carrier hologram
  carrier-sync check";

/// Create or upgrade the schema
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct MigrateArgs {
    /// Grant this Postgres role exactly what the service needs
    #[arg(long, value_name = "NAME")]
    service_role: Option<String>,
}

/// Migrates, and says whether there was anything to do.
pub(super) async fn migrate(args: &MigrateArgs, config: &Config) -> Result<Exit, CliError> {
    let database = &config.database;
    let role = args.service_role.as_deref();
    if role.is_some() && database.url.engine() == Engine::Sqlite {
        return Err(
            CliError::new("--service-role is for Postgres; SQLite knows no roles")
                .hint("leave it out, or name a Postgres database with --database-url"),
        );
    }
    let store = database::connect(config)?;
    let before = store.check(true).await;
    store
        .migrate(role)
        .await
        .map_err(|error| database::at(database, error))?;
    store.close().await;

    let mut output = Output::stdout();
    output.line(match before {
        Err(StoreError::SchemaNotMigrated(what)) => {
            format!(
                "schema of {} created or upgraded (was: {what})",
                database.url
            )
        }
        _ => format!("schema of {} is up to date", database.url),
    })?;
    if let Some(role) = role {
        output.line(format_args!(
            "role {role:?} may do what the service needs, and no more"
        ))?;
    }
    output.flush()?;
    Ok(Exit::Success)
}
