//! What many findings mean together: a rule that fires nearly everywhere at one API is the API's problem, and a key id that
//! many bear is a key that nobody captured; a clock that runs behind explains what seems early or late.

use crate::mint::{self, CaptureSpec};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use std::sync::Arc;
use tokentrail::codec::base64url::encode;
use tokentrail::engine::{Concluded, Engine, Filters, Rows, Setup, Systemic};
use tokentrail::findings::FindingRow;
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::rules::{self, Severity};

const POLICY: &str = r#"
version = 1

[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
audiences = ["api://orders"]
"#;

/// A token of a user for an audience. Without keys its signature is never looked at.
fn token(user: usize, audience: &str) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "testonly"}).to_string();
    let claims = json!({
        "iss": "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "tid": "11111111-2222-4333-8444-555555555555", "oid": format!("aaaaaaaa-0000-4000-8000-{user:012}"),
        "aud": audience, "uti": format!("testonly{user}"), "iat": 1_791_971_700, "exp": 1_790_000_000, "ver": "2.0",
    });
    format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()), encode(&[7; 256]))
}

/// What is systemic about 100 tokens of 100 users, some of which are for another API.
fn judged(wrong: usize, activity: bool) -> Vec<Systemic> {
    let engine = Engine::new(Setup {
        policy: Some(Arc::new(Policy::parse(POLICY).unwrap())),
        keys: None,
        rules: vec![rules::find("wrong-aud").unwrap()],
        filters: Filters::default(),
        occurrences: false,
        activity,
        portable: false,
    });
    let tokens =
        (0..100).map(|user| token(user, if user < wrong { "api://billing" } else { "api://orders" }));
    concluded(&engine, tokens.map(|token| [token, NOON.to_owned(), String::new()])).totals.systemic
}

const NOON: &str = "2026-10-14T12:00:00Z";

/// A request at one gateway: token, time, status, and what the application authorised on.
struct Sent(String, String, i64, String);

impl From<(String, String)> for Sent {
    fn from((token, time): (String, String)) -> Self {
        Self(token, time, 200, String::new())
    }
}

impl From<(String, String, i64)> for Sent {
    fn from((token, time, status): (String, String, i64)) -> Self {
        Self(token, time, status, String::new())
    }
}

impl From<[String; 3]> for Sent {
    fn from([token, time, principal]: [String; 3]) -> Self {
        Self(token, time, 200, principal)
    }
}

