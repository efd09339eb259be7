//! `carrier-sync check`: is everything in place?

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use clap::Args;
use futures_util::{StreamExt, stream};

use super::output::note;
use super::runtime::in_system;
use super::verdict::Verdict;
use super::{CliError, Exit, Output};
use crate::app::App;
use crate::carriers::Carrier;
use crate::carriers::custom::Custom;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::manifests::read;

/// Carriers asked at once.
const AT_ONCE: usize = 16;

const AFTER_HELP: &str = "\
Reads the configuration, looks at the schema and at the rights of the database role, and makes one \
harmless call with every enabled integration's credentials. No device is touched.

Exit codes:
  0   success   all is well
  1   error     configuration, database or role are wrong, or no integration works
  2   partial   some integrations work, some do not
  64  usage     the command line made no sense

Examples:
  carrier-sync check
  carrier-sync check --config /etc/carrier-sync.toml --json
  carrier-sync check --manifest acme-mobile.toml

Next:
  carrier-sync migrate                  where the schema is missing or old
  carrier-sync integrations set ID --new-api-key
                                        where a carrier refuses the credentials";

/// Check configuration, schema, database role and every integration's credentials
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CheckArgs {
    /// Print one JSON object per integration (or mistake of a manifest) and line
    #[arg(long)]
    pub json: bool,
    /// Check this manifest of a custom carrier and nothing else: every mistake with its line and key
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// Reads a manifest and says what is wrong with it, or what it makes of its carrier.
pub(super) fn check_manifest(file: &Path, json: bool) -> Result<Exit, CliError> {
    let text =
        read(file).map_err(|reason| CliError::new(format!("{}: {reason}", file.display())))?;
    let mut output = Output::stdout();
    let name = file.display().to_string();
    let exit = match Custom::of(&name, &text) {
        Ok(carrier) => {
            let can = carrier.capabilities();
            if json {
                output
                    .json(&serde_json::json!({ "file": name, "ok": true, "carrier": can.name }))?;
            } else {
                output.line(format_args!("ok      {name}: {}", can.name))?;
                for (what, source) in [
                    ("usage", can.usage),
                    ("billing cycle", can.cycle),
                    ("SIM status", can.sim_status),
                    ("network status", can.network_status),
                ] {
                    output.line(format_args!("        {what:<15} {source}"))?;
                }
                if let Some(id) = &can.credentials.account_id {
                    let (what, whose) = ("account id", &id.what);
                    output.line(format_args!("        {what:<15} required: {whose}"))?;
                }
            }
            Exit::Success
        }
        Err(mistakes) => {
            for mistake in mistakes {
                if json {
                    output.json(&serde_json::json!({
                        "file": mistake.file, "ok": false,
                        "line": mistake.line, "reason": mistake.reason,
                    }))?;
                } else {
                    output.line(format_args!("FAILED  {mistake}"))?;
                }
            }
            Exit::Error
        }
    };
    output.flush()?;
    Ok(exit)
}

/// Checks everything and writes nothing.
pub(super) fn check(args: &CheckArgs, config: Config) -> Result<Exit, CliError> {
    in_system(async {
        let mut output = Output::stdout();
        let app = App::new(config, Arc::new(SystemClock))?;
        app.prepare().await?;
        let rows = app.choose(&[]).await?;
        if !args.json {
            output.line("ok      configuration")?;
            output.line(format_args!(
                "ok      database: {} with schema and role",
                app.store.engine()
            ))?;
        }
        let asked = rows.iter().map(|row| Verdict::of(&app, row));
        let mut verdicts = pin!(stream::iter(asked).buffered(AT_ONCE));
        let (mut good, mut bad) = (0, 0);
        while let Some(verdict) = verdicts.next().await {
            if verdict.ok {
                good += 1
            } else {
                bad += 1
            }
            if args.json {
                output.json(&verdict)?
            } else {
                output.line(verdict)?
            }
            output.flush()?;
        }
        if rows.is_empty() {
            note("no integration to check; add one with `carrier-sync integrations add`");
        }
        app.store.close().await;
        Ok(match (good, bad) {
            (_, 0) => Exit::Success,
            (0, _) => Exit::Error,
            _ => Exit::Partial,
        })
    })
}
