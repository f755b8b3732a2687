//! `formats`: which log formats there are, what they say, what a file looks like.

use super::args::{FormatsCommand, Listing, nearest};
use super::console;
use super::exit::{Exit, Failure, Outcome};
use serde_json::{Value, json};
use std::path::Path;
use tokentrail::engine::Engine;
use tokentrail::engine::Filters;
use tokentrail::engine::Setup;
use tokentrail::pipeline;
use tokentrail::pipeline::InputReport;
use tokentrail::pipeline::Options;
use tokentrail::pipeline::Status;
use tokentrail::record::FormatSet;
use tokentrail::sink::{Align, Text, table};

/// Runs a command of `formats`.
pub(super) fn run(command: &FormatsCommand) -> Outcome {
    match command {
        FormatsCommand::List { formats, listing } => list(&load(formats.as_deref())?, listing.format),
        FormatsCommand::Show { name, formats } => {
            let formats = load(formats.as_deref())?;
            known(&formats, name)?;
            console::print(formats.toml_of(name).unwrap_or_default())
        }
        FormatsCommand::Detect { files, formats, listing } => {
            detect(files, &load(formats.as_deref())?, listing.format)
        }
    }
}

/// The presets and the user's formats; a fault names file, line and column.
pub(super) fn load(file: Option<&Path>) -> Result<FormatSet, Failure> {
    FormatSet::load(file).map_err(Failure::usage)
}

/// Refuses a name that no format has.
pub(super) fn known(formats: &FormatSet, name: &str) -> Result<(), Failure> {
    if formats.get(name).is_some() {
        return Ok(());
    }
    let advice = match nearest(name, formats.names().into_iter()) {
        Some(near) => format!("did you mean {near}?"),
        None => "`tokentrail formats list` names them all".to_owned(),
    };
    Err(Failure::say(format!("format {name}: there is no such format; {advice}")))
}

fn list(formats: &FormatSet, listing: Listing) -> Outcome {
    let formats: Vec<_> = formats.names().into_iter().filter_map(|name| formats.get(name)).collect();
    let origin = |preset: bool| if preset { "built in" } else { "yours" };
    if listing == Listing::Json {
        let described = |format: &std::sync::Arc<tokentrail::record::Format>| -> Value {
            json!({
                "name": format.name(),
                "preset": format.is_preset(),
                "description": format.description(),
                "hint": format.hint(),
                "notices": format.notices(),
            })
        };
        return console::print_json(&formats.iter().map(described).collect::<Vec<_>>());
    }
    let row = |format: &std::sync::Arc<tokentrail::record::Format>| {
        vec![format.name().to_owned(), origin(format.is_preset()).to_owned(), format.description().to_owned()]
    };
    let rows: Vec<Vec<String>> = formats.iter().map(row).collect();
    console::print(&table(&["format", "origin", "what"].map(|heading| (heading, Align::Left)), &rows))
}

/// Looks at the heads of files as `audit` would.
fn detect(files: &[String], formats: &FormatSet, listing: Listing) -> Outcome {
    let setup = Setup {
        policy: None,
        keys: None,
        rules: Vec::new(),
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    };
    let inputs = pipeline::list(files).map_err(Failure::usage)?;
    let reports = pipeline::survey(&Engine::new(setup), formats, &inputs, &Options::default());
    let exit = match reports.iter().all(|report| report.status == Status::Missing) {
        true => Exit::Usage,
        false if reports.iter().all(|report| matches!(report.status, Status::Planned | Status::Empty)) => {
            Exit::Clean
        }
        false => Exit::Incomplete,
    };
    match listing {
        Listing::Json => console::print_json(&reports.iter().map(described).collect::<Vec<_>>())?,
        Listing::Table => console::print(&detected(&reports))?,
    };
    Ok(exit)
}

/// Inputs, their formats and the reasons as a table.
pub(super) fn detected(reports: &[InputReport]) -> String {
    let row = |report: &InputReport| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let why = if report.error.is_some() { &report.error } else { &report.format_reason };
        let status = if report.status == Status::Planned { "readable" } else { report.status.name() };
        let format = report.format.clone().unwrap_or_else(|| "-".to_owned());
        vec![report.source.clone(), status.to_owned(), format, text(why)]
    };
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    table(&["input", "status", "format", "why"].map(|heading| (heading, Align::Left)), &rows)
}

fn described(report: &InputReport) -> Value {
    json!({
        "source": Text::from(&report.source),
        "status": if report.status == Status::Planned { "readable" } else { report.status.name() },
        "error": report.error,
        "packing": report.packing,
        "format": report.format,
        "why": report.format_reason,
        "hint": report.hint,
    })
}
