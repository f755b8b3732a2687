//! Algorithm confusion (RFC 8725 section 2.1): a MAC whose secret is a public key that everybody can read.

use crate::keys::Key;
use crate::keys::Material;
use aws_lc_rs::hmac;
use base64_simd::STANDARD;

/// The MAC of an `alg`; `None` for any other algorithm.
pub(super) fn mac(alg: &str) -> Option<hmac::Algorithm> {
    match alg {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// How the key was spelled as a secret, if one of its spellings makes the MAC right.
pub(super) fn spelling(key: &Key, mac: hmac::Algorithm, message: &[u8], tag: &[u8]) -> Option<&'static str> {
    let right = |secret: &[u8]| hmac::verify(&hmac::Key::new(mac, secret), message, tag).is_ok();
    let material = key.prepared.material();
    if let Some(der) = material.subject_public_key_info() {
        let text = pem("PUBLIC KEY", &der);
        let spellings = [
            ("pem-spki-newline", text.as_bytes()),
            ("pem-spki", text.trim_end().as_bytes()),
            ("der-spki", der.as_slice()),
        ];
        if let Some((name, _)) = spellings.into_iter().find(|(_, secret)| right(secret)) {
            return Some(name);
        }
    }
    if let Material::Rsa { modulus, .. } = material {
        let text = crate::codec::base64url::encode(modulus);
        let spellings = [("raw-n", modulus.as_slice()), ("n-text", text.as_bytes())];
        if let Some((name, _)) = spellings.into_iter().find(|(_, secret)| right(secret)) {
            return Some(name);
        }
    }
    key.certificates.iter().find_map(|certificate| {
        let text = pem("CERTIFICATE", &certificate.der);
        let spellings = [
            ("pem-certificate-newline", text.as_bytes()),
            ("pem-certificate", text.trim_end().as_bytes()),
            ("x5c-text", certificate.text.as_bytes()),
        ];
        spellings.into_iter().find(|(_, secret)| right(secret)).map(|(name, _)| name)
    })
}

/// Textual encoding with lines of 64 characters and a final line feed (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode_to_string(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing;
    use crate::keys::testing::TestKey;

    #[test]
    fn every_spelling_is_found() {
        let der = include_bytes!("../../testdata/keys/test-only-rsa2048-a.crt");
        let mut jwk = TestKey::RsaA.jwk("a");
        let x5c = STANDARD.encode_to_string(der);
        jwk["x5c"] = serde_json::json!([x5c]);
        let modulus_text = jwk["n"].as_str().unwrap().to_owned();
        let history = testing::history(&[("common", 0, Some(vec![jwk]))]);
        let (_, key) = history.keys().next().unwrap();
        let spki = key.prepared.material().subject_public_key_info().unwrap();
        let Material::Rsa { modulus, .. } = key.prepared.material() else { panic!() };
        let secrets: [(&str, Vec<u8>); 8] = [
            ("pem-spki-newline", pem("PUBLIC KEY", &spki).into_bytes()),
            ("pem-spki", pem("PUBLIC KEY", &spki).trim_end().as_bytes().to_vec()),
            ("der-spki", spki),
            ("raw-n", modulus.clone()),
            ("n-text", modulus_text.into_bytes()),
            ("pem-certificate-newline", pem("CERTIFICATE", der).into_bytes()),
            ("pem-certificate", pem("CERTIFICATE", der).trim_end().as_bytes().to_vec()),
            ("x5c-text", x5c.into_bytes()),
        ];
        for alg in ["HS256", "HS384", "HS512"] {
            let mac = mac(alg).unwrap();
            for (name, secret) in &secrets {
                let tag = hmac::sign(&hmac::Key::new(mac, secret), b"message");
                assert_eq!(spelling(key, mac, b"message", tag.as_ref()), Some(*name), "{alg}");
            }
            assert_eq!(spelling(key, mac, b"message", &[0; 32]), None);
        }
    }

    #[test]
    fn pem_lines_are_64_characters_long() {
        let text = pem("PUBLIC KEY", &[0; 96]);
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [26, 64, 64, 24]);
        assert!(text.ends_with("-----END PUBLIC KEY-----\n"));
    }
}
