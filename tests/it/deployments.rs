//! Runs every deployment of `testdata/deployments`: a believable gateway with its own log format, policy, key archive and
//! tokens, whose log is written, audited by the binary, and compared with what stands beside each request.

use crate::mint::{self, CaptureSpec, TokenSpec, merge, remove};
use crate::result::{Audited, audit_in, tokentrail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use tokentrail::rules::RULES;
use tokentrail::token::Token;

/// A deployment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    /// What stands where.
    about: String,
    policy: String,
    /// The `formats.toml`, where no preset reads the log.
    formats: Option<String>,
    /// Files that the policy names.
    #[serde(default)]
    files: BTreeMap<String, String>,
    captures: Vec<CaptureSpec>,
    log: Vec<LogSpec>,
    /// The good token.
    token: toml::Table,
    /// What stands in a line for `<name>`; `time` is written by `<time:FORMAT>`, as strftime has it.
    fields: toml::Table,
    request: Vec<RequestSpec>,
    /// What the run says about keys, gateways and requests without a token: `rule severity subject`, the API or outcome
    /// where there is no subject.
    #[serde(default)]
    run: Vec<String>,
    /// The archive as somebody left it later, which the audit refuses.
    #[serde(default)]
    edited: Vec<CaptureSpec>,
    /// What `keys check` says of it above info, like `run`.
    #[serde(default)]
    check: Vec<String>,
}

/// A log of the deployment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogSpec {
    /// Its path.
    file: String,
    /// The format that it is detected to have.
    format: String,
    /// A line; what stands in `<>` is filled in.
    line: String,
}

/// A token and its requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestSpec {
    name: String,
    /// Dotted names of what the token lacks: `claims.exp`.
    #[serde(default)]
    without: Vec<String>,
    /// How the token differs from the good one.
    #[serde(default)]
    token: toml::Table,
    #[serde(default)]
    fields: toml::Table,
    /// Each request, by its fields; one without any if there are none.
    #[serde(default)]
    uses: Vec<toml::Table>,
    /// The request whose token stands in the line for `<beside>`.
    beside: Option<String>,
    /// The log, [`BESIDE`] if the token has no line of its own, or [`EARLIER`]; if there is none, all of them: one hop writes
    /// after the other.
    log: Option<String>,
    /// Takes the place of the log's line.
    line: Option<String>,
    /// `rule severity` of every finding above info.
    expect: Vec<String>,
    /// Rules that say something of severity info.
    #[serde(default)]
    also: Vec<String>,
}

/// The log of a token that stands beside others only.
const BESIDE: &str = "only beside another";
/// The log of requests that an earlier audit saw, with which the run is compared; written like the first log.
const EARLIER: &str = "the night before";

