//! The program `carrier-sync`. All of it is in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    carrier_sync::cli::main()
}
