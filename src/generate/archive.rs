//! The key archive: what each source served at each capture (contract section 4).

use super::keyring::{KeyRing, Signer, SigningKey};
use super::plan::{GenerateError, Plan};
use super::world::{DAY, TRAFFIC_START, World};
use crate::entra::PERSONAL_TENANT;
use crate::redact;
use crate::time::UtcMicros;
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// When the sources list a key: from one instant (inclusive) until another, in seconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Published {
    /// First instant.
    pub from: i64,
    /// First instant after.
    pub until: i64,
}

impl Published {
    fn contains(self, at: i64) -> bool {
        self.from <= at && at < self.until
    }
}

/// The instants of the captures, in order.
fn capture_times(plan: &Plan) -> impl Iterator<Item = i64> {
    let (first, last) = (TRAFFIC_START - 7 * DAY, TRAFFIC_START + plan.seconds() + 3 * DAY);
    let count = i64::from(plan.captures);
    (0..count).map(move |index| first + (last - first) * index / (count - 1).max(1))
}

/// The last instant at which the archive proves that the key to come was not yet published: two captures without it, six
/// hours or more apart, must follow. With captures closer than that nothing is planted on it.
pub(super) fn unpublished_until(plan: &Plan, ring: &KeyRing) -> i64 {
    let published = ring.published(Signer::NotYetPublished);
    let before: Vec<i64> = capture_times(plan).filter(|at| *at < published.from).collect();
    match before.as_slice() {
        [.., earlier, later] if later - earlier >= 6 * 3600 => *earlier,
        _ => i64::MIN,
    }
}

/// A source of key documents.
struct Source {
    folder: String,
    url: String,
    v1: bool,
}

fn sources(world: &World) -> Vec<Source> {
    let host = "login.microsoftonline.com";
    let own = &world.tenant(0).id;
    [("common", true), ("common", false), (own.as_str(), false)]
        .into_iter()
        .map(|(tenant, v1)| {
            let version = if v1 { "" } else { "v2.0/" };
            Source {
                folder: format!("{host}/{tenant}/{}", if v1 { "v1.0" } else { "v2.0" }),
                url: format!("https://{host}/{tenant}/discovery/{version}keys"),
                v1,
            }
        })
        .collect()
}

/// Writes the documents and `captures.jsonl` into `keys/`.
pub(super) fn write(plan: &Plan, world: &World, ring: &KeyRing, keys: &Path) -> Result<(), GenerateError> {
    let mut captures = String::new();
    for source in sources(world) {
        let folder = keys.join(&source.folder);
        fs::create_dir_all(&folder).map_err(GenerateError::file(&folder))?;
        let mut last: Option<(String, String)> = None;
        for at in capture_times(plan) {
            let body = document(&source, ring, at);
            let file = match &last {
                Some((file, served)) if *served == body => file.clone(),
                _ => {
                    let name = format!("{}.json", instant(at).replace(':', "-"));
                    let path = folder.join(&name);
                    fs::write(&path, &body).map_err(GenerateError::file(&path))?;
                    format!("{}/{name}", source.folder)
                }
            };
            let sha256 = redact::hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
            let line = json!({
                "file": file,
                "captured_at": instant(at),
                "ended_at": instant(at + 1),
                "source": source.url,
                "sha256": sha256,
                "status": 200,
            });
            captures.push_str(&line.to_string());
            captures.push('\n');
            last = Some((file, body));
        }
    }
    let path = keys.join("captures.jsonl");
    fs::write(&path, captures).map_err(GenerateError::file(&path))
}

/// The document that a source serves at an instant.
fn document(source: &Source, ring: &KeyRing, at: i64) -> String {
    let keys: Vec<Value> = ring
        .signers()
        .filter(|(signer, _)| ring.published(*signer).contains(at))
        .filter(|(signer, _)| match signer {
            Signer::VersionOne => source.v1,
            Signer::Personal => !source.v1,
            _ => true,
        })
        .map(|(signer, key)| jwk(key, (!source.v1).then(|| key_issuer(signer))))
        .collect();
    json!({ "keys": keys }).to_string()
}

/// The `issuer` member of v2 documents (rules.md 4.1).
fn key_issuer(signer: Signer) -> String {
    let tenant = if signer == Signer::Personal { PERSONAL_TENANT } else { "{tenantid}" };
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

fn jwk(key: &SigningKey, issuer: Option<String>) -> Value {
    let mut members = serde_json::Map::new();
    for (name, value) in &key.public {
        members.insert((*name).to_owned(), value.as_str().into());
    }
    members.insert("use".to_owned(), "sig".into());
    members.insert("kid".to_owned(), key.kid.as_str().into());
    members.insert("x5t".to_owned(), key.kid.as_str().into());
    if let Some(issuer) = issuer {
        members.insert("issuer".to_owned(), issuer.into());
        members.insert("cloud_instance_name".to_owned(), "microsoftonline.com".into());
    }
    Value::Object(members)
}

/// RFC 3339 text of whole seconds.
pub(super) fn instant(seconds: i64) -> String {
    UtcMicros::from_seconds(seconds).to_string()
}
