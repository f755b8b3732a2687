//! Which entry wins, and what `explain` says about it.

use super::super::matcher::NamePattern;
use super::super::pattern::PathPattern;
use super::super::pattern::normal_host;
use super::super::pattern::normal_path;
use super::*;

/// Entries as `name: key = value; …`, one a line.
fn policy(entries: &str) -> Policy {
    let table = |line: &str| {
        let (name, keys) = line.split_once(':').unwrap();
        format!("[[api]]\nname = \"{name}\"\n{}\n", keys.replace(';', "\n"))
    };
    let lines = entries.lines().map(str::trim).filter(|line| !line.is_empty());
    let text: Vec<String> = lines.map(table).collect();
    with_version(&text.concat())
}

/// `gateway|method|host|path|route`, empty for none.
fn request(text: &str) -> Request<'_> {
    let parts: Vec<Option<&str>> = text.split('|').map(|part| (!part.is_empty()).then_some(part)).collect();
    let [gateway, method, host, path, route] = parts[..] else { panic!("{text}") };
    Request { gateway, host, method, path, route }
}

/// Name of the winner, with `?` if it is ambiguous; `-` for none.
fn winner(policy: &Policy, text: &str) -> String {
    let found = policy.api_of(request(text));
    let name = found.settings.map_or("-", |settings| settings.name.as_str());
    format!("{name}{}", if found.ambiguous { "?" } else { "" })
}

#[test]
fn the_most_specific_entry_wins() {
    let policy = policy(
        r#"
        all:
        any-path: paths = ["/health"]
        exact: hosts = ["a.contoso.example"]
        exact-v1: hosts = ["a.contoso.example"]; paths = ["/v1/**"]
        exact-v1-orders: hosts = ["a.contoso.example"]; paths = ["/v1/orders/**", "/v2/orders/*"]
        exact-v1-orders-list: hosts = ["a.contoso.example"]; paths = ["/v1/orders"]
        exact-v1-route: hosts = ["a.contoso.example"]; paths = ["/v1/**"]; routes = ["r1"]
        exact-v1-gateway: hosts = ["a.contoso.example"]; paths = ["/v1/**"]; gateways = ["apim-*"]
        wild: hosts = ["*.contoso.example"]
        wilder: hosts = ["*.eu.contoso.example"]
        only-route: routes = ["r9"]
        v6: hosts = ["[2001:DB8::1]"]
        "#,
    );
    for (request, name) in [
        ("||a.contoso.example|/v1/x|", "exact-v1"),
        ("||A.Contoso.Example.:8443|/v1/x|", "exact-v1"),
        ("||a.contoso.example|/v1|", "exact-v1"),
        ("||a.contoso.example|/v1/|", "exact-v1"),
        ("||a.contoso.example|/v10|", "exact"),
        ("||a.contoso.example||", "exact"),
        ("||a.contoso.example|/v1/orders|", "exact-v1-orders-list"),
        ("||a.contoso.example|/v1/orders/7/lines|", "exact-v1-orders"),
        ("||a.contoso.example|/v2/orders/7|", "exact-v1-orders"),
        ("||a.contoso.example|/v2/orders/7/lines|", "exact"),
        ("||a.contoso.example|/%76%31/orders/7|", "exact-v1-orders"),
        ("||a.contoso.example|/x/../v1/./orders/7|", "exact-v1-orders"),
        ("||a.contoso.example|/v1/orders/..|", "exact-v1"),
        ("||a.contoso.example|/v1/%2e%2e/x|", "exact"),
        ("||a.contoso.example|/%2576%31|", "exact"),
        ("||a.contoso.example|/v1/x|r1", "exact-v1-route"),
        ("||a.contoso.example|/v1/x|r2", "exact-v1"),
        ("apim-weu-01||a.contoso.example|/v1/x|", "exact-v1-gateway"),
        ("kong||a.contoso.example|/v1/x|", "exact-v1"),
        ("apim-weu-01||a.contoso.example|/v1/x|r1", "exact-v1-route"),
        ("||b.contoso.example|/v1/x|", "wild"),
        ("||b.c.contoso.example|/v1/x|", "wild"),
        ("||x.eu.contoso.example|/v1/x|", "wilder"),
        ("||eu.contoso.example|/v1/x|", "wild"),
        ("||contoso.example|/v1/x|", "all"),
        ("||.contoso.example|/v1/x|", "all"),
        ("||xcontoso.example|/v1/x|", "all"),
        ("|||/v1/x|", "all"),
        ("|||/health|", "any-path"),
        ("|||/v1/x|r9", "only-route"),
        ("||[2001:db8::1]:443|/x|", "v6"),
        ("||2001:DB8::1|/x|", "v6"),
    ] {
        let found = winner(&policy, request);
        // Without a route, entries that differ in `routes` alone are equal.
        let found = if name == "exact-v1" { found.trim_end_matches('?') } else { &found };
        assert_eq!(found, name, "{request}");
    }
}

