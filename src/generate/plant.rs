//! The planting table: every kind of misuse, with the rules that must fire for it.
//!
//! The table is written from the rules' descriptions under the policy that [`super::config`] writes; no code of the
//! rules is looked at, so that the two can disagree. Every planted request is accepted, so that everything is judged.

use super::authorized::AUTHORIZED;
use super::corner::Corner;
use super::edit::Edits;
use super::edited::EDITED;
use super::flawed::FLAWED;
use super::keyring::Signer;
use super::plan::{LogFormat, Signing};
use super::world::{Style, World};

/// How a token, or its use, differs from a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    /// `aud` names another API of the organisation.
    OtherAudience,
    /// `aud` is Microsoft Graph.
    GraphAudience,
    /// No `aud`.
    NoAudience,
    /// Used this many seconds after `exp`.
    Late(i64),
    /// Used before `nbf`.
    Early,
    /// No `exp`.
    NoExpiry,
    /// Used for the data of another tenant.
    OtherDataTenant,
    /// The application authorises on the mail-like claim.
    MailPrincipal,
    /// One bit of the signature is wrong.
    FlippedBit,
    /// `alg` is none in some letter case, and there is no signature.
    Unsigned,
    /// A MAC under a secret of the attacker.
    Mac,
    /// A MAC under the public key.
    MacOfPublicKey,
    /// Rightly signed, with an algorithm that the policy does not list.
    OtherAlgorithm,
    /// Rightly signed, without `kid`.
    NoKid,
    /// Signed with a key that its issuer never published.
    UnknownKey,
    /// Of a tenant that the policy does not allow.
    ForeignTenant,
    /// Of a tenant that this API does not admit.
    TenantElsewhere,
    /// `iss` names another tenant than `tid`.
    OtherIssuer,
    /// `iss` is none that the policy knows.
    ForeignIssuer,
    /// The header has `jku`.
    Jku,
    /// The header brings its own key, and is signed with it.
    EmbeddedKey,
    /// The header has `crit`.
    Crit,
    /// A claim stands twice.
    DuplicateClaim,
    /// The payload is no JSON object.
    BrokenPayload,
    /// The signature is padded.
    Padded,
    /// The signature has a character outside the alphabet.
    ForeignCharacter,
    /// A refresh token in place of an access token.
    RefreshToken,
    /// No JWT at all.
    Opaque,
    /// Rightly signed otherwise, with a key that is wrong for the token.
    WrongKey(Signer),
    /// A v2 token, rightly signed, with these differences in the header.
    Header(Edits),
    /// The same of a v1 token.
    HeaderOfV1(Edits),
    /// A user's v2 token, rightly signed, with these differences in the claims.
    Claims(Edits),
    /// The same without a signature, as [`Twist::Unsigned`].
    UnsignedClaims(Edits),
    /// The same signed by somebody else.
    ClaimsBy(Signer, Edits),
    /// A user's v1 token, rightly signed, with these differences in the claims.
    ClaimsOfV1(Edits),
    /// The application authorises on this text, in which `{oid}` and the like stand for the token's own; the claims of the
    /// v2 token differ so.
    ActsAs(&'static str, Edits),
    /// Sent in this part of the request.
    SentIn(Part),
    /// Sent without TLS.
    Cleartext,
    /// Used after its user was revoked.
    AfterRevocation,
    /// Issued shortly before this key was withdrawn, for some days, and used at the end of them.
    LongAfter(Signer),
    /// Used after `exp`, by less than the granted skew.
    InSkew,
    /// A token for Microsoft Graph as Entra signs it: over a header whose nonce is hashed.
    GraphNonce,
    /// Encrypted (RFC 7516).
    Encrypted,
    /// The logger kept header and payload, and not the signature.
    Cut,
    /// Used for the data of somebody whom the policy does not know.
    UnknownDataTenant,
}

/// A part of a request that no token should stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The query.
    Query,
    /// The path; in the header as well.
    Path,
    /// The Referer header.
    Referer,
    /// A field of a form.
    Body,
}

/// A row of the table.
pub(super) struct Plant {
    /// What it is called.
    pub name: &'static str,
    /// How it differs from a good token.
    pub twist: Twist,
    /// API that it is used at; `None` for any that neither names tenants nor principals.
    pub style: Option<Style>,
    /// Part of the API.
    pub corner: Option<Corner>,
    /// Every rule that must fire for each of its requests; those of the severity info where the row is about them.
    pub rules: &'static [&'static str],
    /// Rules that must fire beside them where the token is of version 1.
    pub rules_of_v1: &'static [&'static str],
}

pub(super) const fn plant(name: &'static str, twist: Twist, rules: &'static [&'static str]) -> Plant {
    Plant { name, twist, style: None, corner: None, rules, rules_of_v1: &[] }
}

pub(super) const fn plant_at(
    style: Style,
    name: &'static str,
    twist: Twist,
    rules: &'static [&'static str],
) -> Plant {
    Plant { style: Some(style), ..plant(name, twist, rules) }
}

