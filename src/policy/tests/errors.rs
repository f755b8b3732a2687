//! Every kind of fault, with its place and its advice.

use super::*;

/// A policy without its version line, and what the message must hold; `^` stands before the place of the fault.
fn refused(marked: &str, parts: &[&str]) {
    let text = format!("version = 1\n{marked}");
    let offset = text.find('^').unwrap();
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let error = Policy::parse(&text.replacen('^', "", 1)).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with(&format!("policy.toml:{line}:{column}: ")), "{line}:{column} {message}");
    assert!(!message.contains('\n'), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    refused(
        "[[api]]\nname = \"x\"\n^audience = []",
        &["unknown key `audience`", "did you mean `audiences`?"],
    );
    refused("^tenacy = {}", &["did you mean `tenancy`?"]);
    refused("[validation]\n^clock_skew = \"5m\"", &["did you mean `clock-skew`?"]);
    refused("[[api]]\nname = \"x\"\noperations = [{ ^method = [\"GET\"] }]", &["did you mean `methods`?"]);
    refused("[behaviour]\n^spray-value = 3", &["did you mean `spray-values`?"]);
    refused("[profile.p]\n^name = \"x\"", &["unknown key `name`"]);
    refused(
        "[[api]]\nname = \"x\"\nauth = ^\"requird\"",
        &["unknown value `requird`", "did you mean `required`?"],
    );
    refused("[validation]\npreset = ^\"nginx\"", &["use one of `dotnet`, `envoy`, `apim`, `kong`, `strict`"]);
    refused("[validation]\nclouds = [^\"globl\"]", &["did you mean `global`?"]);
    refused("[validation]\nalgorithms = [^\"none\"]", &["unknown value `none`"]);
    refused(
        "[[api]]\nname = \"x\"\nuse = [^\"partnr\"]\n[profile.partner]",
        &["profile", "did you mean `partner`?"],
    );
    refused("[[api]]\nname = \"x\"\nauthorizes-on = ^\"principle\"", &["did you mean `principal`?"]);
    refused(
        "[tenancy]\naliases = { contoso = \"72f988bf-86f1-41af-91ab-2d7cd011db47\" }\nallowed = [^\"contso\"]",
        &["tenant", "did you mean `contoso`?"],
    );
    refused(
        "[[api]]\nname = \"orders\"\n[[accept]]\nrule = \"r\"\nreason = \"r\"\napi = ^\"order\"",
        &["did you mean `orders`?"],
    );
}

#[test]
fn toml_faults_have_their_place() {
    refused("[tenancy^\n", &["policy schema"]);
    refused("[[api]]\nname = ^3", &["invalid type"]);
    refused("[[gateway]]\nname = \"g\"\n^[[gateway]]\nsources = []\n", &["`name` is missing"]);
}

#[test]
fn versions_are_checked() {
    let message = |text: &str| Policy::parse(text).unwrap_err().to_string();
    assert!(message("").starts_with("policy.toml:1:1: `version` is missing"));
    assert!(Policy::parse("\u{feff}version = 1\r\n").is_ok(), "as Windows editors write it");
    assert!(message("version = 2").starts_with("policy.toml:1:11: version 2"));
    assert!(message("version = \"1\"").starts_with("policy.toml:1:11: invalid type"));
}

#[test]
fn names_are_unique() {
    refused(
        "[[api]]\nname = \"x\"\n[[api]]\nname = ^\"x\"",
        &["api `x` is defined twice, first at policy.toml:3:8"],
    );
    refused("[[gateway]]\nname = \"x\"\n[[gateway]]\nname = ^\"x\"", &["gateway `x`", "policy.toml:3:8"]);
    refused(
        "[tenancy]\naliases.A = \"72f988bf-86f1-41af-91ab-2d7cd011db47\"\naliases.a = ^\"72f988bf-86f1-41af-91ab-2d7cd011db47\"",
        &["alias `a`", "policy.toml:3:13"],
    );
    refused(
        "[[api]]\nname = \"x\"\nhosts = [\"A.example\", \"b.example\"]\n[[api]]\nname = ^\"a\"\nhosts = [\"b.example\", \"a.example\"]",
        &["api `a` has the same hosts, paths, routes and gateways as api `x` at policy.toml:3:8"],
    );
}

