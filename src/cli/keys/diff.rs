//! `keys diff`: how two archives, or two instants of one archive, differ.

use super::load;
use crate::cli::args::{DiffArgs, Listing};
use crate::cli::clock;
use crate::cli::console;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Outcome};
use std::path::Path;
use tokentrail::keys::{ComparedSource, Difference};
use tokentrail::redact;
use tokentrail::sink::{Align, table, visible};

/// Compares.
pub(super) fn run(args: &DiffArgs, console: Console) -> Outcome {
    let difference = difference(args)?;
    match args.listing.format {
        Listing::Json => console::print_json(&difference),
        Listing::Table => {
            for source in
                difference.sources.iter().filter(|source| source.from.is_none() || source.to.is_none())
            {
                console.note(&missing(source));
            }
            if difference.changes.is_empty() {
                console.note("no key was added, removed or changed\n");
                return Ok(Exit::Clean);
            }
            console::print(&text(&difference))
        }
    }
}

fn difference(args: &DiffArgs) -> Result<Difference, Failure> {
    let [before, after] = [&args.before, &args.after].map(Path::new);
    if args.keys.is_none() && before.exists() && after.exists() {
        return Ok(load(before)?.key_sets().compare(&load(after)?.key_sets()));
    }
    let now = clock::now();
    let instant = |text: &String| {
        clock::instant(text, now)
            .map_err(|why| Failure::say(format!("{text}: neither an archive nor an instant ({why})")))
    };
    let [before, after] = [instant(&args.before)?, instant(&args.after)?];
    let history = load(args.keys.as_deref().unwrap_or(Path::new("keys")))?;
    Ok(history.key_sets_at(before).compare(&history.key_sets_at(after)))
}

fn missing(source: &ComparedSource) -> String {
    let side = match (source.from, source.to) {
        (None, None) => "either side",
        (None, _) => "the first side",
        _ => "the second side",
    };
    format!("note: {}: no complete capture on {side}\n", visible(named(&source.source)))
}

fn named(source: &str) -> &str {
    if source.is_empty() { "." } else { source }
}

fn text(difference: &Difference) -> String {
    let rows: Vec<Vec<String>> = difference
        .changes
        .iter()
        .map(|change| {
            let kid = change.kid.clone().unwrap_or_else(|| "(none)".to_owned());
            let details = change.details.join("; ");
            let cells = [change.change, &kid, &change.key, named(&change.source), &details];
            cells.map(|cell| redact::cell(cell, &[]).into_owned()).to_vec()
        })
        .collect();
    table(&["change", "kid", "key", "source", "details"].map(|title| (title, Align::Left)), &rows)
}
