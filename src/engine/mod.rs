//! The pure core: lines or a `RecordBatch` in, partials out, tables at the end. No clock, environment, files or network.

mod accepts;
mod activity;
mod addresses;
mod arrow;
mod columns;
mod conclude;
mod counts;
mod distinct;
mod entry;
mod excerpt;
mod front;
mod holes;
mod judge;
mod lines;
mod names;
mod onward;
mod order;
mod pairings;
mod partial;
mod places;
mod plans;
mod problems;
mod saved;
mod scan;
mod segments;
mod settled;
mod shared;
mod systemic;
mod tables;
mod tokens;
mod totals;
mod trails;
mod uncovered;
mod uses;
mod write;

pub use accepts::AcceptCount;
pub use arrow::BatchError;
pub use counts::{InputCounts, Rejects};
pub use lines::Scratch;
pub use partial::Partial;
pub use saved::SavedError;
pub use systemic::Systemic;
pub use totals::{AcceptTotals, GatewayTotals, Totals};
pub use trails::Earlier;
pub use uncovered::UncoveredPlace;

use crate::facts::{Context, Facts};
use crate::findings::{OccurrenceRow, RejectRow, Tables};
use crate::keys::KeyHistory;
use crate::limits;
use crate::policy::GatewayId;
use crate::policy::Policy;
use crate::policy::Validation;
use crate::record::Format;
use crate::record::Reject;
use crate::redact;
use crate::rules::kit::{Check, Judge, Need, Reason};
use crate::rules::{self, Rule, Severity};
use crate::time::Period;
use crate::verify::Memo;
use crate::verify::Verifier;
use accepts::Accepts;
use entry::Kept;
use plans::Plans;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which records and findings an audit keeps; everything empty keeps all.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Filters {
    /// `--since` and `--until`, already resolved.
    pub period: Period,
    /// `--min-severity`
    pub min_severity: Option<Severity>,
    /// `--tid`
    pub tid: Vec<String>,
    /// `--oid`
    pub oid: Vec<String>,
    /// `--client`
    pub client: Vec<String>,
    /// `--ip`
    pub ip: Vec<String>,
    /// `--kid`
    pub kid: Vec<String>,
    /// `--uti`
    pub uti: Vec<String>,
    /// `--sid`
    pub sid: Vec<String>,
    /// `--token`, fingerprints of 64 hexadecimal digits.
    pub token: Vec<String>,
    /// `--gateway`
    pub gateway: Vec<String>,
    /// `--api`
    pub api: Vec<String>,
}

/// What an engine is made of.
pub struct Setup {
    /// The policy, if one was given.
    pub policy: Option<Arc<Policy>>,
    /// The key history, if an archive was given.
    pub keys: Option<Arc<KeyHistory>>,
    /// Rules to run (after `--rule` and `--skip-rule`).
    pub rules: Vec<&'static Rule>,
    /// Filters.
    pub filters: Filters,
    /// Whether to make occurrence rows.
    pub occurrences: bool,
    /// Whether to keep the activity table.
    pub activity: bool,
    /// Whether to do without everything that only some processors have (`--portable`); the results are the same.
    pub portable: bool,
}

/// A piece of an input.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'c> {
    /// The bytes, decompressed.
    pub bytes: &'c [u8],
    /// Offset of the first byte in the decompressed stream.
    pub offset: i64,
    /// Number of the line in which the first byte lies, counted from 1.
    pub line: i64,
    /// How the bytes are cut into units.
    pub units: Units<'c>,
    /// True if the input broke off here: the last unit may be cut.
    pub cut: bool,
}

/// How a chunk is cut into units.
#[derive(Clone, Copy, Debug)]
pub enum Units<'c> {
    /// At newlines (a CR before one is dropped).
    Lines,
    /// At these places.
    Spans(&'c [Span]),
}

