//! The token bank: keys and signatures of a plan in one file, so that making the same tokens again costs no signing.
//!
//! Everything of a token but its signature follows from the seed. The file is one line of JSON (what the bank is for, and
//! the throwaway keys), then one line of a fixed length for each token: 16 hexadecimal digits of the SHA-256 of the text
//! that was signed, a space, the signature in base64url; blanks where the token has no signature of a key.

use super::keyring::KeyRing;
use super::mint::signature_characters;
use super::plan::{GenerateError, Plan};
use crate::codec::base64url;
use crate::redact;
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Digits of the check of what was signed.
const CHECK_DIGITS: usize = 16;

/// The signature of one token, as the bank holds it.
#[derive(Clone, Default)]
pub(super) struct Banked {
    check: String,
    signature: String,
}

impl Banked {
    /// A token without a signature of a key.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// A signature over a text.
    pub(super) fn new(signed: &[u8], signature: &[u8]) -> Self {
        Self { check: check(signed), signature: base64url::encode(signature) }
    }

    /// The signature, if it was made over this text.
    pub(super) fn signature_over(&self, signed: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        base64url::decode(self.signature.as_bytes(), &mut bytes);
        (self.check == check(signed) && !bytes.is_empty()).then_some(bytes)
    }

    fn line(&self, signature_characters: usize) -> String {
        format!("{:CHECK_DIGITS$} {:signature_characters$}\n", self.check, self.signature)
    }

    fn read(line: &str) -> Self {
        let (check, signature) = line.split_at_checked(CHECK_DIGITS).unwrap_or_default();
        Self { check: check.trim().to_owned(), signature: signature.trim().to_owned() }
    }
}

fn check(signed: &[u8]) -> String {
    let mut digits = redact::hex(digest::digest(&digest::SHA256, signed).as_ref());
    digits.truncate(CHECK_DIGITS);
    digits
}

/// A bank, open for reading or for writing.
pub(super) struct Bank {
    path: PathBuf,
    file: Mutex<File>,
    first_record: u64,
    signature_characters: usize,
    writes: bool,
}

/// What the tokens of a plan depend on.
fn parameters(plan: &Plan, tokens: u64) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "seed": plan.seed,
        "tokens": tokens,
        "misuse": plan.misuse,
        "format": plan.format.name(),
        "tenants": plan.tenants,
        "apis": plan.apis,
        "kids": plan.kids,
        "captures": plan.captures,
        "hours": plan.hours,
        "addresses": plan.addresses,
        "alg": plan.alg.name(),
    })
}

impl Bank {
    /// Opens the bank of a plan, or starts one. Gives the keys too, read or made.
    pub(super) fn open(plan: &Plan, path: &Path, tokens: u64) -> Result<(Self, KeyRing), GenerateError> {
        if path.exists() { Self::read(plan, path, tokens) } else { Self::start(plan, path, tokens) }
    }

    fn start(plan: &Plan, path: &Path, tokens: u64) -> Result<(Self, KeyRing), GenerateError> {
        let ring = KeyRing::make(plan)?;
        let keys: Vec<String> = ring.keys().iter().map(|key| base64url::encode(&key.pkcs8)).collect();
        let head = format!("{}\n", json!({ "token_bank": parameters(plan, tokens), "keys": keys }));
        let unfinished = unfinished(path);
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&unfinished)
            .map_err(GenerateError::file(&unfinished))?;
        file.write_all(head.as_bytes()).map_err(GenerateError::file(&unfinished))?;
        let bank = Self::new(plan, path, file, head.len(), true);
        Ok((bank, ring))
    }

    fn read(plan: &Plan, path: &Path, tokens: u64) -> Result<(Self, KeyRing), GenerateError> {
        let misfit = |why: &str| GenerateError::Bank { path: path.to_owned(), why: why.to_owned() };
        let mut reader = BufReader::new(File::open(path).map_err(GenerateError::file(path))?);
        let mut head = String::new();
        reader.read_line(&mut head).map_err(GenerateError::file(path))?;
        let parsed: Value = serde_json::from_str(&head).map_err(|_| misfit("this is no token bank"))?;
        let wanted = parameters(plan, tokens);
        if parsed.get("token_bank") != Some(&wanted) {
            return Err(misfit("this token bank was made for another plan"));
        }
        let keys = parsed.get("keys").and_then(Value::as_array).ok_or_else(|| misfit("it holds no keys"))?;
        let secrets = keys
            .iter()
            .map(|key| {
                let mut bytes = Vec::new();
                base64url::decode(key.as_str().unwrap_or("").as_bytes(), &mut bytes);
                bytes
            })
            .collect();
        let ring = KeyRing::read(plan, secrets)?;
        Ok((Self::new(plan, path, reader.into_inner(), head.len(), false), ring))
    }

    fn new(plan: &Plan, path: &Path, file: File, head_bytes: usize, writes: bool) -> Self {
        Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            first_record: u64::try_from(head_bytes).unwrap_or(0),
            signature_characters: signature_characters(plan.alg),
            writes,
        }
    }

    fn record_bytes(&self) -> usize {
        CHECK_DIGITS + self.signature_characters + 2
    }

    /// The remembered signatures of `count` tokens from `first` on; `None` while the bank is being written.
    pub(super) fn load(&self, first: u64, count: usize) -> Result<Option<Vec<Banked>>, GenerateError> {
        if self.writes {
            return Ok(None);
        }
        let mut bytes = vec![0; self.record_bytes() * count];
        self.at(first, |file| file.read_exact(&mut bytes))?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Some(text.lines().map(Banked::read).collect()))
    }

    /// Remembers the signatures of tokens from `first` on, while the bank is being written.
    pub(super) fn store<'b>(
        &self,
        first: u64,
        records: impl Iterator<Item = &'b Banked>,
    ) -> Result<(), GenerateError> {
        if !self.writes {
            return Ok(());
        }
        let text: String = records.map(|record| record.line(self.signature_characters)).collect();
        self.at(first, |file| file.write_all(text.as_bytes()))
    }

    fn at(
        &self,
        record: u64,
        act: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<(), GenerateError> {
        let offset = self.first_record + record * u64::try_from(self.record_bytes()).unwrap_or(0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| act(&mut file))
            .map_err(GenerateError::file(&self.path))
    }

    /// Gives a bank that was written its name.
    pub(super) fn finish(self) -> Result<(), GenerateError> {
        if self.writes {
            fs::rename(unfinished(&self.path), &self.path).map_err(GenerateError::file(&self.path))?;
        }
        Ok(())
    }
}

/// Name of a bank that is still being written.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}
