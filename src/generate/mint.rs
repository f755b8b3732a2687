//! Writes tokens down: header, claims, signature, and the fingerprint by which findings name them.

use super::bank::Banked;
use super::corner::Corner;
use super::dice::Dice;
use super::edit::{Edit, Edits};
use super::keyring::{KeyRing, SigningKey, mac};
use super::plan::{GenerateError, Signing};
use super::plant::Twist;
use super::spec::Spec;
use super::world::World;
use crate::codec::base64url;
use crate::redact;
use aws_lc_rs::digest;
use std::fmt::Write;

/// Application id of Microsoft Graph, its audience in tokens.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
/// The nonce in the header of tokens for it.
const GRAPH_NONCE: &str = "GraphNonce-0123456789abcdefghijklmnopqrstu";

/// A token as it is sent.
pub(super) struct Minted {
    /// The value, without scheme word.
    pub text: String,
    /// `token_sha256` (contract section 7).
    pub sha256: String,
    /// The issuer's signature, to be remembered.
    pub banked: Banked,
}

/// A JSON object that is written member by member, in order. Every value is the generator's own and needs no escapes.
///
/// Edits of a planted token take the place of what would be written; those of members that were not written come last.
struct Members<'e> {
    text: String,
    /// Edits that are still to be made.
    edits: Vec<(&'static str, Edit)>,
    /// Whose token it is, if it is edited.
    of: Option<(&'e World, &'e Spec<'e>)>,
}

impl<'e> Members<'e> {
    fn new() -> Self {
        Self { text: "{".to_owned(), edits: Vec::new(), of: None }
    }

    fn edited(edits: Edits, world: &'e World, spec: &'e Spec<'e>) -> Self {
        Self { edits: edits.to_vec(), of: Some((world, spec)), ..Self::new() }
    }

    fn raw(&mut self, name: &str, value: &str) {
        match self.edits.iter().position(|(edited, _)| *edited == name) {
            Some(at) => {
                let (_, edit) = self.edits.remove(at);
                self.write_edited(name, edit, Some(value));
            }
            None => self.write(name, value),
        }
    }

    fn write_edited(&mut self, name: &str, edit: Edit, value: Option<&str>) {
        if let Some(value) = self.of.and_then(|(world, spec)| edit.json(value, world, spec)) {
            self.write(name, &value);
        }
    }

    fn write(&mut self, name: &str, value: &str) {
        let comma = if self.text.len() > 1 { "," } else { "" };
        let _ = write!(self.text, "{comma}\"{name}\":{value}");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &format!("\"{value}\""));
    }

    fn finish(mut self) -> String {
        for (name, edit) in std::mem::take(&mut self.edits) {
            self.write_edited(name, edit, None);
        }
        self.text.push('}');
        self.text
    }
}

/// Writes a token down. `banked` is its signature from an earlier run over the same text.
pub(super) fn mint(
    world: &World,
    ring: &KeyRing,
    spec: &Spec<'_>,
    banked: Option<&Banked>,
) -> Result<Minted, GenerateError> {
    let mut dice = Dice::new(world.seed, "claims", spec.index);
    let opaque = match spec.twist() {
        Some(Twist::Encrypted) => Some(encrypted(&mut dice)),
        Some(Twist::Opaque) => Some(format!("key-{}", dice.text(30))),
        // As Entra writes them: a version, a dot, and some hundred characters.
        Some(Twist::RefreshToken) => Some(format!("1.A{}", dice.text(600))),
        _ => None,
    };
    if let Some(text) = opaque {
        let sha256 = fingerprint(text.as_bytes(), &[]);
        return Ok(Minted { text, sha256, banked: Banked::none() });
    }
    let key = ring.key(spec.signer)?;
    // A token that brings its own key still names a published one.
    let named =
        if spec.twist() == Some(Twist::EmbeddedKey) { ring.key(ring.due(spec.iat, &mut dice))? } else { key };
    let header = header(world, spec, key, &named.kid);
    let mut payload = claims(world, spec, &mut dice);
    if spec.twist() == Some(Twist::BrokenPayload) {
        payload.pop();
    }
    let mut text =
        format!("{}.{}.", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
    let hashed = (spec.twist() == Some(Twist::GraphNonce)).then(|| with_hashed_nonce(&header, &payload));
    let signed = hashed.as_deref().unwrap_or_else(|| text.trim_end_matches('.')).as_bytes();
    let (mut signature, banked) = sign(key, spec.twist(), signed, banked)
        .map_err(|why| GenerateError::Token { index: spec.index, why })?;
    if spec.twist() == Some(Twist::FlippedBit)
        && let Some(byte) = signature.get_mut(17)
    {
        *byte ^= 4;
    }
    let mut sha256 = fingerprint(text.as_bytes(), &signature);
    text.push_str(&base64url::encode(&signature));
    match spec.twist() {
        // 256 and 64 bytes both leave two characters of padding.
        Some(Twist::Padded) => text.push_str("=="),
        Some(Twist::ForeignCharacter) => {
            let at = text.len() - 20;
            text.replace_range(at..=at, "!");
            sha256 = fingerprint(text.as_bytes(), &[]);
        }
        Some(Twist::Cut) => {
            text.truncate(text.rfind('.').unwrap_or(0));
            sha256 = fingerprint(text.as_bytes(), &[]);
        }
        _ => {}
    }
    Ok(Minted { text, sha256, banked })
}

/// The five parts of an encrypted token; what is encrypted nobody can tell.
fn encrypted(dice: &mut Dice) -> String {
    let header = base64url::encode(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"JWT"}"#);
    let parts = [256, 12, 700, 16].map(|bytes| dice.text(bytes));
    format!("{header}.{}", parts.join("."))
}

/// What is signed of a token for Microsoft Graph (rules.md 4.6).
fn with_hashed_nonce(header: &str, payload: &str) -> String {
    let hash = base64url::encode(digest::digest(&digest::SHA256, GRAPH_NONCE.as_bytes()).as_ref());
    let header = header.replace(GRAPH_NONCE, &hash);
    format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()))
}

