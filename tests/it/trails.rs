//! Rules over many requests give the same findings however the log is cut: over workers, files, partials that are saved,
//! batches, and nights.

use crate::case_record::RecordSpec;
use crate::case_trails::{self, CaseUse};
use crate::mint::{self, CaptureSpec, TokenSpec};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, LazyLock};
use tokentrail::engine::{Concluded, Earlier, Engine, Filters, Setup};
use tokentrail::findings::FindingRow;
use tokentrail::keys::{Archive, KeyHistory};
use tokentrail::policy::Policy;
use tokentrail::rules::kit::Judge;
use tokentrail::rules::{RULES, Rule};

#[derive(Deserialize)]
struct Good {
    token: toml::Table,
    record: toml::Table,
    policy: String,
    archives: std::collections::BTreeMap<String, Vec<CaptureSpec>>,
}

static GOOD: LazyLock<Good> =
    LazyLock::new(|| toml::from_str(&fs::read_to_string(mint::testdata("good.toml")).unwrap()).unwrap());

static KEYS: LazyLock<Arc<KeyHistory>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    mint::write_archive(directory.path(), &GOOD.archives["everyday"]);
    Arc::new(KeyHistory::new(Archive::read(directory.path()).unwrap()))
});

/// A handful of tokens: genuine ones of three users in two sessions, forged ones, foreign ones.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mint = |changes: &str| {
        let mut token = GOOD.token.clone();
        let changes: toml::Table = toml::from_str(changes).unwrap();
        for (name, value) in changes {
            match token.get_mut("claims") {
                Some(toml::Value::Table(claims)) if name != "signed_by" => drop(claims.insert(name, value)),
                _ => drop(token.insert(name, value)),
            }
        }
        mint::dates_to_seconds(&mut token);
        token.try_into::<TokenSpec>().unwrap().mint()
    };
    let genuine = (0..6).map(|n| {
        mint(&format!(
            "uti = 'u{n}'\nsid = 's{}'\noid = 'aaaaaaaa-0000-4000-8000-00000000000{}'",
            n % 2,
            n % 3
        ))
    });
    let forged =
        (0..12).map(|n| mint(&format!("signed_by = 'rsa-b'\nuti = 'u{n}'\naud = 'api://other-{}'", n % 6)));
    genuine.chain(forged).collect()
});

/// A use: token, minute, second, place, agent, host, principal, outcome, path, request id.
type Choice = (usize, i64, i64, usize, usize, usize, usize, usize, usize, usize);

const PLACES: [&str; 5] = ["203.0.113.7", "198.51.100.9", "192.0.2.44", "2001:db8:1:2::7", "10.1.1.7"];
const AGENTS: [&str; 3] = ["curl/8.10.1", "okhttp/5.1.0", "python-requests/2.32.5"];
const HOSTS: [&str; 3] = ["orders.contoso.example", "billing.contoso.example", "bare.contoso.example"];
const PRINCIPALS: [&str; 3] = ["alice@contoso.example", "bob@contoso.example", "carol"];
const STATUS: [i32; 5] = [200, 401, 200, 403, 404];

fn use_of(choice: Choice) -> CaseUse {
    let (token, minute, second, place, agent, host, principal, status, path, id) = choice;
    let mut record = GOOD.record.clone();
    let time = format!("2026-10-14T{:02}:{:02}:{:02}Z", 10 + minute / 60, minute % 60, second);
    let texts = [
        ("client_ip", PLACES[place]),
        ("user_agent", AGENTS[agent]),
        ("host", HOSTS[host]),
        ("principal", PRINCIPALS[principal]),
        ("path", &format!("/v1/orders/{path}")),
        ("request_id", &format!("req-{id}")),
        ("gateway", &format!("edge-{}", id % 2)),
    ];
    for (name, text) in texts {
        record.insert(name.into(), text.into());
    }
    record.insert("time".into(), toml::Value::Datetime(time.parse().unwrap()));
    record.insert("status".into(), i64::from(STATUS[status]).into());
    (TOKENS[token].clone(), record.try_into::<RecordSpec>().unwrap())
}

fn rules() -> Vec<&'static Rule> {
    RULES.iter().copied().filter(|rule| matches!(rule.judge, Judge::Trails(_))).collect()
}