#[test]
fn ties_go_to_the_byte_least_name_and_are_told() {
    let policy = policy(
        r#"
        b: hosts = ["x.example"]; paths = ["/v1/*/lines"]
        a: hosts = ["x.example"]; paths = ["/v1/**"]
        B: hosts = ["x.example"]; paths = ["/v1/{tenant}/lines"]
        c: hosts = ["x.example"]; paths = ["/v1/7/lines"]
        "#,
    );
    assert_eq!(winner(&policy, "||x.example|/v1/8/lines|"), "B?");
    assert_eq!(winner(&policy, "||x.example|/v1/8|"), "a");
    assert_eq!(winner(&policy, "||x.example|/v1/7/lines|"), "c");
    assert_eq!(winner(&policy, "||x.example|/v2|"), "-");
    assert!(policy.explain(request("||x.example|/v1/8/lines|")).why.contains("ambiguous"));
}

#[test]
fn a_route_restricts_only_records_that_have_one() {
    let policy = policy(
        r#"
        routed: hosts = ["x.example"]; routes = ["r1"]
        bare: routes = ["r2"]
        "#,
    );
    for (request, name) in [
        ("||x.example||", "routed"),
        ("||x.example||r1", "routed"),
        ("||x.example||r2", "bare"),
        ("||x.example||r3", "-"),
        ("||y.example||r2", "bare"),
        ("||y.example||", "-"),
    ] {
        assert_eq!(winner(&policy, request), name, "{request}");
    }
}

#[test]
fn gateways_match_by_globs_and_only_where_known() {
    let policy = policy("a: gateways = [\"apim-*\", \"kong\"]");
    for (request, name) in
        [("apim-weu||||", "a"), ("kong||||", "a"), ("kong-2||||", "-"), ("||||", "-"), ("APIM-weu||||", "-")]
    {
        assert_eq!(winner(&policy, request), name, "{request}");
    }
}

#[test]
fn paths_match_by_segments() {
    for (pattern, path, matches) in [
        ("/", "/", true),
        ("/", "/x", false),
        ("/**", "/", true),
        ("/**", "/a/b/c", true),
        ("/v1/**", "/v1", true),
        ("/v1/**", "/v1/", true),
        ("/v1/**", "/v11", false),
        ("/v1/*", "/v1/x", true),
        ("/v1/*", "/v1/x/y", false),
        ("/v1/*", "/v1", false),
        ("/v1/*.json", "/v1/a.json", true),
        ("/v1/*.json", "/v1/.json", true),
        ("/v1/*.json", "/v1/a.jsonx", false),
        ("/v1/a*b*c", "/v1/aXbbYc", true),
        ("/v1/a*b*b", "/v1/ab", false),
        ("/v1/{tenant}/x", "/v1/t/x", true),
        ("/v1/{tenant}/x", "/v1//x", false),
        ("/**/x", "/x", true),
        ("/**/x", "/a/x/b/x", true),
        ("/**/x/**/y", "/a/x/b/c/y", true),
        ("/**/x/**/y", "/a/y/b/c/x", false),
        ("/**/x/y", "/x/x/y", true),
        ("/a/**/**/b", "/a/b", true),
        ("/v1/x", "/v1/x/", false),
        ("/V1/x", "/v1/x", false),
    ] {
        assert_eq!(PathPattern::parse(pattern).unwrap().matches(path), matches, "{pattern} {path}");
    }
}

#[test]
fn repeated_wildcards_stay_quick() {
    let pattern = PathPattern::parse(&format!("{}/b", "/**/a".repeat(40))).unwrap();
    assert!(!pattern.matches(&"/a".repeat(4000)));
    let stars = PathPattern::parse(&format!("/{}b", "a*".repeat(40))).unwrap();
    assert!(!stars.matches(&format!("/{}", "a".repeat(4000))));
}

