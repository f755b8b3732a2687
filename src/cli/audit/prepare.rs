//! From arguments to everything that an audit needs; whatever is wrong with them is said before anything is read.

use super::super::args::{AuditArgs, FilterArgs, fingerprint, nearest};
use super::super::clock;
use super::super::exit::Failure;
use super::super::formats;
use super::super::keys;
use super::super::policy;
use std::sync::Arc;
use tokentrail::engine::Earlier;
use tokentrail::engine::Filters;
use tokentrail::engine::Setup;
use tokentrail::keys::KeyHistory;
use tokentrail::pipeline;
use tokentrail::pipeline::Listed;
use tokentrail::pipeline::Options;
use tokentrail::pipeline::Place;
use tokentrail::pipeline::Status;
use tokentrail::policy::Policy;
use tokentrail::policy::PolicyFile;
use tokentrail::record::FormatSet;
use tokentrail::rules::RULES;
use tokentrail::rules::Rule;
use tokentrail::sink::Baselines;
use tokentrail::sink::EarlierError;
use tokentrail::sink::Given;
use tokentrail::sink::HashedFile;
use tokentrail::sink::KeyArchive;
use tokentrail::time::Period;
use tokentrail::time::UtcMicros;

/// What an audit was given.
pub(super) struct Prepared {
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) keys: Option<Arc<KeyHistory>>,
    pub(super) formats: FormatSet,
    pub(super) inputs: Vec<Listed>,
    pub(super) rules: Vec<&'static Rule>,
    pub(super) baselines: Option<Baselines>,
    /// What the run of the latest of them kept.
    pub(super) earlier: Option<Arc<Earlier>>,
    pub(super) given: Given,
}

impl Prepared {
    /// Reads policy, keys and formats, resolves times, and lists the inputs.
    pub(super) fn new(args: &AuditArgs, now: UtcMicros) -> Result<Self, Failure> {
        let filters = filters(&args.filters, args, now)?;
        if args.keys.require_keys && args.keys.keys.is_none() {
            return Err(Failure::say("--require-keys: no key archive was given; name one with --keys DIR"));
        }
        let policy = args.rules.policy.as_deref().map(policy::load).transpose()?.map(Arc::new);
        known_names(&filters, policy.as_deref())?;
        let keys = args.keys.keys.as_deref().map(keys::load).transpose()?;
        let formats = formats::load(args.input.formats.as_deref())?;
        if let Some(name) = &args.input.input_format {
            formats::known(&formats, name)?;
        }
        let rules = rules(args)?;
        let inputs = inputs(&args.input.inputs)?;
        let baselines = baselines(args)?;
        let earlier = baselines.as_ref().map_or(Ok(None), Baselines::kept).map_err(baseline_failure)?;
        let earlier = earlier.map(Arc::new);
        let given = Given {
            arguments: std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect(),
            policy: policy.as_ref().map_or_else(Vec::new, |policy| hashed(policy.files())),
            keys: keys.as_ref().map(|keys| archive(args, keys)),
            formats: formats.files().iter().map(|file| hashed_file(&file.path, &file.sha256)).collect(),
            watch: policy.as_ref().map_or_else(Vec::new, |policy| hashed(policy.watch_files())),
            baselines: baselines.as_ref().map(Baselines::report),
            filters,
            gateways: policy.as_ref().map_or_else(Vec::new, |policy| policy.gateways().to_vec()),
            require_tokens: args.input.require_tokens,
            require_keys: args.keys.require_keys,
        };
        Ok(Self { policy, keys, formats, inputs, rules, baselines, earlier, given })
    }

    /// The engine's setup.
    pub(super) fn setup(&self, args: &AuditArgs) -> Setup {
        Setup {
            policy: self.policy.clone(),
            keys: self.keys.clone(),
            rules: self.rules.clone(),
            filters: self.given.filters.clone(),
            occurrences: !args.output.no_occurrences,
            activity: !args.output.no_activity,
            portable: args.run.portable,
        }
    }
}

/// How the run goes.
pub(super) fn options(args: &AuditArgs) -> Options {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Options {
        workers: args.run.jobs.unwrap_or_else(cores),
        line_bytes_max: args.input.max_line,
        digest: !args.output.no_input_digest,
        format: args.input.input_format.clone(),
        ..Options::default()
    }
}