fn setup() -> Setup {
    Setup {
        policy: Some(Arc::new(Policy::parse(&GOOD.policy).unwrap())),
        keys: Some(Arc::clone(&KEYS)),
        rules: rules(),
        filters: Filters::default(),
        occurrences: false,
        activity: true,
        portable: false,
    }
}

fn told(concluded: &Concluded) -> String {
    let state = crate::corpus::cells(&*concluded.tables.state);
    format!("{:#?}\n{:?}\n{state:#?}", concluded.tables.findings, concluded.totals.not_evaluable)
}

/// Audits uses in parts, each of which may be saved and restored on the way, and merges them in some order.
fn in_parts(engine: &Engine, uses: &[(i64, &CaseUse)], parts: usize, order: &[usize]) -> Concluded {
    let mut made: Vec<_> = (0..parts)
        .map(|part| {
            let mine: Vec<_> = uses
                .iter()
                .copied()
                .filter(|(line, _)| usize::try_from(*line).unwrap() * 7 % parts == part)
                .collect();
            let partial = case_trails::audited(engine, &mine);
            if part % 2 == 0 { engine.restore(&engine.save(&partial).unwrap()).unwrap() } else { partial }
        })
        .collect();
    let mut whole = engine.partial();
    for at in order {
        whole.merge(std::mem::replace(&mut made[*at], engine.partial()));
    }
    engine.conclude(whole)
}

fn keys_of<'f>(findings: impl Iterator<Item = &'f FindingRow>) -> BTreeSet<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    findings
        .map(|f| {
            format!(
                "{} {:?} {} {} {:?} {}",
                f.rule,
                f.token_sha256,
                text(&f.gateway),
                text(&f.api),
                f.outcome,
                f.severity.name()
            )
        })
        .collect()
}

fn choices(len: usize) -> impl Strategy<Value = Vec<Choice>> {
    let choice = (
        0..18_usize,
        0..70_i64,
        0..60_i64,
        0..5_usize,
        0..3_usize,
        0..3_usize,
        0..3_usize,
        0..5_usize,
        0..14_usize,
        0..200_usize,
    );
    prop::collection::vec(choice, 1..len)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any split, any order of merging, saved or not.
    #[test]
    fn any_split_gives_the_same(uses in choices(120), order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle()) {
        let uses: Vec<CaseUse> = uses.into_iter().map(use_of).collect();
        let lines: Vec<(i64, &CaseUse)> = (1..).zip(&uses).collect();
        let engine = Engine::new(setup());
        let whole = engine.conclude(case_trails::audited(&engine, &lines));
        let engine = Engine::new(setup());
        prop_assert_eq!(told(&in_parts(&engine, &lines, 5, &order)), told(&whole));
        // And in the opposite order of the log.
        let backwards: Vec<_> = lines.iter().rev().copied().collect();
        prop_assert_eq!(told(&engine.conclude(case_trails::audited(&engine, &backwards))), told(&whole));
    }

    /// A second night that knows the first finds what one run over both finds about the requests of the second.
    #[test]
    fn two_nights_find_what_one_finds(uses in choices(120), midnight in 5..65_i64) {
        let (first, second): (Vec<Choice>, Vec<Choice>) = uses.into_iter().partition(|choice| choice.1 < midnight);
        let [first, second] = [first, second].map(|uses| uses.into_iter().map(use_of).collect::<Vec<CaseUse>>());
        let lines: Vec<(i64, &CaseUse)> = (1..).zip(first.iter().chain(&second)).collect();
        let (before, after) = lines.split_at(first.len());
        // A baseline from before both, so that the rule that needs one runs everywhere.
        let baseline = || Engine::with_earlier(setup(), Arc::new(Earlier::default()));
        let engine = baseline();
        let night = engine.conclude(case_trails::audited(&engine, before));
        let kept = night.tables.state.batch(0..night.tables.state.rows()).unwrap();
        let engine = Engine::with_earlier(setup(), Arc::new(Earlier::read([kept]).unwrap()));
        let found = engine.conclude(case_trails::audited(&engine, after));
        let engine = baseline();
        let whole = engine.conclude(case_trails::audited(&engine, &lines));
        // Token, gateway, API and outcome of the second night's requests.
        let columns = crate::corpus::cells(&*found.tables.activity);
        let seen: BTreeSet<[String; 4]> =
            (0..found.tables.activity.rows()).map(|row| [1, 2, 3, 5].map(|at| columns[at][row].clone())).collect();
        let in_second = |finding: &&FindingRow| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let token = finding.token_sha256.map(|token| token.hex()).unwrap_or_default();
            let outcome = finding.outcome.map(|outcome| outcome.name().to_owned()).unwrap_or_default();
            seen.contains(&[token, text(&finding.gateway), text(&finding.api), outcome])
        };
        // The whole may speak of a window or a route of the first night alone.
        let whole = whole.tables.findings;
        let lasting = |finding: &&FindingRow| {
            let of_whole_tokens = ["sig-variant", "token-many-ip", "token-many-ua", "uti-conflict"];
            in_second(finding) && of_whole_tokens.contains(&finding.rule)
        };
        let found = keys_of(found.tables.findings.iter());
        let missing: Vec<String> =
            keys_of(whole.iter().filter(lasting)).difference(&found).cloned().collect();
        let known = keys_of(whole.iter());
        let extra: Vec<&String> =
            found.difference(&known).filter(|key| !key.starts_with("tenant-first-seen")).collect();
        prop_assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    }
}

