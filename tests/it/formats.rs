//! Every preset and a set of user formats, with sample lines and what they must give (`testdata/formats`).
//!
//! In the samples `{{token}}` and `{{other}}` stand for tokens that are made here. `TOKENTRAIL_BLESS=1` writes what was
//! read into the expectations, to be looked at before it is committed.

use bumpalo::Bump;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tokentrail::codec::base64url;
use tokentrail::record::{Detection, FormatSet, Framing, ReadScratch, Record, Reject, TimeIs, Unit, wrap};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/formats")
}

fn token(name: &str) -> String {
    let part = |text: &str| base64url::encode(text.as_bytes());
    format!(
        "{}.{}.{}",
        part(r#"{"typ":"JWT","alg":"RS256"}"#),
        part(&format!(r#"{{"aud":"{name}"}}"#)),
        part("not signed")
    )
}

fn with_tokens(text: &str) -> String {
    text.replace("{{token}}", &token("token")).replace("{{other}}", &token("other"))
}

fn without_tokens(text: &str) -> String {
    text.replace(&token("token"), "{{token}}").replace(&token("other"), "{{other}}")
}

/// What a unit gave, as the expectations spell it.
fn shown(result: &Result<(Unit, Record<'_>), Reject>) -> Value {
    let record = match result {
        Err(reject) => return json!({ "reject": reject.name() }),
        Ok((Unit::Ignored, _)) => return json!({ "ignored": true }),
        Ok((Unit::Record, record)) => record,
    };
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        out.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("time", record.time.map(|time| json!(time.at.to_string())));
    put("time_is", record.time.map(|time| json!(if time.is == TimeIs::Start { "start" } else { "end" })));
    put("duration_us", record.duration.map(|micros| json!(micros)));
    put("status", record.status.map(|status| json!(status)));
    put("grpc_status", record.grpc_status.map(|code| json!(code)));
    for (name, text) in [
        ("method", record.method),
        ("scheme", record.scheme),
        ("host", record.host),
        ("path", record.path),
        ("query", record.query),
        ("route", record.route),
        ("client_ip", record.client_ip),
        ("user_agent", record.user_agent),
        ("request_id", record.request_id),
        ("principal", record.principal),
        ("data_tenant", record.data_tenant),
        ("location", record.location),
    ] {
        put(name, text.map(|text| json!(without_tokens(text))));
    }
    put("presence", Some(json!(format!("{:?}", record.presence).to_lowercase())));
    let tokens: Vec<Value> =
        record.tokens.iter().map(|hit| json!([hit.place, without_tokens(hit.value), hit.at_cut])).collect();
    put("tokens", (!tokens.is_empty()).then(|| json!(tokens)));
    put("repaired", record.repaired.then_some(json!(true)));
    Value::Object(out)
}

/// The units of a stream: lines, or what the splitter cuts.
fn units(stream: &[u8], detection: &Detection) -> Vec<Result<Vec<u8>, Reject>> {
    if detection.framing == Framing::Lines {
        let body = stream.strip_suffix(b"\n").unwrap_or(stream);
        return body.split(|byte| *byte == b'\n').map(|line| Ok(line.to_vec())).collect();
    }
    let mut out = Vec::new();
    let mut splitter = wrap::Splitter::new(1 << 20);
    let mut emit =
        |span: wrap::Span, bytes: &[u8]| out.push(span.reject.map_or_else(|| Ok(bytes.to_vec()), Err));
    splitter.feed(stream, &mut emit);
    splitter.finish(false, &mut emit);
    out
}

fn read_all(stream: &[u8], detection: &Detection) -> Vec<Value> {
    let mut scratch = ReadScratch::default();
    units(stream, detection)
        .into_iter()
        .map(|unit| {
            let arena = Bump::new();
            match unit {
                Err(reject) => shown(&Err(reject)),
                Ok(unit) => shown(&detection.format.read(&unit, &arena, &mut scratch)),
            }
        })
        .collect()
}

fn check(set: &FormatSet, log: &Path, name: &str, forced: Option<&str>) {
    let stream = with_tokens(&fs::read_to_string(log).unwrap());
    let detection = set.detect(&log.display().to_string(), stream.as_bytes(), forced);
    assert_eq!(detection.format.name(), name, "{}: {}", log.display(), detection.reason);
    let lines: Vec<String> = read_all(stream.as_bytes(), &detection).iter().map(Value::to_string).collect();
    let expected = log.with_extension("expected.jsonl");
    if std::env::var_os("TOKENTRAIL_BLESS").is_some() {
        fs::write(&expected, lines.join("\n") + "\n").unwrap();
    }
    let wanted = fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(lines, wanted.lines().collect::<Vec<_>>(), "{}", log.display());
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(!logs.is_empty(), "{} has samples", folder.display());
    logs
}

#[test]
fn every_preset_reads_its_samples() {
    let set = FormatSet::load(None).unwrap();
    for name in set.names() {
        for log in logs(&samples().join(name)) {
            // The one preset that nothing can tell from another.
            let forced = (name == "apache-combined").then_some(name);
            check(&set, &log, name, forced);
        }
    }
}

#[test]
fn user_formats_read_their_samples() {
    let folder = samples().join("user");
    let set = FormatSet::load(Some(&folder.join("formats.toml"))).unwrap();
    for log in logs(&folder) {
        let name = log.file_stem().unwrap().to_str().unwrap().to_owned();
        check(&set, &log, &name, None);
    }
    let files: Vec<&str> = set.files().iter().map(|file| file.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(files, ["formats.toml", "nginx.conf"]);
    assert_eq!(set.sha256().unwrap().len(), 64);
    assert!(set.toml_of("shop").unwrap().starts_with("[format.shop]"));
}

#[test]
fn globs_come_before_everything_else() {
    let set = FormatSet::load(Some(&samples().join("user/formats.toml"))).unwrap();
    let kong = with_tokens(&fs::read_to_string(samples().join("kong/lines.log")).unwrap());
    assert_eq!(set.detect("logs/edge-kong/a.log", kong.as_bytes(), None).format.name(), "named_by_file");
    assert_eq!(set.detect("logs/other/a.log", kong.as_bytes(), Some("caddy")).format.name(), "caddy");
}

#[test]
fn presets_win_over_user_formats_that_do_not_fit() {
    let set = FormatSet::load(Some(&samples().join("user/formats.toml"))).unwrap();
    for name in FormatSet::load(None).unwrap().names() {
        for log in logs(&samples().join(name)) {
            if name != "apache-combined" {
                check(&set, &log, name, None);
            }
        }
    }
}

#[test]
fn unknown_json_over_many_lines_is_searched_by_element() {
    let set = FormatSet::load(None).unwrap();
    let stream = with_tokens(
        "[\n  {\n    \"at\": \"2026-11-22T10:34:27Z\",\n    \"auth\": \"{{token}}\"\n  },\n  {\n    \"x\": 1\n  }\n]\n",
    );
    let detection = set.detect("x.json", stream.as_bytes(), None);
    assert_eq!((detection.format.name(), detection.framing), ("scan", Framing::Elements));
    let read = read_all(stream.as_bytes(), &detection);
    assert_eq!(read[0]["time"], "2026-11-22T10:34:27Z");
    assert_eq!(read[0]["tokens"][0][1], "{{token}}");
    assert_eq!(read[1], json!({ "presence": "absent" }));
    let mixed = format!("{}text\n", stream.replace('\n', " ") + "\n");
    assert_eq!(set.detect("x.log", mixed.as_bytes(), None).framing, Framing::Lines);
}

#[test]
fn times_without_zone_are_reported() {
    let set = FormatSet::load(None).unwrap();
    let detection = set.detect("x", b"2026-11-22 10:34:27,118 hello\n", None);
    assert!(detection.notices.iter().any(|notice| notice.contains("time_zone=assumed")));
    assert!(set.detect("x", b"2026-11-22T10:34:27Z hello\n", None).notices.is_empty());
}

#[test]
fn masked_gateways_come_with_a_hint() {
    let set = FormatSet::load(None).unwrap();
    for name in ["apim", "kong", "caddy", "envoy-json", "nginx-combined"] {
        let hint = set.get(name).unwrap().hint().unwrap().to_owned();
        assert_eq!(hint.lines().count(), 1, "{name}");
    }
}

fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("formats.toml");
    fs::write(&file, text).unwrap();
    let error = FormatSet::load(Some(&file)).unwrap_err().to_string();
    error.rsplit_once("formats.toml:").unwrap().1.to_owned()
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, wanted) in [
        ("[format.edge]\ntokn = \"a\"\n", ["2:1", "did you mean `token`?"]),
        (
            "[format.edge]\ntoken = \"a\"\ntime = { path = \"t\", aas = \"epoch\" }\n",
            ["3:22", "did you mean `as`?"],
        ),
        ("[format.kong]\ntoken = \"a\"\n", ["1:9", "extends = \"kong\""]),
        ("[format.edge]\nextends = \"kng\"\n", ["2:11", "did you mean `kong`?"]),
        ("[format.edge]\ntoken = \"a[\"\n", ["2:9", "no path"]),
        ("[format.edge]\ntoken = [\"a\", \"jwt:x@y\"]\n", ["2:15", "no token source"]),
        ("[format.edge]\ntoken = \"a\"\ntime = { path = \"t\", as = \"epok\" }\n", ["3:27", "no time form"]),
        (
            "[format.edge]\ntoken = \"a\"\ntime = { path = \"t\", zone = \"Mars\" }\n",
            ["3:29", "no time zone"],
        ),
        ("[format.edge]\ntoken = \"a\"\nduration = { path = \"t\", unit = \"min\" }\n", ["3:33", "no unit"]),
        ("[format.edge]\nkind = \"nginx\"\ntemplate = '$a$b'\n", ["3:12", "character 3"]),
        ("[format.edge]\nkind = \"nginx\"\n", ["1:1", "needs `template`"]),
        ("[format.edge]\nkind = \"json\"\n", ["1:1", "needs `token`"]),
        ("[format.edge]\nkind = \"xml\"\n", ["2:8", "unknown variant"]),
        ("[format.edge\n", ["1:", "]"]),
        (
            "[format.edge]\nkind = \"nginx\"\ntemplate = '$status'\nrequest_id = \"$rid\"\n",
            ["4:14", "no `$rid`"],
        ),
    ] {
        let refusal = refusal(text);
        for part in wanted {
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }
}
