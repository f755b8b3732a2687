//! The key archive: what each source served at each capture (contract section 4).

use super::flawed::Flaw;
use super::keyring::{KeyRing, Signer, SigningKey};
use super::plan::{GenerateError, Plan};
use super::tampered;
use super::world::{DAY, TRAFFIC_START, World};
use crate::entra::{Cloud, PERSONAL_TENANT};
use crate::redact;
use crate::time::UtcMicros;
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::collections::HashMap;
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

/// Who lists which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    /// The keys that all tenants of the cloud share.
    Shared,
    /// A key of its own.
    Own(Signer),
    /// See [`super::tampered`].
    Tampered,
}

/// A source of key documents.
pub(super) struct Source {
    folder: String,
    url: String,
    cloud: Cloud,
    v1: bool,
    lists: Lists,
}

impl Source {
    /// The endpoint of a tenant or of an alias, for an application if it is not empty.
    fn entra(cloud: Cloud, tenant: &str, v1: bool, appid: &str, lists: Lists) -> Self {
        let host = cloud.v2_host().unwrap_or_default();
        let (folder, path) = if v1 { ("v1.0", "") } else { ("v2.0", "v2.0/") };
        let [below, query] = if appid.is_empty() {
            [String::new(), String::new()]
        } else {
            [format!("/{appid}"), format!("?appid={appid}")]
        };
        Self {
            folder: format!("{host}/{tenant}/{folder}{below}"),
            url: format!("https://{host}/{tenant}/discovery/{path}keys{query}"),
            cloud,
            v1,
            lists,
        }
    }

    /// Whether a key is listed here at all.
    fn knows(&self, signer: Signer) -> bool {
        match (self.lists, signer) {
            (Lists::Own(own), _) => own == signer,
            (Lists::Tampered, _)
            | (Lists::Shared, Signer::Custom | Signer::Government | Signer::Flawed(Flaw::CustomKey)) => false,
            (Lists::Shared, Signer::VersionOne) => self.v1,
            (Lists::Shared, Signer::Personal) => !self.v1,
            (Lists::Shared, _) => true,
        }
    }

    /// The document at a capture.
    fn document(&self, ring: &KeyRing, at: i64, capture: usize) -> String {
        let keys: Vec<Value> = ring
            .signers()
            .filter(|(signer, _)| self.knows(*signer) && ring.published(*signer).contains(at))
            .filter(|(signer, _)| !(self.lists == Lists::Shared && is_flapping(*signer, capture)))
            .map(|(signer, key)| {
                let issuer = (!self.v1).then(|| self.key_issuer(signer));
                let mut jwk = jwk(key, &key.kid, issuer, self.cloud);
                if let (Some(der), Some(members)) = (&key.certificate, jwk.as_object_mut()) {
                    members.insert("x5c".to_owned(), json!([base64_simd::STANDARD.encode_to_string(der)]));
                }
                if let (Signer::Flawed(flaw), Some(members)) = (signer, jwk.as_object_mut()) {
                    flaw.declare(members);
                }
                jwk
            })
            .collect();
        json!({ "keys": keys }).to_string()
    }

    /// The `issuer` member of v2 documents (rules.md 4.1).
    fn key_issuer(&self, signer: Signer) -> String {
        let tenant = if signer == Signer::Personal { PERSONAL_TENANT } else { "{tenantid}" };
        format!("https://{}/{tenant}/v2.0", self.cloud.v2_host().unwrap_or_default())
    }
}

/// Whether a key is missing from a single capture, as happens with the real endpoints (rules.md 4.3): most often one for
/// personal accounts, sometimes another.
fn is_flapping(signer: Signer, capture: usize) -> bool {
    match signer {
        Signer::Personal => capture % 4 == 2,
        Signer::Regular(turn) => capture % 6 == 4 && (capture / 6) % 3 == turn % 3,
        _ => false,
    }
}

fn sources(world: &World, misuse: bool) -> Vec<Source> {
    let own = &world.tenant(0).id;
    let custom = |app: &str, signer| Source::entra(Cloud::Global, own, false, app, Lists::Own(signer));
    let mut sources = vec![
        Source::entra(Cloud::Global, "common", true, "", Lists::Shared),
        Source::entra(Cloud::Global, "common", false, "", Lists::Shared),
        Source::entra(Cloud::Global, own, false, "", Lists::Shared),
        Source::entra(Cloud::UsGovernment, "common", false, "", Lists::Own(Signer::Government)),
        custom(&world.custom_app, Signer::Custom),
    ];
    if misuse {
        sources.push(custom(&world.unexpected_app, Signer::Flawed(Flaw::CustomKey)));
        sources.push(Source {
            url: tampered::url(world),
            ..Source::entra(Cloud::Global, &world.bystander, false, "", Lists::Tampered)
        });
    }
    sources
}

/// Writes the documents and `captures.jsonl` into `keys/`.
pub(super) fn write(plan: &Plan, world: &World, ring: &KeyRing, keys: &Path) -> Result<(), GenerateError> {
    let mut captures = String::new();
    for source in sources(world, plan.misuse > 0.0) {
        let folder = keys.join(&source.folder);
        fs::create_dir_all(&folder).map_err(GenerateError::file(&folder))?;
        let mut written: HashMap<String, String> = HashMap::new();
        for (capture, at) in capture_times(plan).enumerate() {
            let body = match source.lists {
                Lists::Tampered => tampered::document(world, ring, at)?,
                _ => source.document(ring, at, capture),
            };
            let sha256 = redact::hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
            let file = if let Some(file) = written.get(&sha256) {
                file.clone()
            } else {
                let name = format!("{}.json", instant(at).replace(':', "-"));
                let path = folder.join(&name);
                fs::write(&path, &body).map_err(GenerateError::file(&path))?;
                let file = format!("{}/{name}", source.folder);
                written.insert(sha256.clone(), file.clone());
                file
            };
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
        }
    }
    let path = keys.join("captures.jsonl");
    fs::write(&path, captures).map_err(GenerateError::file(&path))
}

/// A key as documents list it, under some id.
pub(super) fn jwk(key: &SigningKey, kid: &str, issuer: Option<String>, cloud: Cloud) -> Value {
    let mut members = serde_json::Map::new();
    for (name, value) in &key.public {
        members.insert((*name).to_owned(), value.as_str().into());
    }
    members.insert("use".to_owned(), "sig".into());
    members.insert("kid".to_owned(), kid.into());
    members.insert("x5t".to_owned(), kid.into());
    if let Some(issuer) = issuer {
        members.insert("issuer".to_owned(), issuer.into());
        members.insert("cloud_instance_name".to_owned(), cloud.instance_name().into());
    }
    Value::Object(members)
}

/// RFC 3339 text of whole seconds.
pub(super) fn instant(seconds: i64) -> String {
    UtcMicros::from_seconds(seconds).to_string()
}