#[test]
fn hosts_and_paths_have_one_compared_form() {
    for (host, normal) in [
        ("A.example", "a.example"),
        ("a.example:80", "a.example"),
        ("a.example.", "a.example"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        (":", ""),
        ("[", ""),
    ] {
        assert_eq!(normal_host(host), normal, "{host}");
    }
    for (path, normal) in [
        ("/a", "/a"),
        ("/a/./b", "/a/b"),
        ("/a/../../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a%2Fb", "/a/b"),
        ("/a%2f..%2fb", "/b"),
        ("/a%zz%4", "/a%zz%4"),
        ("/a%ff", "/a\u{fffd}"),
        ("/a?b=/..", "/a"),
        ("/%3Fb", "/?b"),
        ("*", "*"),
        ("", ""),
    ] {
        assert_eq!(normal_path(path), normal, "{path}");
    }
}

#[test]
fn explain_names_the_origin_of_every_value() {
    let policy = contract();
    let explained = policy.explain(request("apim-weu-01|POST|orders.contoso.example|/v1/7|"));
    assert_eq!(explained.api.as_deref(), Some("orders"));
    assert_eq!(explained.operation.as_ref().map(|operation| operation.number), Some(1));
    assert!(explained.why.contains("only entry"), "{}", explained.why);
    let row = |key: &str| {
        let value = explained.values.iter().find(|value| value.key == key).unwrap_or_else(|| panic!("{key}"));
        let [_, text, origin] = value.row();
        (text, origin.rsplit('/').next().unwrap().to_owned(), value.origin.clone().map(|origin| origin.layer))
    };
    assert_eq!(row("scopes").0, "[\"Orders.Write\"]");
    assert_eq!(row("scopes").2, Some(Layer::Operation(1)));
    assert_eq!(row("scopes").1, "orders.toml:30:44)");
    assert_eq!(row("guests").2, Some(Layer::Profile("partner".to_owned())));
    assert_eq!(
        row("client-auth"),
        ("\"secret\"".to_owned(), "orders.toml:20:15)".to_owned(), Some(Layer::Api))
    );
    assert_eq!(row("hosts").2, Some(Layer::Api));
    assert_eq!(row("validation.preset").2, Some(Layer::Gateway("apim-weu-01".to_owned())));
    assert_eq!(row("validation.clock-skew").2, Some(Layer::Validation));
    assert_eq!(row("validation.clock-skew").0, "\"300s\"");
    let plain = with_version("[[api]]\nname = \"x\"").explain(request("||||"));
    let [_, value, origin] = plain.values.iter().find(|value| value.key == "audiences").unwrap().row();
    assert_eq!((value.as_str(), origin.as_str()), ("-", "default"));
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["entries"][0]["matched"], true);
    let none = policy.explain(request("|||/v1|"));
    assert_eq!((none.api, none.entries[0].why.as_str()), (None, "no host of it matches"));
    assert!(none.why.contains("uncovered"));
}

fn some_policy() -> Policy {
    policy(
        r#"
        a: hosts = ["a.example", "*.example"]; paths = ["/v1/**", "/*/x"]
        b: hosts = ["a.example"]; paths = ["/**/x"]; gateways = ["g*"]
        c: hosts = ["*.b.example"]; routes = ["r"]
        d: paths = ["/v1/{tenant}"]
        e: routes = ["r"]
        f: hosts = ["a.example"]; routes = ["r", "s"]
        "#,
    )
}

/// The keys of an entry: any hosts, paths, gateways and routes out of a few.
fn some_entry() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::strategy::Strategy;
    let list = |key: &'static str, all: &'static [&'static str], most: usize| {
        proptest::sample::subsequence(all, 0..=most).prop_map(move |chosen| {
            if chosen.is_empty() { String::new() } else { format!("{key} = {chosen:?};") }
        })
    };
    let hosts =
        list("hosts", &["a.example", "b.example", "a.b.example", "*.example", "*.b.example", "*.c"], 3);
    let paths = &[
        "/",
        "/**",
        "/*",
        "/v1",
        "/v1/",
        "/v1/**",
        "/v1/*",
        "/v1/x",
        "/v1/x*",
        "/v*/x",
        "/v1/{tenant}/y",
        "/**/x",
        "/v1/x/**",
        "/v1/**/**",
    ];
    (hosts, list("paths", paths, 4), list("gateways", &["g1", "g*", "h"], 1), list("routes", &["r", "s"], 1))
        .prop_map(|(hosts, paths, gateways, routes)| [hosts, paths, gateways, routes].concat())
}

