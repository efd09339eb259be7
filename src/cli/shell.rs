//! `carrier-sync completions` and `carrier-sync man`: what a shell and a reader of manuals want, made from the
//! command line itself.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::{CliError, Exit};

const AFTER_HELP: &str = "\
Examples:
  carrier-sync completions bash > /etc/bash_completion.d/carrier-sync
  carrier-sync completions zsh > \"${fpath[1]}/_carrier-sync\"
  carrier-sync completions fish > ~/.config/fish/completions/carrier-sync.fish";

const MAN_AFTER_HELP: &str = "\
The manual of a command is asked for by its name.

Examples:
  carrier-sync man | man -l -
  carrier-sync man once > /usr/local/share/man/man1/carrier-sync-once.1
  carrier-sync man --into /usr/local/share/man/man1";

/// Print a script that completes this command line in a shell
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Print the manual page of this program or of one of its commands
#[derive(Debug, Args)]
#[command(after_help = MAN_AFTER_HELP)]
pub struct ManArgs {
    /// The command, such as `once` or `integrations add`; none: the program
    command: Vec<String>,
    /// Write the pages of the program and of all its commands into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    into: Option<PathBuf>,
}

/// Prints the script.
pub(super) fn completions(args: &CompletionsArgs, mut program: Command) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "carrier-sync", &mut script);
    print(&script)
}

/// Prints the page, or writes all of them.
pub(super) fn man(args: &ManArgs, mut program: Command) -> Result<Exit, CliError> {
    if let Some(folder) = &args.into {
        return clap_mangen::generate_to(program, folder)
            .map(|()| Exit::Success)
            .map_err(|error| {
                CliError::new(format!("cannot write to {}", folder.display())).because(error)
            });
    }
    program.build();
    let mut command = &program;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            CliError::new(format!("there is no command {:?}", args.command.join(" ")))
                .hint("carrier-sync --help lists them")
        })?;
    }
    let name = ["carrier-sync"]
        .into_iter()
        .chain(args.command.iter().map(String::as_str));
    let name = name.collect::<Vec<_>>().join("-");
    let page = clap_mangen::Man::new(command.clone().display_name(name));
    let mut text = Vec::new();
    page.render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Exit, CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()?;
    Ok(Exit::Success)
}
