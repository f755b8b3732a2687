//! `policy test`: what the rules say of the requests and tokens that somebody wrote down, under a policy.

use super::super::args::{Listing, TestArgs, unknown_rule};
use super::super::console;
use super::super::exit::{Exit, Failure, Outcome};
use super::good::{Claimed, USUAL_ADDRESS, USUAL_TIME};
use super::load;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use tokentrail::facts::Outcome as Answered;
use tokentrail::facts::{Context, DataTenant, Facts, JudgedTime, Position, Tokenless};
use tokentrail::policy::{Policy, Request, Trial, TrialFile, TrialRequest, TrialToken};
use tokentrail::record::{LoggedTime, Presence, Record, Scheme, TimeIs, TokenHit};
use tokentrail::rules;
use tokentrail::rules::kit::{Check, Judge};
use tokentrail::rules::{RULES, Rule, Severity};
use tokentrail::sink::{counted, visible};
use tokentrail::verify::Verdict;

/// What was found at a test.
struct Found {
    api: Option<String>,
    /// Rules that fired, with their severity and sentence.
    fired: BTreeMap<&'static str, (Severity, String)>,
    /// Rules that could not look, and why.
    blind: BTreeMap<&'static str, String>,
}

/// A test with what was found and what is wrong with that; nothing if it holds.
struct Tried<'t> {
    trial: &'t Trial,
    found: Found,
    wrong: Vec<String>,
}

/// Runs the tests of some files.
pub(super) fn run(args: &TestArgs) -> Outcome {
    let given = args.policy.as_deref().map(load).transpose()?;
    let mut failed = 0;
    let (mut lines, mut listed) = (String::new(), Vec::new());
    for file in &args.files {
        let (policy, trials) = read(file, given.as_ref())?;
        let policy = policy.as_ref().or(given.as_ref()).ok_or_else(|| unnamed(file))?;
        if trials.is_empty() {
            return Err(Failure::say(format!(
                "{}: no [[test]] table; see `policy test --help`",
                file.display()
            )));
        }
        for trial in &trials {
            known(trial)?;
            let (found, verdict) = find(policy, trial)?;
            let tried = Tried { wrong: differences(trial, &found, verdict), trial, found };
            failed += usize::from(!tried.wrong.is_empty());
            lines.push_str(&tried.to_text());
            listed.push(tried.to_json());
        }
    }
    match args.listing.format {
        Listing::Json => console::print_json(&json!({ "failed": failed, "tests": listed }))?,
        Listing::Table => {
            let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            let all = counted(number(listed.len()), "test");
            console::print(&format!("{lines}{all}, {failed} failed\n"))?
        }
    };
    Ok(if failed > 0 { Exit::Findings } else { Exit::Clean })
}

/// The tests of a file, and its policy where no other was given.
fn read(file: &Path, given: Option<&Policy>) -> Result<(Option<Policy>, Vec<Trial>), Failure> {
    if TrialFile::is_policy(file) {
        let policy = load(file)?;
        let trials = policy.trials().to_vec();
        return Ok((given.is_none().then_some(policy), trials));
    }
    let TrialFile { policy, trials } = TrialFile::load(file).map_err(Failure::usage)?;
    let policy = policy.filter(|_| given.is_none()).map(|path| load(&path)).transpose()?;
    Ok((policy, trials))
}

fn unnamed(file: &Path) -> Failure {
    let file = file.display();
    Failure::say(format!(
        "{file}: nobody says which policy is tested; give --policy FILE, or write policy = \"…\" there"
    ))
}

/// Every rule that a test names is one.
fn known(trial: &Trial) -> Result<(), Failure> {
    match trial.expect.iter().find(|id| rules::find(id).is_none()) {
        Some(id) => Err(Failure::say(format!("{}: rule {id}: {}", trial.place, unknown_rule(id)))),
        None => Ok(()),
    }
}

