//! The fast path against the full one: every line gives the same record, whichever read it.

use crate::record::{Format, FormatSet, ReadScratch};
use bumpalo::Bump;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// Formats that between them use everything the notation has.
const MINE: &str = r#"
[format.plain]
token = ["t", "headers.authorization", "all[*].t", "list[0]", "cookie:sid@c", "query:q@u", "scan:m"]
time = { path = "ts", as = "auto" }
duration = { path = "d", unit = "s" }
status = ["status", "response.status"]
url = "u"
host = ["a.b", "a.c"]
user_agent = ["headers.user-agent", "ua"]
request_id = ["ids[*]", "id"]
client_ip = "all[*].ip"
principal = "text.p"
skip_if = [{ path = "k", equals = "skip" }, { path = "a.b", prefix = "no" }]

[format.deep]
token = ["a.b.a.b", "a[0][*].b", "text.text.t", "header:authorization@h"]
route = "a[*][*]"
location = "a"
data_tenant = "a.b[*].a"
time = { path = "ts", as = "epoch", is = "end" }
skip_if = { path = "t", absent = true }

[format.template]
kind = "nginx"
template = '{"ts":$msec,"t":"$http_authorization","a":{"b":"$request"},"ua":"$http_user_agent","m":"$remote_addr $status"}'
"#;

static FORMATS: LazyLock<Vec<Arc<Format>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("formats.toml");
    fs::write(&file, MINE).unwrap();
    let mut formats = Vec::new();
    for files in [Some(file), Some(testdata().join("formats/user/formats.toml")), None] {
        let set = FormatSet::load(files.as_deref()).unwrap();
        formats.extend(set.names().into_iter().filter_map(|name| set.get(name)));
    }
    formats.retain(|format| format.is_json());
    formats
});

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Reads a line on both paths; true if the fast one read it.
fn both(format: &Format, line: &[u8], fast: &mut ReadScratch) -> bool {
    let mut full = ReadScratch::portable();
    let (fast_arena, full_arena) = (Bump::new(), Bump::new());
    let before = fast.unparsed_units();
    let found = format!("{:?}", format.read(line, &fast_arena, fast));
    let wanted = format!("{:?}", format.read(line, &full_arena, &mut full));
    assert_eq!(found, wanted, "{}: {}", format.name(), String::from_utf8_lossy(line));
    assert_eq!(full.unparsed_units(), 0);
    fast.unparsed_units() > before
}

fn in_every_format(line: &[u8]) {
    let mut fast = ReadScratch::default();
    for format in FORMATS.iter() {
        both(format, line, &mut fast);
    }
}

/// Everything below a folder that is a log of text.
fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
}

/// Lines of all samples and captures, with something like a token in the places of theirs.
fn sample_lines() -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    logs(&testdata().join("formats"), &mut paths);
    logs(&testdata().join("gateways/logs"), &mut paths);
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap())
            .replace("{{token}}", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
        lines.extend(text.lines().map(|line| line.as_bytes().to_vec()));
    }
    assert!(lines.len() > 200);
    lines
}

#[test]
fn samples_read_the_same() {
    for line in sample_lines() {
        in_every_format(&line);
    }
}

#[test]
fn damaged_samples_read_the_same() {
    let mut fast = ReadScratch::default();
    let mut lines = sample_lines();
    lines.retain(|line| line.len() < 700 && line.starts_with(b"{"));
    for line in lines.iter().step_by(4) {
        let format = FORMATS.iter().max_by_key(|format| read_texts(format, line)).unwrap();
        // Its shape is known from here on, and every change is one of it.
        both(format, line, &mut fast);
        let bytes = b"\"\\{}[]:,0-.e tn\0\x1f\xff\xc3A";
        for at in 0..line.len() {
            both(format, &line[..at], &mut fast);
            // Every byte at some places, some bytes at every place.
            for byte in bytes.iter().skip(at % 5).step_by(5) {
                let mut changed = line.clone();
                changed[at] = *byte;
                both(format, &changed, &mut fast);
            }
            let mut shorter = line.clone();
            shorter.remove(at);
            both(format, &shorter, &mut fast);
        }
    }
}

