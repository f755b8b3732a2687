//! What many findings mean together: a rule that fires nearly everywhere at one API is the API's problem, and a key id that
//! many bear is a key that nobody captured.

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

/// What an engine says of some tokens, each with its time and what the application authorised on.
fn concluded(engine: &Engine, uses: impl Iterator<Item = [String; 3]>) -> Concluded {
    let (mut tokens, mut times, mut principals) = (Vec::new(), Vec::new(), Vec::new());
    for [token, time, principal] in uses {
        tokens.push(format!("Bearer {token}"));
        times.push(time);
        principals.push(principal);
    }
    let (hosts, status) = (vec!["orders.contoso.example"; tokens.len()], vec![200; tokens.len()]);
    let columns: [(&str, ArrayRef); 5] = [
        ("status", Arc::new(Int64Array::from(status))),
        ("token", Arc::new(StringArray::from(tokens))),
        ("time", Arc::new(StringArray::from(times))),
        ("principal", Arc::new(StringArray::from(principals))),
        ("host", Arc::new(StringArray::from(hosts))),
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

/// What `principal-unbound` says of an API where so many users act under an id of the application's, and as many others
/// under their own.
fn unbound(users: usize, bound: usize) -> Vec<FindingRow> {
    let engine = Engine::new(Setup {
        policy: Some(Arc::new(Policy::parse(&format!("{POLICY}authorizes-on = 'principal'")).unwrap())),
        keys: None,
        rules: vec![rules::find("principal-unbound").unwrap()],
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    });
    let uses = (0..users + bound).map(|user| {
        let own = format!("aaaaaaaa-0000-4000-8000-{user:012}");
        let principal = if user < users { format!("user-{user}") } else { own };
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