/// What the rules say, and the verdict that the signature is taken to have.
fn find(policy: &Policy, trial: &Trial) -> Result<(Found, Verdict), Failure> {
    let mut request = usual(trial);
    let api = policy.api_of(routed(&request)).settings;
    let gateway = request.gateway.as_deref().and_then(|name| policy.gateway_named(name));
    let validation = policy.validation(gateway);
    let mut token = Claimed::good(policy, validation, api, request.time.unwrap_or(USUAL_TIME));
    let verdict = differ(&mut token, trial)?;
    let by_principal = api.and_then(|api| api.authorizes_on.as_deref()) == Some("principal");
    if by_principal && request.principal.is_none() && !lacks(trial, "principal") {
        request.principal = Some(format!("{}:{}", token.text("tid"), token.text("oid")));
    }
    let (value, token) = token.with_verdict(verdict);
    let absent = matches!(trial.token, TrialToken::Absent);
    let place = trial.request.token_place.as_deref().unwrap_or("header:authorization");
    let hit = TokenHit { value: &value, place, scheme: Scheme::Bearer, at_cut: false };
    let hits = [hit];
    let record = record(&request, if absent { &[] } else { &hits });
    let facts = Facts {
        record: &record,
        position: Position { source: Some("test"), line: Some(1), offset: Some(0) },
        hit,
        time: JudgedTime::of(&record),
        outcome: Answered::of(&record),
        gateway: record.gateway,
        api,
        validation,
        principal: api.and_then(|api| record.role(api.authorizes_on.as_deref()?)),
        data_tenant: &DataTenant::of(Some(policy), api, routed(&request), record.data_tenant),
        token: &token,
        verdict,
        doubted: false,
        foreign_key: None,
        context: Context { policy: Some(policy), keys: None, baseline: false },
    };
    Ok((judged(&facts, absent), verdict))
}

/// The request with what a usual one has and the test does not state.
fn usual(trial: &Trial) -> TrialRequest {
    let stated = &trial.request;
    let or = |stated: &Option<String>, key: &str, usual: &str| {
        stated.clone().or_else(|| (!lacks(trial, key)).then(|| usual.to_owned()))
    };
    TrialRequest {
        path: stated.path.as_deref().map(|path| path.split('?').next().unwrap_or(path).to_owned()),
        method: or(&stated.method, "method", "GET"),
        scheme: or(&stated.scheme, "scheme", "https"),
        client_ip: or(&stated.client_ip, "client-ip", USUAL_ADDRESS),
        status: stated.status.or_else(|| (!lacks(trial, "status")).then_some(200)),
        time: stated.time.or_else(|| (!lacks(trial, "time")).then_some(USUAL_TIME)),
        ..stated.clone()
    }
}

fn lacks(trial: &Trial, key: &str) -> bool {
    trial.without_request.iter().any(|without| without == key)
}

/// What of a request decides its API.
fn routed(request: &TrialRequest) -> Request<'_> {
    Request {
        gateway: request.gateway.as_deref(),
        host: request.host.as_deref(),
        method: request.method.as_deref(),
        path: request.path.as_deref(),
        route: request.route.as_deref(),
    }
}

/// Puts the differences over a good token; gives the verdict on its signature.
fn differ(token: &mut Claimed, trial: &Trial) -> Result<Verdict, Failure> {
    for name in &trial.without_claims {
        token.claims.remove(name);
    }
    for name in &trial.without_header {
        token.header.remove(name);
    }
    let TrialToken::Differs { header, claims, signature } = &trial.token else { return Ok(Verdict::Valid) };
    token.header.extend(header.clone());
    // A client has one name in tokens of version 1 and another in those of version 2, and only one is read.
    for (stated, other) in
        [("azp", "appid"), ("appid", "azp"), ("azpacr", "appidacr"), ("appidacr", "azpacr")]
    {
        if claims.contains_key(stated) {
            token.claims.remove(other);
        }
    }
    token.claims.extend(claims.clone());
    let Some(name) = signature else { return Ok(Verdict::Valid) };
    Verdict::ALL.into_iter().find(|verdict| verdict.name() == name).ok_or_else(|| {
        let names = Verdict::ALL.map(Verdict::name).join(", ");
        Failure::say(format!("{}: signature {name}: write one of {names}", trial.place))
    })
}

fn record<'a>(request: &'a TrialRequest, hits: &'a [TokenHit<'a>]) -> Record<'a> {
    Record {
        time: request.time.map(|at| LoggedTime { at, is: TimeIs::Start }),
        status: request.status,
        method: request.method.as_deref(),
        scheme: request.scheme.as_deref(),
        host: request.host.as_deref(),
        path: request.path.as_deref(),
        query: request.query.as_deref(),
        route: request.route.as_deref(),
        client_ip: request.client_ip.as_deref(),
        user_agent: request.user_agent.as_deref(),
        request_id: request.request_id.as_deref(),
        principal: request.principal.as_deref(),
        data_tenant: request.data_tenant.as_deref(),
        location: request.location.as_deref(),
        gateway: request.gateway.as_deref(),
        tokens: hits,
        presence: if hits.is_empty() { Presence::Absent } else { Presence::Present },
        ..Record::default()
    }
}

