//! `policy init`: what is learned from logs fits them, comes from genuine tokens alone, and is only ever added to.

use crate::mint;
use crate::result::{Audited, audit_in, tokentrail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use tokentrail::generate::{LogFormat, Plan, generate};
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

/// A request with the good token, some of whose claims differ.
fn line(claims: &Value, signed_by: &str, request: &Value) -> String {
    let token = mint::good_token(claims, signed_by);
    let mut line = json!({
        "ts": "2026-10-14T10:30:00Z", "status": 200, "authorization": format!("Bearer {token}"),
        "host": "orders.contoso.example", "path": "/v1/orders", "method": "GET",
    });
    line.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    format!("{line}\n")
}

/// Requests of some users with the same difference.
fn users(users: std::ops::Range<u32>, claims: &Value, signed_by: &str, request: &Value) -> String {
    let of = |user: u32| {
        let mut claims = claims.clone();
        claims["oid"] = format!("aaaaaaaa-0000-4000-8000-{user:012}").into();
        line(&claims, signed_by, request)
    };
    users.map(of).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(log: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        mint::write_good_archive("everyday", &folder.path().join("keys"));
        fs::write(folder.path().join("formats.toml"), FORMATS).unwrap();
        fs::write(folder.path().join("in.log"), log).unwrap();
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn init(&self, args: &[&str]) -> Output {
        let fixed = ["policy", "init", "--formats", "formats.toml", "--input-format", "edge"];
        tokentrail().current_dir(self.path()).args(fixed).args(args).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn learned(output: &Output) -> (String, Policy) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let text = text(&output.stdout);
    let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (text, policy)
}

#[test]
fn without_logs_it_is_a_policy_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        tokentrail().current_dir(folder.path()).args(["policy", "init"]).args(args).output().unwrap()
    };
    let (starter, policy) = learned(&run(&[]));
    assert_eq!((policy.apis().len(), policy.notices().len()), (0, 0));
    // Every example in it is right, too.
    let is_code = |line: &str| {
        let word = line.split(' ').next().unwrap_or_default();
        line.starts_with(['[', ' ', ']']) || line[word.len()..].starts_with(" = ")
    };
    let examples = starter.lines().filter(|line| !line.starts_with("# include"));
    let examples: Vec<&str> = examples
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if is_code(code) => code,
            _ => line,
        })
        .collect();
    let policy = Policy::parse(&examples.join("\n")).unwrap();
    assert_eq!((policy.apis().len(), policy.accepts().len(), policy.trials().len()), (1, 1, 1));
    assert_eq!(run(&["-o", "policy.toml"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("policy.toml")).unwrap(), starter);
    let again = run(&["-o", "policy.toml"]);
    assert!(again.status.code() == Some(2) && text(&again.stderr).contains("--merge"));
    assert_eq!(run(&["missing.log"]).status.code(), Some(2));
}

