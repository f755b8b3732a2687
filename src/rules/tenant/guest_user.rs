//! `guest-user`

use super::{Provider, provider};
use crate::codec::json::{Number, Value};
use crate::facts::Pairing;
use crate::rules::kit::{Cells, Check, Confidence, Evidence, Reason, rule};
use crate::token::Claims;

rule! {
    /// The user is a guest in the tenant.
    ///
    /// Why it matters: a guest belongs to another organisation, which decides when the account ends and how it is
    /// protected. An API that takes everybody of its tenant for an employee serves strangers.
    ///
    /// What to do: decide whether the API is for guests. If not, set `guests = false` and let the API compare `acct` or
    /// `idp`; the finding is more severe then.
    ///
    /// Known false positives: members whose sign-in is federated also carry a foreign `idp`; where `acct` says that they are
    /// members they are not counted. In v2 tokens both claims are optional: without them nobody can tell.
    "guest-user", Tenant, "I/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API1:2023", "CWE-863",
        "ATT&CK T1199",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let evidence = || Evidence::new("The user is a guest in the tenant.").expected("a member of the tenant");
    let mut evidence = match (account(claims), provider(claims)) {
        (Some(1), provider) => {
            let evidence = evidence().actual("acct 1").fact("claim", "acct");
            if let Provider::Other(idp) = provider { evidence.fact("idp", idp) } else { evidence }
        }
        (Some(_), _) | (None, Provider::Home) => return Check::Quiet,
        (None, Provider::Untold) => return Check::NotEvaluable(Reason::CLAIM_ABSENT),
        (None, Provider::Other(idp)) => evidence().actual(idp).fact("claim", "idp"),
    };
    if account(claims).is_none() {
        evidence.confidence = Some(Confidence::Heuristic);
    }
    if pairing.api.is_some_and(|api| !api.guests) {
        evidence = evidence.cells(Cells::new('M', '-'));
    }
    Check::fires(evidence)
}

/// `acct`: 0 for a member, 1 for a guest; a number, or a text of one.
fn account(claims: &Claims<'_>) -> Option<i64> {
    match claims.member("acct")? {
        Value::Number(Number::Integer(number)) => Some(*number),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
