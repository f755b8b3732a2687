//! Runs every case of `testdata/rules`: the known-good token of `testdata/good.toml` with the differences of the case.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use crate::case_base::{Base, Case, CaseFile, Expect, UseSpec};
use crate::case_record::{Beside, RecordSpec};
use crate::case_trails::{self, CaseUse};
use crate::mint::{self, CaptureSpec, Good, TokenSpec, good};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokentrail::engine::Concluded;
use tokentrail::facts::{
    Context, DataTenant, Facts, JudgedTime, Outcome, Position, TokenFacts, Tokenless, is_doubted,
};
use tokentrail::keys::{Archive, KeyHistory};
use tokentrail::policy::{self, ApiSettings, Policy, Request, Validation};
use tokentrail::record::{Record, TimeIs, TokenHit};
use tokentrail::rules::kit::{Check, Evidence, Judge};
use tokentrail::rules::run::RunRule;
use tokentrail::rules::{self, RULES, Rule};
use tokentrail::time::{DAY, HOUR, SECOND, UtcMicros};
use tokentrail::token::Token;
use tokentrail::verify::{Verifier, VerifyItem};

/// What a rule said about a case.
pub(crate) struct Said {
    verdict: &'static str,
    expect: Expect,
    severity: Option<&'static str>,
    confidence: Option<&'static str>,
    reason: Option<&'static str>,
    pub(crate) evidence: Evidence,
    findings: Option<usize>,
    secrets: Vec<String>,
}