#[test]
fn values_are_checked() {
    refused("[validation]\nclock-skew = ^\"5 min\"", &["`5 min` is not a duration", "`90s`"]);
    refused("[validation]\nlifetimes = [\"2h\", ^\"1h...2h\"]", &["lifetimes"]);
    refused("[validation]\nlifetimes = [^\"2h..1h\"]", &["end lies before"]);
    refused("[validation]\nlifetimes = ^[]", &["`lifetimes` is empty"]);
    refused("[tenancy]\nallowed = ^[]", &["`allowed` is empty"]);
    refused("[tenancy]\naliases = { a = ^\"b\" }", &["`b` is not a GUID"]);
    refused("[[api]]\nname = \"x\"\naudiences = ^[]", &["`audiences` is empty"]);
    refused("[[api]]\nname = \"x\"\naudiences = [^\" \"]", &["`audiences` is blank"]);
    refused("[[api]]\nname = ^\"\"", &["`name` is blank"]);
    refused("[[api]]\nname = \"x\"\nmax-auth-age = ^\"soon\"", &["duration"]);
    refused("[networks]\noffice = [^\"203.0.113.1/24\"]", &["not a network"]);
    refused("[behaviour]\nspray-values = ^0", &["whole number"]);
    refused("[behaviour]\nclock-drift-percent = ^101", &["percentage"]);
    refused("[keys]\ncompromised = [^{ since = \"2026-10-01\" }]", &["kid, x5t, spki, source"]);
    refused("[keys]\ncompromised = [{ spki = ^\"abc\" }]", &["SHA-256"]);
    refused("[keys]\ncompromised = [{ kid = \"k\", since = ^\"yesterday\" }]", &["RFC 3339"]);
    refused(
        "[keys]\ncompromised = [{ kid = \"k\", since = 2026-10-02, until = ^2026-10-01 }]",
        &["end lies before"],
    );
    refused(
        "[[accept]]\nrule = \"r\"\nreason = \"r\"\nkid = \"k\"\nexpires = ^2026-10-01T00:00:00",
        &["RFC 3339"],
    );
    refused("[[accept]]\nrule = \"r\"\nreason = ^\" \"\nkid = \"k\"", &["`reason` is blank"]);
    refused("[[accept]]\nrule = \"r\"\nreason = \"r\"\ntoken = ^\"abc\"", &["fingerprint"]);
}

#[test]
fn entries_without_restriction_are_refused() {
    let error = Policy::parse("version = 1\n[[accept]]\nrule = \"r\"\nreason = \"r\"").unwrap_err();
    assert_eq!(error.place().map(|place| place.line), Some(2), "{error}");
    refused("[[api]]\nname = \"x\"\noperations = [^{ mfa = true }]", &["methods, paths"]);
}

#[test]
fn patterns_are_checked() {
    for (key, pattern, part) in [
        ("hosts", "orders.*.example", "`*.` before the domain"),
        ("hosts", "https://orders.example", "without scheme"),
        ("hosts", "orders.example:443", "without its port"),
        ("hosts", "*", "`*.`"),
        ("hosts", "", "names no host"),
        ("paths", "v1/**", "begins with `/`"),
        ("paths", "/v1/**.json", "stands alone"),
        ("paths", "/v1/{id}", "write `*`"),
        ("paths", "/v1/../x", "dot segments"),
        ("paths", "/v1?x=1", "without query"),
        ("gateways", "apim-[", "glob"),
        ("data-tenant", "path:/v1/**", "exactly one `{tenant}`"),
        ("data-tenant", "path:v1/{tenant}", "begins with `/`"),
        ("data-tenant", "host:api.example", "exactly one"),
        ("data-tenant", "host:x{tenant}.example", "whole label"),
        ("data-tenant", "header:x", "field:data_tenant"),
        ("data-tenant", "field:other", "field:data_tenant"),
    ] {
        let value =
            if key == "data-tenant" { format!("^\"{pattern}\"") } else { format!("[^\"{pattern}\"]") };
        refused(&format!("[[api]]\nname = \"x\"\n{key} = {value}"), &[part]);
    }
    refused("[[api]]\nname = \"x\"\noperations = [{ methods = [^\"get\"] }]", &["upper case"]);
    refused("[[gateway]]\nname = \"x\"\nsources = [^\"a[\"]", &["glob"]);
}

