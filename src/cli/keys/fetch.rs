//! `keys fetch`: captures key documents over HTTPS, and records what was asked and what came of it (rules.md 4.4).

mod address;
mod http;
mod targets;

use crate::cli::args::{FetchArgs, Listing};
use crate::cli::console;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Outcome};
use http::{Answer, Client, Trouble};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;
use targets::{Target, targets};
use tokentrail::keys::{CaptureTime, Document, KeysError, Writer};
use tokentrail::redact;
use tokentrail::sink::{Align, counted, table, visible};
use ureq::http::Uri;

/// What became of one source.
#[derive(Serialize)]
struct Row {
    /// The key document's address.
    source: String,
    /// `new`, `unchanged` or `failed`.
    result: &'static str,
    captured_at: String,
    /// A code of HTTP, or a word.
    status: Value,
    keys: Option<usize>,
    file: Option<String>,
    error: Option<String>,
}

/// A source that was asked.
struct Capture {
    source: String,
    time: CaptureTime,
    /// The line's members that tell how it went.
    members: Map<String, Value>,
    /// The key document and the number of its keys.
    body: Result<(Vec<u8>, usize), Trouble>,
    /// The openid-configuration that led to it.
    metadata: Option<Metadata>,
}

struct Metadata {
    time: CaptureTime,
    members: Map<String, Value>,
    body: Vec<u8>,
}

/// Captures every source once.
pub(super) fn run(args: &FetchArgs, console: Console) -> Outcome {
    let targets = targets(&args.sources, &args.keys)?;
    let client = Client::new(args.ca_file.as_deref(), Duration::from_secs(args.timeout), args.retries)?;
    // An archive that cannot be written is told before anybody is asked.
    drop(Writer::open(&args.keys).map_err(Failure::output)?);
    let mut rows = Vec::new();
    for target in targets {
        console.detail(&format!("asking {}\n", shown(&target.address.to_string())));
        let capture = capture(&client, &target);
        // Recorded one by one, so that a run that is stopped keeps what it had; meanwhile others may write.
        let (row, notice) = record(&args.keys, capture).map_err(Failure::output)?;
        if let Some(notice) = notice {
            console.note(&format!("note: {}\n", shown(&notice)));
        }
        if let Some(error) = &row.error {
            console::say(&format!("failed: {}: {}\n", shown(&row.source), shown(error)));
        }
        rows.push(row);
    }
    match args.listing.format {
        Listing::Json => console::print_json(&rows)?,
        Listing::Table if console.quiet => Exit::Clean,
        Listing::Table => console::print(&listing(&rows))?,
    };
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    if failed == 0 {
        return Ok(Exit::Clean);
    }
    let failed = counted(u64::try_from(failed).unwrap_or(u64::MAX), "source");
    console.note(&format!("{failed} of {} failed; that is recorded too\n", rows.len()));
    Ok(Exit::Incomplete)
}

/// Asks for a source's openid-configuration and the key document that it names, or for the key document alone.
fn capture(client: &Client, target: &Target) -> Capture {
    let answer = client.get(&target.address);
    let (time, mut members) = (answer.time, members(&answer));
    let asked = target.address.to_string();
    let parsed = answer.body.and_then(|body| match Document::parse(&body) {
        Ok(document) => Ok((body, document)),
        Err(why) => Err(Trouble::new("malformed", why)),
    });
    let trouble = match parsed {
        Ok((body, Document::Keys(keys))) => {
            return Capture { source: asked, time, members, body: Ok((body, keys.len())), metadata: None };
        }
        Ok((body, Document::Metadata { issuer, jwks_uri, .. })) => {
            match keys_address(target, issuer.as_deref(), &jwks_uri) {
                Ok(address) => {
                    return key_document(client, &address, Metadata { time, members, body }, &target.address);
                }
                Err(why) => Trouble::new("metadata", why),
            }
        }
        Err(trouble) => trouble,
    };
    let source = target.source.clone();
    if source == asked {
        return Capture { source, time, members, body: Err(trouble), metadata: None };
    }
    members.insert("metadata_url".to_owned(), asked.into());
    let trouble = Trouble::new(trouble.status, format!("openid-configuration: {}", trouble.reason));
    Capture { source, time, members, body: Err(trouble), metadata: None }
}

