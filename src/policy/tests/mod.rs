//! Whole policies: the contract's example, merging, files.

mod errors;
mod matching;

use super::*;
use crate::time::HOUR;
use crate::time::SECOND;
use std::fs;
use std::path::PathBuf;

const CONTOSO: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const FABRIKAM: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

fn contract() -> Policy {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/policy/contract/policy.toml");
    Policy::load(&path).unwrap()
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn with_version(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}")).unwrap()
}

#[test]
fn the_example_says_what_it_says() {
    let policy = contract();
    assert_eq!(policy.notices(), []);
    assert_eq!(policy.tenancy().allowed, Some(vec![CONTOSO.to_owned()]));
    assert_eq!(policy.tenancy().delegated, [(CONTOSO.to_owned(), FABRIKAM.to_owned())]);
    assert_eq!(policy.tenancy().partners, [FABRIKAM, "live.com"]);
    let apim = policy.gateway_of("logs/apim-weu-01/2026/x.log");
    assert_eq!(apim, Some(GatewayId(0)));
    assert_eq!(policy.gateway_named("rest"), Some(GatewayId(1)));
    assert_eq!(policy.gateway_of("logs/other.log"), Some(GatewayId(1)));
    assert_eq!(policy.validation(apim).preset, Preset::Apim);
    assert_eq!(policy.validation(apim).skew(), 300 * SECOND);
    assert_eq!(policy.validation(Some(GatewayId(1))).preset, Preset::Dotnet);
    let gateway = &policy.gateways()[0];
    assert_eq!((gateway.expect_every, gateway.expect_min_records), (Some(HOUR), Some(100)));
    assert!(gateway.expect_tokens && gateway.tls_upstream);
    let validation = policy.validation(None);
    assert_eq!(validation.max_lifetime, Some(28 * 3600));
    assert_eq!(validation.lifetimes.as_deref(), Some(&Lifetime::DEFAULT[..]));
    assert_eq!(policy.clients().own, ["6e74172b-be56-4843-9ff4-e66a39bb12e3"]);
    let keys = &policy.keys().compromised;
    assert_eq!(keys[0].period.since.unwrap().to_string(), "2026-10-01T00:00:00Z");
    assert_eq!(keys[0].period.until.unwrap().to_string(), "2026-11-01T00:00:00Z");
    assert_eq!(keys[1].spki, Some("ab".repeat(32)));
    assert_eq!(policy.behaviour().token_many_ip_app_prefixes, 10);
    assert_eq!(policy.behaviour().spray_window, 15 * 60 * SECOND);
    assert_eq!(policy.behaviour().spray_values, Behaviour::default().spray_values);
    for (address, network) in [
        ("203.0.113.9", Some("office")),
        ("203.0.113.200", Some("vpn")),
        ("2001:db8::1", Some("vpn")),
        ("192.0.2.1", None),
    ] {
        assert_eq!(policy.network_of(address.parse().unwrap()), network, "{address}");
    }
    assert!(policy.states_audiences() && policy.states_tenants() && policy.states_authorizes_on());
}

#[test]
fn the_example_merges_profile_api_and_operation() {
    let policy = contract();
    let orders = policy.api_named("orders").unwrap();
    assert_eq!(orders.client_auth, 1, "the api wins over its profile");
    assert!(!orders.guests, "inherited");
    assert!(!orders.personal_accounts && orders.mfa && orders.multi_tenant);
    assert_eq!(
        orders.audiences,
        Some(vec!["api://orders".to_owned(), "6e74172b-be56-4843-9ff4-e66a39bb12e3".to_owned()])
    );
    assert_eq!(orders.tenants, Some(vec![CONTOSO.to_owned()]));
    assert_eq!(orders.max_auth_age, Some(12 * 3600));
    assert_eq!(orders.kinds, Some(vec![TokenKind::Delegated, TokenKind::App]));
    let request = Request {
        gateway: Some("apim-weu-01"),
        host: Some("orders.contoso.example"),
        method: Some("GET"),
        path: Some("/v1/tenants/CONTOSO/7"),
        route: None,
    };
    let of = |request| policy.api_of(request).settings.unwrap();
    assert_eq!(of(request), orders);
    assert_eq!(policy.data_tenant_of(orders, request), Some("CONTOSO".into()));
    assert_eq!(policy.resolve_tenant("CONTOSO"), Some(CONTOSO.into()));
    assert_eq!(policy.resolve_tenant(&CONTOSO.to_uppercase()), Some(CONTOSO.into()));
    assert_eq!(policy.resolve_tenant("contoso2"), None);
    let post = of(Request { method: Some("POST"), ..request });
    assert_eq!(post.scopes, Some(vec!["Orders.Write".to_owned()]));
    assert_eq!(post.audiences, orders.audiences);
    assert_eq!(of(Request { path: Some("/v1/health"), ..request }).auth, Auth::None);
    let post_health = of(Request { path: Some("/v1/health"), method: Some("POST"), ..request });
    assert_eq!(post_health.auth, Auth::Required, "the first operation that matches counts");
    assert_eq!(of(Request { method: Some("post"), ..request }), orders, "methods are case-sensitive");
    assert_eq!(policy.every_settings().count(), 3);
}

