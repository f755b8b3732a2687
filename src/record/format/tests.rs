//! What a unit gives, for the cases that the samples of `testdata/formats` do not show.

use super::*;
use crate::codec::base64url;
use crate::record::FormatSet;
use crate::record::Presence;
use proptest::prelude::*;
use std::sync::Arc;

fn jwt(tail: &str) -> String {
    let part = |text: &str| base64url::encode(text.as_bytes());
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&format!(r#"{{"n":"{tail}"}}"#)), part("signature"))
}

fn user(toml: &str) -> Arc<Format> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("formats.toml");
    std::fs::write(&file, format!("[format.mine]\n{toml}\n")).unwrap();
    FormatSet::load(Some(&file)).unwrap().get("mine").unwrap()
}

/// Presence and the tokens with their places, as `place=value` and `!` at a cut.
fn tokens(format: &Format, unit: &str) -> (Presence, Vec<String>) {
    let arena = Bump::new();
    let (_, record) = format.read(unit.as_bytes(), &arena, &mut ReadScratch::default()).unwrap();
    let shown = |hit: &crate::record::TokenHit<'_>| {
        format!("{}={}{}", hit.place, hit.value, if hit.at_cut { "!" } else { "" })
    };
    (record.presence, record.tokens.iter().map(shown).collect())
}

fn rejected(format: &Format, unit: &[u8]) -> Option<Reject> {
    let arena = Bump::new();
    format.read(unit, &arena, &mut ReadScratch::default()).err()
}

