//! The loop that one would write: parse the line, decode the token, count.

use crate::Failure;
use crate::corpus::{self, Jwk, Line};
use cpu_time::ProcessTime;
use dashmap::DashMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rayon::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The claims that an audit wants at the least.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    exp: Option<i64>,
}

/// Keys that are prepared once, with what is allowed to be signed with them.
pub(crate) struct Keys {
    by_kid: HashMap<String, (DecodingKey, Validation)>,
}

impl Keys {
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let by_kid: Result<HashMap<_, _>, Failure> =
            corpus::keys(path)?.into_iter().map(|(kid, key)| Ok((kid, prepare(&key)?))).collect();
        Ok(Self { by_kid: by_kid? })
    }

    /// The claims of a token whose signature is right. Padding, which RFC 7515 leaves off and some issuers do not, is taken
    /// off, so that the verdicts are the tool's.
    pub(crate) fn claims<C: DeserializeOwned>(&self, token: &str) -> Option<C> {
        let token = token.trim_end_matches('=');
        let verified = |(key, validation): &(DecodingKey, Validation)| {
            Some(decode::<C>(token, key, validation).ok()?.claims)
        };
        match decode_header(token).ok()?.kid {
            Some(kid) => self.by_kid.get(&kid).and_then(verified),
            None => self.by_kid.values().find_map(verified),
        }
    }

    fn judge(&self, token: &str) -> bool {
        let claims: Option<Claims> = self.claims(token);
        claims.map(|claims| black_box((claims.iss, claims.sub, claims.exp))).is_some()
    }
}

fn prepare(key: &Jwk) -> Result<(DecodingKey, Validation), Failure> {
    use Algorithm::{ES256, PS256, PS384, PS512, RS256, RS384, RS512};
    let (key, algorithms) = if key.n.is_empty() {
        (DecodingKey::from_ec_components(&key.x, &key.y)?, vec![ES256])
    } else {
        (DecodingKey::from_rsa_components(&key.n, &key.e)?, vec![RS256, RS384, RS512, PS256, PS384, PS512])
    };
    let mut validation = Validation::new(ES256);
    validation.algorithms = algorithms;
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    Ok((key, validation))
}

/// Lines, tokens, and valid ones.
type Counts = [u64; 3];

fn line(bytes: &[u8], keys: &Keys, cache: Option<&DashMap<String, bool>>) -> Counts {
    let Some(line) = Line::read(bytes) else { return [1, 0, 0] };
    black_box((line.ts, line.status, line.host, line.url));
    let Some(token) = line.token() else { return [1, 0, 0] };
    let valid = match cache {
        None => keys.judge(token),
        Some(cache) => match cache.get(token).map(|verdict| *verdict) {
            Some(verdict) => verdict,
            None => {
                let verdict = keys.judge(token);
                cache.insert(token.to_owned(), verdict);
                verdict
            }
        },
    };
    [1, 1, u64::from(valid)]
}

fn add(a: Counts, b: Counts) -> Counts {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Runs the loop; CPU and wall time are those of the whole process.
pub(crate) fn run(keys: &Path, logs: &[PathBuf], cached: bool, threads: usize) -> Result<Value, Failure> {
    let start = Instant::now();
    let keys = Keys::load(keys)?;
    let cache = cached.then(DashMap::new);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut counts = [0; 3];
    corpus::blocks(logs, |lines| {
        let block = pool.install(|| {
            lines.par_iter().map(|bytes| line(bytes, &keys, cache.as_ref())).reduce(|| [0; 3], add)
        });
        counts = add(counts, block);
    })?;
    Ok(json!({
        "peer": if cached { "naive --cache" } else { "naive" },
        "lines": counts[0],
        "tokens": counts[1],
        "valid": counts[2],
        "cached": cache.map_or(0, |cache| cache.len()),
        "cpu_s": ProcessTime::now().as_duration().as_secs_f64(),
        "wall_s": start.elapsed().as_secs_f64(),
    }))
}
