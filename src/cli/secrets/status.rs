//! `carrier-sync secrets status`.

use std::collections::BTreeMap;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::reseal::secrets;
use crate::{
    cli::{
        CliError, Exit, Output, open, output,
        table::{Column, Table},
    },
    config::Config,
    integration::{IntegrationRow, SecretColumn},
    secrets::{KeyId, Keyring, OpenError, Place, Sealed},
};

const AFTER_HELP: &str = "\
Counts every api_key and api_secret by the way it is stored. KEY is current (it seals), configured (it \
opens), or missing (what it sealed cannot be opened: those integrations are parked). \"damaged\" does not \
open with its own key; set it anew with carrier-sync integrations set.

With --json each way is one object on one line: state (clear, sealed, damaged), key_id, key, secrets.

Examples:
  carrier-sync secrets status
  carrier-sync secrets status --json | jq 'select(.state == \"clear\")'";

/// Show how many credentials are sealed, and with which key
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct StatusArgs {
    /// Print one JSON object per way and line
    #[arg(long)]
    json: bool,
}

/// The way a secret is stored, in the order it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    Clear,
    Damaged,
    Sealed(KeyId),
}

pub(super) async fn status(args: &StatusArgs, config: &Config) -> Result<Exit, CliError> {
    let ring = config.secrets.keys.read()?;
    let store = open(config).await?;
    let rows = store.integrations().await?;
    store.close().await;
    let counts = counts(&rows, &ring);
    let mut output = Output::stdout();
    if args.json {
        (counts.iter()).try_for_each(|(state, count)| output.json(&line(*state, *count, &ring)))?;
    } else if counts.is_empty() {
        output::note("no secrets: no integration has a key");
    } else {
        for line in table(&counts, &ring) {
            output.line(line)?;
        }
    }
    output.flush()?;
    if !args.json {
        hint(&counts, &ring);
    }
    Ok(Exit::Success)
}

fn counts(rows: &[IntegrationRow], ring: &Keyring) -> BTreeMap<State, usize> {
    let mut counts = BTreeMap::new();
    for (row, column, stored) in secrets(rows) {
        *counts.entry(state(row, column, stored, ring)).or_default() += 1;
    }
    counts
}

fn state(
    row: &IntegrationRow,
    column: SecretColumn,
    stored: &SecretString,
    ring: &Keyring,
) -> State {
    match Sealed::parse(column, stored.expose_secret()) {
        Ok(None) => State::Clear,
        Err(_) => State::Damaged,
        Ok(Some(sealed)) => match ring.open(Place::of(row, column), stored) {
            Err(OpenError::Foreign { .. } | OpenError::Damaged { .. }) => State::Damaged,
            _ => State::Sealed(sealed.key_id),
        },
    }
}

/// As scripts read it.
#[derive(Debug, Serialize)]
struct Line {
    state: &'static str,
    key_id: Option<String>,
    key: Option<&'static str>,
    secrets: usize,
}

fn line(state: State, secrets: usize, ring: &Keyring) -> Line {
    let (state, key_id, key) = match state {
        State::Clear => ("clear", None, None),
        State::Damaged => ("damaged", None, None),
        State::Sealed(id) => ("sealed", Some(id.to_string()), Some(standing(id, ring))),
    };
    Line {
        state,
        key_id,
        key,
        secrets,
    }
}

fn standing(id: KeyId, ring: &Keyring) -> &'static str {
    match (ring.current(), ring.get(id)) {
        (Some(current), _) if current.id() == id => "current",
        (_, Some(_)) => "configured",
        _ => "missing",
    }
}

fn table(counts: &BTreeMap<State, usize>, ring: &Keyring) -> Vec<String> {
    let columns = [
        Column::whole("STORED"),
        Column::whole("KEY ID"),
        Column::whole("KEY"),
        Column::number("SECRETS"),
    ];
    let cells = |(state, count): (&State, &usize)| {
        let line = line(*state, *count, ring);
        [
            line.state.to_owned(),
            line.key_id.unwrap_or_default(),
            line.key.unwrap_or_default().to_owned(),
            line.secrets.to_string(),
        ]
    };
    Table::new(columns, output::terminal_width()).page(counts.iter().map(cells).collect())
}

/// The one next step that matters most.
fn hint(counts: &BTreeMap<State, usize>, ring: &Keyring) {
    let has = |wanted: &str| {
        let sealed = counts.keys().filter_map(|state| match state {
            State::Sealed(id) => Some(standing(*id, ring)),
            _ => None,
        });
        sealed.into_iter().any(|standing| standing == wanted)
    };
    let text = if has("missing") {
        "add the missing key to secrets.key_file (or CARRIER_SYNC__SECRETS__KEY)"
    } else if counts.contains_key(&State::Clear) && ring.current().is_none() {
        "carrier-sync secrets --help shows how to seal what is in clear text"
    } else if counts.contains_key(&State::Clear) {
        "carrier-sync secrets encrypt seals what is in clear text"
    } else if has("configured") {
        "carrier-sync secrets rotate seals everything with the current key"
    } else {
        return;
    };
    output::note(format_args!("hint: {text}"));
}