#[test]
fn header_names_are_folded_and_arrays_accepted() {
    let format = user(r#"token = "request.headers.authorization""#);
    let jwt = jwt("a");
    let wanted = (Presence::Present, vec![format!("request.headers.authorization={jwt}")]);
    for unit in [
        format!(r#"{{"request":{{"headers":{{"Authorization":"Bearer {jwt}"}}}}}}"#),
        format!(r#"{{"request":{{"headers":{{"AUTHORIZATION":["Bearer {jwt}"]}}}}}}"#),
        format!(r#"{{"request":"{{\"headers\":{{\"authorization\":\"Bearer {jwt}\"}}}}"}}"#),
        format!(r#"{{"request.headers.authorization":"{jwt}"}}"#),
        format!("{{\"request\":{{\"headers\":{{\"authorization\":\"Bearer {jwt}\",\"x\":\"\\x22\"}}}}}}\r\n"),
    ] {
        assert_eq!(tokens(&format, &unit), wanted, "{unit}");
    }
    assert_eq!(tokens(&format, r#"{"Request":{"headers":{"authorization":"x"}}}"#).0, Presence::Absent);
}

#[test]
fn every_kind_of_source_is_read() {
    let format = user(
        r#"token = ["header:authorization@h", "cookie:sid@c", "query:t@q", "scan:m", "/list/0/t", "all[*].t"]"#,
    );
    let (a, b) = (jwt("a"), jwt("b"));
    let both = [format!("header:authorization@h={a}"), format!("query:t@q={b}")];
    let read = |unit: String| tokens(&format, &unit).1;
    assert_eq!(read(format!(r#"{{"q":"?t={b}","h":[["X","y"],["Authorization","Bearer {a}"]]}}"#)), both);
    assert_eq!(read(format!(r#"{{"q":"/x?y=1&t={b}#z","h":{{"authorization":"{a}"}}}}"#)), both);
    assert_eq!(read(format!(r#"{{"q":"t={b}","h":"Host: x\r\nAuthorization: Bearer {a}\r\n"}}"#)), both);
    assert_eq!(read(format!(r#"{{"h":[{{"key":"AUTHORIZATION","value":["{a}"]}}]}}"#)), both[..1]);
    assert_eq!(read(format!(r#"{{"c":"a=b; sid={a}"}}"#)), [format!("cookie:sid@c={a}")]);
    assert_eq!(read(format!(r#"{{"m":"took bearer {a} from x"}}"#)), [format!("scan:m={a}")]);
    assert_eq!(read(format!(r#"{{"list":[{{"t":"{a}"}}]}}"#)), [format!("/list/0/t={a}")]);
    let all = [format!("all[*].t={a}"), format!("all[*].t={b}")];
    assert_eq!(read(format!(r#"{{"all":[{{"t":"{a}"}},{{"t":"{b}"}}]}}"#)), all);
}

#[test]
fn query_tokens_are_found_in_every_url() {
    let jwt = jwt("a");
    let wanted = [format!("query:access_token={jwt}")];
    for role in ["url", "query", "path", "request"] {
        let format = user(&format!("token = \"t\"\n{role} = \"u\""));
        let encoded = jwt.replace('.', "%2E");
        assert_eq!(tokens(&format, &format!(r#"{{"u":"?x=1&access_token={encoded}"}}"#)).1, wanted, "{role}");
    }
    let format = user("token = \"t\"\nurl = \"u\"");
    assert_eq!(tokens(&format, r#"{"u":"/x?access_token=***"}"#).0, Presence::Masked);
    let both = tokens(&format, &format!(r#"{{"u":"/x?access_token={jwt}","t":"{jwt}"}}"#));
    assert_eq!(both.1, [format!("t={jwt}")], "the same token twice is one");
}

#[test]
fn values_that_end_where_loggers_cut_are_marked() {
    let format = user("token = \"t\"\nfield_limit = 100");
    let long = format!("{}{}", jwt("a"), "x".repeat(20_000));
    for length in [100, 1024, 2048, 4096, 8192, 16384] {
        let field = &format!("Bearer {long}")[..length];
        let read = tokens(&format, &format!(r#"{{"t":"{field}"}}"#)).1;
        assert!(read[0].ends_with('!'), "{length}");
        let shorter = tokens(&format, &format!(r#"{{"t":"{}"}}"#, &field[..length - 1])).1;
        assert!(!shorter[0].ends_with('!'), "{length}");
    }
    // The line itself: JSON is closed where it was cut, text ends inside of a field.
    let line = &format!(r#"{{"x":1,"t":"Bearer {long}"#)[..2048];
    assert!(tokens(&format, line).1[0].ends_with('!'));
    assert_eq!(rejected(&format, &line.as_bytes()[..2000]), Some(Reject::Json));
    let text =
        user("kind = \"nginx\"\nline_limit = 300\ntemplate = '$status \"$http_authorization\" $request_id'");
    let line = &format!("200 \"Bearer {long}")[..300];
    assert!(tokens(&text, line).1[0].ends_with('!'));
    assert_eq!(rejected(&text, &line.as_bytes()[..299]), Some(Reject::NoMatch));
    let scan = FormatSet::load(None).unwrap().get("scan").unwrap();
    assert!(tokens(&scan, &format!("x Bearer {long}")[..1024]).1[0].ends_with('!'));
}

#[test]
fn crafted_values_cost_no_more_than_their_length() {
    let format = user(r#"token = ["t", "scan:m"]"#);
    let value = format!("{}{}", "Bearer x,y,".repeat(20_000), "\\\"".repeat(100_000));
    assert_eq!(tokens(&format, &format!(r#"{{"t":"{value}"}}"#)).1.len(), 2);
    let many = (0..20_000).fold(String::new(), |text, number| text + &format!("Bearer a{number},"));
    assert_eq!(tokens(&format, &format!(r#"{{"t":"{many}"}}"#)).1.len(), 20_000);
    let words = "authorization: x ".repeat(50_000);
    assert!(tokens(&format, &format!(r#"{{"m":"{words}"}}"#)).1.is_empty());
}

#[test]
fn what_is_no_record_says_why() {
    let format = user(r#"token = "t""#);
    for unit in [
        "nonsense",
        "[1]",
        "\"x\"",
        "1",
        "{",
        r#"{"records":[{"t":"x"}]}"#,
        r#"{"a":1,"records":[{"t":"x"}]}"#,
    ] {
        assert_eq!(rejected(&format, unit.as_bytes()), Some(Reject::Json), "{unit}");
    }
    let arena = Bump::new();
    let ignored = format.read(b" \t\r\n", &arena, &mut ReadScratch::default()).unwrap();
    assert_eq!(ignored.0, Unit::Ignored);
}

#[test]
fn bytes_that_are_replaced_are_told() {
    let format = user("token = \"t\"\nuser_agent = \"ua\"");
    let arena = Bump::new();
    let mut scratch = ReadScratch::default();
    for (unit, agent, repaired) in [
        (&b"{\"ua\":\"plain \\\\ \\u00e9\"}"[..], "plain \\ \u{e9}", false),
        (b"{\"ua\":\"a\xffb\"}", "a\u{fffd}b", true),
        (b"{\"ua\":\"a\0b\"}", "a\u{fffd}b", true),
        (b"{\"ua\":\"a\\x41b\"}", "aAb", true),
        (b"{\"ua\":\"a\"}}}", "a", true),
    ] {
        let (_, record) = format.read(unit, &arena, &mut scratch).unwrap();
        assert_eq!((record.user_agent, record.repaired), (Some(agent), repaired));
    }
}

#[test]
fn apache_combined_with_a_token_is_read_as_pasted() {
    let legacy = user(
        r#"kind = "apache"
template = '%a %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{Authorization}i" %{ms}T'"#,
    );
    let jwt = jwt("a");
    let line = format!(
        r#"203.0.113.7 - - [22/Nov/2026:10:34:27 +0000] "GET /v1 HTTP/1.1" 200 512 "-" "x" "Bearer {jwt}" 43"#
    );
    let arena = Bump::new();
    let (_, record) = legacy.read(line.as_bytes(), &arena, &mut ReadScratch::default()).unwrap();
    assert_eq!(record.duration, Some(43_000));
    assert_eq!(record.tokens[0].value, jwt);
    assert_eq!(record.tokens[0].place, "header:authorization");
}

#[test]
fn a_time_form_of_the_user_is_used_for_the_templates_time() {
    let format = user(
        "kind = \"nginx\"\ntemplate = '$time_local|$status'\ntime = { as = \"strftime:%d.%m.%Y %H:%M:%S\", zone = \"Europe/Berlin\", is = \"start\" }",
    );
    let arena = Bump::new();
    let (_, record) = format.read(b"22.11.2026 11:34:27|200", &arena, &mut ReadScratch::default()).unwrap();
    let time = record.time.unwrap();
    assert_eq!(
        (time.at.to_string().as_str(), time.is),
        ("2026-11-22T10:34:27Z", crate::record::TimeIs::Start)
    );
}

proptest! {
    #[test]
    fn no_line_panics(
        text in "\\PC{0,60}",
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        json in "\\{(\"(t|u|time|headers)\":(\"[a-z.%?=&\\\\]{0,12}\"|[0-9.-]{0,20}|null|\\{\\}|\\[\\]),){0,4}\"t\":\"eyJ[a-z.]{0,9}\"\\}?",
    ) {
        let set = FormatSet::load(None).unwrap();
        let mine = user("token = [\"t\", \"headers[*].t\"]\nurl = \"u\"\ntime = \"time\"");
        let mut scratch = ReadScratch::default();
        let arena = Bump::new();
        for format in set.names().into_iter().filter_map(|name| set.get(name)).chain([mine]) {
            for unit in [text.as_bytes(), &bytes, json.as_bytes()] {
                let arena_of_unit = Bump::new();
                let _ = format.read(unit, &arena_of_unit, &mut scratch);
            }
        }
        let _ = set.detect(&text, arena.alloc_slice_copy(&bytes), None);
    }
}
