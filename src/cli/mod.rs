//! The command line: arguments in, results on stdout, errors with a hint on stderr, an exit code.
//!
//! Each command has a file with its arguments, its help and one function. Commands that administer
//! run on a small runtime made here; the service's commands make their own.

mod check;
mod database;
mod demo;
mod demo_story;
mod devices;
mod error;
mod exit;
mod health;
mod integrations;
mod migrate;
mod once;
mod output;
mod prompt;
mod reloading;
mod run;
mod runs;
mod runtime;
mod secrets;
mod shell;
mod simulate;
pub mod simulate_dialect;
mod sync_bar;
mod table;
mod verdict;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use secrecy::SecretString;

use self::reloading::Reloading;
use crate::{
    config::{Config, ConfigSources, LogFormat},
    logging,
};

pub use database::open;
pub use error::CliError;
pub use exit::Exit;
pub use output::Output;

const AFTER_HELP: &str = "\
First steps:
  carrier-sync demo                                         see it work, with nothing set up
  carrier-sync integrations add --tenant acme --carrier hologram
  carrier-sync devices import devices.csv --integration ID
  carrier-sync once                                         sync now and look at the result
  carrier-sync run                                          keep it in sync

Settings come from config/default.toml (compiled in), --config FILE, DATABASE_URL, \
CARRIER_SYNC__SECTION__KEY, and flags; each wins over the one before.

Exit codes: 0 success, 1 error, 2 partial success, 64 wrong usage.
`carrier-sync COMMAND --help` tells more, with examples.";

/// `log.level` as compiled in.
const DEFAULT_LEVEL: &str = "info";
/// What commands with a result of their own log, unless another level is asked for: beside the result
/// the service's every step would be noise.
const QUIET_LEVEL: &str = "warn";

/// Keeps a fleet's database true: data usage, billing cycle, SIM and network status of every
/// device, fetched from each carrier account on its own timer and within its limits.
#[derive(Debug, Parser)]
#[command(name = "carrier-sync", version = VERSION, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct GlobalArgs {
    /// Settings in TOML; config/example.toml is one to copy
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH [env: DATABASE_URL, which keeps the
    /// password out of the process list] [default: a SQLite file in your data directory]
    #[arg(long, global = true, value_name = "URL", value_parser = secret)]
    database_url: Option<SecretString>,
    /// Log lines on stderr: text, json, or auto (text on a terminal, else JSON)
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Once(once::OnceArgs),
    Check(check::CheckArgs),
    Migrate(migrate::MigrateArgs),
    Integrations(integrations::IntegrationsArgs),
    Devices(devices::DevicesArgs),
    Runs(runs::RunsArgs),
    Health(health::HealthArgs),
    Secrets(secrets::SecretsArgs),
    Simulate(simulate::SimulateArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// With the commit, where it is known (`build.rs`).
const VERSION: &str = env!("CARRIER_SYNC_VERSION");

/// Reads the command line, does what it says, and answers with the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    execute(cli).unwrap_or_else(|error| error.report())
}

/// Help and version were asked for; anything else is wrong usage, whose code must not be clap's 2:
/// that means `partial` here.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print(); // a closed pipe is no reason to fail
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success.into(),
        _ => Exit::Usage.into(),
    }
}

fn execute(cli: Cli) -> Result<ExitCode, CliError> {
    // A manifest is judged by itself: it needs no configuration that works.
    if let Command::Check(check::CheckArgs {
        manifest: Some(file),
        json,
    }) = &cli.command
    {
        return Ok(check::check_manifest(file, *json)?.into());
    }
    let sources = ConfigSources {
        file: cli.global.config,
        database_url: cli.global.database_url,
        log_format: cli.global.log_format,
        ..ConfigSources::from_process_environment()
    };
    let mut config = Config::load(&sources)?;
    if !matches!(cli.command, Command::Run(_)) && config.log.level == DEFAULT_LEVEL {
        config.log.level = QUIET_LEVEL.to_owned();
    }
    let log_level =
        logging::init(&config.log).map_err(|error| CliError::new("cannot log").because(error))?;
    let exit = match cli.command {
        Command::Demo(args) => demo::demo(&args, config)?,
        Command::Run(args) => run::run(&args, config, Reloading { sources, log_level })?,
        Command::Once(args) => once::once(&args, config)?,
        Command::Check(args) => check::check(&args, config)?,
        Command::Migrate(args) => block_on(migrate::migrate(&args, &config))?,
        Command::Integrations(args) => integrations::execute(args, config)?,
        Command::Devices(args) => block_on(devices::execute(args, &config))?,
        Command::Health(args) => health::health(&args, &config)?,
        Command::Runs(args) => block_on(runs::execute(args, &config))?,
        Command::Secrets(args) => block_on(secrets::execute(args, &config))?,
        Command::Completions(args) => shell::completions(&args, Cli::command())?,
        Command::Man(args) => shell::man(&args, Cli::command())?,
        Command::Simulate(args) => {
            return block_on(async { Ok(simulate::run(args).await) });
        }
    };
    Ok(exit.into())
}

/// Runs one administrative command: a handful of queries need no more than this thread.
fn block_on<T>(command: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new("cannot start").because(error))?;
    runtime.block_on(command)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap wants a parser that could fail"
)]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