#[test]
fn includes_are_checked() {
    let build = |text: &str, included: &[(&str, &str)]| {
        Policy::parse_with(&format!("version = 1\n{text}"), &files(included))
            .map(|policy| policy.notices().to_vec())
    };
    let message = |text: &str, included: &[(&str, &str)]| build(text, included).unwrap_err().to_string();
    let include = "include = [\"*.toml\"]";
    let nested = message(include, &[("a.toml", "include = []")]);
    assert!(nested.starts_with("a.toml:1:11: an included file cannot include"), "{nested}");
    let missing = message("include = [\"a.toml\"]", &[]);
    assert!(missing.starts_with("policy.toml:2:12: `a.toml` names no file"), "{missing}");
    let version = message(include, &[("a.toml", "version = 3")]);
    assert!(version.starts_with("a.toml:1:11: version 3"), "{version}");
    let api = "[[api]]\nname = \"x\"";
    let twice = message(include, &[("a.toml", api), ("b.toml", api)]);
    assert!(twice.starts_with("b.toml:2:8: api `x` is defined twice, first at a.toml:2:8"), "{twice}");
    let table = message(include, &[("a.toml", "[tenancy]"), ("b.toml", "[tenancy]")]);
    assert!(table.starts_with("b.toml:1:") && table.contains("first at a.toml:1:"), "{table}");
    let networks = message(
        include,
        &[("a.toml", "networks.n = [\"192.0.2.1\"]"), ("b.toml", "networks.n = [\"192.0.2.1\"]")],
    );
    assert!(networks.starts_with("b.toml:1:"), "{networks}");
    let notices = build(include, &[]).unwrap();
    assert!(
        notices[0].to_string().starts_with("policy.toml:2:12: `*.toml` matches no file"),
        "{}",
        notices[0]
    );
}

#[test]
fn watch_files_are_checked() {
    let message = |name: &str, role: &str, content: &str| {
        let text = format!("version = 1\n[watch]\n{role} = [\"{name}\"]");
        Policy::parse_with(&text, &files(&[(name, content)])).unwrap_err().to_string()
    };
    for (name, role, content, start, part) in [
        ("w.csv", "files", "uti,form\nx,y", "w.csv:1:5:", "did you mean `from`?"),
        ("w.csv", "files", "uti,from\nx,\ny,soon", "w.csv:3:3:", "RFC 3339"),
        ("w.csv", "files", "uti,from\nx", "w.csv:2:1:", "1 cells, the header 2"),
        ("w.csv", "files", "uti\n\"x", "w.csv:2:1:", "never closed"),
        ("w.csv", "files", "uti,uti\nx,y", "w.csv:2:3:", "given twice"),
        ("w.csv", "files", "uti,reason\n,x", "w.csv:2:1:", "would match everything"),
        ("w.csv", "files", "ip\n203.0.113", "w.csv:2:1:", "not an address"),
        ("w.csv", "files", "token_sha256\nabc", "w.csv:2:1:", "64 hexadecimal digits"),
        ("w.csv", "files", "uti,from,to\nx,2026-02-02,2026-02-01", "w.csv:2:14:", "end lies before"),
        ("r.csv", "revocations", "uti\nx", "r.csv:2:1:", "`from` is missing"),
        ("w.jsonl", "files", "{\"uti\":\"x\"}\n{\"uti\":\n", "w.jsonl:2:", "cut off"),
        ("w.jsonl", "files", "{\"uti\":3}", "w.jsonl:1:1:", "not a string"),
        ("w.jsonl", "files", "{\"utl\":\"x\"}", "w.jsonl:1:1:", "did you mean `uti`?"),
        ("w.jsonl", "files", "{\"uti\":\"x\"}\n[]", "w.jsonl:2:", "one JSON object"),
    ] {
        let message = message(name, role, content);
        assert!(message.starts_with(start) && message.contains(part), "{content:?}: {message}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_policy_or_an_error(text in "\\PC{0,200}") {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn mangled_policies_never_panic(cut in 0usize..4000, insert in "[\\[\\]{}\"'=,.#\n a-z0-9*%é-]{0,6}") {
        let text = include_str!("../../../testdata/policy/contract/apis/orders.toml");
        let mut text = format!("version = 1\n[profile.partner]\n{text}");
        let at = text.floor_char_boundary(cut % text.len());
        text.insert_str(at, &insert);
        let _ = Policy::parse(&text);
    }

    #[test]
    fn any_watch_file_is_read_or_refused(text in "[a-z{}\":,\r\n0-9 é-]{0,80}", csv in proptest::bool::ANY) {
        let text = if csv { format!("uti,from\n{text}") } else { format!("{{\"uti\":\"{text}") };
        let _ = Policy::parse_with("version = 1\nwatch.files = [\"w\"]", &files(&[("w", &text)]));
    }
}
