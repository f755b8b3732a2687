//! `completions SHELL`

use super::args::Cli;
use super::console;
use super::exit::{Failure, Outcome};
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints a completion script.
pub(super) fn run(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tokentrail", &mut script);
    console::print(&String::from_utf8(script).map_err(Failure::output)?)
}
