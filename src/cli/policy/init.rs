//! `policy init`: a policy to start from, or a draft learned from logs, or additions to a policy that is there.

mod merge;

use super::super::args::InitArgs;
use super::super::audit;
use super::super::console;
use super::super::console::Console;
use super::super::deliver;
use super::super::exit::{Exit, Failure, Outcome};
use super::super::formats;
use super::super::keys;
use super::super::signals::Signals;
use super::load;
use merge::Merged;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokentrail::engine::{Engine, Filters, Setup};
use tokentrail::findings::{OccurrenceRow, RejectRow};
use tokentrail::learn;
use tokentrail::learn::Draft;
use tokentrail::pipeline;
use tokentrail::pipeline::{Options, Sink, SinkError};
use tokentrail::policy::Policy;
use tokentrail::sink::{counted, visible};

/// What is printed where there are no logs to learn from.
const STARTER: &str = include_str!("init/starter.toml");

/// Prints a policy.
pub(super) fn run(args: &InitArgs, console: Console) -> Outcome {
    // A device or a pipe takes what it is given.
    if let Some(taken) = args.output.as_deref().filter(|output| output.is_file() || output.is_dir()) {
        let same = args.merge.as_deref().and_then(|merge| merge.canonicalize().ok());
        if same.is_none() || same != taken.canonicalize().ok() {
            let taken = taken.display();
            return Err(Failure::say(format!(
                "-o {taken} exists; name another file, or add to it with --merge {taken}"
            )));
        }
    }
    if args.inputs.is_empty() {
        return deliver(STARTER, args.output.as_deref());
    }
    let policy = args.merge.as_deref().map(load).transpose()?.map(Arc::new);
    let learned = match learn(args, policy.as_ref())? {
        Ok(learned) => learned,
        Err(interrupted) => return Ok(interrupted),
    };
    for line in &learned.notes {
        console.note(&format!("note: {}\n", visible(line)));
    }
    let merged = match (&args.merge, &policy) {
        (Some(path), Some(policy)) => Some(add(path, policy, &learned.draft)?),
        _ => None,
    };
    let text = match &merged {
        Some(merged) => merged.text.clone(),
        None => learn::policy(&learned.draft, &learned.head),
    };
    let place = args.merge.as_deref().or(args.output.as_deref()).unwrap_or(Path::new("policy.toml"));
    Policy::load_text(place, &text).map_err(|error| {
        Failure::usage(
            anyhow::Error::new(error)
                .context("what was learned is no policy, which is a mistake in tokentrail"),
        )
    })?;
    deliver(&text, args.output.as_deref())?;
    if let Some(merged) = merged {
        tell(&merged, &learned.draft, console);
    }
    Ok(if learned.complete { Exit::Clean } else { Exit::Incomplete })
}

/// What a run gave.
struct Learned {
    draft: Draft,
    /// Where it comes from.
    head: Vec<String>,
    notes: Vec<String>,
    /// True if every input was read to its end.
    complete: bool,
}

/// Reads the logs; how the command ends if that was interrupted.
fn learn(args: &InitArgs, policy: Option<&Arc<Policy>>) -> Result<Result<Learned, Exit>, Failure> {
    let keys = args.keys.as_deref().map(keys::load).transpose()?;
    let formats = formats::load(args.formats.as_deref())?;
    if let Some(name) = &args.input_format {
        formats::known(&formats, name)?;
    }
    let inputs = audit::inputs(&args.inputs)?;
    let (rule, left) = learn::rule();
    let has_keys = keys.is_some();
    let engine = Engine::new(Setup {
        policy: policy.cloned(),
        keys,
        rules: vec![rule],
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    });
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        workers: args.jobs.unwrap_or_else(cores),
        line_bytes_max: args.max_line,
        digest: false,
        format: args.input_format.clone(),
        ..Options::default()
    };
    let signals = Signals::listen().map_err(Failure::usage)?;
    let run = pipeline::run(&engine, &formats, &inputs, &options, &signals.stop, &(), &mut Nowhere);
    let outcome = run.map_err(Failure::output)?;
    if outcome.interrupted {
        return Ok(Err(signals.exit()));
    }
    let completeness = outcome.completeness();
    let learned = left.take();
    let unnamed = learned.unnamed;
    let (places, dropped) = learned.finish();
    let taken = policy.iter().flat_map(|policy| policy.apis()).map(|api| api.name.clone());
    let genuine: u64 = places.values().map(|group| group.seen.accepted).sum();
    let draft = learn::draft(places, &taken.collect::<BTreeSet<_>>());
    let counts = &outcome.concluded.totals.counts;
    let inputs = counted(u64::try_from(outcome.inputs.len()).unwrap_or(u64::MAX), "input");
    let head = vec![
        format!(
            "Learned by `tokentrail policy init` from {} of {inputs}, {} among them with a genuine token.",
            counted(counts.records, "record"),
            counted(genuine, "accepted request"),
        ),
        "What was accepted need not have been right: read every line before you use it.".to_owned(),
        "Values that few were seen with, or nobody vouches for, stand in lines that begin with `review:`."
            .to_owned(),
    ];
    let mut notes = Vec::new();
    if !has_keys {
        notes.push("no keys were given (--keys DIR), so no token is known to be genuine and nothing of them was learned".to_owned());
    }
    if dropped {
        notes
            .push("there are more hosts and paths than are looked at; some of them were left out".to_owned());
    }
    if unnamed > 0 {
        notes.push(format!("{} name no host that a policy could name", counted(unnamed, "accepted request")));
    }
    if !completeness.complete {
        notes.push(completeness.sentence);
    }
    Ok(Ok(Learned { draft, head, notes, complete: completeness.complete }))
}

/// A policy with what was learned added.
fn add(path: &Path, policy: &Policy, draft: &Draft) -> Result<Merged, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(anyhow::Error::new(error).context(path.display().to_string())))?;
    merge::merged(path, &text, policy, draft)
}

/// Says what was added, once that is written, and what somebody has to decide.
fn tell(merged: &Merged, draft: &Draft, console: Console) {
    for line in &merged.added {
        console.note(&format!("added {}\n", visible(line)));
    }
    if merged.added.is_empty() {
        console.note("nothing to add\n");
    }
    for line in &merged.open {
        console.note(&format!("review: {}\n", visible(line)));
    }
    console.note(&learn::open(&draft.open).replace("# review:", "review:"));
}

/// Prints a policy, or writes it whole or not at all.
fn deliver(text: &str, output: Option<&Path>) -> Outcome {
    let Some(path) = output else { return console::print(text) };
    deliver::file(path, text.as_bytes())?;
    Ok(Exit::Clean)
}

/// Rows are not what is wanted.
struct Nowhere;

impl Sink for Nowhere {
    fn occurrences(&mut self, _rows: Vec<OccurrenceRow>) -> Result<(), SinkError> {
        Ok(())
    }

    fn rejects(&mut self, _rows: Vec<RejectRow>) -> Result<(), SinkError> {
        Ok(())
    }
}
