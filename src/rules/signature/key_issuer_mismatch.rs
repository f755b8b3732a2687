//! `key-issuer-mismatch`

use super::VerifyingKey;
use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Claims;
use memchr::memmem;

rule! {
    /// The key that verifies the token is published for another issuer.
    ///
    /// Why it matters: Entra publishes keys of personal accounts and of organisations side by side; only the key's
    /// `issuer` property tells them apart. In the Storm-0558 attack a consumer key signed tokens of enterprises, and
    /// validators that checked the signature alone accepted them.
    ///
    /// What to do: treat the token as forged with a genuine key. Turn on the issuer check of signing keys in the
    /// validator, and tell Microsoft.
    ///
    /// Known false positives: none known where the property is present. v1 tokens are compared with the v2 issuer of the
    /// same tenant and cloud, as Microsoft's libraries do; archives of v1 documents alone cannot answer.
    "key-issuer-mismatch", Signature, "C/H", Attack, Proven,
    references: [
        "RFC 8725 section 3.8", "OWASP API2:2023", "CWE-346", "CWE-347", "ATT&CK T1606",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
    ],
    needs: [Claims, Keys],
    judge: Token(check),
}

/// Common name in the certificates of personal accounts' keys.
const PERSONAL_SUBJECT: &[u8] = b"Live ID STS Signing Public Key";

/// Stands for the tenant in the `issuer` of keys that serve many.
const TEMPLATE: &str = "{tenantid}";

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let key = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    if personal_key_on_v1(&key, claims) {
        let evidence =
            Evidence::new("A key of personal accounts signs a v1 token, which personal accounts never have.")
                .expected("a key of work or school accounts")
                .actual(entra::PERSONAL_TENANT);
        return Check::fires(key.describe(evidence, None));
    }
    if stated(&key).next().is_none() {
        return Check::NotEvaluable(Reason::NO_KEY_ISSUER);
    }
    let tenant = claims.tenant();
    let is_published = |text: &str| stated(&key).any(|issuer| fills_to(issuer, tenant, text));
    // Nearly every key is published for the token's own issuer, by name or by template.
    if is_published(iss) {
        return Check::Quiet;
    }
    let mut right: Vec<String> = tenant.iter().flat_map(|tenant| v2_issuers(claims, tenant)).collect();
    if right.iter().any(|issuer| is_published(issuer)) {
        return Check::Quiet;
    }
    right.insert(0, iss.to_owned());
    let published: Option<Vec<String>> = stated(&key).map(|issuer| filled(issuer, tenant)).collect();
    let Some(actual) = published.and_then(|all| all.into_iter().next()) else {
        // A template that no tenant of the token can fill.
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let evidence = Evidence::new("The key that verifies the token is published for another issuer.")
        .expected(right.join(", "))
        .actual(actual)
        .fact("key_issuers", stated(&key).collect::<Vec<_>>());
    Check::fires(key.describe(evidence, None))
}

/// The `issuer` properties with which the sources of the token's issuer list the key.
fn stated<'k>(key: &VerifyingKey<'k>) -> impl Iterator<Item = &'k str> {
    key.listings().flat_map(|listing| listing.issuers.iter().flatten()).map(String::as_str)
}

/// The v2 issuers of a tenant in the clouds that an issuer can belong to.
fn v2_issuers(claims: &Claims<'_>, tenant: &str) -> Vec<String> {
    let clouds = claims.issuer.map(|issuer| issuer.clouds).unwrap_or_default();
    clouds
        .iter()
        .filter_map(|cloud| cloud.v2_host())
        .map(|host| format!("https://{host}/{tenant}/v2.0"))
        .collect()
}

/// True if an `issuer` property with the tenant put in is this text; compares what [`filled`] would make.
fn fills_to(issuer: &str, tenant: Option<&str>, text: &str) -> bool {
    let is_template = |at: &usize| {
        issuer.get(*at..*at + TEMPLATE.len()).is_some_and(|found| found.eq_ignore_ascii_case(TEMPLATE))
    };
    let Some(at) = memchr::memchr_iter(b'{', issuer.as_bytes()).find(is_template) else {
        return issuer == text;
    };
    let (head, tail) = (issuer.get(..at), issuer.get(at + TEMPLATE.len()..));
    let rest = head.and_then(|head| text.strip_prefix(head)).zip(tenant);
    rest.and_then(|(rest, tenant)| rest.strip_prefix(tenant)) == tail
}

/// An `issuer` property with the tenant put in, whatever the letter case of the template; `None` for a template without
/// a tenant to fill it.
fn filled(issuer: &str, tenant: Option<&str>) -> Option<String> {
    // ASCII lower case keeps every byte where it is.
    let Some(at) = issuer.to_ascii_lowercase().find(TEMPLATE) else { return Some(issuer.to_owned()) };
    let (head, tail) = (issuer.get(..at)?, issuer.get(at + TEMPLATE.len()..)?);
    Some(format!("{head}{}{tail}", tenant?))
}

/// True for a v1 token of an Entra issuer whose key belongs to personal accounts (rules.md 4.1): every issuer property
/// says so; or without any, its certificate, or that only sources of personal accounts list it while others of the
/// authority were captured.
fn personal_key_on_v1(key: &VerifyingKey<'_>, claims: &Claims<'_>) -> bool {
    if claims.issuer.is_none_or(|issuer| issuer.version != 1) {
        return false;
    }
    if stated(key).next().is_some() {
        return stated(key).all(names_personal_tenant);
    }
    let certificates = &key.keys.key(key.id).certificates;
    if certificates.iter().any(|certificate| memmem::find(&certificate.der, PERSONAL_SUBJECT).is_some()) {
        return true;
    }
    let personal = |name: &str| {
        name.split(['/', '?']).any(|part| {
            part.eq_ignore_ascii_case("consumers") || part.eq_ignore_ascii_case(entra::PERSONAL_TENANT)
        })
    };
    key.listings().all(|listing| personal(key.keys.source_name(listing.source)))
        && key.authority.sources.iter().any(|source| !personal(key.keys.source_name(*source)))
}

/// True if an `issuer` property holds the tenant of personal accounts, in any letter case.
fn names_personal_tenant(issuer: &str) -> bool {
    let tenant = entra::PERSONAL_TENANT.as_bytes();
    issuer.as_bytes().windows(tenant.len()).any(|window| window.eq_ignore_ascii_case(tenant))
}