proptest::proptest! {
    #[test]
    fn any_request_is_matched_without_panic(
        host in "\\PC{0,20}", path in "\\PC{0,30}", method in "\\PC{0,4}", gateway in "\\PC{0,4}", route in "\\PC{0,4}",
    ) {
        let policy = contract();
        let request = Request {
            gateway: Some(&gateway), host: Some(&host), method: Some(&method), path: Some(&path), route: Some(&route),
        };
        let _ = policy.api_of(request);
        let _ = policy.explain(request);
        let _ = policy.data_tenant_of(policy.api_named("orders").unwrap(), request);
        let _ = policy.resolve_tenant(&path);
    }

    /// The index by hosts gives what a look at every entry gives.
    #[test]
    fn the_winner_is_the_first_of_all_that_match(
        host in "(a|b|x)(\\.b)?\\.example|b\\.example|", path in "(/(v1|x|y)){0,3}", gateway in "g1|h|", route in "r|s|t|",
    ) {
        let policy = some_policy();
        let given = |text: String| (!text.is_empty()).then_some(text);
        let (host, path, gateway, route) = (given(host), given(path), given(gateway), given(route));
        let request = Request {
            gateway: gateway.as_deref(), host: host.as_deref(), method: None, path: path.as_deref(), route: route.as_deref(),
        };
        let explained = policy.explain(request);
        let first = explained.entries.first().filter(|entry| entry.matched).map(|entry| entry.api.clone());
        proptest::prop_assert_eq!(&explained.api, &first);
        proptest::prop_assert_eq!(explained.ambiguous, explained.why.contains("ambiguous"));
        let found = policy.api_of(request);
        proptest::prop_assert_eq!(found.settings.map(|settings| settings.name.clone()), explained.api);
        proptest::prop_assert_eq!(found.ambiguous, explained.ambiguous);
    }

    /// The index gives what a look at every entry gives, whatever the entries are.
    #[test]
    fn any_policy_is_searched_as_if_every_entry_were_ranked(
        entries in proptest::collection::btree_set(some_entry(), 1..9),
        hosts in proptest::collection::vec("(a|b|x)(\\.b)?(\\.example|\\.c)|b\\.example|\\.example|", 6),
        paths in proptest::collection::vec("(/(v1|x|y|v1x|)){0,4}|x", 6),
    ) {
        let named = entries.iter().enumerate().map(|(number, keys)| format!("e{number}: {keys}\n"));
        let policy = policy(&named.collect::<String>());
        let given = |text: &'static str| (!text.is_empty()).then_some(text);
        for (number, (host, path)) in hosts.iter().zip(&paths).enumerate() {
            let (gateway, route) = (["g1", "h", ""][number % 3], ["r", "", "s"][number / 2]);
            let request = Request {
                gateway: given(gateway), host: Some(host).filter(|host| !host.is_empty()).map(String::as_str), method: None,
                path: Some(path).filter(|path| !path.is_empty()).map(String::as_str), route: given(route),
            };
            let explained = policy.explain(request);
            let first = explained.entries.first().filter(|entry| entry.matched).map(|entry| entry.api.clone());
            let found = policy.api_of(request);
            proptest::prop_assert_eq!(found.settings.map(|settings| settings.name.clone()), first, "{:?}", request);
            proptest::prop_assert_eq!(found.ambiguous, explained.why.contains("ambiguous"), "{:?}", request);
        }
    }

    /// A star at the end of a name is what the glob is.
    #[test]
    fn names_with_a_final_star_match_as_globs(stem in "[a-c.-]{0,3}", name in "[a-c./\n-]{0,5}") {
        let glob = format!("{stem}*");
        let by_glob = folder::glob(&glob).unwrap().is_match(&name);
        proptest::prop_assert_eq!(NamePattern::parse(&glob).unwrap().matches(&name), by_glob);
    }

    /// Matching by hand equals a slow, obvious matcher.
    #[test]
    fn path_patterns_match_like_their_definition(
        pattern in "(/(a|b|\\*|\\*\\*|a\\*|\\{tenant\\})){1,5}", path in "(/(a|b|ab|)){1,6}",
    ) {
        fn slow(pattern: &[&str], path: &[&str]) -> bool {
            match (pattern.split_first(), path.split_first()) {
                (None, None) => true,
                (Some((&"**", after)), None) => slow(after, path),
                (Some((&"**", after)), Some((_, rest))) => slow(after, path) || slow(pattern, rest),
                (Some((head, after)), Some((segment, rest))) => {
                    let fits = match *head {
                        "*" => true,
                        "a*" => segment.starts_with('a'),
                        "{tenant}" => !segment.is_empty(),
                        literal => literal == *segment,
                    };
                    fits && slow(after, rest)
                }
                _ => false,
            }
        }
        let parts: Vec<&str> = pattern[1..].split('/').collect();
        let segments: Vec<&str> = path[1..].split('/').collect();
        proptest::prop_assert_eq!(PathPattern::parse(&pattern).unwrap().matches(&path), slow(&parts, &segments));
    }
}