/// A unit inside a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte within the chunk.
    pub start: usize,
    /// End within the chunk.
    pub end: usize,
    /// Line of its first byte, counted from 1.
    pub line: i64,
    /// Why it is no unit, if it is none.
    pub reject: Option<Reject>,
}

/// Rows that leave the engine at once, in the order of the input.
#[derive(Debug, Default)]
pub struct Rows {
    /// In the table's order within one source.
    pub occurrences: Vec<OccurrenceRow>,
    /// In the table's order within one source.
    pub rejects: Vec<RejectRow>,
}

/// The end of an audit.
#[derive(Debug, Default)]
pub struct Concluded {
    /// The tables.
    pub tables: Tables,
    /// The totals.
    pub totals: Totals,
}

/// The core: immutable, shared by all workers.
#[expect(clippy::struct_excessive_bools, reason = "switches of the run, each asked for at its own place")]
pub struct Engine {
    policy: Option<Arc<Policy>>,
    keys: Option<Arc<KeyHistory>>,
    /// Rules whose inputs the run has.
    rules: Vec<&'static Rule>,
    /// Rules that cannot run, with the missing input.
    skipped: BTreeMap<&'static str, &'static str>,
    /// The rules that look at a token alone, with their places among the rules.
    token_rules: Vec<(usize, &'static Rule)>,
    /// The same for those that look at a token and an API.
    api_rules: Vec<(usize, &'static Rule)>,
    /// The rules that look at every use.
    use_rules: Vec<UseRule>,
    accepts: Accepts,
    /// What is left to do at a use of a token at an API.
    plans: Plans,
    /// True if a rule looks at trails.
    keeps_trails: bool,
    /// What an earlier run kept.
    earlier: Option<Arc<Earlier>>,
    filters: Filters,
    /// True if a filter names a claim, the kid or the token itself.
    filters_tokens: bool,
    /// True if the policy expects a gateway's records regularly.
    expects_records: bool,
    occurrences: bool,
    activity: bool,
    portable: bool,
    /// What is enforced where no policy says so.
    no_validation: Validation,
    memo: Arc<Memo<Arc<Kept>>>,
    /// Number of the next partial; nothing that is written depends on it.
    next_partial: AtomicU64,
}

/// An input: where records come from.
#[derive(Clone, Debug)]
pub struct Input {
    /// As it is written: redacted and cut.
    source: String,
    gateway: Option<(GatewayId, String)>,
    format: Option<Arc<Format>>,
}

impl Input {
    /// The source as it is written to the tables.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The policy's gateway that the source belongs to.
    pub fn gateway(&self) -> Option<&str> {
        self.gateway.as_ref().map(|(_, name)| name.as_str())
    }
}

/// A rule that looks at every use, with what decides whether it is asked at all.
struct UseRule {
    /// Place among the engine's rules.
    at: usize,
    rule: &'static Rule,
    check: fn(&Facts<'_>) -> Check,
    needs_time: bool,
}

impl UseRule {
    fn new(at: usize, rule: &'static Rule) -> Option<Self> {
        let (Judge::Use(check) | Judge::Timed(_, check)) = rule.judge else { return None };
        Some(Self { at, rule, check, needs_time: rule.needs.contains(&Need::Time) })
    }

    fn judge(&self, facts: &Facts<'_>) -> Check {
        if self.needs_time && facts.time.is_none() {
            return Check::NotEvaluable(Reason::NO_TIME);
        }
        (self.check)(facts)
    }
}

impl Engine {
    /// An engine; rules that the run lacks an input for are set aside.
    pub fn new(setup: Setup) -> Self {
        Self::make(setup, None)
    }

    /// An engine that knows what an earlier run kept.
    pub fn with_earlier(setup: Setup, earlier: Arc<Earlier>) -> Self {
        Self::make(setup, Some(earlier))
    }

    fn make(setup: Setup, earlier: Option<Arc<Earlier>>) -> Self {
        let baseline = earlier.is_some();
        let context = Context { policy: setup.policy.as_deref(), keys: setup.keys.as_deref(), baseline };
        let mut skipped = BTreeMap::new();
        let mut rules = Vec::new();
        for rule in setup.rules {
            match rules::missing(rule, context) {
                Some(missing) => drop(skipped.insert(rule.id, missing)),
                None => rules.push(rule),
            }
        }
        rules.sort_by_key(|rule| rule.id);
        let of_token = |(_, rule): &(usize, &Rule)| matches!(rule.judge, Judge::Token(_));
        let token_rules = rules.iter().copied().enumerate().filter(of_token).collect();
        let of_api = |(_, rule): &(usize, &Rule)| matches!(rule.judge, Judge::Api(_));
        let api_rules = rules.iter().copied().enumerate().filter(of_api).collect();
        let use_rules = rules.iter().enumerate().filter_map(|(at, rule)| UseRule::new(at, rule)).collect();
        let accepts = Accepts::new(setup.policy.as_deref(), rules.iter().map(|rule| rule.id));
        let keeps_trails = rules.iter().any(|rule| matches!(rule.judge, Judge::Trails(_)));
        let filters = setup.filters;
        let token_filters = [
            &filters.tid,
            &filters.oid,
            &filters.client,
            &filters.kid,
            &filters.uti,
            &filters.sid,
            &filters.token,
        ];
        let filters_tokens = token_filters.iter().any(|wanted| !wanted.is_empty());
        let gateways = setup.policy.as_ref().map_or(&[][..], |policy| policy.gateways());
        let expects_records = gateways.iter().any(|gateway| gateway.expect_every.is_some());
        Self {
            policy: setup.policy,
            keys: setup.keys,
            rules,
            skipped,
            token_rules,
            api_rules,
            use_rules,
            accepts,
            plans: Plans::default(),
            keeps_trails,
            earlier,
            filters,
            filters_tokens,
            expects_records,
            occurrences: setup.occurrences,
            activity: setup.activity,
            portable: setup.portable,
            no_validation: Validation::default(),
            memo: Arc::new(Memo::new(limits::MEMO_TOKENS_MAX)),
            next_partial: AtomicU64::new(0),
        }
    }

    /// An input of the line path.
    pub fn input(&self, source: &str, format: Arc<Format>) -> Input {
        Input { format: Some(format), ..self.columns(source) }
    }

    /// An input of the batch path whose gateway the policy finds by its source.
    fn columns(&self, source: &str) -> Input {
        let gateway = self.policy.as_ref().and_then(|policy| {
            let id = policy.gateway_of(source)?;
            Some((id, policy.gateways().get(id.0)?.name.clone()))
        });
        Input { source: redact::cell(source, &[]).into_owned(), gateway, format: None }
    }

    /// An empty partial.
    pub fn partial(&self) -> Partial {
        let runs = self.rules.iter().filter_map(|rule| match rule.judge {
            Judge::Run(run) => Some(run.start()),
            _ => None,
        });
        let id = self.next_partial.fetch_add(1, Ordering::Relaxed);
        Partial { id, runs: runs.collect(), ..Partial::default() }
    }

    fn context(&self) -> Context<'_> {
        Context {
            policy: self.policy.as_deref(),
            keys: self.keys.as_deref(),
            baseline: self.earlier.is_some(),
        }
    }

    fn verifier(&self) -> Verifier<'_> {
        let verifier = Verifier::new(self.keys.as_deref());
        if self.portable { verifier.portable() } else { verifier }
    }

    /// What is enforced where a record comes from: the input's gateway, else the one that the record names.
    fn validation(&self, input: &Input, named: Option<&str>) -> &Validation {
        let Some(policy) = &self.policy else { return &self.no_validation };
        let of_input = input.gateway.as_ref().map(|(id, _)| *id);
        policy.validation(of_input.or_else(|| policy.gateway_named(named?)))
    }
}
