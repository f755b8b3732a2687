//! `inspect`: one token from standard input, its header, its claims and what its signature is worth.

use super::args::{InspectArgs, Listing};
use super::console;
use super::exit::{Failure, Outcome};
use super::keys;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, Read};
use tokentrail::codec::json::Object;
use tokentrail::keys::KeyHistory;
use tokentrail::keys::KeyId;
use tokentrail::keys::Presence;
use tokentrail::keys::Standing;
use tokentrail::redact;
use tokentrail::sink::visible;
use tokentrail::time::UtcMicros;
use tokentrail::token::Claims;
use tokentrail::token::Form;
use tokentrail::token::Token;
use tokentrail::verify::Signature;
use tokentrail::verify::Verifier;
use tokentrail::verify::VerifyItem;

/// More than any header that a gateway lets through.
const TOKEN_BYTES_MAX: u64 = 1 << 20;
/// Claims that hold seconds since the epoch.
const DATES: [&str; 5] = ["iat", "nbf", "exp", "auth_time", "xms_tcdt"];

/// What was found out about a token.
struct Found<'f> {
    token: &'f Token,
    signature: &'f Signature,
    history: Option<&'f KeyHistory>,
}

/// Reads one token and prints what is known about it.
pub(super) fn run(args: &InspectArgs) -> Outcome {
    if args.input.as_deref().is_some_and(|input| input != "-") {
        // What was given may be the token, so it is not repeated.
        return Err(Failure::say(
            "inspect reads the token from standard input, so that it stays out of the shell's history: \
             tokentrail inspect < token.txt",
        ));
    }
    let text = read()?;
    let value = value_of(&text)?;
    let history = args.keys.as_deref().map(keys::load).transpose()?;
    let token = Token::parse(value);
    let item = VerifyItem { value, token: &token, at_cut: false };
    let signature = Verifier::new(history.as_deref()).verify_batch(&[item]).into_iter().next();
    let signature = signature.ok_or_else(|| Failure::say("the token could not be verified"))?;
    let found = Found { token: &token, signature: &signature, history: history.as_deref() };
    match args.listing.format {
        Listing::Json => console::print_json(&found.to_json()),
        Listing::Table => console::print(&found.to_text()),
    }
}

fn read() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(anyhow::Error::new(error).context("cannot read standard input")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > TOKEN_BYTES_MAX {
        return Err(Failure::say("standard input: longer than any token; give one token"));
    }
    String::from_utf8(bytes).map_err(|_| Failure::say("standard input: not UTF-8; give one token"))
}

/// The token of `token`, `Bearer token`, `Authorization: Bearer token`, also in quotes.
fn value_of(text: &str) -> Result<&str, Failure> {
    let quotes = ['"', '\'', ','];
    let mut text = text.trim().trim_matches(quotes).trim();
    if let Some((name, rest)) = text.split_once(':')
        && name
            .trim_matches(quotes)
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        text = rest.trim().trim_matches(quotes).trim();
    }
    if let Some((scheme, rest)) = text.split_once(char::is_whitespace)
        && scheme.eq_ignore_ascii_case("bearer")
    {
        text = rest.trim();
    }
    if text.is_empty() {
        return Err(Failure::say("standard input: no token; give one token, alone or in its header line"));
    }
    if text.contains(char::is_whitespace) {
        return Err(Failure::say(
            "standard input: more than one word; give one token, alone or in its header line",
        ));
    }
    Ok(text)
}