/// What an engine says of some requests.
fn concluded(engine: &Engine, uses: impl Iterator<Item = impl Into<Sent>>) -> Concluded {
    let (mut tokens, mut times, mut status, mut principals) = (vec![], vec![], vec![], vec![]);
    for used in uses {
        let Sent(token, time, code, principal) = used.into();
        tokens.push(format!("Bearer {token}"));
        times.push(time);
        status.push(code);
        principals.push(principal);
    }
    let same = |text: &'static str| Arc::new(StringArray::from(vec![text; tokens.len()]));
    let columns: [(&str, ArrayRef); 6] = [
        ("host", same("orders.contoso.example")),
        ("gateway", same("edge")),
        ("status", Arc::new(Int64Array::from(status))),
        ("token", Arc::new(StringArray::from(tokens))),
        ("time", Arc::new(StringArray::from(times))),
        ("principal", Arc::new(StringArray::from(principals))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (mut partial, mut scratch, mut rows) = (engine.partial(), engine.scratch(), Rows::default());
    engine.audit_batch(&batch, &mut scratch, &mut partial, &mut rows).unwrap();
    engine.conclude(partial)
}

#[test]
fn a_fifth_of_the_tokens_of_twenty_identities_is_systemic() {
    let expected = |tokens| Systemic {
        rule: "wrong-aud".to_owned(),
        api: "orders".to_owned(),
        tokens,
        of_tokens: 100,
        identities: tokens,
    };
    assert_eq!(judged(30, true), [expected(30)]);
    assert_eq!(judged(20, true), [expected(20)]);
    assert_eq!(judged(19, true), []);
    // Without the activity nobody knows how many tokens an API has.
    assert_eq!(judged(30, false), []);
}

const COMMON: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
const OWN: &str =
    "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/discovery/v2.0/keys";

/// What `kid-unknown` says of the tokens of some users, used so many minutes after one another.
fn unknown(users: usize, minutes: usize, sources: &[&str]) -> Vec<FindingRow> {
    let capture = |source: &&str| -> CaptureSpec {
        let keys = "[{ key = 'rsa-a', kid = 'known' }]";
        toml::from_str(&format!("source = '{source}'\nat = [2026-10-13T06:00:00Z]\nkeys = {keys}")).unwrap()
    };
    let archive = tempfile::tempdir().unwrap();
    mint::write_archive(archive.path(), &sources.iter().map(capture).collect::<Vec<_>>());
    let engine = Engine::new(Setup {
        policy: None,
        keys: Some(Arc::new(KeyHistory::load(archive.path()).unwrap())),
        rules: vec![rules::find("kid-unknown").unwrap()],
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    });
    let minted = (0..users).map(|user| {
        let minute = user * minutes;
        let time = format!("2026-10-14T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60);
        [token(user, "api://orders"), time, String::new()]
    });
    concluded(&engine, minted).tables.findings
}

#[test]
fn a_key_that_many_bear_is_a_hole_of_the_archive() {
    let is_hole = |findings: Vec<FindingRow>| {
        assert!(findings.len() >= 4);
        let first = (findings[0].severity, findings[0].lane);
        assert!(findings.iter().all(|finding| (finding.severity, finding.lane) == first));
        assert!([(Severity::Medium, "blind-spot"), (Severity::High, "attack")].contains(&first), "{first:?}");
        first.1 == "blind-spot"
    };
    assert!(is_hole(unknown(5, 15, &[COMMON])));
    // Too few people, too short a time, or a tenant whose own key set was captured.
    assert!(!is_hole(unknown(4, 30, &[COMMON])));
    assert!(!is_hole(unknown(5, 14, &[COMMON])));
    assert!(!is_hole(unknown(5, 15, &[COMMON, OWN])));
}

/// An engine with some rules, and an archive of `good.toml` if one is named.
fn engine(rules: &[&str], archive: Option<&str>) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let keys = archive.map(|name| {
        mint::write_good_archive(name, folder.path());
        Arc::new(KeyHistory::load(folder.path()).unwrap())
    });
    Engine::new(Setup {
        policy: None,
        keys,
        rules: rules.iter().map(|id| rules::find(id).unwrap()).collect(),
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    })
}

/// Findings about tokens as `rule uti severity`, sorted; run-level ones as `rule severity`.
fn said(findings: &[FindingRow]) -> Vec<String> {
    let text = |finding: &FindingRow| {
        let parts = [Some(finding.rule), finding.token.uti.as_deref(), Some(finding.severity.name())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let mut texts: Vec<String> = findings.iter().map(text).collect();
    texts.sort();
    texts
}

/// What is said of a gateway whose clock seems to run ten minutes behind.
fn drifting(archive: Option<&str>) -> Vec<String> {
    let rules = ["clock-drift", "expired-use", "iat-future", "not-yet-valid"];
    let engine = engine(&rules, archive);
    let at = |minute: i64| format!("2026-10-14T10:{minute:02}:00Z");
    // 10:00 on that day, in seconds.
    let ten = 1_791_972_000;
    let token = |uti: &str, issued: i64, ended: i64| {
        let claims =
            json!({"uti": uti, "iat": ten + issued * 60, "nbf": ten + issued * 60, "exp": ten + ended * 60});
        mint::good_token(&claims, "rsa-a")
    };
    let fresh = (0..6).map(|user| (token(&format!("fresh-{user}"), 10, 75), at(0)));
    let others = [
        (token("an-hour-early", 60, 125), at(0)),
        (token("late", -66, -1), at(10)),
        (token("later", -66, -1), at(20)),
        (token("late-and-again", -66, -1), at(10)),
        (token("late-and-again", -66, -1), at(30)),
    ];
    said(&concluded(&engine, fresh.chain(others)).tables.findings)
}

#[test]
fn a_clock_that_runs_behind_explains_what_lies_within_its_offset() {
    let early = |severity: &str| {
        let rules = ["iat-future", "not-yet-valid"];
        let text =
            |rule: &str| (0..6).map(|user| format!("{rule} fresh-{user} {severity}")).collect::<Vec<_>>();
        rules.map(text).concat()
    };
    let expected = |early: Vec<String>, late: &str| {
        let others = [
            "clock-drift info",
            "iat-future an-hour-early high",
            "not-yet-valid an-hour-early high",
            &format!("expired-use late {late}"),
            "expired-use later high",
            // The last use counts, not the first.
            "expired-use late-and-again high",
        ];
        let mut all = [early, others.map(str::to_owned).to_vec()].concat();
        all.sort();
        all
    };
    // Ten minutes, and the five that Entra back-dates iat by.
    assert_eq!(drifting(Some("everyday")), expected(early("info"), "info"));
    // Without keys anybody could write tokens of the future, and have his expired ones forgiven.
    assert_eq!(drifting(None), expected(early("high"), "high"));
}

#[test]
fn a_key_of_another_issuer_is_looked_for_where_the_token_was_accepted() {
    let engine = engine(&["key-source-mismatch", "kid-unknown"], Some("elsewhere"));
    let token = mint::good_token(&json!({}), "rsa-a");
    let mut uses: Vec<(String, String, i64)> = [401, 200, 403, 500, 200]
        .into_iter()
        .enumerate()
        .map(|(minute, status)| (token.clone(), format!("2026-10-14T10:{minute:02}:00Z"), status))
        .collect();
    for _ in 0..2 {
        let findings = concluded(&engine, uses.iter().cloned()).tables.findings;
        let told: Vec<_> = findings
            .iter()
            .map(|finding| (finding.rule, finding.outcome.unwrap().name(), finding.severity, finding.count))
            .collect();
        let expected = [
            ("key-source-mismatch", "accepted", Severity::Critical, 2),
            ("kid-unknown", "denied-authn", Severity::Medium, 1),
            ("kid-unknown", "denied-authz", Severity::Medium, 1),
            ("kid-unknown", "unknown", Severity::Medium, 1),
        ];
        assert_eq!(told, expected);
        // Whichever request comes first.
        uses.reverse();
    }
}

/// What `principal-unbound` says of an API where so many users act under an id of the application's, and as many others
/// under their own.
fn unbound(strangers: usize, bound: usize) -> Vec<FindingRow> {
    let engine = Engine::new(Setup {
        policy: Some(Arc::new(Policy::parse(&format!("{POLICY}authorizes-on = 'principal'")).unwrap())),
        keys: None,
        rules: vec![rules::find("principal-unbound").unwrap()],
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    });
    let uses = (0..strangers + bound).map(|user| {
        let own = format!("aaaaaaaa-0000-4000-8000-{user:012}");
        let principal = if user < strangers { format!("user-{user}") } else { own };
        [token(user, "api://orders"), NOON.to_owned(), principal]
    });
    concluded(&engine, uses).tables.findings
}

#[test]
fn an_api_that_maps_tokens_to_ids_of_its_own_is_a_hole_of_the_policy() {
    let said = |findings: Vec<FindingRow>| {
        let first = findings.first().map(|finding| (finding.severity, finding.lane)).unwrap();
        assert!(findings.iter().all(|finding| (finding.severity, finding.lane) == first));
        (findings.len(), first.0, first.1)
    };
    assert_eq!(said(unbound(18, 2)), (18, Severity::Info, "blind-spot"));
    // Less than nine tenths, or too few people to tell a mapping from somebody who tries his luck.
    assert_eq!(said(unbound(17, 2)), (17, Severity::Critical, "overreach"));
    assert_eq!(said(unbound(4, 0)), (4, Severity::Critical, "overreach"));
}

#[test]
fn findings_say_whether_the_gateway_was_entitled_to_accept() {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", folder.path());
    let keys = Arc::new(KeyHistory::load(folder.path()).unwrap());
    let evidence = |preset: &str, aud: &str, rule: &str| {
        let policy = format!("{POLICY}\n[validation]\npreset = '{preset}'\n");
        let engine = Engine::new(Setup {
            policy: Some(Arc::new(Policy::parse(&policy).unwrap())),
            keys: Some(Arc::clone(&keys)),
            rules: vec![rules::find(rule).unwrap()],
            filters: Filters::default(),
            occurrences: false,
            activity: false,
            portable: false,
        });
        let token = mint::good_token(&json!({"aud": aud, "acct": 1}), "rsa-a");
        let used = (token, "2026-10-14T10:30:00Z".to_owned());
        let findings = concluded(&engine, std::iter::once(used)).tables.findings;
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        let evidence: serde_json::Value = serde_json::from_str(&finding.evidence).unwrap();
        ["preset_verdict", "strict_verdict"].map(|name| evidence[name].as_str().map(str::to_owned))
    };
    let parted = ["accepts", "refuses"].map(|answer| Some(answer.to_owned()));
    // Kong never looks at the audience; a rule about something else says so, too.
    assert_eq!(evidence("kong", "api://billing", "guest-user"), parted);
    assert_eq!(evidence("kong", "api://billing", "wrong-aud"), parted);
    // A validator that would have refused was bypassed, and one that a strict one agrees with needs no word.
    assert_eq!(evidence("dotnet", "api://billing", "guest-user"), [None, None]);
    assert_eq!(evidence("kong", "api://orders", "guest-user"), [None, None]);
}