#[test]
fn every_deployment_gives_what_stands_beside_its_requests() {
    let mut wrong = Vec::new();
    for (name, deployment) in deployments() {
        wrong.extend(deployment.differences().into_iter().map(|text| format!("{name}: {text}")));
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_speaks_in_a_deployment() {
    let all: Vec<Deployment> = deployments().into_values().collect();
    let requests = || all.iter().flat_map(|deployment| &deployment.request);
    let expected = requests().flat_map(|request| request.expect.iter().chain(&request.also));
    let expected =
        expected.chain(all.iter().flat_map(|deployment| deployment.run.iter().chain(&deployment.check)));
    let spoken: BTreeSet<&str> = expected.filter_map(|text| text.split(' ').next()).collect();
    let silent: Vec<&str> = RULES.iter().map(|rule| rule.id).filter(|id| !spoken.contains(id)).collect();
    assert!(silent.is_empty(), "no deployment shows {silent:?}");
}

#[test]
fn every_deployment_has_clean_requests_and_says_what_it_is() {
    for (name, deployment) in deployments() {
        let clean = deployment.request.iter().filter(|request| request.expect.is_empty()).count();
        assert!(clean >= 2, "{name}: {clean} clean requests");
        assert!(deployment.about.trim_end().ends_with('.'), "{name}: about?");
    }
}

fn deployments() -> BTreeMap<String, Deployment> {
    let files = fs::read_dir(mint::testdata("deployments")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let deployment = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, deployment)
    };
    files.map(read).collect()
}

impl Deployment {
    /// What was found and not expected, and the other way round.
    fn differences(&self) -> Vec<String> {
        let tokens = self.tokens();
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path(), &tokens);
        let mut args: Vec<OsString> =
            ["--keys", "keys", "--policy", "policy.toml"].map(OsString::from).into();
        if self.formats.is_some() {
            args.extend(["--formats", "formats.toml"].map(OsString::from));
        }
        let earlier = self.looks_back().then(|| {
            let inputs = args.iter().cloned().chain(["earlier".into()]);
            audit_in(folder.path(), inputs)
        });
        if let Some(earlier) = &earlier {
            args.extend(["--baseline".into(), earlier.path("").into()]);
        }
        args.push("logs".into());
        let audited = audit_in(folder.path(), args);
        assert_eq!(audited.exit, 0, "{}", audited.stderr);
        let mut wrong = self.misread(&audited);
        wrong.extend(leak(&audited, &tokens));
        let mut found = Found::of(&audited);
        for (token, findings) in earlier.iter().flat_map(|earlier| Found::of(earlier).tokens) {
            found.tokens.entry(token).or_default().extend(findings);
        }
        for (request, token) in self.request.iter().zip(&tokens) {
            let found = found.tokens.remove(&Token::parse(token).fingerprint.hex()).unwrap_or_default();
            let (infos, mut more): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|text| text.ends_with(" info"));
            let mut expected = request.expect.clone();
            expected.sort();
            more.sort();
            if expected != more {
                wrong.push(format!("{}: expected {expected:?}, found {more:?}", request.name));
            }
            let silent = request.also.iter().filter(|rule| !infos.contains(&format!("{rule} info")));
            wrong.extend(silent.map(|rule| format!("{}: {rule} is silent: {infos:?}", request.name)));
        }
        let mut expected = self.run.clone();
        expected.sort();
        found.run.sort();
        if expected != found.run {
            wrong.push(format!("the run: expected {expected:?}, found {:?}", found.run));
        }
        assert!(found.tokens.is_empty(), "findings about tokens that nobody minted: {:?}", found.tokens);
        if !self.edited.is_empty() {
            wrong.extend(self.edited_differences(folder.path()));
        }
        wrong
    }

    /// Likewise for the edited archive.
    fn edited_differences(&self, folder: &Path) -> Option<String> {
        let keys = folder.join("edited-keys");
        fs::create_dir(&keys).unwrap();
        mint::write_archive(&keys, &self.edited);
        let audited = audit_in(folder, ["--keys", "edited-keys", "logs"]);
        assert_eq!(audited.exit, 2, "{}", audited.stderr);
        let mut check = tokentrail();
        let output = check.args(["keys", "check", "--format", "json", "--keys"]).arg(&keys).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |finding: &Value| {
            let parts = ["rule", "severity", "subject"].map(|name| finding[name].as_str().unwrap());
            parts.join(" ")
        };
        let findings = report["findings"].as_array().unwrap().iter();
        let mut found: Vec<String> =
            findings.filter(|finding| finding["severity"] != "info").map(text).collect();
        found.sort();
        (found != self.check).then(|| format!("keys check: expected {:?}, found {found:?}", self.check))
    }

    /// The token of each request.
    fn tokens(&self) -> Vec<String> {
        let mint = |(number, request): (usize, &RequestSpec)| {
            let mut token = self.token.clone();
            if let Some(uti) = token["claims"].get_mut("uti") {
                *uti = format!("TestOnlyUti_{number:010}").into();
            }
            for path in &request.without {
                remove(&mut token, path);
            }
            merge(&mut token, &request.token);
            mint::dates_to_seconds(&mut token);
            let spec: TokenSpec =
                token.try_into().unwrap_or_else(|error| panic!("{}: token: {error}", request.name));
            spec.mint()
        };
        let tokens: Vec<String> = self.request.iter().enumerate().map(mint).collect();
        let distinct: BTreeSet<&String> = tokens.iter().collect();
        assert_eq!(distinct.len(), tokens.len(), "two requests have one token");
        tokens
    }

    /// Writes policy, formats, keys and logs.
    fn write(&self, folder: &Path, tokens: &[String]) {
        fs::write(folder.join("policy.toml"), &self.policy).unwrap();
        if let Some(formats) = &self.formats {
            fs::write(folder.join("formats.toml"), formats).unwrap();
        }
        for (name, text) in &self.files {
            fs::write(folder.join(name), text.trim_start()).unwrap();
        }
        fs::create_dir(folder.join("keys")).unwrap();
        mint::write_archive(&folder.join("keys"), &self.captures);
        let known =
            |name: &String| name == BESIDE || name == EARLIER || self.log.iter().any(|log| log.file == *name);
        assert!(self.request.iter().all(|request| request.log.as_ref().is_none_or(known)), "an unknown log");
        for log in &self.log {
            let here = |name: Option<&str>| name.is_none_or(|name| name == log.file);
            self.write_log(&folder.join("logs"), log, tokens, here);
        }
        if let Some(first) = self.log.first().filter(|_| self.looks_back()) {
            self.write_log(&folder.join("earlier"), first, tokens, |name| name == Some(EARLIER));
        }
    }

    /// Writes the lines of the requests whose log is wanted.
    fn write_log(
        &self,
        folder: &Path,
        log: &LogSpec,
        tokens: &[String],
        wanted: impl Fn(Option<&str>) -> bool,
    ) {
        let path = folder.join(&log.file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let requests = self.request.iter().zip(tokens);
        let here = requests.filter(|(request, _)| wanted(request.log.as_deref()));
        let lines = here.flat_map(|(request, token)| self.lines(log, request, token, tokens));
        fs::write(path, lines.collect::<String>()).unwrap();
    }

    /// True if an earlier audit is there to compare with.
    fn looks_back(&self) -> bool {
        self.request.iter().any(|request| request.log.as_deref() == Some(EARLIER))
    }

    /// The lines of a request in a log.
    fn lines(&self, log: &LogSpec, request: &RequestSpec, token: &str, tokens: &[String]) -> Vec<String> {
        let beside = request.beside.as_ref().map(|name| {
            let at = self.request.iter().position(|other| other.name == *name);
            &tokens[at.unwrap_or_else(|| panic!("no request is called {name}"))]
        });
        let mut common = self.fields.clone();
        merge(&mut common, &request.fields);
        let one = [toml::Table::new()];
        let uses = if request.uses.is_empty() { &one[..] } else { &request.uses };
        let line = |uses: &toml::Table| {
            let mut fields = common.clone();
            merge(&mut fields, uses);
            fields.insert("token".to_owned(), token.into());
            if let Some(beside) = beside {
                fields.insert("beside".to_owned(), beside.as_str().into());
            }
            filled(request.line.as_ref().unwrap_or(&log.line).trim_end(), &fields) + "\n"
        };
        uses.iter().map(line).collect()
    }

    /// Logs of which a line was not read, or was read in another format.
    fn misread(&self, audited: &Audited) -> Vec<String> {
        let run = audited.run();
        let mut wrong = Vec::new();
        for log in &self.log {
            let uri = format!("logs/{}", log.file);
            let input = run["inputs"].as_array().unwrap().iter().find(|input| input["source"] == *uri);
            let input = input.unwrap_or_else(|| panic!("{uri} is not in run.json: {:#}", run["inputs"]));
            if input["format"]["name"] != *log.format {
                wrong.push(format!("{uri}: read as {}", input["format"]));
            }
            if input["records"] != input["lines"] {
                wrong.push(format!("{uri}: {} records of {} lines", input["records"], input["lines"]));
            }
        }
        let rejects = audited.rows("rejects");
        wrong.extend(rejects.iter().map(|reject| format!("a reject: {reject:?}")));
        wrong
    }
}

