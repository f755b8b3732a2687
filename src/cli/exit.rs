//! Exit codes (contract section 3), and failures that carry one.

use std::fmt;
use std::process::ExitCode;
use tokentrail::redact;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything was done.
    Clean,
    /// Complete, with findings that the user asked to fail on.
    Findings,
    /// Nothing was done: arguments, policy, formats, keys or inputs are at fault.
    Usage,
    /// Done as far as possible.
    Incomplete,
    /// Output could not be written.
    Output,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The code that the shell sees.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Output => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table that `--help` and the manual page print.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
    0  every input was read to its end; nothing at or above --fail-on
    1  complete, and findings at or above --fail-on
    2  nothing audited: bad arguments, policy, formats or keys, or every input is missing
    3  coverage is incomplete: an input is missing, unreadable, cut, has an over-long line or
       more than 1 % rejected records, or a gateway's expectation is unmet; the output is
       written and marked partial
    4  output could not be written or finished; nothing new under its final name
  130  interrupted (143: terminated); what was finished lies in DIR.partial, marked";

/// Why a command ended early: one line that says what, where and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    /// How the run ends.
    pub(super) exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// The user gave something that cannot be used.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// [`Failure::usage`] with a message of its own.
    pub(super) fn say(message: impl fmt::Display) -> Self {
        Self::usage(anyhow::Error::msg(message.to_string()))
    }

    /// Something could not be written.
    pub(super) fn output(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Output, error: error.into() }
    }
}

impl fmt::Display for Failure {
    /// Names and values come from outside: no token among them gets through, and no control character reaches the
    /// terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&redact::redact(&told(&self.error), &[])))
    }
}

/// An error with its causes, but for those that it quotes itself.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// A command's result.
pub(super) type Outcome = Result<Exit, Failure>;

pub(super) use tokentrail::sink::visible;
