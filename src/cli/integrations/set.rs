//! `carrier-sync integrations set`.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;

use super::{
    fields::{Fields, check_account, dialect, interval_parser, non_empty},
    find,
    sealing::Sealing,
    secret::{API_KEY, API_SECRET, Half, at_most_one_from_stdin},
};
use crate::{
    carriers::{Account, registry},
    cli::{CliError, Exit, Output, open},
    config::Config,
    device::IntegrationId,
    integration::{IntegrationRow, SecretColumn},
    store::IntegrationChange,
};

const AFTER_HELP: &str = "\
Only what is given changes. An empty --account-id or --api-base-url removes it. A running service \
notices the change within supervisor.discover_interval.

Examples:
  carrier-sync integrations set ID --interval-minutes 15
  carrier-sync integrations set ID --new-api-key
  carrier-sync integrations set ID --api-key-file /run/secrets/hologram
  carrier-sync integrations set ID --api-base-url ''
  carrier-sync integrations set ID --disable

Next:
  carrier-sync integrations test ID";

/// Change a carrier account
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct SetArgs {
    /// The integration, as `carrier-sync integrations list` names it
    id: IntegrationId,
    #[command(flatten)]
    fields: Fields,
    /// Minutes between two syncs
    #[arg(long, value_name = "N", value_parser = interval_parser())]
    interval_minutes: Option<i64>,
    /// Use it
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Leave it alone altogether
    #[arg(long)]
    disable: bool,
    /// Stop its timer; `once --integration ID` still syncs it
    #[arg(long, conflicts_with = "resume")]
    pause: bool,
    /// Start its timer again
    #[arg(long)]
    resume: bool,
    /// Replace the key: from CARRIER_SYNC_API_KEY where it is set, else asked for without showing it
    #[arg(long, conflicts_with = "api_key_file")]
    new_api_key: bool,
    /// Replace the key by the one in this file; - for stdin
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Replace the secret: from CARRIER_SYNC_API_SECRET where it is set, else asked for
    #[arg(long, conflicts_with = "api_secret_file")]
    new_api_secret: bool,
    /// Replace the secret by the one in this file; - for stdin
    #[arg(long, value_name = "FILE")]
    api_secret_file: Option<PathBuf>,
}

impl SetArgs {
    fn changes_something(&self) -> bool {
        let fields = &self.fields;
        let texts = [
            &fields.name,
            &fields.account_id,
            &fields.base_url,
            &fields.manifest,
        ];
        let files = [&self.api_key_file, &self.api_secret_file];
        let switches = [self.enable, self.disable, self.pause, self.resume];
        texts.iter().any(|text| text.is_some())
            || files.iter().any(|file| file.is_some())
            || !fields.settings.is_empty()
            || switches.contains(&true)
            || self.new_api_key
            || self.new_api_secret
            || self.interval_minutes.is_some()
    }
}

pub(super) async fn set(args: SetArgs, config: &Config) -> Result<Exit, CliError> {
    args.fields.check(config)?;
    if !args.changes_something() {
        return Err(CliError::usage("there is nothing to change")
            .hint("carrier-sync integrations set --help shows what can be"));
    }
    at_most_one_from_stdin(
        args.api_key_file.as_deref(),
        args.api_secret_file.as_deref(),
    )?;
    let sealing = Sealing::read(config)?;
    let store = open(config).await?;
    let row = find(&store, &args.id).await?;
    let change = read_change(&args, &row)?;
    sealing.refuse_unsealing(&row, &change)?;
    check_changed_account(&sealing, &row, &change, config)?;
    let change = sealing.seal((&row.tenant_id, &row.id), change)?;
    store.set_integration(&args.id, &change).await?;
    store.close().await;
    let mut output = Output::stdout();
    output.line(format_args!("changed integration {}", args.id))?;
    output.flush()?;
    Ok(Exit::Success)
}

fn read_change(args: &SetArgs, row: &IntegrationRow) -> Result<IntegrationChange, CliError> {
    let file = args.api_key_file.as_deref();
    let secret_file = args.api_secret_file.as_deref();
    let settings = match registry::find(&row.carrier_name) {
        Ok(carrier) => args.fields.settings(carrier, &row.config)?,
        Err(_) => None,
    };
    Ok(IntegrationChange {
        display_name: args.fields.name.clone(),
        enabled: switch(args.enable, args.disable),
        sync_enabled: switch(args.resume, args.pause),
        sync_interval_minutes: args.interval_minutes,
        api_key: replacement(API_KEY, args.new_api_key, file)?,
        api_secret: replacement(API_SECRET, args.new_api_secret, secret_file)?,
        api_base_url: args.fields.base_url.clone(),
        account_id: args.fields.account_id.clone(),
        config: settings.map(Into::into),
    })
}

fn switch(on: bool, off: bool) -> Option<bool> {
    (on || off).then_some(on)
}

/// A key in the environment alone changes nothing: it may be there for another command.
fn replacement(
    half: Half,
    is_wanted: bool,
    file: Option<&Path>,
) -> Result<Option<SecretString>, CliError> {
    if is_wanted || file.is_some() {
        half.given_or_asked(file).map(Some)
    } else {
        Ok(None)
    }
}

/// Holds the account as it would become against the carrier's rules; a row whose carrier or key is
/// missing anyway, or cannot be opened here, can still be changed.
fn check_changed_account(
    sealing: &Sealing,
    row: &IntegrationRow,
    change: &IntegrationChange,
    config: &Config,
) -> Result<(), CliError> {
    let is_touched = change.api_key.is_some()
        || change.api_secret.is_some()
        || change.account_id.is_some()
        || change.config.is_some();
    let stored = |column| sealing.open(row, column);
    let api_key = (change.api_key.clone()).or_else(|| stored(SecretColumn::ApiKey));
    let (true, Ok(_), Some(api_key)) = (is_touched, registry::find(&row.carrier_name), api_key)
    else {
        return Ok(());
    };
    let account_id = change.account_id.as_deref().or(row.account_id.as_deref());
    let account = Account {
        api_key,
        api_secret: (change.api_secret.clone()).or_else(|| stored(SecretColumn::ApiSecret)),
        account_id: non_empty(account_id),
        settings: (change.config.as_ref().unwrap_or(&row.config))
            .as_object()
            .cloned()
            .unwrap_or_default(),
    };
    let carrier = dialect(&row.carrier_name, &account, config)?;
    check_account(carrier, &account)
}
