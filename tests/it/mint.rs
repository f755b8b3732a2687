//! Mints tokens and key archives at test time, so that no secret-looking text stands in the tree.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, KeyPair as _};
use aws_lc_rs::{digest, hmac};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tokentrail::codec::base64url;

/// A folder of the test data.
pub(crate) fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

/// A throwaway key of `testdata/keys`, by its name there without `test-only-` and `.pk8`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SigningKey<'a>(pub(crate) &'a str);

impl SigningKey<'_> {
    fn file(self) -> &'static str {
        match self.0 {
            "rsa-a" => "test-only-rsa2048-a.pk8",
            "rsa-b" => "test-only-rsa2048-b.pk8",
            "rsa-c" => "test-only-rsa3072.pk8",
            "rsa-d" => "test-only-rsa4096.pk8",
            "p256" => "test-only-p256.pk8",
            "p384" => "test-only-p384.pk8",
            "ed25519" => "test-only-ed25519.pk8",
            other => panic!("no key is called {other}"),
        }
    }

    fn pkcs8(self) -> Vec<u8> {
        fs::read(testdata("keys").join(self.file())).unwrap()
    }

    fn rsa(self) -> signature::RsaKeyPair {
        signature::RsaKeyPair::from_pkcs8(&self.pkcs8()).unwrap()
    }

    fn ecdsa(self) -> signature::EcdsaKeyPair {
        let algorithm = match self.0 {
            "p256" => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        signature::EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8()).unwrap()
    }

    fn ed25519(self) -> signature::Ed25519KeyPair {
        signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.pkcs8()).unwrap()
    }

    /// The public key as a JWK, without `kid`. The name `oct` gives a symmetric one.
    pub(crate) fn jwk(self) -> Value {
        let encode = base64url::encode;
        match self.0 {
            "oct" => json!({"kty": "oct", "k": encode(&[7; 32])}),
            "rsa-a" | "rsa-b" | "rsa-c" | "rsa-d" => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = self.rsa().public_key().into();
                json!({"kty": "RSA", "use": "sig", "n": encode(&public.n), "e": encode(&public.e)})
            }
            "ed25519" => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.ed25519().public_key().as_ref())})
            }
            curve => {
                let pair = self.ecdsa();
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if curve == "p256" { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
        }
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` of an RSA key, in hexadecimal.
    pub(crate) fn spki_sha256(self) -> String {
        hex(digest::digest(&digest::SHA256, &self.spki()).as_ref())
    }

    /// `SubjectPublicKeyInfo` of a 2048-bit RSA key (RFC 5280 section 4.1): a fixed head, then the library's `RSAPublicKey`.
    fn spki(self) -> Vec<u8> {
        const HEAD: [u8; 24] = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
        ];
        [&HEAD, self.rsa().public_key().as_ref()].concat()
    }

    fn pem(self) -> String {
        let text = base64_simd::STANDARD.encode_to_string(self.spki());
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The signature over a message; an algorithm that the key cannot serve is taken as RS256.
    pub(crate) fn sign(self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self.0 {
            "ed25519" => return self.ed25519().sign(message).as_ref().to_vec(),
            "p256" | "p384" => return self.ecdsa().sign(&random, message).unwrap().as_ref().to_vec(),
            _ => {}
        }
        let padding: &dyn signature::RsaEncoding = match alg {
            "PS256" => &signature::RSA_PSS_SHA256,
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        };
        let pair = self.rsa();
        let mut bytes = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, message, &mut bytes).unwrap();
        bytes
    }

    /// An HS256 MAC with the public key, spelled as PEM, for the secret.
    pub(crate) fn confused_mac(self, message: &[u8]) -> Vec<u8> {
        mac(self.pem().as_bytes(), message)
    }
}

/// An HS256 MAC.
pub(crate) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    tokentrail::redact::hex(bytes)
}

/// A token to be minted, as the test data describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSpec {
    /// Header members.
    pub(crate) header: toml::Table,
    /// Claims, after [`dates_to_seconds`].
    pub(crate) claims: toml::Table,
    /// Further members as JSON text, behind the others: duplicates, nulls.
    #[serde(default)]
    pub(crate) header_more: String,
    /// Likewise for the claims.
    #[serde(default)]
    pub(crate) claims_more: String,
    /// The whole header as text, in place of the members.
    pub(crate) header_text: Option<String>,
    /// The whole payload as text, in place of the claims.
    pub(crate) claims_text: Option<String>,
    /// The key that signs: a name of [`SigningKey`], `nobody` for an empty signature, `confused rsa-a` for a MAC with
    /// that public key as the secret, `secret` for a MAC with a secret of the sender.
    pub(crate) signed_by: String,
    /// Signs as Microsoft Graph tokens are: over the header with the hash of its nonce.
    #[serde(default)]
    pub(crate) signed_as_graph: bool,
    /// Puts the public key of this name into the header as `jwk`.
    pub(crate) embedded_key: Option<String>,
    /// Puts the certificate of `rsa-a` into the header as `x5c`.
    #[serde(default)]
    pub(crate) embedded_certificate: bool,
    /// Length of a claim that makes the token long.
    #[serde(default)]
    pub(crate) filler_bytes: usize,
    /// What happens to the minted text, in order.
    #[serde(default)]
    pub(crate) then: Vec<String>,
    /// The whole value, in place of a minted one.
    pub(crate) value: Option<String>,
    /// True if the value ends where a logger cuts.
    #[serde(default)]
    pub(crate) at_cut: bool,
}

impl TokenSpec {
    /// The token value.
    pub(crate) fn mint(&self) -> String {
        if let Some(value) = &self.value {
            return value.clone();
        }
        let mut header = json_of(&self.header);
        if let Some(name) = &self.embedded_key {
            header["jwk"] = SigningKey(name).jwk();
        }
        if self.embedded_certificate {
            let der = fs::read(testdata("keys/test-only-rsa2048-a.crt")).unwrap();
            header["x5c"] = json!([base64_simd::STANDARD.encode_to_string(der)]);
        }
        let header = self.header_text.clone().unwrap_or_else(|| with_more(&header, &self.header_more));
        let mut claims = json_of(&self.claims);
        if self.filler_bytes > 0 {
            claims["filler"] = "x".repeat(self.filler_bytes).into();
        }
        let claims = self.claims_text.clone().unwrap_or_else(|| with_more(&claims, &self.claims_more));
        let payload = base64url::encode(claims.as_bytes());
        let signed_header = if self.signed_as_graph { with_hashed_nonce(&header) } else { header.clone() };
        let message = format!("{}.{payload}", base64url::encode(signed_header.as_bytes()));
        let alg = self.header.get("alg").and_then(toml::Value::as_str).unwrap_or_default();
        let signature = match self.signed_by.as_str() {
            "nobody" => Vec::new(),
            "secret" => mac(b"a secret of the sender", message.as_bytes()),
            confused if confused.starts_with("confused ") => {
                SigningKey(&confused["confused ".len()..]).confused_mac(message.as_bytes())
            }
            name => SigningKey(name).sign(alg, message.as_bytes()),
        };
        let minted =
            format!("{}.{payload}.{}", base64url::encode(header.as_bytes()), base64url::encode(&signature));
        self.then.iter().fold(minted, |value, change| changed(&value, change))
    }
}

/// The text after one of the things that happen to tokens.
fn changed(value: &str, change: &str) -> String {
    let parts: Vec<&str> = value.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("{change}: the token has no three parts any more")
    };
    let middle = payload.len() / 2;
    let (before, after) = payload.split_at(middle);
    match change {
        "put a star into the signature" => {
            format!("{header}.{payload}.{}*{}", &signature[..40], &signature[40..])
        }
        "drop the payload and the signature" => header.to_owned(),
        "drop the signature" => format!("{header}.{payload}"),
        "cut inside the payload" => format!("{header}.{before}"),
        "cut the signature to 40 characters" => format!("{header}.{payload}.{}", &signature[..40]),
        "cut the signature to 300 characters" => format!("{header}.{payload}.{}", &signature[..300]),
        "end in a cut mark" => format!("{header}.{payload}.{}...", &signature[..20]),
        "mask the signature" => format!("{header}.{payload}.***"),
        "pad the payload" => format!("{header}.{payload}==.{signature}"),
        "pad the signature" => format!("{header}.{payload}.{signature}=="),
        "put a space into the payload" => format!("{header}.{before} {after}.{signature}"),
        "put a star into the payload" => format!("{header}.{before}*{after}.{signature}"),
        "put a star into the header" => {
            let (first, last) = header.split_at(header.len() / 2);
            format!("{first}*{last}.{payload}.{signature}")
        }
        "set stray bits in the signature" => {
            // 256 bytes end in a character of two bits of data and four of zero.
            let (rest, last) = signature.split_at(signature.len() - 1);
            let next = char::from(last.as_bytes()[0] + 1);
            format!("{header}.{payload}.{rest}{next}")
        }
        "encrypt it" => {
            let header = base64url::encode(br#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"x"}"#);
            format!("{header}.a2V5.aXY.Y2lwaGVy.dGFn")
        }
        "make it five parts" => format!("{header}.{payload}.a.b.{signature}"),
        other => panic!("nobody knows how to: {other}"),
    }
}

/// A header whose nonce is replaced by its hash, everything else as it is (the nonce transform of Graph tokens).
fn with_hashed_nonce(header: &str) -> String {
    let members: Value = serde_json::from_str(header).unwrap();
    let nonce = members["nonce"].as_str().expect("a token for Graph has a nonce");
    let hashed = base64url::encode(digest::digest(&digest::SHA256, nonce.as_bytes()).as_ref());
    header.replace(&format!("\"{nonce}\""), &format!("\"{hashed}\""))
}

fn with_more(object: &Value, more: &str) -> String {
    let text = object.to_string();
    if more.is_empty() { text } else { format!("{},{more}}}", text.trim_end_matches('}')) }
}

fn json_of(table: &toml::Table) -> Value {
    table.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn json_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => json_of(table),
        toml::Value::Array(items) => items.iter().map(json_value).collect(),
        plain => serde_json::to_value(plain).unwrap(),
    }
}

/// `good.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Good {
    pub(crate) token: toml::Table,
    pub(crate) record: toml::Table,
    pub(crate) policy: String,
    pub(crate) keys: String,
    /// Key archives by name.
    pub(crate) archives: BTreeMap<String, Vec<CaptureSpec>>,
}

pub(crate) fn good() -> Good {
    toml::from_str(&fs::read_to_string(testdata("good.toml")).unwrap()).unwrap()
}

/// The token of `good.toml` with other claims.
pub(crate) fn good_token(claims: &Value, signed_by: &str) -> String {
    let mut token = good().token;
    for (name, value) in claims.as_object().unwrap() {
        token["claims"].as_table_mut().unwrap().insert(name.clone(), toml::Value::try_from(value).unwrap());
    }
    token.insert("signed_by".to_owned(), signed_by.into());
    dates_to_seconds(&mut token);
    token.try_into::<TokenSpec>().unwrap().mint()
}

/// Writes an archive of `good.toml`.
pub(crate) fn write_good_archive(name: &str, directory: &Path) {
    let captures = &good().archives[name];
    fs::create_dir_all(directory).unwrap();
    write_archive(directory, captures);
}

/// Replaces date-times by seconds since the epoch, as claims have them.
pub(crate) fn dates_to_seconds(table: &mut toml::Table) {
    for (_, value) in table.iter_mut() {
        match value {
            toml::Value::Table(inner) => dates_to_seconds(inner),
            toml::Value::Datetime(at) => *value = toml::Value::Integer(micros_of(at) / 1_000_000),
            _ => {}
        }
    }
}

/// Puts differences over a table.
pub(crate) fn merge(table: &mut toml::Table, differences: &toml::Table) {
    for (name, value) in differences {
        match (table.get_mut(name), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(more)) => merge(inner, more),
            _ => drop(table.insert(name.clone(), value.clone())),
        }
    }
}