/// How much a format finds in a line.
fn read_texts(format: &Format, line: &[u8]) -> usize {
    let arena = Bump::new();
    let read = format.read(line, &arena, &mut ReadScratch::portable());
    read.map_or(0, |(_, record)| format!("{record:?}").matches("Some").count())
}

#[test]
fn nearly_all_lines_of_gateways_take_the_fast_path() {
    if super::Vectors::detect().is_none() {
        return;
    }
    let sets = [None, Some("gateways/formats.toml")];
    let sets = sets.map(|file| FormatSet::load(file.map(|file| testdata().join(file)).as_deref()).unwrap());
    for (set, name, log) in [
        (0, "kong", "formats/kong/lines.log"),
        (0, "apim", "formats/apim/lines.log"),
        (0, "apim-loganalytics", "formats/apim-loganalytics/lines.log"),
        (0, "caddy", "formats/caddy/lines.log"),
        (0, "envoy-json", "formats/envoy-json/lines.log"),
        (1, "audit-json", "gateways/logs/nginx-json/access.log"),
        (1, "apache-json", "gateways/logs/apache/access.log"),
        (1, "haproxy-json", "gateways/logs/haproxy/access.log"),
        (1, "caddy", "gateways/logs/caddy/access.log"),
        (1, "caddy", "gateways/logs/caddy-masked/access.log"),
    ] {
        let format = sets[set].get(name).unwrap();
        let bytes = fs::read(testdata().join(log)).unwrap();
        let mut fast = ReadScratch::default();
        let lines: Vec<&[u8]> =
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
        let declined: Vec<String> = lines
            .iter()
            .filter(|line| !both(&format, line, &mut fast))
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        println!("{log}: {} of {} lines", lines.len() - declined.len(), lines.len());
        assert!(declined.len() * 8 <= lines.len() + 8, "{log} as {name}:\n{}", declined.join("\n"));
    }
}