#[test]
fn every_case_holds() {
    let good = good();
    let archives = Archives::load(&good.archives);
    let mut wrong = Vec::new();
    for rule in RULES {
        for case in cases_of(rule) {
            let said = judge(rule, &case, &good, &archives);
            wrong.extend(differences(&case, &said).map(|text| format!("{}: {}: {text}", rule.id, case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_has_a_firing_and_a_quiet_case_with_reasons() {
    for rule in RULES {
        let cases = cases_of(rule);
        for expect in [Expect::Fires, Expect::Quiet] {
            assert!(cases.iter().any(|case| case.expect == expect), "{}: no case {expect:?}", rule.id);
        }
        for case in cases {
            assert!(case.why.ends_with('.'), "{}: {}: why?", rule.id, case.name);
        }
    }
}

#[test]
fn every_file_of_cases_belongs_to_a_rule() {
    let known: Vec<PathBuf> = RULES.iter().map(|rule| file_of(rule)).collect();
    for family in fs::read_dir(mint::testdata("rules")).unwrap() {
        for file in fs::read_dir(family.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            assert!(known.contains(&file), "{}: no rule of that name", file.display());
        }
    }
}

#[test]
fn the_good_token_is_good() {
    let good = good();
    let archives = Archives::load(&good.archives);
    let case: Case = toml::from_str("name = 'good'\nwhy = 'It is.'\nexpect = 'quiet'").unwrap();
    for rule in RULES {
        let said = judge(rule, &case, &good, &archives);
        assert_eq!(said.verdict, "valid");
        if said.expect == Expect::Fires {
            assert_eq!(said.severity, Some("info"), "{}: {}", rule.id, said.evidence.message);
        }
    }
}

fn file_of(rule: &Rule) -> PathBuf {
    mint::testdata("rules").join(rule.category.name()).join(format!("{}.toml", rule.id))
}

fn cases_of(rule: &Rule) -> Vec<Case> {
    let file = file_of(rule);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let cases: CaseFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    cases.case
}

/// Key histories by name.
pub(crate) struct Archives(pub(crate) BTreeMap<String, Arc<KeyHistory>>);

impl Archives {
    pub(crate) fn load(specs: &BTreeMap<String, Vec<CaptureSpec>>) -> Self {
        let load = |(name, captures): (&String, &Vec<CaptureSpec>)| {
            let directory = tempfile::tempdir().unwrap();
            mint::write_archive(directory.path(), captures);
            (name.clone(), Arc::new(history(directory.path())))
        };
        Self(specs.iter().map(load).collect())
    }
}

fn history(directory: &Path) -> KeyHistory {
    // As `keys check` reads it: some archives of the cases are tampered with.
    KeyHistory::new(Archive::inspect(directory).unwrap().0)
}

fn judge(rule: &'static Rule, case: &Case, good: &Good, archives: &Archives) -> Said {
    let mut base = Base::new(&case.name, good.token.clone(), good.record.clone());
    base.change(&case.without, &case.token, &case.record);
    let has = |input: &str| !case.without.iter().any(|without| without == input);
    let policy = has("policy").then(|| {
        let text = case.policy.as_deref().unwrap_or(&good.policy);
        let text = text.replace("{rsa-a spki}", &mint::SigningKey("rsa-a").spki_sha256());
        let policy = Policy::parse_with(&text, &case.files);
        Arc::new(policy.unwrap_or_else(|error| panic!("{}: {error}", case.name)))
    });
    let keys = has("keys").then(|| {
        let name = case.keys.as_ref().unwrap_or(&good.keys);
        archives.0.get(name).unwrap_or_else(|| panic!("{}: no archive {name}", case.name))
    });
    let context = Context {
        policy: policy.as_deref(),
        keys: keys.map(|keys| &**keys),
        baseline: case.earlier.is_some(),
    };
    match rule.judge {
        Judge::Trails(_) if !case.uses.is_empty() => {
            let earlier = case.earlier.as_deref().map(|uses| expanded(&base, uses));
            let uses = expanded(&base, &case.uses);
            let concluded = case_trails::concluded(rule, policy.as_ref(), keys, earlier.as_deref(), &uses);
            said_of_trails(rule, &base, context, &concluded)
        }
        Judge::Run(run) => judge_run(rule, run, case, &base, context),
        _ => {
            let (token, record) = base.plain();
            said(rule, &token, &record, context)
        }
    }
}

/// The requests of a run, each with its token.
fn expanded(base: &Base, uses: &[UseSpec]) -> Vec<CaseUse> {
    let each = |uses: &UseSpec, number: usize| {
        let [token, record] = [&uses.token, &uses.record].map(|table| case_trails::numbered(table, number));
        let (token, record) = base.differing(&token, &record);
        let value = token.mint();
        let spelled = uses.spelled.as_ref().map(|how| {
            let beside = Beside { place: String::new(), value: how.clone() };
            beside.of(&value)
        });
        (spelled.unwrap_or(value), record)
    };
    uses.iter().flat_map(|uses| (0..uses.repeat.unwrap_or(1)).map(move |number| each(uses, number))).collect()
}

fn said_of_trails(rule: &Rule, base: &Base, context: Context<'_>, concluded: &Concluded) -> Said {
    let (token, record) = base.plain();
    let mut said = said(rule, &token, &record, context);
    said.findings = Some(case_trails::count(concluded, rule));
    let reasons = concluded.totals.not_evaluable.get(rule.id);
    if let Some(finding) = case_trails::worst(concluded, rule) {
        said.expect = Expect::Fires;
        said.severity = Some(finding.severity.name());
        said.confidence = Some(finding.confidence.name());
        said.evidence = case_trails::evidence(finding);
    } else if let Some(reason) = reasons.and_then(|reasons| reasons.keys().next()) {
        said.expect = Expect::NotEvaluable;
        said.reason = Some(reason.clone().leak());
    }
    said
}

fn judge_run(rule: &Rule, run: &dyn RunRule, case: &Case, base: &Base, context: Context<'_>) -> Said {
    // Odd and even requests are seen apart, saved, and put together.
    let mut states = [run.start(), run.start()];
    for (number, uses) in case.uses.iter().enumerate() {
        let (token, record) = base.differing(&uses.token, &uses.record);
        with_facts(&token, &record, context, |facts, _| {
            let (record, state) = (facts.record, &mut states[number % 2]);
            if record.tokens.is_empty() {
                let (outcome, gateway, api) = (facts.outcome, facts.gateway, facts.api);
                let (position, time) = (facts.position, facts.time);
                state.observe_tokenless(&Tokenless { record, position, time, outcome, gateway, api });
            } else {
                state.observe(facts);
            }
        });
    }
    let [mut odd, even] = states;
    odd.merge(run.restore(&even.save()).unwrap());
    let conclusion = run.restore(&odd.save()).unwrap().conclude();
    let (token, record) = base.plain();
    let mut said = said(rule, &token, &record, context);
    if let Some(finding) = conclusion.findings.first() {
        said.expect = Expect::Fires;
        said.severity = Some(finding.severity.name());
        said.confidence = Some(finding.evidence.confidence.unwrap_or(rule.confidence).name());
        said.evidence = finding.evidence.clone();
    } else if let Some((reason, _)) = conclusion.not_evaluable.first() {
        said.expect = Expect::NotEvaluable;
        said.reason = Some(reason.0);
    }
    said
}

/// What a rule says about one request.
fn said(rule: &Rule, token: &TokenSpec, record: &RecordSpec, context: Context<'_>) -> Said {
    with_facts(token, record, context, |facts, secrets| Said { secrets, ..say(rule, facts) })
}

/// Does something with one request, and with the parts of its token that no answer may repeat.
pub(crate) fn with_facts<T>(
    token: &TokenSpec,
    record: &RecordSpec,
    context: Context<'_>,
    look: impl FnOnce(&Facts<'_>, Vec<String>) -> T,
) -> T {
    let value = token.mint();
    let values: Vec<String> = record.beside.iter().map(|beside| beside.of(&value)).collect();
    let first = record.hit(&value, token.at_cut);
    let others = values.iter().zip(&record.beside);
    let others =
        others.map(|(value, beside)| TokenHit { value, place: &beside.place, ..TokenHit::default() });
    let hits: Vec<TokenHit<'_>> = [first].into_iter().chain(others).collect();
    let url = record.url_with(&value);
    let record = record.as_record(&url, &hits);
    let parsed = Token::parse(&value);
    let verifier = Verifier::new(context.keys);
    let item = VerifyItem { value: &value, token: &parsed, at_cut: token.at_cut };
    let signature = verifier.verify_batch(&[item]).pop().unwrap();
    let time = JudgedTime::of(&record);
    let verdict = verifier.verdict_at(&signature, time.map(|time| time.at));
    let outcome = Outcome::of(&record);
    let foreign_key = Facts::seeks_foreign_key(outcome, verdict).then(|| verifier.elsewhere(&value, &parsed));
    let token = TokenFacts { token: parsed, signature };
    let request =
        Request { host: record.host, method: record.method, path: record.path, ..Request::default() };
    let api = context.policy.and_then(|policy| policy.api_of(request).settings);
    let default = Validation::default();
    let facts = Facts {
        record: &record,
        position: Position { source: Some("test"), line: Some(1), offset: Some(0) },
        hit: first,
        time,
        outcome,
        gateway: record.gateway,
        api,
        validation: context.policy.map_or(&default, |policy| policy.validation(None)),
        principal: api
            .is_some_and(|api| api.authorizes_on.as_deref() == Some("principal"))
            .then_some(record.principal)
            .flatten(),
        data_tenant: &data_tenant(context.policy, api, request, &record),
        token: &token,
        verdict,
        doubted: is_doubted(&token, context, time),
        foreign_key: foreign_key.flatten(),
        context,
    };
    look(&facts, value.split('.').filter(|part| part.len() >= 16).map(str::to_owned).collect())
}

pub(crate) fn say(rule: &Rule, facts: &Facts<'_>) -> Said {
    let mut said = Said {
        verdict: facts.verdict.name(),
        expect: Expect::Quiet,
        severity: None,
        confidence: None,
        reason: None,
        evidence: Evidence::default(),
        findings: None,
        secrets: Vec::new(),
    };
    if let Some(input) = rules::missing(rule, facts.context) {
        said.expect = Expect::Skipped;
        said.reason = Some(input);
        return said;
    }
    if let Some(statement) = rule.judge_archive(facts.context).into_iter().next() {
        said.expect = Expect::Fires;
        said.severity = rule.cells.accepted.map(rules::Severity::name);
        said.confidence = Some(rule.confidence.name());
        said.evidence = statement.evidence.fact("subject", statement.subject);
    }
    assert_quiet_when_it_says_so(rule, facts);
    match rule.judge_use(facts) {
        Check::Quiet => {}
        Check::NotEvaluable(reason) => {
            said.expect = Expect::NotEvaluable;
            said.reason = Some(reason.0);
        }
        Check::Fires(evidence) => {
            // Where the catalogue has no severity for the outcome there is no finding.
            if let Some(severity) = rule.severity(&evidence, facts.outcome, facts.time) {
                said.expect = Expect::Fires;
                said.severity = Some(severity.name());
                said.confidence = Some(evidence.confidence.unwrap_or(rule.confidence).name());
            }
            said.evidence = *evidence;
        }
    }
    said
}

/// Whatever time the request had: a rule says nothing when it says beforehand that it will not.
fn assert_quiet_when_it_says_so(rule: &Rule, facts: &Facts<'_>) {
    let pairing = facts.pairing();
    if rule.lacking(&pairing).is_some() {
        return;
    }
    let quiet = rule.quiet(&pairing);
    let claims = facts.token.claims();
    let dates = claims.into_iter().flat_map(|claims| [claims.iat, claims.nbf, claims.exp]).flatten();
    let now = facts.time.map(|time| time.at);
    let skew = facts.validation.skew();
    for at in dates.map(UtcMicros::from_seconds).chain(now) {
        let shifts =
            [0, skew, -skew, HOUR, -HOUR, DAY, 2 * DAY, 6 * DAY, 8 * DAY, -8 * DAY, 400 * DAY, -400 * DAY];
        for at in shifts.into_iter().flat_map(|shift| [-SECOND, -1, 0, 1].map(|more| at.plus(shift + more))) {
            let time = Some(JudgedTime { at, is: TimeIs::Start });
            let doubted = is_doubted(facts.token, facts.context, time);
            let said = rule.judge_use(&Facts { time, doubted, ..*facts });
            assert!(!quiet.contains(at) || said == Check::Quiet, "{} at {at}: {said:?}", rule.id);
        }
    }
}

fn data_tenant<'a>(
    policy: Option<&Policy>,
    api: Option<&ApiSettings>,
    request: Request<'_>,
    record: &Record<'a>,
) -> DataTenant<'a> {
    let (Some(policy), Some(api)) = (policy, api) else { return DataTenant::Absent };
    let raw = match api.data_tenant {
        policy::DataTenant::Field => record.data_tenant.map(str::to_owned),
        _ => policy.data_tenant_of(api, request).map(Cow::into_owned),
    };
    match raw {
        None => DataTenant::Absent,
        Some(raw) => match policy.resolve_tenant(&raw).map(Cow::into_owned) {
            Some(tenant) => DataTenant::Tenant(tenant.into()),
            None => DataTenant::Unresolved(raw.into()),
        },
    }
}

/// What was said and not expected; nothing if the case holds.
fn differences(case: &Case, said: &Said) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    if case.expect != said.expect {
        let more = said.reason.unwrap_or(&said.evidence.message);
        found.push(format!("expected {:?}, was {:?} ({}; {more})", case.expect, said.expect, said.verdict));
        return found.into_iter();
    }
    let texts = [
        ("severity", case.severity.as_deref(), said.severity),
        ("confidence", case.confidence.as_deref(), said.confidence),
        ("reason", case.reason.as_deref(), said.reason),
        ("actual", case.actual.as_deref(), said.evidence.actual.as_deref()),
        ("expected", case.expected.as_deref(), said.evidence.expected.as_deref()),
        ("verdict", case.verdict.as_deref(), Some(said.verdict)),
    ];
    for (name, wanted, was) in texts {
        if wanted.is_some() && wanted != was {
            found.push(format!("{name} should be {wanted:?}, was {was:?}"));
        }
    }
    if case.findings.is_some() && case.findings != said.findings {
        found.push(format!("findings should be {:?}, were {:?}", case.findings, said.findings));
    }
    for (name, wanted) in &case.evidence {
        let was = said.evidence.facts.iter().find(|(fact, _)| fact == name).map(|(_, value)| value);
        let wanted = serde_json::to_value(wanted).unwrap();
        if was != Some(&wanted) {
            found.push(format!("evidence {name} should be {wanted}, was {was:?}"));
        }
    }
    if said.expect == Expect::Fires {
        let written = format!("{:?}", said.evidence);
        if said.secrets.iter().any(|secret| written.contains(secret.as_str())) {
            found.push("the evidence holds a part of the token".to_owned());
        }
        if !said.evidence.message.ends_with('.') || said.evidence.expected.is_none() {
            found.push("the evidence lacks its sentence or what was expected".to_owned());
        }
    }
    found.into_iter()
}
