//! Attackers write the tokens: whatever they write, every rule answers, and no answer repeats a part of the token.

use crate::case_record::RecordSpec;
use crate::mint::{self, TokenSpec, good};
use crate::rules::{Archives, say, with_facts};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use tokentrail::facts::{Context, Facts};
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::rules::kit::{Evidence, Judge};
use tokentrail::rules::{RULES, Rule};

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 128, ..Default::default() })]

    /// Attackers write the tokens: whatever they write, every rule answers, and no answer repeats a part of the token.
    #[test]
    fn no_token_makes_a_rule_panic(header in JSON_LIKE, claims in JSON_LIKE, at in 0usize..2000, put in ".") {
        let bench = &*GOOD_BENCH;
        let value = {
            let mut token = bench.token.clone();
            token.header_text = Some(format!("{{{}}}", header.trim_end_matches(',')));
            token.claims_text = Some(format!("{{{}}}", claims.trim_end_matches(',')));
            let value = token.mint();
            let at = value.floor_char_boundary(at % value.len());
            format!("{}{put}{}", &value[..at], &value[at..])
        };
        let token = TokenSpec { value: Some(value), ..bench.token.clone() };
        let answers = with_facts(&token, &bench.record, bench.context(), |facts, secrets| {
            let mut answers = RULES.iter().map(|rule| format!("{:?}", answers(rule, facts)));
            answers.find_map(|answer| secrets.iter().find(|secret| answer.contains(secret.as_str())).map(|_| answer))
        });
        proptest::prop_assert_eq!(answers, None);
    }
}

/// What no case of the property changes, made once.
struct Bench {
    token: TokenSpec,
    record: RecordSpec,
    policy: Policy,
    keys: Arc<KeyHistory>,
}

static GOOD_BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let good = good();
    let mut token = good.token;
    mint::dates_to_seconds(&mut token);
    let keys = Archives::load(&BTreeMap::from([(good.keys.clone(), good.archives[&good.keys].clone())]));
    Bench {
        token: token.try_into().unwrap(),
        record: good.record.try_into().unwrap(),
        policy: Policy::load(&mint::testdata("demanding.toml")).unwrap(),
        keys: keys.0.into_values().next().unwrap(),
    }
});

impl Bench {
    fn context(&self) -> Context<'_> {
        Context { policy: Some(&self.policy), keys: Some(&self.keys), baseline: false }
    }
}

/// Everything that a rule says about a use, as evidence; a rule over many requests sees this one alone.
fn answers(rule: &Rule, facts: &Facts<'_>) -> Vec<Evidence> {
    let mut answers = vec![say(rule, facts).evidence];
    if let Judge::Run(run) = rule.judge {
        let mut state = run.start();
        state.observe(facts);
        answers.extend(state.conclude().findings.into_iter().map(|finding| finding.evidence));
    }
    answers
}

/// Members of an object, each followed by a comma; often with duplicates and wrong types.
const JSON_LIKE: &str = r#"("(aud|iss|tid|exp|kid|alg|jwk|crit|nonce|oid|sub|scp|roles|groups|wids|amr|acrs|acr|cnf|idtyp|ver|azp|appid|azpacr|hasgroups|_claim_names|_claim_sources|ipaddr|email|xms_edov)":("[ -~&&[^"\\\\]]{0,40}"|-?[0-9]{1,20}|\[\]|\["a",7\]|null|true|\{"kty":"RSA"\}|\{"groups":\{"endpoint":"x"\}\}),){0,6}"#;