/// Removes a dotted name.
pub(crate) fn remove(table: &mut toml::Table, path: &str) {
    match path.split_once('.') {
        None => assert!(table.remove(path).is_some(), "{path} is not in the good one"),
        Some((first, rest)) => match table.get_mut(first) {
            Some(toml::Value::Table(inner)) => remove(inner, rest),
            _ => panic!("{first} is no table"),
        },
    }
}

/// Microseconds since the epoch.
pub(crate) fn micros_of(at: &toml::value::Datetime) -> i64 {
    at.to_string().parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// Captures of one source, all with the same keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptureSpec {
    /// The URL that was read.
    pub(crate) source: String,
    /// When.
    pub(crate) at: Vec<toml::value::Datetime>,
    /// The keys that were there.
    #[serde(default)]
    pub(crate) keys: Vec<KeySpec>,
    /// Whether the document was changed after its digest had been recorded.
    #[serde(default)]
    pub(crate) changed: bool,
    /// Digest of the capture before it, as it is recorded.
    pub(crate) prev: Option<String>,
}

/// A key of a capture.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySpec {
    /// A name of [`SigningKey`].
    pub(crate) key: String,
    /// `kid`
    pub(crate) kid: String,
    /// `x5t`
    pub(crate) x5t: Option<String>,
    /// `issuer`
    pub(crate) issuer: Option<String>,
    /// Takes the place of `n`, this many bits long; nobody has the private key.
    pub(crate) bits: Option<usize>,
    /// Name of a [`SigningKey`] whose certificate stands in `x5c`.
    pub(crate) certificate: Option<String>,
    /// Further members of the JWK, or other values of its members.
    #[serde(default)]
    pub(crate) members: toml::Table,
}

