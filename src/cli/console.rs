//! Standard output and standard error: data goes to the one, everything else to the other.

use super::args::Messages;
use super::exit::{Exit, Failure, Outcome};
use clap::ColorChoice;
use std::io::{self, IsTerminal, Write};
use std::panic;

/// What may be said, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Console {
    /// Errors only.
    pub(super) quiet: bool,
    /// More than usual.
    pub(super) verbose: u8,
    /// Whether standard error takes colours.
    pub(super) colour: bool,
}

impl Console {
    pub(super) fn new(messages: &Messages) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match messages.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto => set("CLICOLOR_FORCE") || (io::stderr().is_terminal() && !dumb),
        };
        Self { quiet: messages.quiet, verbose: messages.verbose, colour }
    }

    /// Says why a command failed.
    pub(super) fn error(self, failure: &Failure) {
        let (on, off) = if self.colour { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
        say(&format!("{on}error:{off} {failure}\n"));
    }

    /// Says something, unless the user wants quiet.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Says something that only a user who asked for more wants to know.
    pub(super) fn detail(self, text: &str) {
        if self.verbose > 0 {
            say(text);
        }
    }
}

/// Writes to standard error. There is nobody to tell if that fails.
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes data to standard output. A reader that has seen enough is no error.
pub(super) fn print(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::output(anyhow::Error::new(error).context("cannot write to standard output")))
        }
        _ => Ok(Exit::Clean),
    }
}

/// Writes a value as JSON to standard output.
pub(super) fn print_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(Failure::output)?;
    print(&format!("{text}\n"))
}

/// A panic is a mistake of ours; its message may hold a piece of the input, so only the place is told.
pub(super) fn hide_panics() {
    panic::set_hook(Box::new(|panic| {
        let place =
            panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        say(&format!("error: internal error{place}; this is a mistake in tokentrail, please report it\n"));
    }));
}