impl Found<'_> {
    fn to_json(&self) -> Value {
        let claims = self.token.claims();
        json!({
            "form": form(&self.token.form),
            "signature": self.signature.verdict.name(),
            "key": self.key().map(|id| self.key_json(id)),
            "token_sha256": self.token.fingerprint.hex(),
            "token_version": claims.map(|claims| claims.version.name()),
            "token_kind": claims.map(|claims| claims.kind.name()),
            "client_id": claims.and_then(|claims| claims.client_id.as_deref()).map(clean),
            "tenant": claims.and_then(Claims::tenant).map(clean),
            "iat": date(claims.and_then(|claims| claims.iat)),
            "nbf": date(claims.and_then(|claims| claims.nbf)),
            "exp": date(claims.and_then(|claims| claims.exp)),
            "header": self.token.header().map(|header| members_json(&header.object)),
            "claims": claims.map(|claims| members_json(&claims.object)),
        })
    }

    fn to_text(&self) -> String {
        let claims = self.token.claims();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut lines = vec![
            ("form", form(&self.token.form).to_owned()),
            ("signature", self.verdict_text()),
            ("token_sha256", self.token.fingerprint.hex()),
        ];
        if let Some(id) = self.key() {
            lines.extend(self.key_lines(id));
        }
        if let Some(claims) = claims {
            lines.push(("version", claims.version.name().to_owned()));
            lines.push(("kind", claims.kind.name().to_owned()));
            lines.push(("client", or_dash(claims.client_id.as_deref().map(clean))));
            lines.push(("tenant", or_dash(claims.tenant().map(clean))));
        }
        let mut out = String::new();
        for (name, value) in lines {
            let _ = writeln!(out, "{name:<14}{}", visible(&value));
        }
        for (title, object) in [
            ("header", self.token.header().map(|header| &header.object)),
            ("claims", claims.map(|claims| &claims.object)),
        ] {
            match object {
                Some(object) => members_text(title, object, &mut out),
                None => drop(writeln!(out, "\n{title}: cannot be read")),
            }
        }
        out
    }

    fn verdict_text(&self) -> String {
        let verdict = self.signature.verdict.name();
        if self.history.is_none() && verdict == "not-covered" {
            return format!("{verdict} (no key archive was given: --keys DIR)");
        }
        verdict.to_owned()
    }

    /// The verifying key, else the first that the header names.
    fn key(&self) -> Option<KeyId> {
        self.signature.key.or_else(|| self.signature.named.first().copied())
    }

    /// How the key stood when the token was issued.
    fn standing(&self, id: KeyId) -> Option<(UtcMicros, Standing)> {
        let iat = UtcMicros::from_seconds(self.token.claims()?.iat?);
        Some((iat, self.history?.standing(id, self.signature.authority.as_deref()?, iat)))
    }

    fn sources(&self, id: KeyId) -> Vec<String> {
        let Some(history) = self.history else { return Vec::new() };
        history.key(id).listings.iter().map(|listing| clean(history.source_name(listing.source))).collect()
    }

    fn key_json(&self, id: KeyId) -> Value {
        let key = self.history.map(|history| history.key(id));
        let standing = self.standing(id).map(|(_, standing)| {
            json!({
                "at_iat": presence(standing.presence),
                "first_seen": standing.first_seen.to_string(),
                "last_seen": standing.last_seen.to_string(),
                "last_absent_before": standing.last_absent_before.map(|at| at.to_string()),
                "first_absent_after": standing.first_absent_after.map(|at| at.to_string()),
            })
        });
        json!({
            "verifies": self.signature.key.is_some(),
            "kid": key.and_then(|key| key.kid.as_deref()).map(clean),
            "kty": key.map(|key| clean(&key.kty)),
            "bits": key.and_then(|key| key.bits),
            "spki_sha256": key.and_then(|key| key.spki_sha256.clone()),
            "sources": self.sources(id),
            "captures": standing,
        })
    }

    fn key_lines(&self, id: KeyId) -> Vec<(&'static str, String)> {
        let Some(key) = self.history.map(|history| history.key(id)) else { return Vec::new() };
        let kid = key.kid.as_deref().map_or_else(|| "(none)".to_owned(), clean);
        let bits = key.bits.map_or_else(String::new, |bits| format!(" {bits}"));
        let verifies = if self.signature.key.is_some() { "verifies it" } else { "is named by it" };
        let mut lines = vec![("key", format!("{kid} ({}{bits}) {verifies}", clean(&key.kty)))];
        lines.push(("key source", self.sources(id).join(", ")));
        if let Some((iat, standing)) = self.standing(id) {
            let mut text = format!("{} at {iat} (iat)", presence(standing.presence));
            let _ = write!(text, "; seen from {} to {}", standing.first_seen, standing.last_seen);
            if let Some(before) = standing.last_absent_before {
                let _ = write!(text, "; absent at {before}");
            }
            if let Some(after) = standing.first_absent_after {
                let _ = write!(text, "; absent again at {after}");
            }
            lines.push(("captures", text));
        }
        lines
    }
}

/// Seconds since the epoch as a time.
fn date(seconds: Option<i64>) -> Option<String> {
    seconds.map(|seconds| UtcMicros::from_seconds(seconds).to_string())
}

/// A claim may hold another token; that one is not printed.
fn clean(text: &str) -> String {
    redact::redact(text, &[]).into_owned()
}

fn members_json(object: &Object<'_>) -> Value {
    let member = |(name, value): &(&str, tokentrail::codec::json::Value<'_>)| {
        let text = clean(&value.to_json());
        (clean(name), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    };
    Value::Object(object.members().iter().map(member).collect::<Map<_, _>>())
}

fn members_text(title: &str, object: &Object<'_>, out: &mut String) {
    let width = object.members().iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(24);
    let _ = writeln!(out, "\n{title}");
    for (name, value) in object.members() {
        let text = clean(&value.to_json());
        let date = DATES.contains(name).then(|| text.parse().ok()).flatten();
        let date =
            date.map_or_else(String::new, |seconds| format!("  ({})", UtcMicros::from_seconds(seconds)));
        let _ = writeln!(out, "  {:<width$}  {}{date}", visible(&clean(name)), visible(&text));
    }
}

fn form(form: &Form) -> &'static str {
    match form {
        Form::Jws(_) => "signed token (JWS, three parts)",
        Form::Jwe { .. } => "encrypted token (JWE)",
        Form::FiveParts { .. } => "five parts, but not an encrypted token",
        Form::Truncated { .. } => "token that was cut off",
        Form::Opaque => "opaque value, no JWT",
    }
}

fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Known => "known-present",
        Presence::Presumed => "presumed-present",
        Presence::Gap => "gap",
        Presence::AbsentBefore => "confirmed-absent (not yet published)",
        Presence::AbsentAfter => "confirmed-absent (retired)",
        Presence::NoCoverage => "no-coverage",
    }
}
