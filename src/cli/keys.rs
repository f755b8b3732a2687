//! `keys`: builds, checks and lists the key archive.

mod add;
mod check;
mod diff;
mod fetch;
mod show;

use super::args::{KeysCommand, Listing};
use super::console;
use super::console::Console;
use super::deliver;
use super::exit::{Exit, Failure, Outcome};
use std::path::Path;
use std::sync::Arc;
use tokentrail::keys;
use tokentrail::keys::Archive;
use tokentrail::keys::KeyHistory;
use tokentrail::keys::KeysError;
use tokentrail::keys::SourceRow;
use tokentrail::sink::{Align, counted, table, visible};

/// Runs a command of `keys`.
pub(super) fn run(command: &KeysCommand, console: Console) -> Outcome {
    match command {
        KeysCommand::Add(args) => add::run(args, console),
        KeysCommand::Check(args) => check::run(args, console),
        KeysCommand::Fetch(args) => fetch::run(args, console),
        KeysCommand::Diff(args) => diff::run(args, console),
        KeysCommand::Show(args) => show::run(args),
        KeysCommand::Timeline(args) => {
            let picture = load(&args.keys)?.picture();
            let Some(path) = &args.output else { return console::print(&picture) };
            deliver::file(path, picture.as_bytes())?;
            Ok(Exit::Clean)
        }
        KeysCommand::Pack(args) => pack(&args.keys, &args.output, console),
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
        Err(error) => Err(refused(directory, &error)),
    }
}

fn refused(archive: &Path, error: &KeysError) -> Failure {
    match error {
        KeysError::Empty(_) | KeysError::Io { .. } | KeysError::Pack { .. } => {
            Failure::say(format!("keys: {error}"))
        }
        // The others name their file relative to the archive.
        _ => Failure::say(format!("keys: {}: {error}", archive.display())),
    }
}

fn pack(archive: &Path, output: &Path, console: Console) -> Outcome {
    let packed = keys::pack(archive).map_err(|error| refused(archive, &error))?;
    deliver::file(output, &packed.bytes)?;
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    console.note(&format!(
        "{}: {} ({} distinct), {}; archive {}\n",
        visible(&output.display().to_string()),
        counted(number(packed.documents), "document"),
        number(packed.bodies),
        counted(number(packed.bytes.len()), "byte"),
        packed.sha256
    ));
    Ok(Exit::Clean)
}

fn list(history: &KeyHistory) -> String {
    let rows: Vec<Vec<String>> =
        history.listing().iter().flat_map(SourceRow::table).map(|row| row.to_vec()).collect();
    table(
        &SourceRow::TITLES.map(|title| (title, if title == "captures" { Align::Right } else { Align::Left })),
        &rows,
    )
}