/// The file in which a part of a token stands, if there is one.
fn leak(audited: &Audited, tokens: &[String]) -> Option<String> {
    let parts: Vec<&str> =
        tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() >= 16).collect();
    let tables = audited.tables().into_keys().map(|name| (format!("{:?}", audited.rows(&name)), name));
    let texts = [(audited.run().to_string(), "run.json"), (audited.stderr.clone(), "standard error")];
    let mut all = tables.chain(texts.map(|(text, name)| (text, name.to_owned())));
    let found = all.find(|(text, _)| parts.iter().any(|part| text.contains(part)));
    found.map(|(_, name)| format!("a part of a token stands in {name}"))
}

/// What an audit found.
struct Found {
    /// `rule severity` of each finding, by token.
    tokens: BTreeMap<String, Vec<String>>,
    /// `rule severity subject` of each finding about no token.
    run: Vec<String>,
}

impl Found {
    fn of(audited: &Audited) -> Self {
        let mut found = Self { tokens: BTreeMap::new(), run: Vec::new() };
        for row in audited.rows("findings") {
            let text = format!("{} {}", row["rule"], row["severity"]);
            if let Some(token) = row.get("token_sha256") {
                found.tokens.entry(token.clone()).or_default().push(text);
            } else {
                let about = row.get("subject").or(row.get("api")).or(row.get("outcome"));
                found.run.push(format!("{text} {}", about.unwrap()));
            }
        }
        found
    }
}

/// A line with its fields filled in, also into one another.
fn filled(line: &str, fields: &toml::Table) -> String {
    let mut text = line.to_owned();
    // A field may hold another one, as the header does the token.
    for _ in 0..2 {
        for (name, value) in fields {
            let value = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                _ => continue,
            };
            text = text.replace(&format!("<{name}>"), &value);
        }
    }
    let Some(toml::Value::Datetime(time)) = fields.get("time") else { return text };
    let time: jiff::Timestamp = time.to_string().parse().unwrap();
    while let Some(start) = text.find("<time:") {
        let end = start + text[start..].find('>').unwrap();
        let written = time.strftime(&text[start + "<time:".len()..end]).to_string();
        text.replace_range(start..=end, &written);
    }
    text
}
