//! Keys that come as statements and not as what a source served: certificates, and an issuer's list of the keys that it had.
//!
//! Neither is a whole key set, so it is recorded with status 206: it shows that its keys were there and never that others were not.

use super::import::{Piece, partly};
use super::jwk::{Certificate, Curve, Material};
use super::stored::sha256;
use super::when::CaptureTime;
use crate::codec::base64url;
use crate::time::{SECOND, UtcMicros};
use serde_json::{Value, json};

/// A key set of PEM certificates (RFC 7468 section 5), with the kid that Entra gives them: the certificate's thumbprint.
///
/// # Errors
///
/// The reason, as a phrase without the content.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    if text.contains("PRIVATE KEY-----") {
        return Err("holds a private key; only certificates belong into an archive".to_owned());
    }
    let mut keys = Vec::new();
    for (at, block) in text.split(BEGIN).skip(1).enumerate() {
        let place = |reason: &str| format!("certificate {}: {reason}", at + 1);
        let (body, _) = block.split_once(END).ok_or_else(|| place("it has no end"))?;
        let text: String = body.split_ascii_whitespace().collect();
        let certificate = Certificate::parse(&text).filter(|certificate| certificate.not_after.is_some());
        let certificate = certificate.ok_or_else(|| place("it does not decode"))?;
        let material = certificate.material().ok_or_else(|| place("its type of key is not verified here"))?;
        keys.push(certificate_jwk(&certificate, &material));
    }
    if keys.is_empty() {
        return Err("no certificate in it; write a bare public key as a JWKS, with its kid".to_owned());
    }
    Ok(json!({ "keys": keys }).to_string().into_bytes())
}

fn certificate_jwk(certificate: &Certificate, material: &Material) -> Value {
    let encode = base64url::encode;
    let mut jwk = match material {
        Material::Rsa { modulus, exponent } => {
            json!({"kty":"RSA","n":encode(modulus),"e":encode(exponent)})
        }
        Material::Ec { curve, point } => {
            let (crv, bytes) = (curve, curve.coordinate_bytes());
            let crv = if *crv == Curve::P256 { "P-256" } else { "P-384" };
            let (x, y) = point.get(1..).and_then(|point| point.split_at_checked(bytes)).unwrap_or_default();
            json!({"kty":"EC","crv":crv,"x":encode(x),"y":encode(y)})
        }
        Material::Ed25519 { x } => json!({"kty":"OKP","crv":"Ed25519","x":encode(x)}),
        Material::Other { .. } => json!({}),
    };
    if let Some(members) = jwk.as_object_mut() {
        for name in ["kid", "x5t"] {
            members.insert(name.to_owned(), certificate.thumbprint.clone().into());
        }
        members.insert("use".to_owned(), "sig".into());
        members.insert("x5c".to_owned(), json!([certificate.text]));
    }
    jwk
}

/// True if a key of the document says that it was revoked.
pub(super) fn is_historical(bytes: &[u8]) -> bool {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let keys = value.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| keys.iter().any(|key| key.get("revoked").is_some()))
}

/// The keys that an issuer says it had (OpenID Federation 1.0, section 8.7.2): each was seen from `iat` until it expired or was
/// revoked, or the statement was made.
///
/// # Errors
///
/// The reason, as a phrase without the content.
pub(super) fn historical(
    bytes: &[u8],
    stated: CaptureTime,
    source: Option<&str>,
    notices: &mut Vec<String>,
) -> Result<Vec<Piece>, String> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("not JSON at line {}, column {}", error.line(), error.column()))?;
    let keys = value.get("keys").and_then(Value::as_array).ok_or("no `keys` array")?;
    let document = sha256(bytes);
    let mut pieces = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let kid = key.get("kid").and_then(Value::as_str);
        let name = kid.map_or_else(|| format!("key {}", at + 1), |kid| format!("key `{kid}`"));
        let [issued, expired] = [instant(key.get("iat")), instant(key.get("exp"))];
        let revoked = key.get("revoked").filter(|revoked| !revoked.is_null());
        let revoked_at = revoked.and_then(|revoked| instant(revoked.get("revoked_at").or(Some(revoked))));
        if revoked.is_some() && revoked_at.is_none() {
            return Err(format!("{name}: `revoked` has no time in `revoked_at`"));
        }
        let Some(until) = expired.into_iter().chain(revoked_at).min() else {
            return Err(format!("{name}: neither `exp` nor `revoked` says until when it was used"));
        };
        let end = until.min(stated.end);
        let start = issued.unwrap_or(end);
        if let Some(at) = revoked_at {
            notices.push(revocation(&name, kid, at, revoked));
        }
        if start > end {
            notices.push(format!("{name}: it ends before it begins and is left out"));
            continue;
        }
        let mut members = partly("historical");
        members.insert("document_sha256".to_owned(), document.clone().into());
        pieces.push(Piece {
            body: Some(json!({ "keys": [key] }).to_string().into_bytes()),
            time: CaptureTime { start, end },
            source: source.map(str::to_owned),
            members,
        });
    }
    pieces.sort_by_key(|piece| piece.time);
    Ok(pieces)
}

/// Whoever holds a stolen key chooses what its tokens say, so its use is judged by the time of the request, which is the
/// policy's matter.
fn revocation(name: &str, kid: Option<&str>, at: UtcMicros, revoked: Option<&Value>) -> String {
    let reason =
        revoked.and_then(|revoked| revoked.get("reason")).and_then(Value::as_str).unwrap_or("unspecified");
    let text = format!("{name} was revoked at {at} ({reason})");
    match kid {
        // A string of JSON is one of TOML.
        Some(kid) if reason != "superseded" => format!(
            "{text}; if it was compromised, add to `compromised` of the policy's [keys]: {{ kid = {}, since = \"{at}\" }}",
            Value::from(kid)
        ),
        _ => text,
    }
}

/// A `NumericDate` (RFC 7519 section 2); a fraction of a second is cut.
fn instant(value: Option<&Value>) -> Option<UtcMicros> {
    let number = value?.as_number()?;
    let text = number.to_string();
    let seconds: i64 = text.split('.').next()?.parse().ok()?;
    Some(UtcMicros(seconds.checked_mul(SECOND)?))
}
