//! The signature check of aws-lc-rs with keys that were parsed before, alone: nothing is read, decoded or hashed twice.

use crate::Failure;
use crate::corpus::{self, Jwk, Line};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpu_time::ThreadTime;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// A verification that is left to do.
struct Job {
    /// The token up to its last dot.
    signed: String,
    signature: Vec<u8>,
    key: usize,
}

fn prepare(key: &Jwk) -> Result<(&'static str, ParsedPublicKey), Failure> {
    if key.n.is_empty() {
        let mut point = vec![4];
        point.extend(URL_SAFE_NO_PAD.decode(&key.x)?);
        point.extend(URL_SAFE_NO_PAD.decode(&key.y)?);
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|why| why.to_string())?;
        return Ok(("ES256", parsed));
    }
    let components =
        RsaPublicKeyComponents { n: URL_SAFE_NO_PAD.decode(&key.n)?, e: URL_SAFE_NO_PAD.decode(&key.e)? };
    let parsed =
        components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|why| why.to_string())?;
    Ok(("RS256", parsed))
}

/// The distinct tokens of the logs that name a known key and its algorithm.
fn jobs(logs: &[PathBuf], known: &HashMap<String, (usize, &'static str)>) -> Result<Vec<Job>, Failure> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut jobs = Vec::new();
    corpus::blocks(logs, |lines| {
        for token in lines.iter().filter_map(|line| Line::read(line)?.token()) {
            if seen.contains(token) {
                continue;
            }
            seen.insert(token.to_owned());
            jobs.extend(job(token, known));
        }
    })?;
    Ok(jobs)
}

fn job(token: &str, known: &HashMap<String, (usize, &'static str)>) -> Option<Job> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, _) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let (key, alg) = *known.get(&header.kid?)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    (header.alg == alg).then(|| Job { signed: signed.to_owned(), signature, key })
}

/// Verifies every distinct token once; CPU time is that of the verifications alone.
pub(crate) fn run(keys: &Path, logs: &[PathBuf]) -> Result<Value, Failure> {
    let (mut parsed, mut known) = (Vec::new(), HashMap::new());
    for (kid, key) in corpus::keys(keys)? {
        // Keys of 1024 bits and the like were planted; the library refuses them.
        let Ok((alg, key)) = prepare(&key) else { continue };
        known.insert(kid, (parsed.len(), alg));
        parsed.push(key);
    }
    let jobs = jobs(logs, &known)?;
    let start = ThreadTime::now();
    let valid =
        jobs.iter().filter(|job| parsed[job.key].verify_sig(job.signed.as_bytes(), &job.signature).is_ok());
    let valid = valid.count();
    Ok(json!({
        "peer": "parsed",
        "tokens": jobs.len(),
        "valid": valid,
        "cpu_s": start.elapsed().as_secs_f64(),
    }))
}
