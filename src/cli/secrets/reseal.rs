//! Every secret of the database, one by one, into the form it should have. Safe beside a running
//! service and beside other operators: a secret is replaced only where it still is what was read.

use std::collections::BTreeSet;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};

use super::count;
use crate::{
    cli::{CliError, Exit, output},
    device::IntegrationId,
    integration::{IntegrationRow, SecretColumn},
    secrets::{Key, Keyring, Place, Sealed},
    store::{SecretReplacement, Store, StoreError},
};

/// Everything is read again while someone else keeps changing it, but not for ever.
const MAX_ROUNDS: usize = 5;
/// Fewer are done before one could look.
const WORTH_A_BAR: usize = 100;

/// Which secrets are to be sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Those in clear text.
    NothingClear,
    /// Those that the current key has not sealed.
    CurrentKeyOnly,
}

/// What became of the secrets.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sealed: BTreeSet<(IntegrationId, SecretColumn)>,
    kept: usize,
    failures: Vec<String>,
}

/// The work: where, with which keys, to which end.
pub(super) struct Reseal<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) ring: &'a Keyring,
    pub(super) current: &'a Key,
    pub(super) goal: Goal,
}

enum Done {
    Sealed,
    ChangedMeanwhile,
    Failed(String),
}

impl Reseal<'_> {
    /// Seals what is to be sealed. What cannot be is told and costs nothing else.
    pub(super) async fn all(&self) -> Result<Tally, CliError> {
        let mut tally = Tally::default();
        for _ in 0..MAX_ROUNDS {
            let rows = self.store.integrations().await?;
            if self.round(&rows, &mut tally).await? {
                return Ok(tally);
            }
        }
        let text = "some were changed by someone else each time; run the command again";
        tally.failures.push(text.to_owned());
        Ok(tally)
    }

    /// Whether nothing had changed between reading and writing.
    async fn round(&self, rows: &[IntegrationRow], tally: &mut Tally) -> Result<bool, CliError> {
        (tally.kept, tally.failures) = (0, Vec::new());
        let secrets: Vec<_> = secrets(rows).collect();
        let progress = progress_bar(secrets.len());
        let mut is_settled = true;
        for (row, column, stored) in secrets {
            let name = (row.id.clone(), column);
            if self.is_met(column, stored) {
                tally.kept += usize::from(!tally.sealed.contains(&name));
            } else {
                match self.one(row, column, stored, tally.sealed.len()).await? {
                    Done::Sealed => drop(tally.sealed.insert(name)),
                    Done::ChangedMeanwhile => is_settled = false,
                    Done::Failed(reason) => {
                        let (id, tenant) = (&row.id, &row.tenant_id);
                        let text = format!("integration {id} (tenant {tenant}): {reason}");
                        tally.failures.push(text);
                    }
                }
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(is_settled)
    }

    fn is_met(&self, column: SecretColumn, stored: &SecretString) -> bool {
        match (Sealed::parse(column, stored.expose_secret()), self.goal) {
            (Ok(None), _) => false,
            (_, Goal::NothingClear) => true,
            (Ok(Some(sealed)), Goal::CurrentKeyOnly) => sealed.key_id == self.current.id(),
            (Err(_), Goal::CurrentKeyOnly) => false,
        }
    }

    async fn one(
        &self,
        row: &IntegrationRow,
        column: SecretColumn,
        stored: &SecretString,
        sealed_so_far: usize,
    ) -> Result<Done, CliError> {
        let place = Place::of(row, column);
        let clear = match self.ring.open(place, stored) {
            Ok(clear) => clear,
            Err(error) => return Ok(Done::Failed(error.to_string())),
        };
        let replacement = self.current.seal(place, &clear);
        let change = SecretReplacement {
            tenant_id: row.tenant_id.clone(),
            integration_id: row.id.clone(),
            column,
            stored: stored.clone(),
            replacement: replacement.map_err(|error| CliError::new(error.to_string()))?,
        };
        match self.store.replace_secret(&change).await {
            Ok(true) => Ok(Done::Sealed),
            Ok(false) => Ok(Done::ChangedMeanwhile),
            Err(StoreError::Invalid(reason)) => Ok(Done::Failed(format!("{column}: {reason}"))),
            Err(error) => Err(CliError::from(error)
                .context(&format!("stopped after {}", count(sealed_so_far)))
                .hint("what was sealed stays so; run the same command again for the rest")),
        }
    }

    /// Tells the result, and sees that what was replaced is not left lying about.
    pub(super) async fn finish(&self, tally: &Tally) -> Result<(String, Exit), CliError> {
        for failure in &tally.failures {
            output::note(format_args!("not sealed: {failure}"));
        }
        let erased = self.store.erase_traces().await.map_err(|error| {
            CliError::from(error)
                .context("sealed, but old texts may still lie in the database file")
                .hint("run the same command again")
        })?;
        if !erased && !tally.sealed.is_empty() {
            output::note(
                "note: Postgres keeps old row versions in its files until VACUUM FULL \
                 carrier_integrations, and in its WAL and backups; a key that someone may have read \
                 there should be replaced at the carrier",
            );
        }
        let mut text = format!(
            "{} sealed with key {}, {} left as before",
            count(tally.sealed.len()),
            self.current.id(),
            tally.kept,
        );
        if tally.failures.is_empty() {
            return Ok((text, Exit::Success));
        }
        text += &format!(", {} could not be sealed", tally.failures.len());
        let nothing_done = tally.sealed.is_empty() && tally.kept == 0;
        let exit = if nothing_done {
            Exit::Error
        } else {
            Exit::Partial
        };
        Ok((text, exit))
    }
}

/// Every stored secret; an empty text is none.
pub(super) fn secrets(
    rows: &[IntegrationRow],
) -> impl Iterator<Item = (&IntegrationRow, SecretColumn, &SecretString)> {
    rows.iter()
        .flat_map(|row| SecretColumn::ALL.map(|column| (row, column)))
        .filter_map(|(row, column)| Some((row, column, row.secret(column)?)))
        .filter(|(_, _, stored)| !stored.expose_secret().is_empty())
}

/// Draws on a terminal only.
fn progress_bar(secrets: usize) -> ProgressBar {
    if secrets < WORTH_A_BAR {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} secrets, {eta} left");
    ProgressBar::new(secrets as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
