//! A part of the corpus: some consecutive tokens, all their uses, one log file.

use super::bank::Bank;
use super::dice::Dice;
use super::keyring::KeyRing;
use super::line::{self, Use};
use super::mint::{self, Minted};
use super::plan::{GenerateError, Plan, Summary};
use super::plant;
use super::spec::{self, Spec};
use super::world::World;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

/// Bytes of text that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;
/// Gateways that share the traffic.
pub(super) const GATEWAYS: u64 = 2;

/// What is common to all parts.
pub(super) struct Corpus<'c> {
    /// The plan.
    pub plan: &'c Plan,
    /// The organisation.
    pub world: &'c World,
    /// Its keys.
    pub ring: &'c KeyRing,
    /// Signatures to use again or to remember.
    pub bank: Option<&'c Bank>,
    /// Number of tokens.
    pub tokens: u64,
    /// Number of lines with a token.
    pub uses: u64,
    /// Tokens of a million that are misused.
    pub misuse_ppm: u64,
    /// See [`super::archive::unpublished_until`].
    pub unpublished_until: i64,
}

/// A part before it is written.
pub(super) struct Made<'c> {
    corpus: &'c Corpus<'c>,
    index: u64,
    tokens: Vec<Token<'c>>,
    requests: Vec<Request>,
}

/// What a part adds to the whole.
pub(super) struct Part {
    /// Its share of the numbers.
    pub summary: Summary,
    /// Its lines of `expected.jsonl`, in the order of the tokens.
    pub expected: String,
}

/// A token with its number of uses.
struct Token<'w> {
    spec: Spec<'w>,
    minted: Minted,
    uses: u64,
}

/// A request before it is written: when, and with which token of the part.
struct Request {
    at_ms: i64,
    number: u64,
    token: Option<usize>,
}

impl Corpus<'_> {
    /// Makes the tokens and the requests of a part. `health` are the numbers of its requests without a token.
    pub(super) fn make(
        &self,
        index: u64,
        tokens: Range<u64>,
        health: Range<u64>,
    ) -> Result<Made<'_>, GenerateError> {
        let tokens = self.tokens(tokens)?;
        let requests = self.requests(&tokens, health);
        Ok(Made { corpus: self, index, tokens, requests })
    }

    /// Makes the tokens of a part, on all cores.
    fn tokens(&self, range: Range<u64>) -> Result<Vec<Token<'_>>, GenerateError> {
        let first = range.start;
        let count = usize::try_from(range.end - range.start).unwrap_or(0);
        let banked = match self.bank {
            Some(bank) => bank.load(first, count)?,
            None => None,
        };
        let made: Result<Vec<Option<Token<'_>>>, GenerateError> = (0..count)
            .into_par_iter()
            .map(|place| {
                let index = first + u64::try_from(place).unwrap_or(0);
                let issued = spec::issued_at(self.world, index, self.tokens);
                let plant =
                    plant::plant_of(self.world, self.misuse_ppm, index, issued, self.unpublished_until);
                let Some(spec) = Spec::new(self.world, self.ring, index, issued, plant) else {
                    return Ok(None);
                };
                let banked = banked.as_ref().and_then(|banked| banked.get(place));
                let minted = mint::mint(self.world, self.ring, &spec, banked)?;
                Ok(Some(Token { spec, minted, uses: self.uses_of(index) }))
            })
            .collect();
        let tokens: Vec<Token<'_>> = made?.into_iter().flatten().collect();
        if let Some(bank) = self.bank {
            bank.store(first, tokens.iter().map(|token| &token.minted.banked))?;
        }
        Ok(tokens)
    }

    /// Number of uses before a token: an even share, moved between neighbours so that no two are alike.
    fn uses_before(&self, index: u64) -> u64 {
        let share = |index: u64| {
            let place = u128::from(self.uses) * u128::from(index) / u128::from(self.tokens.max(1));
            u64::try_from(place).unwrap_or(u64::MAX)
        };
        let even = share(index);
        if index.is_multiple_of(2) || index >= self.tokens {
            return even;
        }
        let room = (even - share(index - 1)).min(share(index + 1) - even) / 2;
        let mut dice = Dice::new(self.plan.seed, "uses", index);
        even - room + dice.below(2 * room + 1)
    }

    fn uses_of(&self, index: u64) -> u64 {
        self.uses_before(index + 1) - self.uses_before(index)
    }

    /// Every request of a part in order of time.
    fn requests(&self, tokens: &[Token<'_>], health: Range<u64>) -> Vec<Request> {
        let mut requests = Vec::new();
        for (place, token) in tokens.iter().enumerate() {
            let first = self.uses_before(token.spec.index);
            let mut dice = Dice::new(self.plan.seed, "uses-at", token.spec.index);
            let (from, until) = token.spec.used_ms;
            requests.extend((first..first + token.uses).map(|number| Request {
                at_ms: dice.between(from, until),
                number,
                token: Some(place),
            }));
        }
        let issued = |token: Option<&Token<'_>>| token.map_or(0, |token| (token.spec.iat + 300) * 1000);
        let (from, until) = (issued(tokens.first()), issued(tokens.last()));
        let mut dice = Dice::new(self.plan.seed, "health", health.start);
        requests.extend(health.map(|number| Request {
            at_ms: dice.between(from, until),
            number: self.uses + number,
            token: None,
        }));
        requests.sort_unstable_by_key(|request| (request.at_ms, request.number));
        requests
    }
}