/// The key document that metadata named.
fn key_document(client: &Client, address: &Uri, metadata: Metadata, asked: &Uri) -> Capture {
    let answer = client.get(address);
    let mut members = members(&answer);
    members.insert("metadata_url".to_owned(), asked.to_string().into());
    let body = answer.body.and_then(|body| match Document::parse(&body) {
        Ok(Document::Keys(keys)) => Ok((body, keys.len())),
        Ok(Document::Metadata { .. }) => Err(Trouble::new("malformed", "no `keys` in it")),
        Err(why) => Err(Trouble::new("malformed", why)),
    });
    Capture { source: address.to_string(), time: answer.time, members, body, metadata: Some(metadata) }
}

/// Where the keys are, if the metadata may say so. Whoever serves it must not speak for another issuer, nor give another's keys
/// for its own.
fn keys_address(target: &Target, issuer: Option<&str>, jwks_uri: &str) -> Result<Uri, String> {
    let asked = &target.address;
    if let Some(issuer) = issuer {
        // A template's braces are no address.
        let plain = issuer.replace(['{', '}'], "");
        let own = address::https(&plain).is_ok_and(|issuer| address::same_owner(asked, &issuer));
        if !own {
            return Err(format!("its issuer {issuer} is not of the host that serves it"));
        }
    }
    let keys = address::https(jwks_uri).map_err(|why| format!("its jwks_uri {jwks_uri} is {why}"))?;
    let host = address::host(&keys);
    let allowed = target.key_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
    if allowed || address::same_owner(asked, &keys) {
        return Ok(keys);
    }
    Err(format!("its jwks_uri is on another host; if {host} is right, allow it with --key-host {host}"))
}

/// What the line of a capture says beside time, source and document.
fn members(answer: &Answer) -> Map<String, Value> {
    let mut members = Map::from_iter([
        ("tool".to_owned(), concat!("tokentrail ", env!("CARGO_PKG_VERSION")).into()),
        ("status".to_owned(), 200.into()),
    ]);
    if !answer.headers.is_empty() {
        members.insert("headers".to_owned(), answer.headers.clone().into());
    }
    if answer.attempts > 1 {
        members.insert("attempts".to_owned(), answer.attempts.into());
    }
    if let Some(address) = &answer.redirected_to {
        members.insert("redirected_to".to_owned(), address.clone().into());
    }
    members
}

/// Writes a capture into the archive. Gives what became of it, and what was put right on the way.
fn record(archive: &Path, capture: Capture) -> Result<(Row, Option<String>), KeysError> {
    let Capture { source, time, mut members, body, metadata } = capture;
    let mut writer = Writer::open(archive)?;
    let mut notice = None;
    if let Some(metadata) = metadata.filter(|metadata| !writer.holds(&metadata.body, &source)) {
        notice = writer.add(&metadata.body, metadata.time, Some(&source), metadata.members)?.notice;
    }
    let mut row = Row {
        source,
        result: "failed",
        captured_at: time.start.to_string(),
        status: 200.into(),
        keys: None,
        file: None,
        error: None,
    };
    match body {
        Ok((body, keys)) => {
            let added = writer.add(&body, time, Some(&row.source), members)?;
            row.result = if added.copied { "new" } else { "unchanged" };
            row.keys = Some(keys);
            row.file = Some(added.file);
            notice = notice.or(added.notice);
        }
        Err(Trouble { status, reason }) => {
            let reason = redact::cell(&reason, &[]).into_owned();
            members.insert("error".to_owned(), json!(reason));
            notice = writer.fail(status.clone(), time, &row.source, members)?.or(notice);
            (row.status, row.error) = (status, Some(reason));
        }
    }
    Ok((row, notice))
}

fn listing(rows: &[Row]) -> String {
    let titles = ["source", "result", "status", "keys", "document"];
    let cells = rows.iter().map(|row| {
        let status = row.status.as_str().map_or_else(|| row.status.to_string(), str::to_owned);
        let keys = row.keys.map(|keys| keys.to_string()).unwrap_or_default();
        let source = redact::cell(&row.source, &[]).into_owned();
        vec![source, row.result.to_owned(), status, keys, row.file.clone().unwrap_or_default()]
    });
    table(
        &titles.map(|title| (title, if title == "keys" { Align::Right } else { Align::Left })),
        &cells.collect::<Vec<_>>(),
    )
}

/// A server's words, fit for a terminal.
fn shown(text: &str) -> String {
    visible(&redact::cell(text, &[])).into_owned()
}
