//! `keys`: builds, checks and lists the key archive.

mod check;
mod fetch;

use super::args::{KeysCommand, Listing};
use super::console;
use super::console::Console;
use super::exit::{Exit, Failure, Outcome};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokentrail::keys;
use tokentrail::keys::Archive;
use tokentrail::keys::CaptureTime;
use tokentrail::keys::KeyHistory;
use tokentrail::keys::KeysError;
use tokentrail::keys::SourceRow;
use tokentrail::sink::{Align, counted, table, visible};

/// Runs a command of `keys`.
pub(super) fn run(command: &KeysCommand, console: Console) -> Outcome {
    match command {
        KeysCommand::Add { files, captured_at, source, keys } => {
            add(files, captured_at, source.as_deref(), keys, console)
        }
        KeysCommand::Check(args) => check::run(args, console),
        KeysCommand::Fetch(args) => fetch::run(args, console),
        KeysCommand::List { keys, listing } => {
            let history = load(keys)?;
            for notice in history.notices() {
                console.note(&format!("note: {}\n", visible(notice)));
            }
            match listing.format {
                Listing::Json => console::print_json(&history.listing()),
                Listing::Table => console::print(&list(&history)),
            }
        }
    }
}

/// Reads an archive; what is wrong with it names the file and the reason.
pub(super) fn load(directory: &Path) -> Result<Arc<KeyHistory>, Failure> {
    match Archive::read(directory) {
        Ok(archive) => Ok(Arc::new(KeyHistory::new(archive))),
        // These name their file relative to the archive.
        Err(error @ (KeysError::Empty(_) | KeysError::Io { .. })) => {
            Err(Failure::say(format!("keys: {error}")))
        }
        Err(error) => Err(Failure::say(format!("keys: {}: {error}", directory.display()))),
    }
}

fn list(history: &KeyHistory) -> String {
    let rows: Vec<Vec<String>> =
        history.listing().iter().flat_map(SourceRow::table).map(|row| row.to_vec()).collect();
    table(
        &SourceRow::TITLES.map(|title| (title, if title == "captures" { Align::Right } else { Align::Left })),
        &rows,
    )
}

fn add(
    files: &[PathBuf],
    captured_at: &str,
    source: Option<&str>,
    archive: &Path,
    console: Console,
) -> Outcome {
    let Some(time) = CaptureTime::parse(captured_at) else {
        return Err(Failure::say(format!(
            "--captured-at {captured_at}: write the time as 2026-11-22T10:34:27Z, or the date alone"
        )));
    };
    let added = keys::add(archive, files, time, source).map_err(|error| match error {
        // An archive that cannot be written is not the arguments' fault.
        KeysError::Io { ref path, .. } if !files.contains(path) => Failure::output(error),
        error => Failure::usage(error),
    })?;
    let mut stored = 0;
    for document in &added {
        let what = match (document.copied, document.recorded) {
            (_, false) => "was recorded before",
            (false, true) => "is unchanged; its capture is recorded",
            (true, true) => "is new",
        };
        stored += u64::from(document.recorded);
        console.note(&format!("{}: {what}\n", visible(&document.file)));
        if let Some(notice) = &document.notice {
            console.note(&format!("note: {}\n", visible(notice)));
        }
    }
    if source.is_none() {
        console.note("note: without --source these keys are taken as keys of every issuer\n");
    }
    console.note(&format!(
        "{} added to {}\n",
        counted(stored, "capture"),
        visible(&archive.display().to_string())
    ));
    Ok(Exit::Clean)
}
