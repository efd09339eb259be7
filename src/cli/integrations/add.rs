//! `carrier-sync integrations add`.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{
    fields::{
        Fields, carrier_parser, check_account, dialect, interval_parser, needs_secret, non_empty,
    },
    sealing::{Sealing, new_id},
    secret::{API_KEY, API_SECRET, at_most_one_from_stdin},
};
use crate::{
    carriers::{Account, registry},
    cli::{CliError, Exit, Output, open},
    config::Config,
    device::{IntegrationId, TenantId},
    store::{IntegrationChange, NewIntegration, Store, StoreError},
};

const AFTER_HELP: &str = "\
The key is asked for without showing it, or read from --api-key-file FILE (- for stdin) or from \
CARRIER_SYNC_API_KEY; the secret, where the carrier has one, likewise. No flag takes a key itself: every \
user of this machine could read it. Where a key for secrets is configured (carrier-sync secrets --help), \
they are stored sealed.

Examples:
  carrier-sync integrations add --tenant acme --carrier hologram --account-id 1234
  carrier-sync integrations add --tenant acme --carrier hologram --id acme-main \\
      --api-key-file /run/secrets/hologram --interval-minutes 15
  ID=$(vault read -field=key hologram | \\
      carrier-sync integrations add -q --tenant acme --carrier hologram --api-key-file -)

Next:
  carrier-sync integrations test ID     does the carrier take the credentials?
  carrier-sync devices import devices.csv --integration ID";

/// Add a carrier account
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct AddArgs {
    /// Owner of the account; made where it is missing
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// The carrier's name, such as hologram
    #[arg(long, value_name = "NAME", value_parser = carrier_parser)]
    carrier: &'static str,
    /// Name of the integration in the database [default: the database makes one]
    #[arg(long, value_name = "ID")]
    id: Option<IntegrationId>,
    #[command(flatten)]
    fields: Fields,
    /// Minutes between two syncs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = interval_parser())]
    interval_minutes: i64,
    /// Add it, but do not sync it yet
    #[arg(long)]
    disabled: bool,
    /// Read the key from this file; - for stdin
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Read the secret from this file; - for stdin
    #[arg(long, value_name = "FILE")]
    api_secret_file: Option<PathBuf>,
    /// Print the new id and nothing else
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Print a JSON object with the new id
    #[arg(long)]
    json: bool,
}

pub(super) async fn add(args: AddArgs, config: &Config) -> Result<Exit, CliError> {
    args.fields.check(config)?;
    let sealing = Sealing::read(config)?;
    let account = read_account(&args, config)?;
    let new = new_integration(&args, account);
    let store = open(config).await?;
    if let Some(id) = &args.id {
        refuse_known(&store, id).await?;
    }
    let id = if sealing.is_on() {
        add_sealed(&store, &sealing, new).await?
    } else {
        store.add_integration(&new).await?
    };
    store.close().await;
    tell(&args, &id)?;
    Ok(Exit::Success)
}

/// The secrets are sealed for the id, so the id comes first.
async fn add_sealed(
    store: &Arc<dyn Store>,
    sealing: &Sealing,
    new: NewIntegration,
) -> Result<IntegrationId, CliError> {
    let tenant_id = &new.tenant_id;
    let id = new.id.clone().map_or_else(new_id, Ok)?;
    let sealed = NewIntegration {
        id: Some(id.clone()),
        tenant_id: tenant_id.clone(),
        carrier_name: new.carrier_name,
        fields: sealing.seal((tenant_id, &id), new.fields.clone())?,
    };
    let stored = store.add_integration(&sealed).await.map_err(|error| {
        let is_refused = matches!(error, StoreError::Invalid(_)) && new.id.is_none();
        let told = CliError::from(error);
        if is_refused {
            told.hint("this database names integrations in its own way: give a name with --id")
        } else {
            told
        }
    })?;
    if stored != id {
        // A column of type uuid or integer spells it otherwise, and the secrets are bound to the letter.
        let again = IntegrationChange {
            api_key: new.fields.api_key,
            api_secret: new.fields.api_secret,
            ..IntegrationChange::default()
        };
        let again = sealing.seal((tenant_id, &stored), again)?;
        store.set_integration(&stored, &again).await?;
    }
    Ok(stored)
}

/// The database refuses it too, in its own words.
async fn refuse_known(store: &Arc<dyn Store>, id: &IntegrationId) -> Result<(), CliError> {
    let rows = store.integrations().await?;
    let Some(known) = rows.iter().find(|row| row.id == *id) else {
        return Ok(());
    };
    let text = format!(
        "integration {id} exists already (tenant {})",
        known.tenant_id
    );
    Err(CliError::new(text).hint(format!(
        "change it with carrier-sync integrations set {id}, or leave --id out for a new one"
    )))
}

/// Everything that proves who we are, checked by the carrier's own rules.
fn read_account(args: &AddArgs, config: &Config) -> Result<Account, CliError> {
    at_most_one_from_stdin(
        args.api_key_file.as_deref(),
        args.api_secret_file.as_deref(),
    )?;
    let carrier = registry::find(args.carrier).map_err(|error| CliError::new(error.to_string()))?;
    let settings = args.fields.settings(carrier, &serde_json::Value::Null)?;
    let mut account = Account {
        api_key: API_KEY.given_or_asked(args.api_key_file.as_deref())?,
        api_secret: API_SECRET.given(args.api_secret_file.as_deref())?,
        account_id: non_empty(args.fields.account_id.as_deref()),
        settings: settings.unwrap_or_default(),
    };
    let carrier = dialect(args.carrier, &account, config)?;
    if account.api_secret.is_none() && needs_secret(carrier, &account) {
        account.api_secret = Some(API_SECRET.given_or_asked(None)?);
    }
    check_account(carrier, &account)?;
    Ok(account)
}

fn new_integration(args: &AddArgs, account: Account) -> NewIntegration {
    NewIntegration {
        id: args.id.clone(),
        tenant_id: args.tenant.clone(),
        carrier_name: args.carrier.to_owned(),
        fields: IntegrationChange {
            display_name: non_empty(args.fields.name.as_deref()),
            enabled: Some(!args.disabled),
            sync_interval_minutes: Some(args.interval_minutes),
            api_key: Some(account.api_key),
            api_secret: account.api_secret,
            api_base_url: non_empty(args.fields.base_url.as_deref()),
            account_id: account.account_id,
            config: (!account.settings.is_empty()).then(|| account.settings.into()),
            ..IntegrationChange::default()
        },
    }
}

fn tell(args: &AddArgs, id: &IntegrationId) -> Result<(), CliError> {
    let mut output = Output::stdout();
    if args.quiet {
        output.line(id)?;
    } else if args.json {
        output.json(&serde_json::json!({
            "integration_id": id, "tenant_id": args.tenant, "carrier": args.carrier,
        }))?;
    } else {
        output.line(format_args!(
            "added integration {id} ({}, tenant {})",
            args.carrier, args.tenant
        ))?;
        output.line(format_args!("next: carrier-sync integrations test {id}"))?;
        output.line(format_args!(
            "      carrier-sync devices import devices.csv --integration {id}"
        ))?;
    }
    output.flush()
}
