//! One document of an archive: a key set (RFC 7517 section 5) or metadata (OpenID Connect Discovery 1.0 section 3).

use super::jwk::Jwk;
use hashbrown::HashMap;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

/// Longest document that is read, in bytes. Entra's largest key set has some 30 KB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 16 << 20;

/// What a document turned out to be.
#[derive(Clone, Debug)]
pub enum Document {
    /// A key set.
    Keys(Arc<[Arc<Jwk>]>),
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
            (Some(Value::Array(keys)), _) => {
                Ok(Self::Keys(keys.iter().map(|key| Arc::new(Jwk::parse(key))).collect()))
            }
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

/// Keys by their texts. A source may write its keys in another order, or something new, into each of its documents; then tens of
/// thousands of documents hold a handful of keys.
#[derive(Default)]
pub(super) struct KnownKeys(RwLock<HashMap<Box<str>, Arc<Jwk>>>);

impl KnownKeys {
    /// [`Document::parse`], which shares the keys of all documents that are read so.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Document, String> {
        // What is doubtful is read as a whole, and its fault told as always.
        self.keys(bytes).map_or_else(|| Document::parse(bytes), |keys| Ok(Document::Keys(keys)))
    }

    /// The keys of a key set; `None` for anything else.
    fn keys(&self, bytes: &[u8]) -> Option<Arc<[Arc<Jwk>]>> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // Of several members of one name the last counts, as with a [`Value`].
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(bytes).ok()?;
        let keys: Vec<&RawValue> = serde_json::from_str(members.get("keys")?.get()).ok()?;
        let others = members.iter().filter(|(name, _)| *name != "keys");
        let sound = others.into_iter().all(|(_, value)| serde_json::from_str::<Value>(value.get()).is_ok());
        if !sound {
            return None;
        }
        keys.into_iter().map(|key| self.key(key.get())).collect()
    }

    fn key(&self, text: &str) -> Option<Arc<Jwk>> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Some(Arc::clone(known));
        }
        let key = Arc::new(Jwk::parse(&serde_json::from_str(text).ok()?));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(known.entry(text.into()).or_insert(key)))
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

    #[test]
    fn known_keys_are_shared_and_change_nothing() {
        let known = KnownKeys::default();
        let a = r#"{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}"#;
        let texts = [
            format!(r#"{{"keys":[{a},7,{{"kty":"x\ud83d\ude00"}}],"served":1}}"#),
            format!("\u{feff} {{\"served\":2,\"keys\":[7, {a} ]}}\n"),
            format!(r#"{{"keys":7,"keys":[{a}]}}"#),
            format!(r#"{{"keys":[{a}],"keys":7}}"#),
            format!(r#"{{"\u006beys":[{a}]}}"#),
            r#"{"keys":[]}"#.to_owned(),
            r#"{"jwks_uri":"u"}"#.to_owned(),
            format!(r#"{{"keys":[{a},"\ud800"]}}"#),
            format!(r#"{{"keys":[{a}],"x":"\ud800"}}"#),
            format!(r#"{{"keys":[{a}],"x":1e999}}"#),
            format!(r#"{{"keys":[{a}]}} x"#),
            format!(r#"{{"keys":[{a},]}}"#),
            format!("[{a}]"),
            String::new(),
        ];
        let told = |document: Result<Document, String>| match document {
            Ok(Document::Keys(keys)) => Ok(keys.iter().map(|key| (**key).clone()).collect()),
            Ok(Document::Metadata { jwks_uri, .. }) => Err(jwks_uri),
            Err(reason) => Err(reason),
        };
        for text in &texts {
            let expected: Result<Vec<Jwk>, String> = told(Document::parse(text.as_bytes()));
            assert_eq!(told(known.parse(text.as_bytes())), expected, "{text}");
            assert_eq!(told(known.parse(text.as_bytes())), expected, "again: {text}");
        }
        let (Ok(Document::Keys(one)), Ok(Document::Keys(two))) =
            (known.parse(texts[0].as_bytes()), known.parse(texts[1].as_bytes()))
        else {
            panic!()
        };
        assert!(Arc::ptr_eq(&one[0], &two[1]));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_without_them(text in r#"(\{|\}|\[|\]|"keys"|"a"|:|,|7|null|\\u00|"| ){0,14}"#) {
            let is_same = match (KnownKeys::default().parse(text.as_bytes()), Document::parse(text.as_bytes())) {
                (Ok(Document::Keys(one)), Ok(Document::Keys(two))) => one == two,
                (Ok(_), Ok(_)) => true,
                (one, two) => one.err() == two.err(),
            };
            proptest::prop_assert!(is_same);
        }
    }
}
