//! The loop again, doing with the usual libraries what the tool does at the least: it reads every field that the format
//! maps and every claim, finds the API in the policy, checks audience, tenant and times, and writes two tables, of the
//! tokens and of their uses by hour, API, address and outcome.
//!
//! What it still leaves out: which key was published when, all other rules, redaction, occurrences, sorting, and that
//! hostile tokens must not cost more than others.

use crate::Failure;
use crate::corpus;
use crate::naive::Keys;
use crate::tables::{self, Activity, Tables, TokenRow, Use};
use aws_lc_rs::digest::{SHA256, digest};
use cpu_time::ProcessTime;
use dashmap::DashMap;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Seconds by which clocks may differ.
const SKEW: i64 = 300;

/// Every field that the tool's format maps.
#[derive(Deserialize)]
struct Line<'l> {
    ts: i64,
    dur_ms: u64,
    rid: &'l str,
    client: &'l str,
    method: &'l str,
    scheme: &'l str,
    host: &'l str,
    url: &'l str,
    status: u16,
    #[serde(borrow)]
    headers: Headers<'l>,
    principal: Option<&'l str>,
}

#[derive(Deserialize)]
struct Headers<'l> {
    authorization: Option<&'l str>,
    #[serde(rename = "user-agent")]
    user_agent: Option<&'l str>,
}

#[derive(Deserialize)]
struct PolicyFile {
    tenancy: Tenancy,
    api: Vec<Api>,
}

#[derive(Deserialize)]
struct Tenancy {
    allowed: Vec<String>,
}

#[derive(Deserialize)]
struct Api {
    name: String,
    hosts: Vec<String>,
    paths: Vec<String>,
    audiences: Vec<String>,
}

/// The APIs by their hosts, `*.` left off.
struct Policy {
    file: PolicyFile,
    by_host: HashMap<String, Vec<usize>>,
}

impl Policy {
    fn load(path: &Path) -> Result<Self, Failure> {
        let file: PolicyFile = toml::from_str(&fs::read_to_string(path)?)?;
        let mut by_host: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, api) in file.api.iter().enumerate() {
            for host in &api.hosts {
                by_host.entry(host.trim_start_matches("*.").to_owned()).or_default().push(at);
            }
        }
        Ok(Self { file, by_host })
    }

    /// The place of the API that a request belongs to.
    fn api(&self, host: &str, path: &str) -> Option<usize> {
        let below = || self.by_host.get(host.split_once('.')?.1);
        let matches = |at: &&usize| {
            let paths = &self.file.api[**at].paths;
            paths.iter().any(|pattern| path.starts_with(pattern.trim_end_matches("**")))
        };
        self.by_host.get(host).or_else(below)?.iter().find(matches).copied()
    }
}

/// What is known of a token, whatever its requests are.
struct Token {
    sha256: [u8; 32],
    /// `None` if its signature is wrong.
    claims: Option<Map<String, Value>>,
}

impl Token {
    fn new(text: &str, keys: &Keys) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self { sha256, claims: keys.claims(text) }
    }

    /// True if the claims fit the request.
    fn fits(&self, api: Option<&Api>, allowed: &[String], at: i64) -> bool {
        let Some(claims) = &self.claims else { return false };
        let within = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| at <= exp + SKEW)
            && claims.get("nbf").and_then(Value::as_i64).is_none_or(|nbf| at >= nbf - SKEW);
        let listed = |wanted: &[String], name: &str| {
            let value = claims.get(name).and_then(Value::as_str);
            value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        };
        within && listed(allowed, "tid") && api.is_none_or(|api| listed(&api.audiences, "aud"))
    }
}

/// Everything that the threads share.
struct Audit {
    keys: Keys,
    policy: Policy,
    cache: Option<DashMap<String, Arc<Token>>>,
    /// One a thread.
    tables: Vec<Mutex<Tables>>,
}

impl Audit {
    fn token(&self, text: &str) -> Arc<Token> {
        let Some(cache) = &self.cache else { return Arc::new(Token::new(text, &self.keys)) };
        if let Some(known) = cache.get(text) {
            return Arc::clone(&known);
        }
        let token = Arc::new(Token::new(text, &self.keys));
        cache.insert(text.to_owned(), Arc::clone(&token));
        token
    }

    fn line(&self, bytes: &[u8], tables: &mut Tables) {
        tables.lines += 1;
        let Ok(line) = serde_json::from_slice::<Line>(bytes) else { return };
        black_box((line.dur_ms, line.rid, line.method, line.scheme, line.headers.user_agent, line.principal));
        let Some(text) = line.headers.authorization.and_then(|text| text.strip_prefix("Bearer ")) else {
            return;
        };
        let token = self.token(text);
        let path = line.url.split('?').next().unwrap_or_default();
        let api = self.policy.api(line.host, path);
        let policy = &self.policy.file;
        tables.tokens_used += 1;
        tables.valid += u64::from(token.claims.is_some());
        tables.unfit +=
            u64::from(!token.fits(api.map(|at| &policy.api[at]), &policy.tenancy.allowed, line.ts / 1000));
        let used = Use { at: line.ts, status: line.status };
        let key = Activity {
            hour: line.ts.div_euclid(3_600_000),
            sha256: token.sha256,
            api,
            client_ip: line.client.parse().ok(),
            outcome: tables::outcome(line.status),
        };
        tables.activity.entry(key).or_default().add(used);
        let row = tables.tokens.entry(token.sha256).or_insert_with(|| TokenRow::new(token.claims.as_ref()));
        row.uses.add(used);
    }
}

/// Runs the loop over the logs of a corpus, and writes the tables to a folder; CPU and wall time are those of the whole
/// process.
pub(crate) fn run(
    corpus: &Path,
    out: &Path,
    logs: &[PathBuf],
    cached: bool,
    threads: usize,
) -> Result<Value, Failure> {
    let start = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let audit = Audit {
        keys: Keys::load(&corpus.join("keys"))?,
        policy: Policy::load(&corpus.join("policy.toml"))?,
        cache: cached.then(DashMap::new),
        tables: (0..pool.current_num_threads()).map(|_| Mutex::default()).collect(),
    };
    corpus::blocks(logs, |lines| {
        pool.install(|| {
            lines.par_chunks(256).for_each(|lines| {
                let mine = rayon::current_thread_index().unwrap_or_default();
                let mut tables = audit.tables[mine].lock().expect("a thread does not wait for itself");
                lines.iter().for_each(|bytes| audit.line(bytes, &mut tables));
            });
        });
    })?;
    let tables = audit.tables.into_iter().map(|tables| tables.into_inner().expect("no thread panicked"));
    let tables = tables.reduce(Tables::merged).unwrap_or_default();
    let names: Vec<&str> = audit.policy.file.api.iter().map(|api| api.name.as_str()).collect();
    fs::create_dir_all(out)?;
    tables.write(out, &names)?;
    Ok(json!({
        "peer": if cached { "equal --cache" } else { "equal" },
        "lines": tables.lines,
        "tokens": tables.tokens_used,
        "valid": tables.valid,
        "unfit": tables.unfit,
        "distinct": tables.tokens.len(),
        "rows": tables.activity.len(),
        "cpu_s": ProcessTime::now().as_duration().as_secs_f64(),
        "wall_s": start.elapsed().as_secs_f64(),
    }))
}