#[test]
fn the_example_accepts_and_watches() {
    let policy = contract();
    let [accept] = policy.accepts() else { panic!("one exception") };
    assert_eq!((accept.rule.as_str(), accept.api.as_deref()), ("wrong-aud", Some("orders")));
    assert_eq!(accept.until.unwrap().to_string(), "2027-02-01T00:00:00Z");
    assert!(policy.accept_place(0).unwrap().file.ends_with("accept/migration.toml"));
    let [leaver, stolen, address] = policy.watch() else { panic!("three entries") };
    assert_eq!(leaver.oid.as_deref(), Some("2b2e7b5c-3e5c-4f0e-8f5a-1f6a6a1c5a11"));
    assert_eq!(leaver.reason.as_deref(), Some("left, badly"));
    assert_eq!(stolen.uti.as_deref(), Some("AbC-_1"));
    assert_eq!((address.place.line, address.tid.as_deref()), (3, Some(CONTOSO)));
    assert!(address.ip.unwrap().contains("198.51.100.7".parse().unwrap()));
    let [revoked] = policy.revocations() else { panic!("one revocation") };
    assert_eq!((revoked.sid.as_deref(), revoked.client.as_deref()), (Some("Session-1"), None));
    assert_eq!(revoked.period.since.unwrap().to_string(), "2026-11-03T10:00:00Z");
}

#[test]
fn every_file_is_hashed() {
    let policy = contract();
    let ends = |files: &[PolicyFile], ends: &[&str]| {
        assert_eq!(files.len(), ends.len());
        for (file, end) in files.iter().zip(ends) {
            assert!(file.path.ends_with(end), "{} {end}", file.path);
        }
    };
    ends(policy.files(), &["policy.toml", "accept/migration.toml", "apis/orders.toml"]);
    ends(policy.watch_files(), &["watch/leaver.csv", "watch/stolen.jsonl", "revoked.csv"]);
    assert_eq!(policy.sha256().len(), 64);

    let text = "version = 1\ninclude = [\"a.toml\"]\n[watch]\nfiles = [\"w.csv\"]\n";
    let build = |a: &str, w: &str| Policy::parse_with(text, &files(&[("a.toml", a), ("w.csv", w)])).unwrap();
    let policy = build("", "uti\nx\n");
    assert_eq!(policy.sha256(), build("", "uti\ny\n").sha256());
    assert_ne!(policy.watch_sha256(), build("", "uti\ny\n").watch_sha256());
    assert_ne!(policy.sha256(), build("# changed", "uti\nx\n").sha256());
    assert_eq!(Policy::parse("version = 1").unwrap().watch_sha256(), None);
    assert_eq!(
        policy.files()[1].sha256,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "SHA-256 of nothing"
    );
}

#[test]
fn profiles_merge_left_to_right_and_lists_replace() {
    let policy = with_version(
        r#"
        [profile.a]
        scopes = ["A"]
        mfa = true
        hosts = ["a.contoso.example"]
        owner = "a"
        [profile.b]
        scopes = ["B1", "B2"]
        owner = "b"
        operations = [{ methods = ["GET"], scopes = [] }]
        [profile.unused]
        [[api]]
        name = "x"
        use = ["a", "b"]
        owner = "x"
        [[api]]
        name = "y"
        use = ["b", "a"]
        paths = ["/y"]
        operations = []
        "#,
    );
    let x = policy.api_named("x").unwrap();
    assert_eq!(
        (x.scopes.clone().unwrap(), x.mfa, x.owner.as_deref()),
        (vec!["B1".into(), "B2".into()], true, Some("x"))
    );
    assert_eq!(policy.api_named("y").unwrap().scopes, Some(vec!["A".to_owned()]));
    let at =
        |method| Request { host: Some("a.contoso.example"), method, path: Some("/z"), ..Request::default() };
    assert_eq!(policy.api_of(at(Some("GET"))).settings.unwrap().scopes, None, "an empty requirement is none");
    assert_eq!(policy.api_of(at(None)).settings.unwrap(), x);
    assert_eq!(policy.notices().len(), 1);
    assert!(policy.notices()[0].to_string().contains("`unused`"), "{}", policy.notices()[0]);
}

