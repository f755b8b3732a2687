//! The command line: one file a subcommand.

mod args;
mod audit;
mod clock;
mod completions;
mod console;
mod deliver;
mod exit;
mod formats;
mod generate;
mod inspect;
mod keys;
mod man;
mod policy;
mod progress;
mod rules;
mod signals;

use args::{Cli, Command};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use console::Console;
use exit::{Exit, Outcome};
use std::process::ExitCode;
use tokentrail::redact;

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    console::hide_panics();
    let mut command = Cli::command();
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).into(),
    };
    let console = Console::new(&cli.messages);
    trace(cli.messages.verbose);
    match run(cli.command, console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.error(&failure);
            failure.exit.into()
        }
    }
}

/// Shows the library's own diagnostics from `-vv` on. They never hold input but for redacted sources.
fn trace(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
}

fn run(command: Command, console: Console) -> Outcome {
    match command {
        Command::Audit(args) => audit::run(&args, console),
        Command::Generate(args) => generate::run(&args, console),
        Command::Keys(command) => keys::run(&command, console),
        Command::Policy(command) => policy::run(&command, console),
        Command::Formats(command) => formats::run(&command),
        Command::Rules(command) => rules::run(&command),
        Command::Inspect(args) => inspect::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man => man::run(),
    }
}

/// Prints help and version, or what is wrong with the arguments. An argument may be a token by mistake, so a message is
/// redacted; its colours are given up then, because they would hide where a token begins.
fn refuse(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match error.print() {
            Ok(()) => Exit::Clean,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Clean,
            Err(_) => Exit::Output,
        };
    }
    let plain = error.to_string();
    let clean = redact::redact(&plain, &[]);
    if clean == plain {
        let _ = error.print();
    } else {
        console::say(&clean);
    }
    Exit::Usage
}