fn filters(given: &FilterArgs, args: &AuditArgs, now: UtcMicros) -> Result<Filters, Failure> {
    let at = |name: &str, text: &Option<String>| match text {
        Some(text) => match clock::instant(text, now) {
            Ok(at) => Ok(Some(at)),
            Err(error) => Err(Failure::say(format!("{name} {text}: {error}"))),
        },
        None => Ok(None),
    };
    let period = Period { since: at("--since", &given.since)?, until: at("--until", &given.until)? };
    if let (Some(since), Some(until)) = (period.since, period.until)
        && since >= until
    {
        return Err(Failure::say(format!(
            "--since {since} is not before --until {until}: no time lies between them"
        )));
    }
    let token: Result<Vec<String>, String> = given.token.iter().map(|text| fingerprint(text)).collect();
    Ok(Filters {
        period,
        min_severity: args.rules.min_severity,
        tid: given.tid.clone(),
        oid: given.oid.clone(),
        client: given.client.clone(),
        ip: given.ip.clone(),
        kid: given.kid.clone(),
        uti: given.uti.clone(),
        sid: given.sid.clone(),
        token: token.map_err(|error| Failure::say(format!("--token: {error}")))?,
        gateway: given.gateway.clone(),
        api: given.api.clone(),
    })
}

/// Gateways and APIs have their names from the policy; a misspelt one would silently filter everything out.
fn known_names(filters: &Filters, policy: Option<&Policy>) -> Result<(), Failure> {
    let gateways: Vec<&str> = policy.map_or_else(Vec::new, |policy| {
        policy.gateways().iter().map(|gateway| gateway.name.as_str()).collect()
    });
    let apis: Vec<&str> =
        policy.map_or_else(Vec::new, |policy| policy.apis().iter().map(|api| api.name.as_str()).collect());
    for (option, wanted, known) in [("--gateway", &filters.gateway, gateways), ("--api", &filters.api, apis)]
    {
        if let Some(name) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
            let advice = match (policy, nearest(name, known.iter().copied())) {
                (None, _) => "names come from the policy; name one with --policy FILE".to_owned(),
                (_, Some(near)) => format!("the policy has no such name; did you mean {near}?"),
                (_, None) => "the policy has no such name".to_owned(),
            };
            return Err(Failure::say(format!("{option} {name}: {advice}")));
        }
    }
    Ok(())
}

fn rules(args: &AuditArgs) -> Result<Vec<&'static Rule>, Failure> {
    let named = |names: &[String], rule: &Rule| names.iter().any(|name| name == rule.id);
    let wanted = |rule: &&Rule| {
        (args.rules.rule.is_empty() || named(&args.rules.rule, rule)) && !named(&args.rules.skip_rule, rule)
    };
    let rules: Vec<&'static Rule> = RULES.iter().copied().filter(wanted).collect();
    if rules.is_empty() {
        return Err(Failure::say("--rule and --skip-rule leave no rule to run; drop one of them"));
    }
    Ok(rules)
}

/// Every input that the arguments name, of which at least one is there.
pub(in crate::cli) fn inputs(arguments: &[String]) -> Result<Vec<Listed>, Failure> {
    let inputs = pipeline::list(arguments).map_err(Failure::usage)?;
    let missing = |listed: &Listed| {
        matches!(listed.place, Place::Nowhere { status: Status::Missing | Status::PassedOver, .. })
    };
    if !inputs.iter().all(missing) {
        return Ok(inputs);
    }
    let named = inputs.iter().take(3).map(|listed| match &listed.place {
        Place::Nowhere { error, .. } => format!("{} ({error})", listed.written()),
        _ => listed.written(),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    Err(Failure::say(format!("every input is missing: {named}; name files, directories or globs that exist")))
}

/// The results to compare with; `None` if none were asked for.
fn baselines(args: &AuditArgs) -> Result<Option<Baselines>, Failure> {
    let named = &args.output.baseline;
    if named.is_empty() {
        if args.output.fail_on.is_some_and(|fail_on| fail_on.new) {
            return Err(Failure::say(
                "--fail-on new: needs an earlier result to compare with; name one with --baseline DIR",
            ));
        }
        return Ok(None);
    }
    let opened = Baselines::open(named, &args.output.output);
    opened.map(Some).map_err(baseline_failure)
}

fn baseline_failure(error: EarlierError) -> Failure {
    Failure::usage(anyhow::Error::new(error).context("--baseline"))
}

fn archive(args: &AuditArgs, keys: &KeyHistory) -> KeyArchive {
    let path = args.keys.keys.as_deref().map_or_else(String::new, |path| path.display().to_string());
    let labels = keys.labels().map(|label| {
        let name = if label.is_empty() { "documents without a source" } else { label };
        format!("{name}: the source has no host, so its keys are taken as keys of every issuer")
    });
    KeyArchive {
        path: path.into(),
        sha256: keys.sha256().to_owned(),
        keys: u64::try_from(keys.keys().count()).unwrap_or(u64::MAX),
        notes: keys.notices().iter().cloned().chain(labels).map(Into::into).collect(),
    }
}

fn hashed(files: &[PolicyFile]) -> Vec<HashedFile> {
    files.iter().map(|file| hashed_file(&file.path, &file.sha256)).collect()
}

fn hashed_file(path: &str, sha256: &str) -> HashedFile {
    HashedFile { path: path.into(), sha256: sha256.to_owned() }
}