#[test]
fn defaults_are_those_of_the_contract() {
    let policy = with_version("[[api]]\nname = \"x\"\n[[gateway]]\nname = \"g\"");
    let x = policy.api_named("x").unwrap();
    assert_eq!((x.stage, x.auth, x.client_auth), (Stage::Enforce, Auth::Required, 0));
    assert!(x.guests && !x.personal_accounts && !x.mfa && !x.multi_tenant);
    assert_eq!(x.issuer_kinds, [IssuerKindName::Workforce]);
    assert_eq!(x.data_tenant, DataTenant::Field);
    assert_eq!(policy.validation(None), &Validation::default());
    assert_eq!(policy.validation(Some(GatewayId(0))).preset, Preset::Dotnet);
    assert_eq!(policy.gateway_of("any"), None);
    assert!(!policy.states_audiences() && !policy.states_tenants() && !policy.states_authorizes_on());
}

#[test]
fn what_an_operation_states_is_stated() {
    let policy = with_version(
        "[[api]]\nname = \"x\"\noperations = [{ methods = [\"GET\"], audiences = [\"a\"], authorizes-on = \"principal\" }]",
    );
    assert!(policy.states_audiences() && policy.states_authorizes_on() && !policy.states_tenants());
}

#[test]
fn data_tenants_are_decoded_segments_and_labels() {
    let policy = with_version(
        r#"
        [[api]]
        name = "path"
        hosts = ["p.example"]
        data-tenant = "path:/**/tenants/{tenant}/**"
        [[api]]
        name = "host"
        hosts = ["*.api.contoso.example"]
        data-tenant = "host:{tenant}.api.Contoso.example"
        "#,
    );
    let path = policy.api_named("path").unwrap();
    for (text, tenant) in [
        ("/tenants/contoso", Some("contoso")),
        ("/v1/x/tenants/con%74oso/orders?x=/tenants/y", Some("contoso")),
        ("/v1/tenants/a/../contoso", Some("contoso")),
        ("/v1/tenants/%7Bx%7D", Some("{x}")),
        ("/v1/tenants/", None),
        ("/v1/tenants", None),
        ("tenants/contoso", None),
    ] {
        let request = Request { path: Some(text), ..Request::default() };
        assert_eq!(policy.data_tenant_of(path, request).as_deref(), tenant, "{text}");
    }
    let host = policy.api_named("host").unwrap();
    for (text, tenant) in [
        ("Contoso.API.contoso.example:443", Some("contoso")),
        ("api.contoso.example", None),
        ("a.b.api.contoso.example", None),
    ] {
        let request = Request { host: Some(text), ..Request::default() };
        assert_eq!(policy.data_tenant_of(host, request).as_deref(), tenant, "{text}");
    }
}

#[test]
fn load_says_which_file_is_missing() {
    let error = Policy::load(Path::new("no/such/policy.toml")).unwrap_err();
    assert!(error.to_string().starts_with("no/such/policy.toml: cannot be read"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.toml");
    fs::write(&path, "version = 1\n# \u{fc}\ninclude = [\"x.toml\"]\n").unwrap();
    let error = Policy::load(&path).unwrap_err();
    assert_eq!(error.place().map(|place| (place.line, place.column)), Some((3, 12)), "{error}");
    fs::write(&path, b"version = 1\n# \xff\n").unwrap();
    let error = Policy::load(&path).unwrap_err();
    assert_eq!(error.place().map(|place| (place.line, place.column)), Some((2, 3)), "{error}");
}

#[test]
fn a_policy_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema();
    let text = schema.to_string();
    for key in [
        "\"include\"",
        "\"defined-scopes\"",
        "\"min-records\"",
        "\"token-many-ip-prefixes\"",
        "\"operations\"",
        "\"use\"",
    ] {
        assert!(text.contains(key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["version"]["type"], "integer");
    assert_eq!(schema["$defs"]["ApiTable"]["properties"]["auth"]["$ref"], "#/$defs/Auth");
    assert!(!text.contains("\"null\""), "TOML has no null");
}
