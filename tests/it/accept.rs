//! `[[accept]]` and `stage = "observe"` from outside: what is accepted stays in the output and fails no run, and nobody can
//! hide behind an exception.

use crate::corpus::{audit as audit_pieces, corpus, pieces, told};
use crate::mint;
use crate::result::{Audited, audit_in, tokentrail};
use crate::run_rules::TOKEN_OFTEN;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use tokentrail::engine::{Engine, Partial, Rows};
use tokentrail::generate::LogFormat;
use tokentrail::policy::Policy;

const FORMATS: &str = r#"
[format.edge]
kind = "json"
token = "authorization"
time = { path = "ts", as = "rfc3339", is = "start" }
status = "status"
host = "host"
path = "path"
method = "method"
"#;

const POLICY: &str = r#"
version = 1
[tenancy]
allowed = ["11111111-2222-4333-8444-555555555555"]
[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
audiences = ["api://orders"]
"#;

const CLIENT: &str = "c0ffee00-1234-4567-89ab-cdef01234567";
const ALL: [&str; 6] = ["--keys", "keys", "--policy", "policy.toml", "--formats", "formats.toml"];

/// A request with the good token, some of whose claims differ.
struct Sent<'s> {
    claims: Value,
    signed_by: &'s str,
    at: Option<&'s str>,
}

impl Sent<'_> {
    /// A token for billing, which orders accepted.
    fn wrong() -> Self {
        Self { claims: json!({"aud": "api://billing"}), signed_by: "rsa-a", at: Some("2026-10-14T10:30:00Z") }
    }
}

fn line(sent: &Sent<'_>) -> String {
    let token = mint::good_token(&sent.claims, sent.signed_by);
    let mut line = json!({
        "status": 200, "authorization": format!("Bearer {token}"), "host": "orders.contoso.example",
        "path": "/v1/orders", "method": "GET",
    });
    if let Some(at) = sent.at {
        line["ts"] = at.into();
    }
    format!("{line}\n")
}

