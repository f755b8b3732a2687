//! `audit`: reads logs, writes a result, says what it means.

mod dry_run;
mod prepare;

use super::args::{AuditArgs, FailOn};
use super::clock;
use super::console;
use super::console::Console;
use super::deliver;
use super::deliver::Readers;
use super::exit::{Exit, Failure, Outcome};
use super::progress::Shown;
use super::signals::Signals;
use prepare::Prepared;
pub(super) use prepare::inputs;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokentrail::engine::Engine;
use tokentrail::pipeline;
use tokentrail::pipeline::RunError;
use tokentrail::rules::Severity;
use tokentrail::sink::MANIFEST;
use tokentrail::sink::Manifest;
use tokentrail::sink::OutputDir;
use tokentrail::sink::OutputError;
use tokentrail::sink::ResultWriter;
use tokentrail::sink::Tabled;
use tokentrail::sink::View;
use tokentrail::sink::summary;
use tokentrail::time::UtcMicros;

/// Audits, or says what an audit would do.
pub(super) fn run(args: &AuditArgs, console: Console) -> Outcome {
    let started = clock::now();
    let prepared = Prepared::new(args, started)?;
    // The process ends after this: to give back the memory of every token one by one would be a tenth of a short run.
    let setup = prepared.setup(args);
    let engine = match &prepared.earlier {
        Some(earlier) => Engine::with_earlier(setup, Arc::clone(earlier)),
        None => Engine::new(setup),
    };
    let engine = ManuallyDrop::new(engine);
    if args.run.dry_run {
        return dry_run::run(&prepared, &engine, args);
    }
    audit(args, console, &prepared, &engine, started)
}

fn audit(
    args: &AuditArgs,
    console: Console,
    prepared: &Prepared,
    engine: &Engine,
    started: UtcMicros,
) -> Outcome {
    let signals = Signals::listen().map_err(Failure::usage)?;
    let mut options = prepare::options(args);
    let tabled = Tabled {
        occurrences: !args.output.no_occurrences,
        occurrences_max: args.output.max_occurrences,
        activity: !args.output.no_activity,
        threads: options.workers,
    };
    let output = OutputDir::create(&args.output.output).map_err(refused)?;
    let mut writer = ResultWriter::new(output, tabled).map_err(Failure::output)?;
    options.scratch_directory = writer.scratch_directory().to_owned();
    let shown = Shown::new(args.run.progress, console);
    let run = pipeline::run(
        engine,
        &prepared.formats,
        &prepared.inputs,
        &options,
        &signals.stop,
        &shown,
        &mut writer,
    );
    shown.finish();
    let outcome = run.map_err(|error| match error {
        RunError::Threads(..) => Failure::usage(error),
        error => Failure::output(error),
    })?;
    if outcome.every_input_missing() {
        return Err(Failure::say(outcome.completeness().sentence));
    }
    // As with the engine.
    let mut outcome = ManuallyDrop::new(outcome);
    let concluded = &mut outcome.concluded;
    let worst_new = prepared.baselines.as_ref().and_then(|known| known.mark(&mut concluded.tables));
    let (output, written) = writer.finish(&outcome.concluded.tables).map_err(Failure::output)?;
    let mut manifest = Manifest::new(&prepared.given, &outcome, written);
    let exit = if outcome.interrupted {
        signals.exit()
    } else {
        let worst = outcome.concluded.totals.worst;
        judged(&manifest, |fail_on| if fail_on.new { worst_new } else { worst }, args)
    };
    manifest.finish(started, clock::now(), exit.code());
    let text = manifest.to_json().map_err(Failure::output)?;
    let place = publish(output, &text, outcome.interrupted, args, console)?;
    let view = View { colour: console.colour, place: Some(&place) };
    console.note(&summary(&manifest, &outcome.concluded.tables.problems, view));
    if args.output.summary_json.as_deref() == Some(Path::new("-")) {
        console::print(&text)?;
    }
    Ok(exit)
}

/// How a run that was not interrupted ends; what could not be looked at outranks what was found.
fn judged(manifest: &Manifest, worst: impl FnOnce(FailOn) -> Option<Severity>, args: &AuditArgs) -> Exit {
    if !manifest.completeness.is_complete() {
        return Exit::Incomplete;
    }
    match args.output.fail_on {
        Some(fail_on) if worst(fail_on) >= Some(fail_on.least) => Exit::Findings,
        _ => Exit::Clean,
    }
}

/// Puts the result in its place. Whatever can fail is tried before that.
fn publish(
    output: OutputDir,
    text: &str,
    partial: bool,
    args: &AuditArgs,
    console: Console,
) -> Result<PathBuf, Failure> {
    output.write(MANIFEST, text.as_bytes()).map_err(Failure::output)?;
    let copy = args.output.summary_json.as_deref().filter(|path| *path != Path::new("-"));
    // The manifest under a second name.
    let copy = copy.map(|path| deliver::prepare(path, text.as_bytes(), Readers::Owner)).transpose()?;
    let published = output.publish(partial).map_err(Failure::output)?;
    if let Some(copy) = copy {
        copy.keep()?;
    }
    if let Some(leftover) = published.leftover {
        console.note(&format!(
            "note: the earlier result could not be removed altogether; it lies in {}\n",
            leftover.display()
        ));
    }
    Ok(relative_to_args(&published.path, args))
}

/// The place as the user named it.
fn relative_to_args(place: &Path, args: &AuditArgs) -> PathBuf {
    match place.file_name() {
        Some(name) if !args.output.output.is_symlink() => args.output.output.with_file_name(name),
        _ => place.to_owned(),
    }
}

fn refused(error: OutputError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::output(error) }
}
