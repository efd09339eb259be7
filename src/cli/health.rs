//! `carrier-sync health`: ask a running service how it is, for whoever watches it from outside and has no program of
//! their own to ask with, such as a container's health check.

use std::io;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{CliError, Exit, Output};
use crate::config::Config;
use crate::status::ask::{Answer, Door};

const AFTER_HELP: &str = "\
Ends with 0 where the service answers that it is well, else with 1 and the reasons. It asks at status.listen of the \
same configuration as the service, with its status.token; sockets (unix:/PATH) too.

A service that lives but cannot do its work (the database is away) mends itself once it can: restart one \
only where --live fails.

Examples:
  carrier-sync health
  carrier-sync health --live
  carrier-sync health --url http://127.0.0.1:8080";

/// Ask a running service whether it can do its work
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct HealthArgs {
    /// Ask only whether the process lives
    #[arg(long)]
    live: bool,
    /// Ask there: http://HOST:PORT or unix:/PATH [default: status.listen]
    #[arg(long, value_name = "URL")]
    url: Option<Door>,
    /// Have the answer within this time
    #[arg(long, value_name = "DURATION", default_value = "8s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Asks, and says the answer.
pub(super) fn health(args: &HealthArgs, config: &Config) -> Result<Exit, CliError> {
    let door = match &args.url {
        Some(door) => door.clone(),
        None => Door::of(&config.status.listen).ok_or_else(|| {
            let listen = &config.status.listen;
            CliError::new(format!(
                "status.listen is {listen}: nobody knows where to ask"
            ))
            .hint("say where with --url, or give status.listen a port")
        })?,
    };
    let path = if args.live { "/livez" } else { "/readyz" };
    let answer = door
        .ask(path, config.status.token.as_ref(), args.timeout)
        .map_err(|error| unanswered(&door, error))?;
    let mut output = Output::stdout();
    let exit = match judge(&answer, args.live) {
        Ok(word) => {
            output.line(word)?;
            Exit::Success
        }
        Err(reasons) => {
            output.line(reasons)?;
            Exit::Error
        }
    };
    output.flush()?;
    Ok(exit)
}

fn unanswered(door: &Door, error: io::Error) -> CliError {
    CliError::new(format!("no answer from {door}"))
        .because(error)
        .hint("is `carrier-sync run` running, with the same status.listen?")
}

/// The word of a service that is well, or why it is not.
fn judge(answer: &Answer, live: bool) -> Result<&'static str, String> {
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let key = if live { "alive" } else { "ready" };
    match (
        answer.status,
        said[key].as_bool(),
        said["reasons"].as_array(),
    ) {
        (200, Some(true), _) => Ok(key),
        (503, Some(false), Some(reasons)) => {
            let reasons: Vec<_> = reasons.iter().filter_map(Value::as_str).collect();
            Err(format!("not ready: {}", reasons.join("; ")))
        }
        (status, ..) => {
            let why = said["error"].as_str();
            let why = why.unwrap_or("that is not how carrier-sync answers");
            Err(format!("status {status}: {why}"))
        }
    }
}