impl Corpus<'_> {
    /// Whether a request lacks the token that it needs: one of twenty of those without, if misuse is planted.
    fn is_bare(&self, request: &Request) -> bool {
        self.misuse_ppm > 0 && request.token.is_none() && request.number % 20 == 3
    }
}

impl Made<'_> {
    /// Writes the part as a log file.
    pub(super) fn write_file(&self, logs: &Path) -> Result<Part, GenerateError> {
        let extension = if self.corpus.plan.gzip { "log.gz" } else { "log" };
        let path = logs.join(format!("{}-{:04}.{extension}", self.gateway(), self.index));
        Ok(self.part(self.write_log(&path).map_err(GenerateError::file(&path))?))
    }

    /// Writes the part as a piece of one log.
    pub(super) fn to_bytes(&self) -> Result<(Part, Vec<u8>), GenerateError> {
        let mut log = Vec::new();
        let bytes = self.write_lines(&mut log).map_err(GenerateError::file(Path::new("the log")))?;
        Ok((self.part(bytes), log))
    }

    fn gateway(&self) -> String {
        format!("edge-{:02}", self.index % GATEWAYS + 1)
    }

    /// What was planted, and how much was written.
    fn part(&self, bytes: u64) -> Part {
        let planted = || self.tokens.iter().filter(|token| token.spec.plant.is_some());
        let mut expected: String = planted().map(expected).collect();
        expected.push_str(&self.expected_bare());
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let summary = Summary {
            lines: count(self.requests.len()),
            bytes,
            files: 1,
            tokens: count(self.tokens.len()),
            planted: count(planted().count()),
            expected: count(expected.lines().count()),
        };
        Part { summary, expected }
    }

    /// What must be found about the requests without a token.
    fn expected_bare(&self) -> String {
        let bare = self.requests.iter().filter(|request| self.corpus.is_bare(request)).count();
        let Some(api) = self.corpus.world.apis.first().filter(|_| bare > 0) else { return String::new() };
        let line = json!({
            "rule": "token-absent",
            "token_sha256": null,
            "api": api.name,
            "outcome": "accepted",
            "count": bare,
            "planted": "token-absent",
        });
        format!("{line}\n")
    }

    fn write_log(&self, path: &Path) -> io::Result<u64> {
        let mut file = File::create_new(path)?;
        if self.corpus.plan.gzip {
            let mut encoder =
                GzEncoder::new(BufWriter::with_capacity(BUFFER_BYTES, file), Compression::fast());
            let bytes = self.write_lines(&mut encoder)?;
            encoder.finish()?.flush()?;
            return Ok(bytes);
        }
        self.write_lines(&mut file)
    }

    fn write_lines(&self, out: &mut impl Write) -> io::Result<u64> {
        let mut text = String::with_capacity(BUFFER_BYTES + (64 << 10));
        let (gateway, mut bytes) = (self.gateway(), 0);
        for request in &self.requests {
            let token = request.token.and_then(|place| self.tokens.get(place));
            let used = Use {
                at_ms: request.at_ms,
                number: request.number,
                gateway: &gateway,
                token: token.map(|token| (&token.spec, token.minted.text.as_str())),
                bare: self.corpus.is_bare(request),
                fixed: None,
            };
            line::write(self.corpus.world, &used, &mut text);
            if text.len() >= BUFFER_BYTES {
                out.write_all(text.as_bytes())?;
                bytes += u64::try_from(text.len()).unwrap_or(0);
                text.clear();
            }
        }
        out.write_all(text.as_bytes())?;
        Ok(bytes + u64::try_from(text.len()).unwrap_or(0))
    }
}

/// What must be found about a planted token: one line for each rule.
fn expected(token: &Token<'_>) -> String {
    let mut lines = String::new();
    let Some(plant) = token.spec.plant else { return lines };
    let of_v1 = if token.spec.v1 { plant.rules_of_v1 } else { &[] };
    for rule in plant.rules.iter().chain(of_v1) {
        let line = json!({
            "rule": rule,
            "token_sha256": token.minted.sha256,
            "api": token.spec.api.name,
            "outcome": "accepted",
            "count": token.uses,
            "planted": plant.name,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}
