//! `carrier-sync devices import`: all rows of a file, or none, or (asked for) the good ones.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::names;
use super::rows::{self, BadRow, GoodRow, Rows};
use crate::{
    cli::{CliError, Exit, Output, integrations, open, output},
    config::Config,
    device::IntegrationId,
    store::{DeviceLink, LinkReceipt, Store, StoreError},
};

/// Rows per call with `--partial`: small enough to show progress, large enough to be fast.
const CHUNK_ROWS: usize = 5000;

const AFTER_HELP: &str = "\
The first line names the columns: device_id, carrier_device_id and, optionally, sim_iccid, in any order, \
with commas between. Devices are made where they are missing; known ones are linked. White space around a \
cell is not part of it. The same file can be imported again.

Every bad row is told with its line. Without --partial a single one, or a conflict with devices in the \
database, means that nothing is imported. With --partial the good rows are, and the exit code is 2.

Examples:
  carrier-sync devices import devices.csv --integration ID --dry-run
  carrier-sync devices import devices.csv --integration ID
  psql -c \"COPY (…) TO STDOUT CSV HEADER\" | carrier-sync devices import - --integration ID

Next:
  carrier-sync once --integration ID";

/// Link the devices of a CSV file to an integration
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ImportArgs {
    /// The CSV file; - for stdin
    file: PathBuf,
    /// The integration, as `carrier-sync integrations list` names it
    #[arg(long, value_name = "ID")]
    integration: IntegrationId,
    /// Import the good rows even where others are bad
    #[arg(long)]
    partial: bool,
    /// Check the file and stop; the database is not asked, so conflicts with it are not found
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn import(args: &ImportArgs, config: &Config) -> Result<Exit, CliError> {
    let mut rows = read_file(&args.file)?;
    tell(&rows.bad);
    if !rows.bad.is_empty() && !args.partial {
        return Err(nothing_imported(&rows));
    }
    if args.dry_run {
        return finish(
            &format!("{} can be imported", count(rows.good.len(), "row")),
            rows.bad.len(),
        );
    }
    let store = open(config).await?;
    let row = integrations::find(&store, &args.integration).await?;
    let carrier = names::dialect(&row, config);
    let misnamed = rows.refuse(|name| names::check(carrier, name));
    tell(&misnamed);
    rows.bad.extend(misnamed);
    if !rows.bad.is_empty() && !args.partial {
        return Err(nothing_imported(&rows));
    }
    let import = Import {
        store: &store,
        integration: &args.integration,
    };
    let (receipt, conflicts) = if args.partial {
        import.good_ones(&rows.good).await?
    } else {
        (import.all_or_none(&rows.good).await?, Vec::new())
    };
    store.close().await;
    tell(&conflicts);
    let summary = format!(
        "{} created, {} updated",
        count(receipt.created, "device"),
        receipt.updated
    );
    finish(&summary, rows.bad.len() + conflicts.len())
}

fn read_file(path: &Path) -> Result<Rows, CliError> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut text))
    };
    read.map_err(|error| {
        CliError::new(format!("cannot read {}", path.display()))
            .because(error)
            .hint("name a CSV file, or - for stdin")
    })?;
    rows::read(&text).map_err(|error| error.context(&path.display().to_string()))
}

fn tell(bad: &[BadRow]) {
    for BadRow { line, reason } in bad {
        output::note(format_args!("line {line}: {reason}"));
    }
}

fn nothing_imported(rows: &Rows) -> CliError {
    let (bad, all) = (rows.bad.len(), rows.bad.len() + rows.good.len());
    CliError::new(format!(
        "{bad} of {} cannot be imported; nothing was",
        count(all, "row")
    ))
    .hint("repair these lines, or import the others with --partial")
}

fn finish(summary: &str, refused: usize) -> Result<Exit, CliError> {
    let mut output = Output::stdout();
    output.line(format_args!("{summary}, {} refused", count(refused, "row")))?;
    output.flush()?;
    Ok(if refused == 0 {
        Exit::Success
    } else {
        Exit::Partial
    })
}

/// Where the rows go.
struct Import<'a> {
    store: &'a Arc<dyn Store>,
    integration: &'a IntegrationId,
}

impl Import<'_> {
    /// One call, because the store's promise of all or none holds for a call.
    async fn all_or_none(&self, rows: &[GoodRow]) -> Result<LinkReceipt, CliError> {
        self.link(rows).await.map_err(|error| {
            let is_conflict = matches!(error, StoreError::Invalid(_));
            let told = CliError::from(error);
            if is_conflict {
                told.hint("--partial imports the rows without conflict")
            } else {
                told
            }
        })
    }

    /// Chunk by chunk; what the database refuses is told, the rest is kept.
    async fn good_ones(&self, rows: &[GoodRow]) -> Result<(LinkReceipt, Vec<BadRow>), CliError> {
        let progress = progress_bar(rows.len());
        let mut total = LinkReceipt::default();
        let mut conflicts = Vec::new();
        // A chunk with a conflict is halved until the row is found: few calls for few conflicts.
        let mut waiting: Vec<&[GoodRow]> = rows.chunks(CHUNK_ROWS).rev().collect();
        while let Some(chunk) = waiting.pop() {
            match (self.link(chunk).await, chunk) {
                (Ok(receipt), _) => {
                    total.created += receipt.created;
                    total.updated += receipt.updated;
                    progress.inc(chunk.len() as u64);
                }
                (Err(StoreError::Invalid(reason)), [row]) => {
                    conflicts.push(conflict(row, &reason));
                    progress.inc(1);
                }
                (Err(StoreError::Invalid(_)), _) => {
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    waiting.extend([second, first]);
                }
                (Err(error), _) => return Err(interrupted(error, &total)),
            }
        }
        progress.finish_and_clear();
        Ok((total, conflicts))
    }

    async fn link(&self, rows: &[GoodRow]) -> Result<LinkReceipt, StoreError> {
        let links: Vec<DeviceLink> = rows.iter().map(|row| row.link.clone()).collect();
        self.store.link_devices(self.integration, &links).await
    }
}

/// The store speaks of a call; here the call was one row.
fn conflict(row: &GoodRow, reason: &str) -> BadRow {
    let reason = reason
        .strip_prefix("nothing was linked: ")
        .unwrap_or(reason);
    BadRow {
        line: row.line,
        reason: reason.to_owned(),
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

fn interrupted(error: StoreError, so_far: &LinkReceipt) -> CliError {
    let imported = so_far.created + so_far.updated;
    CliError::from(error)
        .context(&format!("stopped after {imported} rows, which stay"))
        .hint("the same file can be imported again")
}

/// Draws on a terminal only, and not for files that are done before one could look.
fn progress_bar(rows: usize) -> ProgressBar {
    if rows < 2 * CHUNK_ROWS {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} rows, {eta} left");
    ProgressBar::new(rows as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
