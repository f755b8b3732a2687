//! `generate`: synthetic logs, keys and a policy with planted misuse.

use super::args::GenerateArgs;
use super::console::Console;
use super::exit::{Exit, Failure, Outcome};
use std::fs::File;
use std::io;
use std::path::Path;
use tokentrail::generate;
use tokentrail::generate::GenerateError;
use tokentrail::generate::LogFormat;
use tokentrail::generate::Plan;
use tokentrail::generate::Signing;
use tokentrail::generate::Summary;
use tokentrail::sink::{counted, grouped, visible};

/// Writes a corpus and says what is in it.
pub(super) fn run(args: &GenerateArgs, console: Console) -> Outcome {
    let usual = Plan::new(&args.output);
    let format = match &args.format {
        Some(name) => LogFormat::parse(name).ok_or_else(|| unknown(name))?,
        None => usual.format,
    };
    let plan = Plan {
        lines: args.lines.unwrap_or(usual.lines),
        seed: args.seed.unwrap_or(usual.seed),
        format,
        reuse: args.reuse.unwrap_or(usual.reuse),
        misuse: args.misuse.unwrap_or(usual.misuse),
        tenants: args.tenants.unwrap_or(usual.tenants),
        kids: args.kids.unwrap_or(usual.kids),
        captures: args.captures.unwrap_or(usual.captures),
        apis: args.apis.unwrap_or(usual.apis),
        hours: args.hours.unwrap_or(usual.hours),
        alg: match &args.alg {
            Some(name) => Signing::parse(name)
                .ok_or_else(|| Failure::say(format!("--alg {name}: write RS256 or ES256")))?,
            None => usual.alg,
        },
        addresses: args.addresses,
        gzip: args.gzip,
        token_bank: args.token_bank.clone(),
        out: usual.out,
    };
    let made = make(&plan, args.log.as_deref())?;
    let place = args.output.display().to_string();
    let place = visible(&place);
    console.note(&format!(
        "{} in {} with {}, {} of them misused; {place}/expected.jsonl names {}\n",
        counted(made.lines, "line"),
        if args.log.is_some() { "one log".to_owned() } else { counted(made.files, "file") },
        counted(made.tokens, "token"),
        grouped(made.planted),
        counted(made.expected, "finding"),
    ));
    console.note(&format!("{place}/README.txt says how to audit them\n"));
    Ok(Exit::Clean)
}

/// Writes the corpus, and its log where it is wanted.
fn make(plan: &Plan, log: Option<&Path>) -> Result<Summary, Failure> {
    let made = match log {
        None => generate::generate(plan),
        Some(path) if path == Path::new("-") => generate::generate_into(plan, &mut io::stdout().lock()),
        Some(path) => {
            let mut file = File::create_new(path).map_err(|error| {
                Failure::output(anyhow::Error::new(error).context(path.display().to_string()))
            })?;
            generate::generate_into(plan, &mut file)
        }
    };
    made.map_err(|error| match error {
        GenerateError::File { .. } | GenerateError::Key { .. } => Failure::output(error),
        GenerateError::OutOfRange { name, range } => Failure::say(format!("--{name} must be {range}")),
        error => Failure::usage(error),
    })
}

fn unknown(name: &str) -> Failure {
    let names = LogFormat::ALL.map(LogFormat::name).join(", ");
    Failure::say(format!("--format {name}: nothing is generated in that format; write one of {names}"))
}
