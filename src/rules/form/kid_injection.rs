//! `kid-injection`

use crate::codec::base64url;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

/// Longest `kid` that an issuer is known to use, many times over, in bytes.
const KID_BYTES_MAX: usize = 256;

rule! {
    /// The token's key id is written for something else than a key store.
    ///
    /// Why it matters: validators put `kid` into a path, a query or a command to find the key. Separators, quotes, control
    /// characters or an address in it try to read a file with known content as the key, or to reach a database.
    ///
    /// What to do: see how the gateway and the API look keys up; `kid` may only be compared with known ids. Treat accepted
    /// requests as forged.
    ///
    /// Known false positives: none for Entra, whose ids are 27 or 43 base64url characters; two hyphens side by side are
    /// nothing special in these. An id that the issuer itself published is its own, however it is spelled.
    "kid-injection", Form, "H/M", Attack, Strong,
    references: [
        "RFC 8725 section 2.9", "RFC 8725 section 3.10", "OWASP API8:2023", "CWE-22", "CWE-89", "ATT&CK T1190",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(header) = token.header() else { return Check::NotEvaluable(Reason::NO_HEADER) };
    let Some(kid) = header.kid else { return Check::Quiet };
    // What the issuer published under that very name is its name, odd or not.
    if !token.signature.named.is_empty() {
        return Check::Quiet;
    }
    // Nearly every kid is an id of the alphabet.
    let plain = kid.len() <= KID_BYTES_MAX && kid.bytes().all(base64url::is_alphabet);
    if plain && (!kid.contains("--") || is_thumbprint(kid)) {
        return Check::Quiet;
    }
    let signs: Vec<&str> = SIGNS.iter().filter(|(_, shows)| shows(kid)).map(|(name, _)| *name).collect();
    if signs.is_empty() {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new(
            "The token's key id holds text that is meant for a file system, a database or a shell.",
        )
        .expected("a key id that the issuer published")
        .actual(kid)
        .fact("signs", signs)
        .fact("kid_bytes", kid.len()),
    )
}

/// A sign by its name, and what tells whether an id has it.
type Sign = (&'static str, fn(&str) -> bool);

/// What shows an injection.
const SIGNS: [Sign; 8] = [
    ("path", |kid| kid.contains(['/', '\\']) || kid.contains("..")),
    ("quote", |kid| kid.contains(['\'', '"'])),
    ("semicolon", |kid| kid.contains(';')),
    ("comment", |kid| kid.contains("--") && !is_thumbprint(kid)),
    ("control", |kid| kid.contains(char::is_control)),
    ("url", |kid| kid.contains("://") || has_scheme(kid)),
    ("pipe", |kid| kid.contains('|')),
    ("length", |kid| kid.len() > KID_BYTES_MAX),
];

/// True for schemes that fetch or run something without `//` behind them.
fn has_scheme(kid: &str) -> bool {
    let schemes = ["http", "https", "file", "ftp", "ldap", "ldaps", "jndi", "data", "javascript"];
    kid.split_once(':')
        .is_some_and(|(head, _)| schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(head)))
}

/// True for the shapes of Entra's ids: a SHA-1 or a SHA-256 in base64url.
fn is_thumbprint(kid: &str) -> bool {
    matches!(kid.len(), 27 | 43) && kid.bytes().all(base64url::is_alphabet)
}
