//! A rule that fires nearly everywhere at one API is the API's problem, and shown once.

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::json;
use std::sync::Arc;
use tokentrail::codec::base64url::encode;
use tokentrail::engine::{Engine, Filters, Rows, Setup, Systemic};
use tokentrail::policy::Policy;
use tokentrail::rules;

const POLICY: &str = r#"
version = 1

[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
audiences = ["api://orders"]
"#;

/// A token of a user for an audience. Without keys its signature is never looked at.
fn token(user: usize, audience: &str) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "testonly"}).to_string();
    let claims = json!({
        "iss": "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "tid": "11111111-2222-4333-8444-555555555555", "oid": format!("aaaaaaaa-0000-4000-8000-{user:012}"),
        "aud": audience, "uti": format!("testonly{user}"), "exp": 1_790_000_000, "ver": "2.0",
    });
    format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()), encode(&[7; 256]))
}

/// What is systemic about 100 tokens of 100 users, some of which are for another API.
fn judged(wrong: usize, activity: bool) -> Vec<Systemic> {
    let engine = Engine::new(Setup {
        policy: Some(Arc::new(Policy::parse(POLICY).unwrap())),
        keys: None,
        rules: vec![rules::find("wrong-aud").unwrap()],
        filters: Filters::default(),
        occurrences: false,
        activity,
        portable: false,
    });
    let tokens =
        (0..100).map(|user| token(user, if user < wrong { "api://billing" } else { "api://orders" }));
    let tokens: Vec<String> = tokens.map(|token| format!("Bearer {token}")).collect();
    let hosts = vec!["orders.contoso.example"; tokens.len()];
    let columns: [(&str, ArrayRef); 2] =
        [("token", Arc::new(StringArray::from(tokens))), ("host", Arc::new(StringArray::from(hosts)))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (mut partial, mut scratch, mut rows) = (engine.partial(), engine.scratch(), Rows::default());
    engine.audit_batch(&batch, &mut scratch, &mut partial, &mut rows).unwrap();
    engine.conclude(partial).totals.systemic
}

#[test]
fn a_fifth_of_the_tokens_of_twenty_identities_is_systemic() {
    let expected = |tokens| Systemic {
        rule: "wrong-aud".to_owned(),
        api: "orders".to_owned(),
        tokens,
        of_tokens: 100,
        identities: tokens,
    };
    assert_eq!(judged(30, true), [expected(30)]);
    assert_eq!(judged(20, true), [expected(20)]);
    assert_eq!(judged(19, true), []);
    // Without the activity nobody knows how many tokens an API has.
    assert_eq!(judged(30, false), []);
}