/// Audits requests under a policy with further tables.
fn audited(tables: &str, archive: &str, sent: &[Sent<'_>], further: &[&str]) -> Audited {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive(archive, &folder.path().join("keys"));
    fs::write(folder.path().join("policy.toml"), format!("{POLICY}{tables}")).unwrap();
    fs::write(folder.path().join("formats.toml"), FORMATS).unwrap();
    fs::write(folder.path().join("in.log"), sent.iter().map(line).collect::<String>()).unwrap();
    let args = [&ALL[..], &["--input-format", "edge"], further, &["in.log"]].concat();
    audit_in(folder.path(), args)
}

fn rows(audited: &Audited, table: &str, rule: &str) -> Vec<BTreeMap<String, String>> {
    audited.rows(table).into_iter().filter(|row| row["rule"] == rule).collect()
}

fn accept(keys: &str) -> String {
    format!(
        "[[accept]]\nrule = \"wrong-aud\"\nreason = \"migration to v2\"\nowner = \"identity team\"\n{keys}\n"
    )
}

#[test]
fn what_is_accepted_stays_and_fails_no_run() {
    let tables = accept(&format!("client = \"{CLIENT}\"\nactual = \"api://billing\""));
    let fail = ["--rule", "wrong-aud", "--fail-on", "low"];
    let run = audited(&tables, "everyday", &[Sent::wrong(), Sent::wrong()], &fail);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    for table in ["findings", "problems"] {
        let [row] = &rows(&run, table, "wrong-aud")[..] else { panic!("one row in {table}") };
        assert_eq!((row["accepted_by"].as_str(), row["count"].as_str()), ("migration to v2", "2"), "{table}");
    }
    assert_eq!(rows(&run, "occurrences", "wrong-aud").len(), 2);
    let accepts = &run.run()["accepts"];
    assert_eq!(accepts[0]["accepted"], 2);
    assert_eq!((&accepts[0]["owner"], &accepts[0]["expires"]), (&json!("identity team"), &Value::Null));
    assert!(run.stderr.contains("2 requests accepted: wrong-aud, migration to v2"), "{}", run.stderr);
    assert!(!run.stderr.contains("Look at these problems first"), "{}", run.stderr);
    // The same without the exception.
    assert_eq!(audited("", "everyday", &[Sent::wrong()], &fail).exit, 1);
}

#[test]
fn an_exception_accepts_nothing_else() {
    let tables = accept(&format!("client = \"{CLIENT}\"\nactual = \"api://billing\""));
    let other_value = Sent { claims: json!({"aud": "api://ledger"}), ..Sent::wrong() };
    let other_client = Sent {
        claims: json!({"aud": "api://billing", "azp": "aaaaaaaa-1234-4567-89ab-cdef01234567"}),
        ..Sent::wrong()
    };
    let forged = Sent { signed_by: "rsa-b", ..Sent::wrong() };
    let sent = [Sent::wrong(), other_value, other_client, forged];
    let run = audited(&tables, "everyday", &sent, &["--rule", "wrong-aud", "--fail-on", "low"]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    let rows = rows(&run, "findings", "wrong-aud");
    let accepted: Vec<_> = rows.iter().filter(|row| row.contains_key("accepted_by")).collect();
    assert_eq!((rows.len(), accepted.len()), (4, 1));
    assert_eq!((accepted[0]["signature"].as_str(), accepted[0]["aud"].as_str()), ("valid", "api://billing"));
    let accepts = &run.run()["accepts"][0];
    assert_eq!((&accepts["accepted"], &accepts["unverified"]), (&json!(1), &json!(1)));
    assert!(
        run.stderr.contains("1 request not accepted, since no key vouches for the claims"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_exception_that_has_expired_says_so() {
    let at = |at| Sent { at: Some(at), ..Sent::wrong() };
    let sent = [at("2026-10-14T10:30:00Z"), at("2026-10-14T23:59:59.999999Z"), at("2026-10-15T00:00:00Z")];
    let fail = ["--rule", "wrong-aud", "--fail-on", "low"];
    let run = |tables: &str, sent: &[Sent<'_>]| audited(tables, "everyday", sent, &fail);
    let expires = accept("api = \"orders\"\nexpires = \"2026-10-14\"");
    assert_eq!(run(&expires, &sent[..2]).exit, 0);
    let late = run(&expires, &sent);
    assert_eq!(late.exit, 1);
    // One finding, one of whose requests came too late.
    let [row] = &rows(&late, "findings", "wrong-aud")[..] else { panic!("one finding") };
    assert_eq!((row["count"].as_str(), row.get("accepted_by")), ("3", None));
    let accepts = &late.run()["accepts"][0];
    assert_eq!((&accepts["accepted"], &accepts["expired"]), (&json!(2), &json!(1)));
    assert!(
        late.stderr.contains("EXPIRED after 2026-10-14 and no longer covers 1 request: wrong-aud"),
        "{}",
        late.stderr
    );
    // Without a time nobody knows whether it had expired.
    let undated = [Sent { at: None, ..Sent::wrong() }];
    let run_undated = run(&expires, &undated);
    assert_eq!((run_undated.exit, &run_undated.run()["accepts"][0]["undated"]), (1, &json!(1)));
    assert_eq!(run(&accept("api = \"orders\""), &undated).exit, 0);
}

#[test]
fn a_problem_is_accepted_only_as_a_whole() {
    let sent = |tid: &str| {
        let iss = format!("https://login.microsoftonline.com/{tid}/v2.0");
        let claims = json!({"aud": "api://billing", "iss": iss, "tid": tid, "oid": format!("o-{tid}")});
        Sent { claims, ..Sent::wrong() }
    };
    let ours = "11111111-2222-4333-8444-555555555555";
    let both = [sent(ours), Sent::wrong()];
    let rule = ["--rule", "wrong-aud"];
    let one = audited(&accept(&format!("oid = \"o-{ours}\"")), "everyday", &both, &rule);
    let [problem] = &one.rows("problems")[..] else { panic!("one problem") };
    assert_eq!((problem["tokens"].as_str(), problem.get("accepted_by")), ("2", None));
    let another = "[[accept]]\nrule = \"wrong-aud\"\nreason = \"another reason\"\noid = \"aaaaaaaa-0000-4000-8000-000000000001\"\n";
    let tables = accept(&format!("oid = \"o-{ours}\"")) + another;
    let run = audited(&tables, "everyday", &both, &rule);
    let [problem] = &run.rows("problems")[..] else { panic!("one problem") };
    assert_eq!(problem["accepted_by"], "another reason", "the byte-least of both");
}

#[test]
fn findings_without_a_token_are_accepted_by_what_they_have() {
    let tables = "[[accept]]\nrule = \"key-symmetric-published\"\nreason = \"test system\"\nkid = \"shared\"\nexpires = \"2026-12-31\"\n";
    let sent = [Sent { claims: json!({}), ..Sent::wrong() }];
    let rule = ["--rule", "key-symmetric-published", "--fail-on", "low"];
    let run = audited(tables, "with-symmetric", &sent, &rule);
    let [row] = &run.rows("findings")[..] else { panic!("one finding") };
    assert_eq!((row["subject"].as_str(), row["accepted_by"].as_str()), ("kid:shared", "test system"));
    assert_eq!(run.exit, 0);
    // The run ends after the exception.
    let ended = tables.replace("2026-12-31", "2026-10-13");
    assert_eq!(audited(&ended, "with-symmetric", &sent, &rule).exit, 1);
    let other = tables.replace("\"shared\"", "\"other\"");
    assert_eq!(audited(&other, "with-symmetric", &sent, &rule).exit, 1);
}

#[test]
fn an_api_under_observation_fails_no_run() {
    let observed = POLICY.replace("name = \"orders\"", "name = \"orders\"\nstage = \"observe\"");
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    fs::write(folder.path().join("formats.toml"), FORMATS).unwrap();
    fs::write(folder.path().join("in.log"), line(&Sent::wrong())).unwrap();
    let run = |policy: &str| {
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        audit_in(folder.path(), [&ALL[..], &["--fail-on", "low", "in.log"]].concat())
    };
    let enforced = run(POLICY);
    let observed = run(&observed);
    assert_eq!((enforced.exit, observed.exit), (1, 0));
    for table in ["findings", "problems"] {
        assert!(observed.rows(table).iter().all(|row| row["stage"] == "observe"), "{table}");
        assert_eq!(observed.rows(table).len(), enforced.rows(table).len(), "{table}");
    }
    assert!(observed.stderr.contains("(observed only)"), "{}", observed.stderr);
    assert!(!enforced.stderr.contains("(observed only)"), "{}", enforced.stderr);
}

#[test]
fn a_blackened_value_is_no_exception() {
    let run = audited(&accept("actual = \"https://x/***\""), "everyday", &[Sent::wrong()], &[]);
    assert_eq!(run.exit, 2);
    assert!(
        run.stderr.contains("policy.toml:13:10") && run.stderr.contains("token_sha256"),
        "{}",
        run.stderr
    );
}

#[test]
fn exceptions_do_not_depend_on_how_the_log_is_cut() {
    let corpus = corpus(LogFormat::EdgeJson);
    let place = corpus.path("policy.toml");
    let text = fs::read_to_string(&place).unwrap();
    let tables = String::from(
        "[[accept]]\nrule = \"wrong-aud\"\nreason = \"b\"\nexpires = \"2026-11-03T12:00:00Z\"\ngateway = \"edge-01\"\n\
         [[accept]]\nrule = \"wrong-aud\"\nreason = \"a\"\nexpires = \"2026-11-03\"\ngateway = \"edge-01\"\n\
         [[accept]]\nrule = \"token-often\"\nreason = \"c\"\ngateway = \"edge-01\"\n",
    );
    let engine = || {
        let policy = Policy::load_text(&place, &format!("{text}\n{tables}")).unwrap();
        corpus.engine_under(policy, &[&TOKEN_OFTEN], false)
    };
    let (logs, format) = (corpus.logs(), corpus.format());
    let whole = engine();
    let mut rows = Rows::default();
    let partial = audit_pieces(&whole, &format, &pieces(&logs, || usize::MAX), &mut rows);
    let concluded = whole.conclude(partial);
    let accepted = |reason: &str| {
        let by = concluded.tables.findings.iter().filter(|row| row.accepted_by.as_deref() == Some(reason));
        by.count()
    };
    assert!(accepted("a") > 0 && accepted("c") > 0, "{:?}", concluded.totals.accepts);
    assert!(concluded.totals.accepts[0].count.expired > 0, "{:?}", concluded.totals.accepts);
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let engine = engine();
        let all = pieces(&logs, || 37);
        let part = |part: usize| -> Partial {
            let mine: Vec<_> = all
                .iter()
                .enumerate()
                .filter(|(at, _)| at % 4 == part)
                .map(|(_, piece)| piece.clone())
                .collect();
            audit_pieces(&engine, &format, &mine, &mut Rows::default())
        };
        let mut merged = engine.partial();
        for at in order {
            merged.merge(saved(&engine, &part(at)));
        }
        assert_eq!(told(&engine.conclude(merged)), told(&concluded));
    }
    let saved = engine().save(&engine().partial()).unwrap();
    let error = corpus.engine(&[&TOKEN_OFTEN]).restore(&saved).err().unwrap().to_string();
    assert!(error.contains("the same policy"), "{error}");
}

fn saved(engine: &Engine, partial: &Partial) -> Partial {
    engine.restore(&engine.save(partial).unwrap()).unwrap()
}

#[test]
fn nobody_hides_behind_a_value_that_he_wrote_himself() {
    let by_value = accept("actual = \"api://billing\"\napi = \"orders\"");
    let valid = audited(&by_value, "everyday", &[Sent::wrong()], &[]);
    let forged = audited(&by_value, "elsewhere", &[Sent::wrong()], &[]);
    let accepted = |run: &Audited| {
        let rows = run.rows("findings").into_iter().filter(|row| row["rule"] == "wrong-aud");
        rows.map(|row| row.contains_key("accepted_by")).collect::<Vec<_>>()
    };
    assert_eq!(accepted(&valid), [true]);
    assert_eq!(accepted(&forged), [false]);
}

#[test]
fn claims_under_a_stolen_key_are_no_reason() {
    let stolen = "[keys]\ncompromised = [{ kid = \"testonlykeyA_00000000000000\", since = \"2026-10-14T12:00:00Z\" }]\n";
    let at = |at| Sent { at, ..Sent::wrong() };
    let sent = [at(Some("2026-10-14T10:30:00Z")), at(Some("2026-10-14T12:00:00Z")), at(None)];
    let fail = ["--rule", "wrong-aud", "--fail-on", "low"];
    let run = |keys: &str, sent: &[Sent<'_>]| {
        audited(&format!("{stolen}{}", accept(keys)), "everyday", sent, &fail)
    };
    let by_claim = format!("client = \"{CLIENT}\"");
    // Before the theft the key vouches for what the token says.
    assert_eq!(run(&by_claim, &sent[..1]).exit, 0);
    let later = run(&by_claim, &sent);
    assert_eq!(later.exit, 1, "{}", later.stderr);
    let accepts = &later.run()["accepts"][0];
    assert_eq!((&accepts["accepted"], &accepts["unverified"]), (&json!(1), &json!(2)));
    assert_eq!(run("api = \"orders\"", &sent).exit, 0);
}

#[test]
fn uses_without_a_time_keep_a_finding_over_several_from_an_exception_that_ends() {
    let token = |tag: u8, at| Sent {
        claims: json!({"aud": "api://orders", "uti": "CopiedUti_000000000000", "tag": tag}),
        at,
        ..Sent::wrong()
    };
    let dated = || Some("2026-10-14T10:30:00Z");
    let tables = |expires: &str| {
        format!("[[accept]]\nrule = \"uti-conflict\"\nreason = \"known\"\nclient = \"{CLIENT}\"\n{expires}")
    };
    let sent = [token(1, dated()), token(1, None), token(2, dated())];
    let rule = ["--rule", "uti-conflict"];
    let run = |expires: &str| audited(&tables(expires), "everyday", &sent, &rule);
    let accepted = |run: &Audited| {
        let rows = rows(run, "findings", "uti-conflict").into_iter();
        let mut rows: Vec<_> =
            rows.map(|row| (row["count"].clone(), row.contains_key("accepted_by"))).collect();
        rows.sort();
        rows
    };
    let of =
        |counts: [(&str, bool); 2]| counts.map(|(count, accepted)| (count.to_owned(), accepted)).to_vec();
    let ending = run("expires = \"2026-12-31\"\n");
    assert_eq!(accepted(&ending), of([("1", true), ("2", false)]), "{}", ending.stderr);
    let accepts = &ending.run()["accepts"][0];
    assert_eq!((&accepts["accepted"], &accepts["undated"]), (&json!(1), &json!(2)));
    assert_eq!(accepted(&run("")), of([("1", true), ("2", true)]));
    // Whoever holds a stolen key has no say in findings over several requests either.
    let stolen = "[keys]\ncompromised = [{ kid = \"testonlykeyA_00000000000000\" }]\n";
    let run = audited(&format!("{stolen}{}", tables("")), "everyday", &sent, &rule);
    assert_eq!(accepted(&run), of([("1", false), ("2", false)]));
}

#[test]
fn nothing_is_learned_under_a_stolen_key() {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    fs::write(folder.path().join("formats.toml"), FORMATS).unwrap();
    let user = |user: u32| {
        let claims = json!({"aud": "api://billing", "oid": format!("aaaaaaaa-0000-4000-8000-{user:012}")});
        line(&Sent { claims, ..Sent::wrong() })
    };
    fs::write(folder.path().join("in.log"), (0..9).map(user).collect::<String>()).unwrap();
    let learned = |keys: &str| {
        fs::write(folder.path().join("policy.toml"), format!("version = 1\n{keys}")).unwrap();
        let args =
            ["policy", "init", "--formats", "formats.toml", "--input-format", "edge", "--keys", "keys"];
        let output = tokentrail()
            .current_dir(folder.path())
            .args(args)
            .args(["--merge", "policy.toml", "in.log"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let is_live = |draft: &str| {
        let live = draft.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        live.into_iter().any(|line| line.contains("api://billing"))
    };
    let [before, after] =
        ["", "[keys]\ncompromised = [{ kid = \"testonlykeyA_00000000000000\" }]\n"].map(learned);
    assert!(is_live(&before), "{before}");
    assert!(!is_live(&after), "{after}");
}

/// What is said once a run has ended knows the network of its first request, whichever part saw it.
#[test]
fn a_forged_token_without_tls_is_a_problem_of_its_network() {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    let formats = format!("{FORMATS}scheme = \"scheme\"\nclient_ip = \"ip\"\n");
    fs::write(folder.path().join("formats.toml"), formats).unwrap();
    let sent = |token: u8, scheme: &str, minute: u8, ip: &str| {
        let claims = json!({"aud": "api://orders", "tag": token});
        let mut line: Value =
            serde_json::from_str(&line(&Sent { claims, signed_by: "rsa-b", at: None })).unwrap();
        line["ts"] = format!("2026-10-14T10:{minute}:00Z").into();
        (line["scheme"], line["ip"]) = (scheme.into(), ip.into());
        format!("{line}\n")
    };
    // The second file has the first request.
    let later = sent(1, "http", 30, "198.51.100.7") + &sent(1, "https", 31, "198.51.100.7");
    fs::write(folder.path().join("a.log"), later).unwrap();
    let earlier = sent(1, "http", 20, "203.0.113.7") + &sent(2, "http", 20, "203.0.113.9");
    fs::write(folder.path().join("b.log"), earlier).unwrap();
    let args = ["--keys", "keys", "--formats", "formats.toml", "--input-format", "edge"];
    let rule = ["--rule", "token-cleartext", "a.log", "b.log"];
    let run = audit_in(folder.path(), args.iter().chain(&rule));
    let problems = rows(&run, "problems", "token-cleartext");
    let shown: Vec<_> = problems.iter().map(|row| (row["cause"].as_str(), row["count"].as_str())).collect();
    assert_eq!(shown, [("net=203.0.113.0/24", "3")], "{}", run.stderr);
}