#[test]
fn values_are_live_only_with_many_or_on_several_days() {
    let own = json!({});
    let at = |request: Value| request;
    let log = [
        users(0..5, &own, "rsa-a", &at(json!({}))),
        // Four identities on one day are not enough, one on two days is.
        users(0..4, &json!({"scp": "Orders.Rare"}), "rsa-a", &json!({})),
        users(7..8, &json!({"azp": "22222222-0000-4000-8000-000000000000"}), "rsa-a", &json!({})),
        users(
            7..8,
            &json!({"azp": "22222222-0000-4000-8000-000000000000"}),
            "rsa-a",
            &json!({"ts": "2026-10-15T10:30:00Z"}),
        ),
        // Refused, forged, and without a signature: nothing is learned.
        users(0..9, &json!({"scp": "Orders.Refused"}), "rsa-a", &json!({"status": 403})),
        users(0..9, &json!({"scp": "Orders.Forged", "aud": "api://forged"}), "rsa-b", &json!({})),
        users(
            0..9,
            &json!({"scp": "Orders.Unsigned", "tid": "dddddddd-0000-4000-8000-000000000000"}),
            "nobody",
            &json!({}),
        ),
        // A host that only a forger's tokens were seen at.
        users(0..9, &own, "rsa-b", &json!({"host": "forged.contoso.example", "path": "/v1/x"})),
    ]
    .concat();
    let folder = Folder::new(&log);
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    let [orders] = policy.apis() else { panic!("{draft}") };
    assert_eq!(orders.name, "orders");
    assert_eq!(orders.audiences.as_deref(), Some(&["6e74172b-be56-4843-9ff4-e66a39bb12e3".to_owned()][..]));
    assert_eq!(orders.scopes.as_deref(), Some(&["Orders.Read".to_owned()][..]));
    let clients = orders.clients.clone().unwrap();
    assert_eq!(clients, ["22222222-0000-4000-8000-000000000000", "c0ffee00-1234-4567-89ab-cdef01234567"]);
    assert_eq!(
        policy.tenancy().allowed.as_deref(),
        Some(&["11111111-2222-4333-8444-555555555555".to_owned()][..])
    );
    for line in [
        "# review: scopes: \"Orders.Write\", 7 accepted requests, 6 identities, 2 days (no token needs it to pass)",
        "# review: scopes: \"Orders.Rare\", 4 accepted requests, 4 identities, 1 day",
        "# review: scopes: \"Orders.Refused\", 0 accepted requests and 9 more",
        "# review: 18 accepted requests with a token that no key vouches for",
        "# review: hosts = [\"forged.contoso.example\"] paths = [\"/v1/x/**\"]: ",
    ] {
        assert!(draft.contains(line), "{line}:\n{draft}");
    }
    assert!(
        !draft.contains("Orders.Forged") && !draft.contains("Unsigned") && !draft.contains("dddddddd"),
        "{draft}"
    );
    // Without keys nobody is known.
    let output = folder.init(&["in.log"]);
    let (draft, policy) = learned(&output);
    assert!(policy.apis().is_empty() && policy.tenancy().allowed.is_none(), "{draft}");
    assert!(text(&output.stderr).contains("no keys were given"), "{}", text(&output.stderr));
    assert_eq!(
        folder.init(&["--keys", "keys", "-j1", "in.log"]).stdout,
        folder.init(&["--keys", "keys", "-j2", "in.log"]).stdout
    );
}

#[test]
fn places_become_apis_by_what_they_take() {
    let billing = json!({"aud": "api://billing", "ver": "1.0", "iss": "https://sts.windows.net/11111111-2222-4333-8444-555555555555/"});
    let at = |host: &str, path: &str| json!({"host": host, "path": path});
    let log = [
        users(0..9, &json!({}), "rsa-a", &at("orders.contoso.example", "/v1/orders/7")),
        users(0..9, &json!({}), "rsa-a", &at("orders.contoso.example", "/v1/returns/8")),
        // A public place beside them.
        json!({"ts": "2026-10-14T10:30:00Z", "status": 200, "host": "orders.contoso.example", "path": "/v1/health", "method": "GET"}).to_string() + "\n",
        users(0..9, &json!({}), "rsa-a", &at("api.contoso.example", "/orders/v1/7")),
        users(0..9, &billing, "rsa-a", &at("api.contoso.example", "/billing/v1/7")),
        // A token for billing that orders took now and then is no audience of orders.
        users(0..6, &billing, "rsa-a", &at("orders.contoso.example", "/v1/orders/9")),
        users(0..90, &json!({}), "rsa-a", &at("orders.contoso.example", "/v1/orders/9")),
        // What an attacker may write.
        users(0..9, &json!({}), "rsa-b", &at("x\"]\n[[api]]\nname=\"y", "/a\"]\n[[accept]]")),
        users(0..9, &json!({}), "rsa-a", &at("orders.contoso.example", "/v1/\"]\n[[accept]]\nrule=\"wrong-aud\"/x")),
    ]
    .concat();
    let folder = Folder::new(&log);
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    let names: Vec<&str> = policy.apis().iter().map(|api| api.name.as_str()).collect();
    assert_eq!(names, ["api-billing", "api-orders", "orders"], "{draft}");
    assert!(policy.accepts().is_empty());
    for line in [
        "paths = [\"/billing/**\"]",
        "# review: audiences: \"api://billing\", 6 accepted requests, 6 identities, 1 day (mostly used elsewhere)",
        "# review: hosts = [\"orders.contoso.example\"] paths = [\"/v1/health/**\"]: ",
    ] {
        assert!(draft.contains(line), "{line}:\n{draft}");
    }
    let orders = policy.api_named("orders").unwrap();
    assert_eq!(orders.audiences.as_ref().map(Vec::len), Some(1), "{draft}");
}