#[test]
fn the_state_is_written_and_read() {
    let uses: Vec<CaseUse> = (0..6).map(|n| use_of((n, 1, 1, n % 3, 0, 0, 0, 0, n, n))).collect();
    let lines: Vec<(i64, &CaseUse)> = (1..).zip(&uses).collect();
    let engine = Engine::new(setup());
    let state = engine.conclude(case_trails::audited(&engine, &lines)).tables.state;
    assert_eq!(state.rows(), 7, "six tokens and a tenant");
    let batch = state.batch(0..state.rows()).unwrap();
    let earlier = Arc::new(Earlier::read([batch]).unwrap());
    // Nothing happened since: what is kept is what was kept, and earlier trails alone are never reported.
    let engine = Engine::with_earlier(setup(), earlier);
    let later = [use_of((5, 1, 2, 2, 0, 0, 0, 0, 5, 5))];
    let concluded = engine.conclude(case_trails::audited(&engine, &[(9, &later[0])]));
    assert_eq!(concluded.tables.state.rows(), 8, "one use more, in a context of its own run");
    let tokens: BTreeSet<_> = concluded.tables.findings.iter().map(|finding| finding.token_sha256).collect();
    assert!(tokens.len() <= 1, "{:#?}", concluded.tables.findings);
}

#[test]
fn forged_tokens_do_not_stay() {
    let uses = [use_of((7, 0, 0, 0, 0, 0, 0, 1, 0, 0)), use_of((0, 69, 0, 0, 0, 0, 0, 0, 0, 1))];
    let lines: Vec<(i64, &CaseUse)> = (1..).zip(&uses).collect();
    let engine = Engine::new(setup());
    let state = engine.conclude(case_trails::audited(&engine, &lines)).tables.state;
    assert_eq!(state.rows(), 2, "the tenant and the genuine token, but not a forgery of an hour ago");
}

/// Hostile growth: one token in thousands of contexts keeps a bounded number of them, the same ones in any order.
#[test]
fn a_token_everywhere_is_bounded_and_found() {
    let mut choice = use_of((0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    let uses: Vec<CaseUse> = (0..3000)
        .map(|n: usize| {
            choice.1.client_ip = Some(format!("10.{}.{}.7", n / 250, n % 250));
            choice.1.user_agent = Some(format!("agent-{n}/1.0"));
            let record: RecordSpec = serde_copy(&choice.1);
            (choice.0.clone(), record)
        })
        .collect();
    let lines: Vec<(i64, &CaseUse)> = (1..).zip(&uses).collect();
    let engine = Engine::new(setup());
    let whole = engine.conclude(case_trails::audited(&engine, &lines));
    assert!(whole.tables.findings.iter().any(|finding| finding.rule == "token-many-ip"));
    assert_eq!(whole.tables.state.rows(), 1 + 1024);
    let order = [3, 1, 4, 0, 2];
    assert_eq!(told(&in_parts(&engine, &lines, 5, &order)), told(&whole));
}

/// A copy of a record.
fn serde_copy(record: &RecordSpec) -> RecordSpec {
    let mut copy = GOOD.record.clone();
    let texts = [
        ("client_ip", &record.client_ip),
        ("user_agent", &record.user_agent),
        ("host", &record.host),
        ("path", &record.path),
        ("gateway", &record.gateway),
    ];
    for (name, text) in texts {
        copy.insert(name.into(), text.clone().unwrap().into());
    }
    copy.try_into().unwrap()
}