impl KeySpec {
    fn jwk(&self) -> Value {
        let mut jwk = SigningKey(&self.key).jwk();
        jwk["kid"] = self.kid.as_str().into();
        if let Some(name) = &self.certificate {
            let der =
                fs::read(testdata("keys").join(SigningKey(name).file().replace(".pk8", ".crt"))).unwrap();
            jwk["x5c"] = serde_json::json!([base64_simd::STANDARD.encode_to_string(der)]);
        }
        for (name, value) in &self.members {
            jwk[name] = serde_json::to_value(value).unwrap();
        }
        for (name, value) in [("x5t", &self.x5t), ("issuer", &self.issuer)] {
            if let Some(value) = value {
                jwk[name] = value.as_str().into();
            }
        }
        if let Some(bits) = self.bits {
            jwk["n"] = base64url::encode(&vec![0xc5; bits / 8]).into();
        }
        jwk
    }
}

/// Writes an archive: a document per capture, and the `captures.jsonl` that tells when and where each was read.
pub(crate) fn write_archive(directory: &Path, captures: &[CaptureSpec]) {
    let mut lines = String::new();
    for (number, capture) in captures.iter().enumerate() {
        let keys: Vec<Value> = capture.keys.iter().map(KeySpec::jwk).collect();
        let body = json!({ "keys": keys }).to_string();
        let file = format!("{number}.json");
        let written = if capture.changed { body.clone() + " " } else { body.clone() };
        fs::write(directory.join(&file), written).unwrap();
        let sha256 = hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
        for at in &capture.at {
            let line = json!({"file": file, "captured_at": at.to_string(), "source": capture.source, "sha256": sha256, "prev": capture.prev});
            writeln!(lines, "{line}").unwrap();
        }
    }
    fs::write(directory.join("captures.jsonl"), lines).unwrap();
}