/// What every rule says of one request.
fn judged(facts: &Facts<'_>, absent: bool) -> Found {
    let api = facts.api.map(|api| api.name.clone());
    let mut found = Found { api, fired: BTreeMap::new(), blind: BTreeMap::new() };
    for rule in RULES {
        if let Some(missing) = rules::missing(rule, facts.context) {
            found.blind.insert(rule.id, format!("it needs {missing}"));
            continue;
        }
        match rule.judge {
            Judge::Run(run) => {
                let mut state = run.start();
                if absent {
                    // Somebody else's request shows that the log has tokens.
                    state.observe(facts);
                    state.observe_tokenless(&tokenless(facts));
                } else {
                    state.observe(facts);
                }
                for finding in state.conclude().findings {
                    found.fire(rule, finding.severity, finding.evidence.message);
                }
            }
            Judge::Trails(_) => drop(found.blind.insert(rule.id, "it needs many requests".to_owned())),
            _ if absent => {}
            _ => match rule.judge_use(facts) {
                Check::Quiet => {}
                Check::NotEvaluable(reason) => {
                    found.blind.insert(rule.id, format!("it could not look: {}", reason.0));
                }
                Check::Fires(evidence) => {
                    if let Some(severity) = rule.severity(&evidence, facts.outcome, facts.time) {
                        found.fire(rule, severity, evidence.message);
                    }
                }
            },
        }
    }
    found
}

fn tokenless<'f>(facts: &'f Facts<'_>) -> Tokenless<'f> {
    Tokenless {
        record: facts.record,
        position: facts.position,
        time: facts.time,
        outcome: facts.outcome,
        gateway: facts.gateway,
        api: facts.api,
    }
}

impl Found {
    fn fire(&mut self, rule: &'static Rule, severity: Severity, message: String) {
        self.fired.insert(rule.id, (severity, message));
    }

    fn above_info(&self) -> impl Iterator<Item = (&'static str, Severity, &str)> {
        let fired = self.fired.iter().map(|(id, (severity, message))| (*id, *severity, message.as_str()));
        fired.filter(|(_, severity, _)| *severity > Severity::Info)
    }
}

/// What is not as it is expected.
fn differences(trial: &Trial, found: &Found, verdict: Verdict) -> Vec<String> {
    let mut wrong = Vec::new();
    let api = found.api.as_deref().unwrap_or("none");
    if let Some(wanted) = trial.api.as_deref().filter(|wanted| *wanted != api) {
        wrong.push(format!("expected api {wanted}, got {api}"));
    }
    if trial.expect.is_empty() {
        let loud = found.above_info();
        wrong.extend(loud.map(|(id, severity, message)| {
            format!("expected quiet, got {id} ({}): {message}", severity.name())
        }));
        if !verdict.is_valid() {
            // An audit with keys is loud about such a signature.
            wrong.push(format!(
                "expected quiet, but the rules that judge a signature that is {} need keys and could not look; expect \
                 a rule that fires here, or leave `signature` out",
                verdict.name()
            ));
        }
    }
    for id in trial.expect.iter().filter(|id| !found.fired.contains_key(id.as_str())) {
        let got = found.blind.get(id.as_str()).cloned().unwrap_or_else(|| {
            let fired: Vec<&str> = found.above_info().map(|(id, ..)| id).collect();
            if fired.is_empty() { "nothing fired".to_owned() } else { format!("got {}", fired.join(", ")) }
        });
        wrong.push(format!("expected {id}, {got} (api {api})"));
    }
    wrong
}

impl Tried<'_> {
    fn to_text(&self) -> String {
        let place = self.trial.place.to_string();
        let word = if self.wrong.is_empty() { "ok  " } else { "FAIL" };
        let mut out = format!("{word}  {}  {}\n", visible(&place), visible(&self.trial.name));
        for wrong in &self.wrong {
            let _ = writeln!(out, "        {}", visible(wrong));
        }
        out
    }

    fn to_json(&self) -> Value {
        let fired = self.found.fired.iter().map(|(id, (severity, message))| {
            json!({ "rule": id, "severity": severity.name(), "message": message })
        });
        json!({
            "place": self.trial.place.to_string(),
            "name": self.trial.name,
            "holds": self.wrong.is_empty(),
            "api": self.found.api,
            "expect": self.trial.expect,
            "fired": fired.collect::<Vec<_>>(),
            "wrong": self.wrong,
        })
    }
}
