//! `keys add`: captures that others made.

use crate::cli::args::AddArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Outcome};
use tokentrail::keys;
use tokentrail::keys::{Added, CaptureTime, Import, KeysError};
use tokentrail::sink::{counted, visible};

/// Documents that are named one by one; more are counted.
const NAMED_MAX: usize = 20;

/// Adds files and directories to an archive.
pub(super) fn run(args: &AddArgs, console: Console) -> Outcome {
    let captured_at = args.captured_at.as_deref().map(time).transpose()?;
    let import = Import { captured_at, source: args.source.as_deref(), historical: args.historical };
    let imported = keys::import(&args.keys, &args.files, &import).map_err(|error| match error {
        // An archive that cannot be written is not the arguments' fault.
        KeysError::Io { ref path, .. } if path.starts_with(&args.keys) => Failure::output(error),
        error => Failure::usage(error),
    })?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for document in imported.added.iter().take(NAMED_MAX) {
        console.note(&format!("{}: {}\n", visible(&document.file), became(document)));
    }
    if let Some(more) = imported.added.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        console.note(&format!("and {} more\n", count(more)));
    }
    for notice in &imported.notices {
        console.note(&format!("note: {}\n", visible(notice)));
    }
    if args.source.is_none() && args.files.iter().any(|path| !path.is_dir()) {
        console.note("note: without --source these keys are taken as keys of every issuer\n");
    }
    let stored = imported.added.iter().filter(|document| document.recorded).count();
    let failed = match imported.failed {
        0 => String::new(),
        1 => " and 1 failed fetch".to_owned(),
        failed => format!(" and {failed} failed fetches"),
    };
    let archive = args.keys.display().to_string();
    console.note(&format!("{}{failed} added to {}\n", counted(count(stored), "capture"), visible(&archive)));
    Ok(Exit::Clean)
}

fn time(text: &str) -> Result<CaptureTime, Failure> {
    CaptureTime::parse(text).ok_or_else(|| {
        Failure::say(format!(
            "--captured-at {text}: write the time as 2026-11-22T10:34:27Z, or the date alone"
        ))
    })
}

fn became(document: &Added) -> &'static str {
    match (document.copied, document.recorded) {
        (_, false) => "was recorded before",
        (false, true) => "is unchanged; its capture is recorded",
        (true, true) => "is new",
    }
}
