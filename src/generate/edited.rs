//! The second half of the planting table: tokens that Entra's own key signs and that differ in a few members. Who holds a
//! tenant's custom key, or a flaw of the issuer, could make each of them.

use super::edit::Edit::{Absent, AfterIssue, Filler, Json, OtherCase};
use super::plant::{Plant, Twist, plant, plant_at};
use super::world::Style;

const HOUR: i64 = 3600;

/// The rows; nearly all of them are planted at an API without further claims on tenants and principals.
pub(super) const EDITED: &[Plant] = &[
    // Form and header.
    plant("alg-missing", Twist::Header(&[("alg", Absent)]), &["alg-missing"]),
    plant(
        "hdr-x5u",
        Twist::Header(&[("x5u", Json(r#""https://keys.attacker.example/cert.pem""#))]),
        &["hdr-unknown", "hdr-x5u"],
    ),
    plant("hdr-x5c", Twist::Header(&[("x5c", Json(r#"["MIIBfz"]"#))]), &["hdr-unknown", "hdr-x5c"]),
    plant("hdr-b64", Twist::Header(&[("b64", Json("false"))]), &["hdr-b64", "hdr-unknown"]),
    plant("hdr-nested", Twist::Header(&[("cty", Json(r#""JWT""#))]), &["hdr-nested", "hdr-unknown"]),
    plant("hdr-typ", Twist::Header(&[("typ", Json(r#""at+jwt""#))]), &["hdr-typ"]),
    plant("hdr-unknown", Twist::Header(&[("zip", Json(r#""DEF""#))]), &["hdr-unknown"]),
    plant(
        "kid-injection",
        Twist::Header(&[("kid", Json(r#""../../keys/attacker.pem""#))]),
        &["kid-injection", "kid-mislabelled"],
    ),
    plant("kid-case", Twist::Header(&[("kid", OtherCase)]), &["kid-case", "kid-mislabelled"]),
    plant(
        "x5t-kid-mismatch",
        Twist::HeaderOfV1(&[("x5t", Json(r#""AAAAAAAAAAAAAAAAAAAAAAAAAAA""#))]),
        &["x5t-kid-mismatch"],
    ),
    plant("x5t-version", Twist::HeaderOfV1(&[("x5t", Absent)]), &["x5t-version"]),
    plant("claim-type", Twist::Claims(&[("roles", Json(r#""Admin""#))]), &["claim-type"]),
    plant("token-oversize", Twist::Claims(&[("note", Filler(20_000))]), &["token-oversize"]),
    plant(
        "actor-token",
        Twist::UnsignedClaims(&[("actortoken", Json(r#""of-a-service""#))]),
        &["actor-token", "alg-none"],
    ),
    plant("refresh-token-sent", Twist::RefreshToken, &["refresh-token-sent"]),
    // Time.
    plant(
        "iat-future",
        Twist::Claims(&[("iat", AfterIssue(20_000)), ("exp", AfterIssue(24_000))]),
        &["iat-future"],
    ),
    plant("iat-missing", Twist::Claims(&[("iat", Absent)]), &["iat-missing"]),
    plant("nbf-missing", Twist::Claims(&[("nbf", Absent)]), &["nbf-missing"]),
    plant("time-order", Twist::Claims(&[("nbf", AfterIssue(20_000))]), &["not-yet-valid", "time-order"]),
    plant("time-unit", Twist::Claims(&[("nbf", Json("1700000000.5"))]), &["time-unit"]),
    plant("lifetime-long", Twist::Claims(&[("exp", AfterIssue(40 * HOUR))]), &["lifetime-long"]),
    plant("lifetime-short", Twist::Claims(&[("exp", AfterIssue(10 * HOUR))]), &["lifetime-short"]),
    plant(
        "lifetime-cae-unclaimed",
        Twist::Claims(&[("exp", AfterIssue(24 * HOUR))]),
        &["lifetime-cae-unclaimed"],
    ),
    // Issuer and tenant.
    plant(
        "iss-malformed",
        Twist::Claims(&[("iss", Json(r#""https://login.microsoftonline.com/{tid}/v2.0/""#))]),
        &["iss-malformed"],
    ),
    plant(
        "iss-version-mismatch",
        Twist::Claims(&[("ver", Json(r#""1.0""#))]),
        &["client-version", "iss-version-mismatch"],
    ),
    plant("tid-missing", Twist::Claims(&[("tid", Absent)]), &["tid-missing"]),
    plant(
        "tid-not-guid",
        Twist::Claims(&[("tid", Json(r#""contoso""#))]),
        &["claim-type", "iss-tid-mismatch", "tenant-not-allowed", "tid-not-guid"],
    ),
    plant(
        "idp-unexpected",
        Twist::Claims(&[("idp", Json(r#""https://sts.windows.net/dddddddd-0000-4000-8000-00000000beef/""#))]),
        &["idp-unexpected"],
    ),
    plant("guest-user", Twist::Claims(&[("acct", Json("1"))]), &["guest-user"]),
    plant("iss-missing", Twist::Claims(&[("iss", Absent)]), &["iss-missing", "key-source-mismatch"]),
    plant(
        "cloud-mismatch",
        Twist::Claims(&[("iss", Json(r#""https://login.partner.microsoftonline.cn/{tid}/v2.0""#))]),
        // The archive has no source of that cloud.
        &["cloud-mismatch", "key-no-coverage", "key-source-mismatch"],
    ),
    plant(
        "b2c-issuer",
        Twist::Claims(&[("iss", Json(r#""https://contoso.b2clogin.com/{tid}/v2.0/""#))]),
        &["b2c-issuer", "key-source-mismatch"],
    ),
    plant(
        "ciam-issuer",
        Twist::Claims(&[("iss", Json(r#""https://{tid}.ciamlogin.com/{tid}/v2.0""#))]),
        &["ciam-issuer", "key-source-mismatch"],
    ),
    // Audience.
    plant("aud-multiple", Twist::Claims(&[("aud", Json(r#"["{app}","{oid}"]"#))]), &["aud-multiple"]),
    // Elsewhere only some clients are allowed.
    plant_at(
        Style::TenantPath,
        "aud-is-client",
        Twist::Claims(&[("azp", Json(r#""{app}""#))]),
        &["aud-is-client"],
    ),
    plant("aud-form", Twist::Claims(&[("aud", Json(r#""{uri}""#))]), &["aud-form"]),
    plant(
        "aud-near-miss",
        Twist::Claims(&[("aud", Json(r#""{uri}//""#))]),
        &["aud-form", "aud-near-miss", "wrong-aud"],
    ),
    plant(
        "ms-api-token",
        Twist::Claims(&[("aud", Json(r#""cfa8b339-82a2-471a-a3c9-0fc0be7a4093""#))]),
        &["ms-api-token", "wrong-aud"],
    ),
    plant("id-token-used", Twist::Claims(&[("nonce", Json(r#""n-0S6_WzA2Mj""#))]), &["id-token-used"]),
];
