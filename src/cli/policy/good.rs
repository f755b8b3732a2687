//! A good token for an API of a policy, and a usual request with it: what a `[[test]]` differs from.

use serde_json::{Map, Value, json};
use tokentrail::codec::base64url;
use tokentrail::entra;
use tokentrail::entra::Cloud;
use tokentrail::facts::TokenFacts;
use tokentrail::keys::KeyId;
use tokentrail::policy::{ApiSettings, IssuerKindName, Policy, TokenKind, Validation};
use tokentrail::time::{SECOND, UtcMicros};
use tokentrail::token::Token;
use tokentrail::verify::{Embedded, Signature, Verdict};

/// 2026-01-15T12:00:00Z, the time of a request that states none.
pub(super) const USUAL_TIME: UtcMicros = UtcMicros(1_768_478_400_000_000);
/// The address of a request that states none.
pub(super) const USUAL_ADDRESS: &str = "192.0.2.10";

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const AUDIENCE: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
const KEY: &str = "GoodKey-0000000000000000000";
const CLIENT: &str = "c0ffee00-1234-4567-89ab-cdef01234567";
const USER: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// Seconds from the issue of the token to the request.
const AGE: i64 = 300;
/// Bytes of a signature with a key of 2048 bits.
const SIGNATURE_BYTES: usize = 256;

/// The token of a test.
pub(super) struct Claimed {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl Claimed {
    /// A token that meets what an API states, at a time. Without an API it meets the policy as a whole.
    pub(super) fn good(
        policy: &Policy,
        validation: &Validation,
        api: Option<&ApiSettings>,
        at: UtcMicros,
    ) -> Self {
        let algorithm = first(validation.algorithms.as_ref()).unwrap_or("RS256");
        let mut header = json!({ "typ": "JWT", "alg": algorithm, "kid": KEY });
        let audience = audience(api);
        // Entra puts the application's id into v2 tokens, and whatever was asked for into v1 tokens.
        let is_v1 = !entra::is_guid(audience);
        let tenants = api.and_then(|api| api.tenants.as_ref()).or(policy.tenancy().allowed.as_ref());
        let tenant = first(tenants).unwrap_or(TENANT);
        let issued = at.0.div_euclid(SECOND) - AGE;
        let mut claims = json!({
            "aud": audience, "iss": issuer(validation, api, tenant, is_v1),
            "iat": issued, "nbf": issued, "exp": issued + lifetime(validation),
            "oid": USER, "tid": tenant, "uti": "GoodUti_00000000000000", "ver": if is_v1 { "1.0" } else { "2.0" },
        });
        let client = api.and_then(|api| first(api.clients.as_ref())).unwrap_or(CLIENT);
        let strength = if api.is_some_and(|api| api.client_auth > 1) { "2" } else { "1" };
        if is_v1 {
            extend(&mut header, json!({ "x5t": KEY }));
            extend(&mut claims, json!({ "appid": client, "appidacr": strength }));
        } else {
            extend(&mut claims, json!({ "azp": client, "azpacr": strength }));
        }
        if is_app(api) {
            let roles = api.and_then(|api| api.roles.clone().or_else(|| api.defined_roles.clone()));
            let roles = roles.unwrap_or_else(|| vec!["Good.Role".to_owned()]);
            extend(&mut claims, json!({ "idtyp": "app", "sub": USER, "roles": roles }));
        } else {
            let scopes = api.and_then(|api| api.scopes.clone().or_else(|| api.defined_scopes.clone()));
            let scopes = scopes.map_or_else(|| "user_impersonation".to_owned(), |scopes| scopes.join(" "));
            extend(
                &mut claims,
                json!({
                    "idtyp": "user", "sub": "GoodSubject_000000000000000000000000000", "scp": scopes,
                    "name": "Alice Example", "preferred_username": "alice@contoso.example",
                    "amr": ["pwd", "mfa"], "auth_time": issued,
                }),
            );
        }
        for (claim, stated) in [
            ("groups", api.and_then(|api| api.groups.as_ref())),
            ("acrs", api.and_then(|api| api.auth_context.as_ref())),
        ] {
            if let Some(values) = stated {
                extend(&mut claims, json!({ claim: values }));
            }
        }
        Self { header: object(header), claims: object(claims) }
    }

    /// The token with a verdict that is stated, not found: there is no key.
    pub(super) fn with_verdict(&self, verdict: Verdict) -> (String, TokenFacts) {
        let part = |members: &Map<String, Value>| {
            base64url::encode(Value::Object(members.clone()).to_string().as_bytes())
        };
        let signature = match verdict {
            Verdict::Unsigned => String::new(),
            _ => base64url::encode(&[7; SIGNATURE_BYTES]),
        };
        let value = format!("{}.{}.{signature}", part(&self.header), part(&self.claims));
        let key = verdict.is_valid().then_some(KeyId(0));
        let signature = Signature {
            verdict,
            by_request: false,
            key,
            named: key.into_iter().collect(),
            authority: None,
            confusion: None,
            embedded: Embedded::default(),
        };
        let token = Token::parse(&value);
        (value, TokenFacts { token, signature })
    }

    /// A claim that is a text.
    pub(super) fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }
}

fn first(list: Option<&Vec<String>>) -> Option<&str> {
    list?.first().map(String::as_str)
}

/// An application of its own where the API is for such alone.
fn is_app(api: Option<&ApiSettings>) -> bool {
    match api.and_then(|api| api.kinds.as_ref()) {
        Some(kinds) => !kinds.contains(&TokenKind::Delegated),
        None => api.is_some_and(|api| api.roles.is_some() && api.scopes.is_none()),
    }
}

/// An audience of the API; an application's id before others.
fn audience(api: Option<&ApiSettings>) -> &str {
    let stated = api.and_then(|api| api.audiences.as_deref()).unwrap_or_default();
    let id = stated.iter().find(|audience| entra::is_guid(audience));
    id.or(stated.first()).map_or(AUDIENCE, String::as_str)
}

fn issuer(validation: &Validation, api: Option<&ApiSettings>, tenant: &str, is_v1: bool) -> String {
    let kinds = api.map_or(&[IssuerKindName::Workforce][..], |api| &api.issuer_kinds);
    if kinds.contains(&IssuerKindName::Workforce) || kinds.is_empty() {
        let stated = validation.clouds.as_deref().unwrap_or_default();
        let known = [Cloud::Global, Cloud::UsGovernment, Cloud::China, Cloud::Germany];
        let cloud = known.into_iter().find(|cloud| stated.iter().any(|name| name == cloud.name()));
        let cloud = cloud.unwrap_or(Cloud::Global);
        if is_v1 {
            return format!("https://{}/{tenant}/", cloud.v1_host());
        }
        let host = cloud.v2_host().unwrap_or("login.microsoftonline.com");
        return format!("https://{host}/{tenant}/v2.0");
    }
    if kinds.contains(&IssuerKindName::B2c) {
        return format!("https://good.b2clogin.com/{tenant}/v2.0/");
    }
    format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0")
}

/// Seconds that lie within the first class of lifetimes and below the longest.
fn lifetime(validation: &Validation) -> i64 {
    let usual = 65 * 60;
    let class = validation.lifetimes.as_ref().and_then(|classes| classes.first());
    let usual = class.map_or(usual, |class| i64::midpoint(class.least, class.most).max(AGE + 1));
    usual.min(validation.max_lifetime.unwrap_or(usual))
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

fn extend(claims: &mut Value, more: Value) {
    if let Value::Object(members) = claims {
        members.extend(object(more));
    }
}