/// SHA-256 over two pieces in a row, in hexadecimal digits.
fn fingerprint(text: &[u8], signature: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(text);
    context.update(signature);
    redact::hex(context.finish().as_ref())
}

fn sign(
    key: &SigningKey,
    twist: Option<Twist>,
    signed: &[u8],
    banked: Option<&Banked>,
) -> Result<(Vec<u8>, Banked), String> {
    match twist {
        Some(Twist::Unsigned | Twist::UnsignedClaims(_)) => Ok((Vec::new(), Banked::none())),
        Some(Twist::Mac) => Ok((mac(b"a secret that no key document holds", signed), Banked::none())),
        Some(Twist::MacOfPublicKey) => {
            let pem = key.pem.as_deref().ok_or("the public key is not at hand as PEM")?;
            Ok((mac(pem.as_bytes(), signed), Banked::none()))
        }
        _ => {
            let signature = match banked {
                Some(banked) => banked
                    .signature_over(signed)
                    .ok_or("its signature in the token bank is of another text; remove the bank")?,
                None => key.sign(signed, twist == Some(Twist::OtherAlgorithm))?,
            };
            let banked = Banked::new(signed, &signature);
            Ok((signature, banked))
        }
    }
}

fn header(world: &World, spec: &Spec<'_>, key: &SigningKey, kid: &str) -> String {
    let (edits, _) = spec.edits();
    let mut header = Members::edited(edits, world, spec);
    header.text("typ", "JWT");
    let alg = match spec.twist() {
        Some(Twist::Unsigned | Twist::UnsignedClaims(_)) if spec.index.is_multiple_of(2) => "none",
        Some(Twist::Unsigned | Twist::UnsignedClaims(_)) => "nOnE",
        Some(Twist::Mac | Twist::MacOfPublicKey) => "HS256",
        Some(Twist::OtherAlgorithm) => "RS512",
        _ => world.alg.name(),
    };
    header.text("alg", alg);
    if spec.twist() == Some(Twist::NoKid) {
        return header.finish();
    }
    if spec.v1 {
        header.text("x5t", kid);
    }
    header.text("kid", kid);
    match spec.twist() {
        Some(Twist::GraphNonce) => header.text("nonce", GRAPH_NONCE),
        Some(Twist::Jku) => header.text("jku", "https://keys.attacker.example/jwks.json"),
        Some(Twist::Crit) => {
            header.raw("crit", r#"["urn:contoso:example:ext"]"#);
            header.text("urn:contoso:example:ext", "1");
        }
        Some(Twist::EmbeddedKey) => {
            let mut jwk = Members::new();
            for (name, value) in &key.public {
                jwk.text(name, value);
            }
            header.raw("jwk", &jwk.finish());
        }
        _ => {}
    }
    header.finish()
}

/// Claims as Entra writes them, v1 or v2.
fn claims(world: &World, spec: &Spec<'_>, dice: &mut Dice) -> String {
    let twist = spec.twist();
    let tid = &world.tenant(spec.tenant).id;
    let (_, edits) = spec.edits();
    let mut claims = Members::edited(edits, world, spec);
    match twist {
        Some(Twist::NoAudience) => {}
        Some(Twist::GraphAudience | Twist::GraphNonce) => claims.text("aud", GRAPH),
        _ => claims.text("aud", if spec.v1 { &spec.issued_for.uri } else { &spec.issued_for.app_id }),
    }
    let iss = match twist {
        Some(Twist::ForeignIssuer) => "https://idp.fabrikam.example/".to_owned(),
        _ if spec.v1 => format!("https://sts.windows.net/{}/", world.tenant(spec.issuer).id),
        _ if spec.issuer == World::GOVERNMENT => {
            format!("https://login.microsoftonline.us/{}/v2.0", world.government.id)
        }
        _ => format!("https://login.microsoftonline.com/{}/v2.0", world.tenant(spec.issuer).id),
    };
    claims.text("iss", &iss);
    claims.raw("iat", &spec.iat.to_string());
    claims.raw("nbf", &spec.iat.to_string());
    if twist != Some(Twist::NoExpiry) {
        claims.raw("exp", &spec.exp.to_string());
    }
    claims.text("aio", &format!("A{}", dice.text(51)));
    let (client, client_auth) = if spec.v1 { ("appid", "appidacr") } else { ("azp", "azpacr") };
    claims.text(client, spec.client);
    let certified = spec.app || (spec.corner == Some(Corner::Partners) && spec.plant.is_none());
    claims.text(client_auth, if certified { "2" } else { "1" });
    if spec.app {
        app_claims(&mut claims, spec);
    } else {
        user_claims(&mut claims, world, spec, dice);
    }
    claims.text("rh", &format!("1.A{}.", dice.text(36)));
    claims.text("tid", tid);
    if twist == Some(Twist::DuplicateClaim) {
        claims.text("tid", tid);
    }
    claims.text("uti", &dice.text(16));
    claims.text("ver", if spec.v1 { "1.0" } else { "2.0" });
    claims.text("xms_ftd", &dice.text(32));
    claims.finish()
}

fn app_claims(claims: &mut Members<'_>, spec: &Spec<'_>) {
    claims.text("idtyp", "app");
    claims.text("oid", &spec.oid);
    let roles = ["Items.Read.All", "Items.Write.All", "Reports.Read.All", "Metadata.Read.All"];
    claims.raw("roles", &format!("[\"{}\"]", roles.join("\",\"")));
    claims.text("sub", &spec.oid);
    if spec.managed {
        let group = "/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/contoso";
        claims.text(
            "xms_mirid",
            &format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/batch"),
        );
    }
}

fn user_claims(claims: &mut Members<'_>, world: &World, spec: &Spec<'_>, dice: &mut Dice) {
    claims.raw("auth_time", &(spec.iat - 600).to_string());
    if let Some(provider) = spec.guest_of {
        claims.raw("acct", "1");
        claims.text("idp", provider);
    }
    let good_in = |corner| spec.plant.is_none() && spec.corner == Some(corner);
    let mut groups: Vec<String> = (0..dice.between(2, 6)).map(|_| format!("\"{}\"", dice.guid())).collect();
    if good_in(Corner::Clerks) {
        groups.push(format!("\"{}\"", world.clerks));
    } else if spec.plant.is_none() && dice.chance(30) {
        groups.clear();
    }
    if groups.is_empty() {
        too_many_groups(claims, spec);
    } else {
        claims.raw("groups", &format!("[{}]", groups.join(",")));
    }
    if good_in(Corner::Secure) {
        claims.raw("acrs", r#"["c1"]"#);
    }
    if spec.plant.is_none() && dice.chance(200) {
        claims.raw("wids", r#"["b79fbf4d-3ef9-4689-8143-76b194e85509"]"#);
        claims.raw("roles", r#"["Items.Approver"]"#);
    }
    if spec.v1 || good_in(Corner::Secure) {
        claims.raw("amr", r#"["pwd","mfa"]"#);
    }
    if spec.v1 {
        claims.text("acr", "1");
        claims.text("ipaddr", &spec.client_ip);
        claims.text("unique_name", &spec.mail);
        claims.text("upn", &spec.mail);
    } else {
        claims.text("preferred_username", &spec.mail);
    }
    claims.text("name", &format!("User {:05}", dice.below(100_000)));
    claims.text("oid", &spec.oid);
    claims.text("scp", "Items.Read Items.Write access_as_user");
    claims.text("sid", &dice.guid());
    claims.text("sub", &dice.text(32));
}

/// What stands in place of groups that are too many.
fn too_many_groups(claims: &mut Members<'_>, spec: &Spec<'_>) {
    claims.raw("_claim_names", r#"{"groups":"src1"}"#);
    let endpoint = format!("https://graph.microsoft.com/v1.0/users/{}/getMemberObjects", spec.oid);
    claims.raw("_claim_sources", &format!(r#"{{"src1":{{"endpoint":"{endpoint}"}}}}"#));
}

/// Characters of a signature in a token of an algorithm.
pub(super) fn signature_characters(alg: Signing) -> usize {
    match alg {
        Signing::Rs256 => 342,
        Signing::Es256 => 86,
    }
}
