//! The fourth part of the planting table: what a token grants, to whom, and on whose word; where it was sent.

use super::corner::Corner;
use super::edit::Edit::{Absent, Json};
use super::edit::Edits;
use super::plant::{Part, Plant, Twist, plant};
use super::world::Style;

/// What makes an application's token of a user's, beside its roles.
macro_rules! application {
    ($roles:literal $(, ($name:literal, $edit:expr))*) => {
        Twist::Claims(&[
            ("scp", Absent),
            ("idtyp", Json(r#""app""#)),
            ("roles", Json($roles)),
            $(($name, $edit),)*
        ])
    };
}

/// A reference in place of groups, to a host.
macro_rules! overage {
    ($host:literal) => {
        Twist::Claims(&[
            ("groups", Absent),
            ("_claim_names", Json(r#"{"groups":"src1"}"#)),
            (
                "_claim_sources",
                Json(concat!(
                    r#"{"src1":{"endpoint":"https://"#,
                    $host,
                    r#"/v1.0/users/{oid}/getMemberObjects"}}"#
                )),
            ),
        ])
    };
}

/// The rows.
pub(super) const AUTHORIZED: &[Plant] = &[
    // Permissions. The policy asks for Items.Read or Items.Read.All, and lists what is defined.
    plant("no-permission", Twist::Claims(&[("scp", Absent)]), &["no-permission", "scope-missing"]),
    plant("scope-missing", Twist::Claims(&[("scp", Json(r#""Items.List""#))]), &["scope-missing"]),
    plant(
        "scope-undefined",
        Twist::Claims(&[("scp", Json(r#""Items.Read Items.Purge""#))]),
        &["scope-undefined"],
    ),
    plant("role-missing", application!(r#"["Metadata.Read.All"]"#), &["role-missing"]),
    plant_in(Corner::Clerks, "group-missing", Twist::Claims(&[]), &["group-missing"]),
    plant_in(Corner::Clerks, "groups-overage", overage!("graph.microsoft.com"), &["groups-overage"]),
    plant("groups-overage-endpoint", overage!("graph.attacker.example"), &["groups-overage-endpoint"]),
    plant("wids-privileged", Twist::Claims(&[("wids", Json(GLOBAL_ADMINISTRATOR))]), &["wids-privileged"]),
    plant_in(
        Corner::Admin,
        "implicit-oversight",
        Twist::Claims(&[("scp", Json(r#""access_as_user""#))]),
        &["implicit-oversight"],
    ),
    // Kinds and clients.
    plant_in(
        Corner::Desk,
        "app-only-on-delegated",
        application!(r#"["Items.Read.All"]"#),
        &["app-only-on-delegated"],
    ),
    plant_in(Corner::Batch, "delegated-on-app-only", Twist::Claims(&[]), &["delegated-on-app-only"]),
    plant(
        "kind-conflict",
        Twist::Claims(&[("idtyp", Json(r#""app""#)), ("roles", Json(r#"["Items.Read.All"]"#))]),
        &["kind-conflict"],
    ),
    plant("client-missing", Twist::Claims(&[("azp", Absent)]), &["client-missing"]),
    plant("client-version", Twist::Claims(&[("appid", Json(r#""{bystander}""#))]), &["client-version"]),
    plant("client-not-allowed", Twist::Claims(&[("azp", Json(r#""{bystander}""#))]), &["client-not-allowed"]),
    plant_in(
        Corner::Partners,
        "client-public",
        Twist::Claims(&[("azpacr", Json(r#""0""#))]),
        &["client-public"],
    ),
    plant_in(Corner::Partners, "client-secret-weak", Twist::Claims(&[]), &["client-secret-weak"]),
    plant(
        "app-only-public",
        application!(r#"["Items.Read.All"]"#, ("azpacr", Json(r#""0""#))),
        &["app-only-public"],
    ),
    // The sign-in.
    plant_in(
        Corner::Secure,
        "mfa-missing",
        Twist::Claims(&[("amr", Json(r#"["pwd"]"#)), ("acrs", Json(r#"["c1"]"#))]),
        &["mfa-missing"],
    ),
    plant_in(Corner::Secure, "mfa-unknown", Twist::Claims(&[("acrs", Json(r#"["c1"]"#))]), &["mfa-unknown"]),
    plant_in(
        Corner::Secure,
        "auth-context-missing",
        Twist::Claims(&[("amr", Json(r#"["pwd","mfa"]"#)), ("acrs", Json(r#"["c2"]"#))]),
        &["auth-context-missing"],
    ),
    plant_in(
        Corner::Secure,
        "acr-low",
        Twist::ClaimsOfV1(&[("acr", Json(r#""0""#)), ("acrs", Json(r#"["c1"]"#))]),
        &["acr-low"],
    ),
    // The subject, and what the application takes for it.
    plant("subject-missing", Twist::Claims(&[("oid", Absent)]), &["subject-missing"]),
    plant(
        "cnf-ignored",
        Twist::Claims(&[("cnf", Json(r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#))]),
        &["cnf-ignored"],
    ),
    acting(
        "email-unverified",
        "{mail}",
        &[("email", Json(r#""{mail}""#)), ("xms_edov", Json("false"))],
        &["email-authz", "email-unverified"],
    ),
    acting("principal-unbound", "user-4711", &[], &["principal-unbound"]),
    acting("principal-mismatch", "{bystander}:{oid}", &[], &["principal-mismatch"]),
    acting("oid-without-tid", "{oid}", &[], &["oid-without-tid"]),
    acting("client-is-subject-unproven", "{client}", &[], &["client-is-subject-unproven"]),
    // The way of the token, and what became known of it.
    plant("token-in-query", Twist::SentIn(Part::Query), &["token-in-query"]),
    plant("token-in-path", Twist::SentIn(Part::Path), &["token-in-path"]),
    plant("token-in-referer", Twist::SentIn(Part::Referer), &["token-in-referer"]),
    plant("token-in-body", Twist::SentIn(Part::Body), &["token-in-body"]),
    plant("token-cleartext", Twist::Cleartext, &["token-cleartext"]),
    plant("uti-missing", Twist::Claims(&[("uti", Absent)]), &["uti-missing"]),
    plant(
        "ip-claim-mismatch",
        Twist::Claims(&[("azpacr", Json(r#""0""#)), ("ipaddr", Json(r#""{elsewhere}""#))]),
        &["ip-claim-mismatch"],
    ),
    plant("use-after-revocation", Twist::AfterRevocation, &["use-after-revocation"]),
    plant(
        "compromised-identity-use",
        Twist::Claims(&[("oid", Json(r#""{watched}""#))]),
        &["compromised-identity-use"],
    ),
];

/// Role template of global administrators, beside that of every member.
const GLOBAL_ADMINISTRATOR: &str =
    r#"["b79fbf4d-3ef9-4689-8143-76b194e85509","62e90394-69f5-4237-9190-012177145e10"]"#;

const fn plant_in(corner: Corner, name: &'static str, twist: Twist, rules: &'static [&'static str]) -> Plant {
    Plant { corner: Some(corner), ..plant(name, twist, rules) }
}

/// A row about a principal, which only some APIs log.
const fn acting(
    name: &'static str,
    principal: &'static str,
    edits: Edits,
    rules: &'static [&'static str],
) -> Plant {
    Plant { style: Some(Style::Principal), ..plant(name, Twist::ActsAs(principal, edits), rules) }
}
