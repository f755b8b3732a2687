//! One document of an archive: a key set (RFC 7517 section 5) or metadata (OpenID Connect Discovery 1.0 section 3).

use super::jwk::Jwk;
use serde_json::Value;
use std::sync::Arc;

/// Longest document that is read, in bytes. Entra's largest key set has some 30 KB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 16 << 20;

/// What a document turned out to be.
#[derive(Clone, Debug)]
pub enum Document {
    /// A key set.
    Keys(Arc<[Jwk]>),
    /// An object with `jwks_uri` and no `keys`.
    Metadata {
        /// `issuer`
        issuer: Option<String>,
        /// `jwks_uri`
        jwks_uri: String,
        /// `cloud_instance_name`
        cloud: Option<String>,
    },
}

impl Document {
    /// Reads a document as it was served; a byte order mark is tolerated.
    ///
    /// # Errors
    ///
    /// The reason, as a phrase without the document's content.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("not JSON at line {}, column {}", error.line(), error.column()))?;
        let Value::Object(members) = &value else { return Err("not a JSON object".to_owned()) };
        match (members.get("keys"), members.get("jwks_uri").and_then(Value::as_str)) {
            (Some(Value::Array(keys)), _) => Ok(Self::Keys(keys.iter().map(Jwk::parse).collect())),
            (Some(_), _) => Err("`keys` is not an array".to_owned()),
            (None, Some(jwks_uri)) => {
                let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
                Ok(Self::Metadata {
                    issuer: text("issuer"),
                    jwks_uri: jwks_uri.to_owned(),
                    cloud: text("cloud_instance_name"),
                })
            }
            (None, None) => Err("neither `keys` nor `jwks_uri`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let keys = |text: &str| match Document::parse(text.as_bytes()) {
            Ok(Document::Keys(keys)) => Ok(keys.len()),
            Ok(Document::Metadata { .. }) => Err("metadata".to_owned()),
            Err(reason) => Err(reason),
        };
        assert_eq!(keys(r#"{"keys":[{"kty":"RSA"},7]}"#), Ok(2));
        assert_eq!(keys("\u{feff}{\"keys\":[],\"jwks_uri\":\"x\"}"), Ok(0));
        assert_eq!(keys(r#"{"issuer":"i","jwks_uri":"u"}"#), Err("metadata".to_owned()));
        assert_eq!(keys("[]"), Err("not a JSON object".to_owned()));
        assert_eq!(keys(r#"{"keys":{}}"#), Err("`keys` is not an array".to_owned()));
        assert_eq!(keys("{}"), Err("neither `keys` nor `jwks_uri`".to_owned()));
        assert_eq!(keys("{\n\"keys\""), Err("not JSON at line 2, column 6".to_owned()));
    }
}
