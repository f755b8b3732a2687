//! A source that contradicts itself or publishes what it must not: what the rules over the key archive alone must find. It
//! serves a tenant that no token is of, so that nothing else follows from it.

use super::archive::jwk;
use super::dice::Dice;
use super::flawed::Flaw;
use super::keyring::{KeyRing, Signer, SigningKey};
use super::plan::GenerateError;
use super::world::{DAY, TRAFFIC_START, World};
use crate::entra::Cloud;
use serde_json::{Value, json};

/// What is planted, and the rule that must fire for it once a run, about a key id or the source.
#[derive(Clone, Copy)]
enum Wrong {
    /// One id, then another key under it.
    Changed,
    /// The id is not the thumbprint of the certificate.
    Thumbprint,
    /// The certificate is another key's.
    Certificate,
    /// Two keys of one id side by side.
    Twice,
    /// A secret.
    Secret,
    /// A key that does not name its issuer, though the source is of version 2.
    NoIssuer,
    /// Two keys that go at the same time, and no new one before.
    Gone,
}

const PLANTED: [(Wrong, &str); 7] = [
    (Wrong::Changed, "key-material-changed"),
    (Wrong::Thumbprint, "key-thumbprint-mismatch"),
    (Wrong::Certificate, "key-cert-mismatch"),
    (Wrong::Twice, "key-duplicate-kid"),
    (Wrong::Secret, "key-symmetric-published"),
    (Wrong::NoIssuer, "key-issuer-absent"),
    (Wrong::Gone, "keyset-shrunk"),
];

/// Where the source stands, as the archive names it.
pub(super) fn url(world: &World) -> String {
    let host = Cloud::Global.v2_host().unwrap_or_default();
    format!("https://{host}/{}/discovery/v2.0/keys", world.bystander)
}

/// The document that the source serves at an instant. Two keys go three days before another one comes.
pub(super) fn document(world: &World, ring: &KeyRing, at: i64) -> Result<String, GenerateError> {
    let one = ring.key(Signer::Flawed(Flaw::CertificateToCome))?;
    let other = ring.key(Signer::Flawed(Flaw::CertificateEnded))?;
    let foreign = ring.key(Signer::Government)?;
    let mut keys = Vec::new();
    for (wrong, rule) in planted(foreign) {
        let kid = kid(world, rule, foreign, wrong);
        match wrong {
            Wrong::Changed => {
                keys.push(listed(if at > TRAFFIC_START { other } else { one }, &kid, None));
            }
            Wrong::NoIssuer => keys.push(jwk(one, &kid, None, Cloud::Global)),
            Wrong::Gone if at > TRAFFIC_START - 3 * DAY => {}
            Wrong::Gone => {
                keys.push(listed(one, &kid, None));
                keys.push(listed(one, &Dice::new(world.seed, rule, 1).text(20), None));
            }
            Wrong::Thumbprint => keys.push(listed(one, &kid, Some(one))),
            Wrong::Certificate => keys.push(listed(one, &kid, Some(foreign))),
            Wrong::Twice => keys.extend([one, other].map(|key| listed(key, &kid, None))),
            Wrong::Secret => {
                keys.push(json!({ "kty": "oct", "k": "c2VjcmV0IG9mIG5vYm9keQ", "kid": kid }));
            }
        }
    }
    Ok(json!({ "keys": keys }).to_string())
}

/// What must be found about it: one line for each rule, as for tokens, with a subject in place of the token.
pub(super) fn expected(world: &World, ring: &KeyRing) -> Result<String, GenerateError> {
    let foreign = ring.key(Signer::Government)?;
    let mut lines = String::new();
    for (wrong, rule) in planted(foreign) {
        let line = json!({
            "rule": rule,
            "token_sha256": null,
            "api": null,
            "outcome": null,
            "subject": match wrong {
                Wrong::Gone => format!("source:{}", url(world)),
                _ => format!("kid:{}", kid(world, rule, foreign, wrong)),
            },
            "count": 0,
            "planted": rule,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

/// What can be planted: without certificates, nothing about them.
fn planted(foreign: &SigningKey) -> impl Iterator<Item = (Wrong, &'static str)> {
    let certified = foreign.certificate.is_some();
    PLANTED
        .into_iter()
        .filter(move |(wrong, _)| certified || !matches!(wrong, Wrong::Thumbprint | Wrong::Certificate))
}

/// The key id of a plant: that of another cloud's certificate where only the key beside it is wrong.
fn kid(world: &World, rule: &str, foreign: &SigningKey, wrong: Wrong) -> String {
    match wrong {
        Wrong::Certificate => foreign.kid.clone(),
        _ => Dice::new(world.seed, rule, 0).text(20),
    }
}

fn listed(key: &SigningKey, kid: &str, certified: Option<&SigningKey>) -> Value {
    let issuer = format!("https://{}/{{tenantid}}/v2.0", Cloud::Global.v2_host().unwrap_or_default());
    let mut jwk = jwk(key, kid, Some(issuer), Cloud::Global);
    let certificate = certified.and_then(|certified| certified.certificate.as_deref());
    if let (Some(members), Some(der)) = (jwk.as_object_mut(), certificate) {
        members.insert("x5c".to_owned(), json!([base64_simd::STANDARD.encode_to_string(der)]));
    }
    jwk
}