#[test]
fn what_is_not_json_is_declined() {
    let format = &FORMATS.iter().find(|format| format.name() == "plain").unwrap();
    let mut fast = ReadScratch::default();
    for line in [
        r#"{"a":1 "b":2}"#,
        r#"{"a" 1}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1}x"#,
        r#"{"a":1}}"#,
        r#"{"a":1"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":.1}"#,
        r#"{"a":1e}"#,
        r#"{"a":--1}"#,
        r#"{"a":-}"#,
        r#"{"a":tru}"#,
        r#"{"a":truex}"#,
        r#"{"a":nul}"#,
        r#"{"a":1x}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":[}"#,
        r#"{"a":{]}"#,
        r#"{"a":"\x41"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"x}"#,
        r#"{"a":\"x"}"#,
        "[1]",
        "1",
        "",
        "{",
        r#"{"a":"b":"c"}"#,
        r"{1:2}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"records":[{"t":"x"}]}"#,
        "{\"a\":\"x\ty\"}",
        "{\"a\":\"x\0\"}",
        "{\"a\":1}\0",
        "{\"a\":\u{a0}1}",
        r#"{"a":1e999}"#,
        r#"{"t":"x"}{"t":"y"}"#,
        r#"{"a":"x""#,
        r#"{"a":NaN}"#,
        r"{'a':1}",
        r#"{"a":1;"b":2}"#,
    ] {
        assert!(!both(format, line.as_bytes(), &mut fast), "{line}");
    }
    let nested = |levels: usize| format!(r#"{{"x":{}{},"t":"y"}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(!both(format, nested(65).as_bytes(), &mut fast));
    assert!(!both(format, nested(600).as_bytes(), &mut fast));
    let many = format!(r#"{{"x":[{}"y"],"t":"z"}}"#, r#""a","#.repeat(10_000));
    assert!(!both(format, many.as_bytes(), &mut fast));
}

#[test]
fn what_is_json_is_read() {
    if super::Vectors::detect().is_none() {
        return;
    }
    let format = &FORMATS.iter().find(|format| format.name() == "plain").unwrap();
    let mut fast = ReadScratch::default();
    for line in [
        r"{}",
        r" { } ",
        r#"{"x":[],"y":{},"z":[[],[{}],{"a":[]}]}"#,
        r#"{"t":"a","t":"b","T":"c","t":null}"#,
        r#"{"ts":1732271667.1234567,"d":0.043118533,"status":"200"}"#,
        r#"{"ts":-0,"d":1e-7,"x":1E+10,"y":-0.0e5}"#,
        r#"{"u":"\/a?access_token=x\u0026q=y","ua":"a\"b\\c\u00e9\ud83d\ude00"}"#,
        r#"{"\u0074":"\u0000"}"#,
        r#"{"list":["a","b"],"all":[{"t":"x","ip":"1"},{"t":"y","ip":"2"},3],"ids":["-","","r",4]}"#,
        r#"{"text":"{\"p\":\"inner\"}","text":"[1]","text":"plain","text":" {\"p\":[\"-\",\"q\"]} "}"#,
        r#"{"records":"x","records":{},"id":true,"status":404,"k":"no","é":"ü"}"#,
        "{\r\n\t\"t\" : \"x\" ,\n \"y\":1 }",
        r#"{"x":12345678901234567890123,"headers":{"Authorization":"x","AUTHORIZATION":"y","user-agent":"z"}}"#,
    ] {
        assert!(both(format, line.as_bytes(), &mut fast), "{line}");
    }
    assert!(both(format, format!("\u{feff}{}\r\n", r#"{"t":"x"}"#).as_bytes(), &mut fast));
    let nested = format!(r#"{{"x":{}{},"t":"y"}}"#, "[".repeat(60), "]".repeat(60));
    assert!(both(format, nested.as_bytes(), &mut fast));
    // Strings, quotes and backslashes at every place of the pass's blocks.
    for length in 0..200 {
        let pad = "x".repeat(length);
        for middle in ["", "\\\\", "\\\"", "\\\\\\\"", "\\n", "\u{e9}"] {
            let line = format!(
                r#"{{"{pad}":"{pad}","x":"{pad}{middle}{pad}","y":"{middle}","ua":"{pad}{middle}","t":"z"}}"#
            );
            assert!(both(format, line.as_bytes(), &mut fast), "{line}");
        }
    }
}

/// Keys that the formats know, in letter cases and escapes of their own.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(vec![
            "t", "a", "b", "c", "h", "k", "u", "m", "d", "ts", "ua", "id", "ids", "ip", "all", "list", "text", "p", "q",
            "headers", "authorization", "Authorization", "user-agent", "status", "response", "records", "request", "uri",
            "url", "client_ip", "latencies", "kong", "started_at", "route", "service", "name", "key", "value", "a.b",
            "request.headers.authorization", "duration", "remote_ip", "category", "properties", "requestHeaders",
            "RequestHeaders", "time", "0", "\\u0074", "uuid", "resp_headers",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z_.0]{0,5}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~&&[^\"\\\\]]{0,12}",
        2 => "(Bearer )?eyJ[a-z]{0,4}\\.eyJ[a-z]{0,4}\\.[a-z]{0,4}",
        2 => proptest::sample::select(vec![
            "", "-", "null", " ", "skip", "no", "200", "REDACTED", "GatewayLogs", "/x?access_token=abc&q=d", "a=b; sid=x",
            "Basic eA==", "1732271667.5", "2026-11-22T10:34:27Z", "GET /a HTTP/1.1", "{", "[", "{}", "[]", "0a1b2c3d",
            "\\u00e9\\/\\n", "\\ud83d\\ude00", "\\ud800", "\\x41", "\\", "{\\\"t\\\":\\\"x\\\",\\\"p\\\":1}",
            "{\\\"headers\\\":{\\\"authorization\\\":\\\"y\\\"}}", "[{\\\"t\\\":\\\"z\\\"}]", "\u{e9}\u{1f600}", "\u{7f}", "\t",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has none", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?",
        "-?[0-9]{0,4}\\.?[0-9]{0,3}[eE]?[0-9+-]{0,2}",
        "1[67][0-9]{8}\\.[0-9]{1,9}",
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => Just(""), 2 => Just(" "), 1 => Just("\t"), 1 => Just("\n  ")]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        5 => text().prop_map(|text| format!("\"{text}\"")),
        3 => number(),
        1 => proptest::sample::select(vec!["true", "false", "null", "tru", "nulll", "", "-"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            (proptest::collection::vec((key(), space(), inner.clone(), space()), 0..5))
                .prop_map(|members| object(&members)),
            proptest::collection::vec((space(), inner), 0..4).prop_map(|elements| {
                let elements: Vec<String> =
                    elements.iter().map(|(space, value)| format!("{space}{value}{space}")).collect();
                format!("[{}]", elements.join(","))
            }),
        ]
    })
}

/// Two values, often of the same kind.
fn alike() -> impl Strategy<Value = (String, String)> {
    let quoted = || text().prop_map(|text| format!("\"{text}\""));
    prop_oneof![
        4 => (quoted(), quoted()),
        2 => (number(), number()),
        2 => (quoted(), quoted()).prop_map(|(one, other)| (format!("[{one}]"), format!("[{other}]"))),
        1 => value().prop_map(|value| (value.clone(), value)),
        1 => (value(), value()),
    ]
}

fn object(members: &[(String, &str, String, &str)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(key, before, value, after)| format!("{before}\"{key}\"{after}:{before}{value}{after}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn line() -> impl Strategy<Value = String> {
    (proptest::collection::vec((key(), space(), value(), space()), 0..10), space())
        .prop_map(|(members, space)| format!("{space}{}{space}", object(&members)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn lines_like_json_read_the_same(line in line()) {
        in_every_format(line.as_bytes());
    }

    #[test]
    fn damaged_lines_read_the_same(
        line in line(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, proptest::sample::select(b"\"\\{}[]:,01.eE-+ \ntfn\0\x1f\xc3\xa9\xff/u".to_vec())), 1..4),
    ) {
        let mut bytes = line.into_bytes();
        for (place, change, byte) in changes {
            let at = place.index(bytes.len() + 1);
            match change {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => { bytes.remove(at); }
                _ => bytes.truncate(at.max(1)),
            }
        }
        in_every_format(&bytes);
    }

    #[test]
    fn lines_behind_others_read_the_same(
        members in proptest::collection::vec((key(), space(), alike(), space()), 0..10),
        place in any::<prop::sample::Index>(),
        byte in proptest::sample::select(b"\"\\{}[]:,01.e \n\x1f\xa9x".to_vec()),
    ) {
        let line = |take: fn(&(String, String)) -> &String| {
            let members: Vec<_> =
                members.iter().map(|(key, before, value, after)| (key.clone(), *before, take(value).clone(), *after)).collect();
            object(&members).into_bytes()
        };
        let (one, other) = (line(|both| &both.0), line(|both| &both.1));
        let mut damaged = one.clone();
        let at = place.index(damaged.len());
        damaged[at] = byte;
        // Another format forgets the shapes of the one before.
        let mut fast = ReadScratch::default();
        for format in FORMATS.iter() {
            for line in [&one, &other, &damaged, &one] {
                both(format, line, &mut fast);
            }
        }
    }

    #[test]
    fn numbers_read_the_same(number in number()) {
        let plain = FORMATS.iter().find(|format| format.name() == "plain").unwrap();
        // As texts, numbers are compared to the last digit.
        for line in [format!(r#"{{"id":{number}}}"#), format!(r#"{{"x":{number},"ts":{number},"d":{number}}}"#)] {
            both(plain, line.as_bytes(), &mut ReadScratch::default());
        }
    }
}