#[test]
fn later_runs_only_add() {
    let own = json!({});
    let folder = Folder::new(&users(0..9, &own, "rsa-a", &json!({})));
    assert_eq!(folder.init(&["--keys", "keys", "-o", "policy.toml", "in.log"]).status.code(), Some(0));
    let place = folder.path().join("policy.toml");
    let edited = fs::read_to_string(&place).unwrap().replace("version = 1", "version = 1 # ours\n# and this");
    fs::write(&place, &edited).unwrap();
    let merge = ["--keys", "keys", "--merge", "policy.toml", "-o", "policy.toml", "in.log"];
    let output = folder.init(&merge);
    assert!(text(&output.stderr).contains("nothing to add"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(&place).unwrap(), edited);
    let other = "22222222-0000-4000-8000-000000000000";
    let log = [
        users(0..9, &json!({"azp": other, "scp": "Orders.New"}), "rsa-a", &json!({})),
        users(0..1, &json!({"scp": "Orders.Once"}), "rsa-a", &json!({})),
        users(0..9, &own, "rsa-a", &json!({"host": "returns.contoso.example", "path": "/v2/returns"})),
    ]
    .concat();
    fs::write(folder.path().join("in.log"), log).unwrap();
    let output = folder.init(&merge);
    let told = text(&output.stderr);
    for line in [
        &format!("added orders: clients: \"{other}\", 9 accepted requests"),
        "added orders: scopes: \"Orders.New\", 9 accepted requests",
        "added [[api]] \"returns\"",
        "review: orders: scopes: \"Orders.Once\", 1 accepted request",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let merged = fs::read_to_string(&place).unwrap();
    let policy = Policy::parse(&merged).unwrap();
    assert_eq!(policy.api_named("orders").unwrap().clients.as_ref().map(Vec::len), Some(2));
    assert_eq!(policy.apis().len(), 2);
    // Every line is still there, in its order.
    let mut lines = merged.lines();
    for line in edited.lines() {
        assert!(lines.any(|kept| kept == line), "{line} is gone:\n{merged}");
    }
    let output = folder.init(&merge);
    assert!(text(&output.stderr).contains("nothing to add"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(&place).unwrap(), merged);
    // Lists in one line, and without a comma at the end, keep their comments.
    let lists = "version = 1\n[tenancy]\nallowed = [\"72f988bf-86f1-41af-91ab-2d7cd011db47\"] # of us\n[[api]]\nname = \"all\"\n\
                 hosts = [\"*.contoso.example\"]\nclients = [\n  \"00000000-0000-4000-8000-000000000000\" # the first\n]\n";
    fs::write(&place, lists).unwrap();
    let output = folder.init(&["--keys", "keys", "--merge", "policy.toml", "in.log"]);
    let (merged, policy) = learned(&output);
    assert_eq!(policy.tenancy().allowed.as_ref().map(Vec::len), Some(2));
    assert_eq!(policy.apis()[0].clients.as_ref().map(Vec::len), Some(3), "{merged}");
    for kept in ["] # of us\n", "\"00000000-0000-4000-8000-000000000000\" # the first\n"] {
        assert!(merged.contains(kept), "{kept}:\n{merged}");
    }
    // A list that is not there is not begun.
    fs::write(&place, "version = 1\n[[api]]\nname = \"all\"\nhosts = [\"*.contoso.example\"]\n").unwrap();
    let output = folder.init(&["--keys", "keys", "--merge", "policy.toml", "in.log"]);
    assert_eq!(text(&output.stdout), fs::read_to_string(&place).unwrap());
}

#[test]
fn what_a_policy_cannot_hold_is_for_review() {
    let oversized = format!("api://{}", "x".repeat(300));
    let log = [
        users(0..9, &json!({}), "rsa-a", &json!({})),
        users(0..9, &json!({"tid": "contoso"}), "rsa-a", &json!({})),
        users(0..7, &json!({"aud": oversized}), "rsa-a", &json!({})),
    ]
    .concat();
    let folder = Folder::new(&log);
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    assert_eq!(policy.tenancy().allowed.as_ref().map(Vec::len), Some(1), "{draft}");
    for line in [
        "# review: allowed: \"contoso\", 9 accepted requests, 9 identities, 1 day (no tenant id)",
        "# review: 7 accepted requests with a genuine token that lacks an audience, or says something",
    ] {
        assert!(draft.contains(line), "{line}:\n{draft}");
    }
    assert!(!draft.contains("xxx"), "{draft}");
    // Nor is it added to a policy.
    let known = "version = 1\n[tenancy]\nallowed = [\"11111111-2222-4333-8444-555555555555\"]\n[[api]]\nname = \"all\"\n\
                 hosts = [\"*.contoso.example\"]\ntenants = [\"11111111-2222-4333-8444-555555555555\"]\n";
    fs::write(folder.path().join("policy.toml"), known).unwrap();
    let output = folder.init(&["--keys", "keys", "--merge", "policy.toml", "in.log"]);
    assert_eq!(learned(&output).0, known);
    assert!(
        text(&output.stderr).contains("review: tenancy: allowed: \"contoso\""),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_corpus_with_misuse_gives_a_policy() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("learned-misuse");
    drop(fs::remove_dir_all(&folder));
    let plan = Plan {
        lines: 8_000,
        seed: 4,
        format: LogFormat::EdgeJson,
        misuse: 0.2,
        tenants: 3,
        apis: 6,
        reuse: 4,
        hours: 72,
        ..Plan::new(&folder)
    };
    generate(&plan).unwrap();
    let args = ["policy", "init", "--keys", "keys", "--formats", "formats.toml", "logs"];
    let (draft, policy) = learned(&tokentrail().current_dir(&folder).args(args).output().unwrap());
    let planted = draft.lines().find(|line| line.starts_with("# review: allowed: \"contoso\", ")).unwrap();
    // Often enough to be live, were it an id.
    assert!(planted.ends_with("(no tenant id)"), "{planted}");
    assert!(!policy.apis().is_empty() && policy.apis().iter().all(|api| api.audiences.is_some()), "{draft}");
}

#[test]
fn lists_of_which_a_token_needs_any_stay_short() {
    let app = |role: &str| json!({"idtyp": "app", "roles": [role, "Orders.Read.All"], "sub": "aaaaaaaa-0000-4000-8000-000000000001"});
    let log = [
        users(0..9, &json!({"scp": "Orders.Read Orders.Delete"}), "rsa-a", &json!({})),
        users(0..6, &json!({"scp": "Orders.Read Orders.Write"}), "rsa-a", &json!({})),
        users(0..5, &json!({"scp": "Orders.Admin"}), "rsa-a", &json!({})),
        users(0..5, &app("Orders.Delete.All"), "rsa-a", &json!({})),
        users(0..5, &app("Orders.Write.All"), "rsa-a", &json!({})),
        // A user's roles let no application pass.
        users(0..9, &json!({"scp": "Orders.Read", "roles": ["Orders.Boss"]}), "rsa-a", &json!({})),
    ]
    .concat();
    let folder = Folder::new(&log);
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    let [orders] = policy.apis() else { panic!("{draft}") };
    assert_eq!(orders.scopes.as_deref(), Some(&["Orders.Admin".to_owned(), "Orders.Read".to_owned()][..]));
    assert_eq!(orders.roles.as_deref(), Some(&["Orders.Read.All".to_owned()][..]), "{draft}");
    for line in [
        "# review: scopes: \"Orders.Delete\", 9 accepted requests, 9 identities, 1 day (no token needs it to pass)",
        "# review: roles: \"Orders.Boss\", 9 accepted requests",
    ] {
        assert!(draft.contains(line), "{line}:\n{draft}");
    }
    // What a listed value admits adds nothing, nor what an operation asks for.
    let known = "version = 1\n[[api]]\nname = \"orders\"\nhosts = [\"orders.contoso.example\"]\nscopes = [\"Orders.Read\"]\n\
                 roles = [\"Orders.Read.All\"]\noperations = [{ methods = [\"DELETE\"], scopes = [\"Orders.Delete\"] }]\n";
    fs::write(folder.path().join("policy.toml"), known).unwrap();
    let further = users(0..9, &json!({"scp": "Orders.Purge"}), "rsa-a", &json!({"method": "DELETE"}));
    fs::write(folder.path().join("in.log"), log + &further).unwrap();
    let output = folder.init(&["--keys", "keys", "--merge", "policy.toml", "in.log"]);
    let (merged, policy) = learned(&output);
    let [orders] = policy.apis() else { panic!("{merged}") };
    assert_eq!(orders.scopes.as_deref(), Some(&["Orders.Read".to_owned(), "Orders.Admin".to_owned()][..]));
    assert_eq!(orders.roles.as_ref().map(Vec::len), Some(1), "{merged}");
    let told = text(&output.stderr);
    assert!(!told.contains("Purge") && !told.contains("Orders.Write"), "{told}");
}

#[test]
fn many_hosts_below_one_domain_are_one_entry_only_where_they_are_one_api() {
    let hosts = |names: std::ops::Range<u32>, claims: &Value| -> String {
        let at = |name: u32| json!({"host": format!("t{name}.records.contoso.example")});
        names.map(|name| users(0..5, claims, "rsa-a", &at(name))).collect()
    };
    let folder = Folder::new(&hosts(0..11, &json!({})));
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    assert!(policy.apis().len() == 1 && draft.contains("hosts = [\"*.records.contoso.example\"]"), "{draft}");
    let both = hosts(0..11, &json!({})) + &hosts(11..22, &json!({"aud": "api://other"}));
    fs::write(folder.path().join("in.log"), both).unwrap();
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    assert!(policy.apis().len() == 2 && !draft.contains("*.records"), "{draft}");
}

#[test]
fn an_api_without_an_audience_is_for_review() {
    let few =
        |from: u32, audience: &str| users(from..from + 3, &json!({"aud": audience}), "rsa-a", &json!({}));
    let folder = Folder::new(&[few(0, "api://one"), few(3, "api://two")].concat());
    let (draft, policy) = learned(&folder.init(&["--keys", "keys", "in.log"]));
    assert!(policy.apis().is_empty(), "{draft}");
    for line in ["# review: no audience was seen here often enough", "# [[api]]\n# name = \"orders\"\n"] {
        assert!(draft.contains(line), "{line}:\n{draft}");
    }
    fs::write(folder.path().join("policy.toml"), "version = 1\n").unwrap();
    let output = folder.init(&["--keys", "keys", "--merge", "policy.toml", "in.log"]);
    assert_eq!(learned(&output).0, "version = 1\n");
    assert!(
        text(&output.stderr).contains("review: [[api]] \"orders\": 6 accepted"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_policy_is_added_to_however_it_is_written() {
    let known = users(0..9, &json!({"azp": "22222222-0000-4000-8000-000000000000"}), "rsa-a", &json!({}));
    let folder = Folder::new(&known);
    let place = folder.path().join("policy.toml");
    let merge = ["--keys", "keys", "--merge", "policy.toml", "-o", "policy.toml", "in.log"];
    let inline = "version = 1\ntenancy = { allowed = [\"72f988bf-86f1-41af-91ab-2d7cd011db47\"] }\n\
                  api = [{ name = \"orders\", hosts = [\"orders.contoso.example\"], clients = [\"00000000-0000-4000-8000-000000000000\"] }]\n";
    fs::write(&place, inline).unwrap();
    let output = folder.init(&merge);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let merged = fs::read_to_string(&place).unwrap();
    let policy = Policy::parse(&merged).unwrap();
    assert_eq!(policy.tenancy().allowed.as_ref().map(Vec::len), Some(2), "{merged}");
    assert_eq!(policy.apis()[0].clients.as_ref().map(Vec::len), Some(2), "{merged}");
    // TOML has no place for a further entry behind such a list.
    let further = users(0..9, &json!({}), "rsa-a", &json!({"host": "returns.contoso.example"}));
    fs::write(folder.path().join("in.log"), known.clone() + &further).unwrap();
    fs::write(&place, inline).unwrap();
    let output = folder.init(&merge);
    let told = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && told.contains("policy.toml:3:7: ") && told.contains("[[api]]"),
        "{told}"
    );
    assert!(!told.contains("mistake") && !told.contains("added"), "{told}");
    assert_eq!(fs::read_to_string(&place).unwrap(), inline);
    // Line ends stay.
    let lines = "version = 1\r\n[[api]]\r\nname = \"orders\" # ours\r\nhosts = [\"orders.contoso.example\"]\r\n\
                 clients = [\r\n  \"00000000-0000-4000-8000-000000000000\", # the first\r\n]\r\n";
    fs::write(&place, lines).unwrap();
    assert_eq!(folder.init(&merge).status.code(), Some(0));
    let merged = fs::read_to_string(&place).unwrap();
    assert_eq!(Policy::parse(&merged).unwrap().apis().len(), 2, "{merged}");
    assert_eq!(merged.matches('\n').count(), merged.matches("\r\n").count(), "{merged:?}");
    for line in lines.lines() {
        assert!(merged.contains(&format!("{line}\r\n")), "{line}: {merged:?}");
    }
}

#[test]
fn an_audit_with_what_was_learned_is_quiet() {
    for format in [LogFormat::EdgeJson, LogFormat::Nginx] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("learned-{}", format.name()));
        drop(fs::remove_dir_all(&folder));
        let plan = Plan {
            lines: 8_000,
            seed: 11,
            format,
            misuse: 0.0,
            tenants: 3,
            apis: 6,
            reuse: 4,
            ..Plan::new(&folder)
        };
        generate(&plan).unwrap();
        let output = tokentrail()
            .current_dir(&folder)
            .args([
                "policy",
                "init",
                "--keys",
                "keys",
                "--formats",
                "formats.toml",
                "-o",
                "learned.toml",
                "logs",
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let learned = fs::read_to_string(folder.join("learned.toml")).unwrap();
        let checked =
            tokentrail().current_dir(&folder).args(["policy", "check", "learned.toml"]).output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        let args = ["--keys", "keys", "--policy", "learned.toml", "--formats", "formats.toml", "logs"];
        let audited: Audited = audit_in(&folder, args);
        let loud: BTreeSet<String> = audited
            .rows("findings")
            .iter()
            .filter(|row| row["severity"] != "info")
            .map(|row| {
                format!("{} {:?} {:?} {}", row["rule"], row.get("api"), row.get("actual"), row["message"])
            })
            .collect();
        assert!(loud.is_empty(), "{loud:#?}\n{learned}");
        let run = audited.run();
        let (records, uncovered) = (run["counts"]["records"].as_u64(), run["uncovered"].as_u64());
        assert!(uncovered.unwrap() * 20 < records.unwrap(), "{uncovered:?} of {records:?}\n{learned}");
        assert!(Policy::parse(&learned).unwrap().apis().len() >= 6, "{learned}");
    }
}