/// The table. Kinds are planted in turn, in this order.
const PLANTS: &[Plant] = &[
    // A v2 token names an application's id whichever it is; a v1 token the address of the other API.
    Plant {
        rules_of_v1: &["aud-form"],
        ..plant("wrong-aud", Twist::OtherAudience, &["confused-deputy", "wrong-aud"])
    },
    plant("expired-use-10-min", Twist::Late(600), &["expired-use"]),
    plant_at(Style::TenantPath, "cross-tenant-path", Twist::OtherDataTenant, &["cross-tenant-data"]),
    plant_at(Style::Principal, "email-authz", Twist::MailPrincipal, &["email-authz"]),
    plant("sig-invalid", Twist::FlippedBit, &["sig-invalid"]),
    plant("alg-none", Twist::Unsigned, &["alg-none"]),
    plant("kid-unknown", Twist::UnknownKey, &["kid-unknown"]),
    plant("tenant-not-allowed", Twist::ForeignTenant, &["tenant-not-allowed"]),
    plant("graph-token", Twist::GraphAudience, &["graph-token", "wrong-aud"]),
    plant("hdr-nonce", Twist::GraphNonce, &["graph-token", "hdr-nonce", "wrong-aud"]),
    plant("expired-use-2-h", Twist::Late(7200), &["expired-use"]),
    plant("expired-in-skew", Twist::InSkew, &["expired-in-skew"]),
    plant("not-yet-valid", Twist::Early, &["iat-future", "not-yet-valid"]),
    plant("iss-tid-mismatch", Twist::OtherIssuer, &["iss-tid-mismatch"]),
    plant("alg-symmetric", Twist::Mac, &["alg-symmetric"]),
    plant("aud-missing", Twist::NoAudience, &["aud-missing"]),
    plant("exp-missing", Twist::NoExpiry, &["exp-missing"]),
    plant("hdr-jku", Twist::Jku, &["hdr-jku", "hdr-unknown"]),
    plant_at(Style::TenantHost, "cross-tenant-host", Twist::OtherDataTenant, &["cross-tenant-data"]),
    plant_at(
        Style::TenantHost,
        "data-tenant-unresolved",
        Twist::UnknownDataTenant,
        &["data-tenant-unresolved"],
    ),
    plant("alg-confusion", Twist::MacOfPublicKey, &["alg-confusion"]),
    plant("alg-unexpected", Twist::OtherAlgorithm, &["alg-unexpected"]),
    plant("kid-missing", Twist::NoKid, &["kid-missing"]),
    plant_at(Style::Narrow, "tenant-not-admitted", Twist::TenantElsewhere, &["tenant-not-allowed"]),
    plant("iss-unknown", Twist::ForeignIssuer, &["iss-unknown"]),
    plant("hdr-jwk", Twist::EmbeddedKey, &["hdr-jwk", "hdr-unknown", "sig-invalid"]),
    plant("hdr-crit", Twist::Crit, &["hdr-crit", "hdr-unknown"]),
    plant("json-duplicate", Twist::DuplicateClaim, &["json-duplicate"]),
    plant("json-invalid", Twist::BrokenPayload, &["json-invalid"]),
    plant("b64-noncanonical", Twist::Padded, &["b64-noncanonical"]),
    plant("b64-invalid", Twist::ForeignCharacter, &["b64-invalid"]),
    plant("token-opaque", Twist::Opaque, &["token-opaque"]),
    plant("token-jwe", Twist::Encrypted, &["token-jwe"]),
    plant("token-truncated", Twist::Cut, &["token-truncated"]),
    plant("key-before-publish", Twist::WrongKey(Signer::NotYetPublished), &["key-before-publish"]),
    plant("key-retired-at-iat", Twist::WrongKey(Signer::Retired), &["key-retired-at-iat"]),
    plant("key-issuer-mismatch", Twist::WrongKey(Signer::Personal), &["key-issuer-mismatch"]),
    plant("key-compromised", Twist::WrongKey(Signer::Compromised), &["key-compromised"]),
];

impl Plant {
    /// Whether an API is a place where this misuse, and nothing else, shows.
    pub(super) fn fits(&self, style: Style) -> bool {
        match self.style {
            Some(wanted) => style == wanted,
            None => style == Style::Plain,
        }
    }

    /// Whether the misuse can show in this corpus, for a token issued at `issued`; `proven_until` is the last instant
    /// at which the archive proves that the key to come was not yet published.
    pub(super) fn is_possible(&self, world: &World, issued: i64, proven_until: i64) -> bool {
        let rsa = world.alg == Signing::Rs256;
        world.apis.iter().any(|api| self.fits(api.style))
            && match self.twist {
                Twist::OtherAudience => world.apis.len() > 1,
                Twist::OtherDataTenant | Twist::OtherIssuer | Twist::TenantElsewhere => {
                    world.tenants.len() > 1
                }
                Twist::MailPrincipal | Twist::ActsAs(..) | Twist::SentIn(Part::Referer) => {
                    world.format != LogFormat::EnvoyJson
                }
                // Only our own JSON names the scheme and quotes bodies.
                Twist::SentIn(Part::Body) | Twist::Cleartext => world.format == LogFormat::EdgeJson,
                // The spelling of a public key as PEM, the second algorithm, and flaws are at hand for RSA only.
                Twist::MacOfPublicKey | Twist::OtherAlgorithm | Twist::WrongKey(Signer::Flawed(_)) => rsa,
                Twist::WrongKey(Signer::NotYetPublished) => issued + 2 * 3600 < proven_until,
                _ => true,
            }
    }
}

/// All parts of the table.
pub(super) fn all() -> impl Iterator<Item = &'static Plant> + Clone {
    PLANTS.iter().chain(EDITED).chain(FLAWED).chain(AUTHORIZED)
}

/// The misuse of a token: every `1 / misuse` tokens one, its kind in turn among the possible ones.
pub(super) fn plant_of(
    world: &World,
    misuse_ppm: u64,
    token: u64,
    issued: i64,
    proven_until: i64,
) -> Option<&'static Plant> {
    let planted_before = |token: u64| u128::from(token) * u128::from(misuse_ppm) / 1_000_000;
    let ordinal = planted_before(token);
    if planted_before(token + 1) == ordinal {
        return None;
    }
    let count = all().count();
    let turn = usize::try_from(ordinal % u128::try_from(count).ok()?).ok()?;
    all().cycle().skip(turn).take(count).find(|plant| plant.is_possible(world, issued, proven_until))
}
