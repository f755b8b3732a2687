//! `tid-not-guid`

use crate::codec::json::Value;
use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The tenant of the token is no id of a tenant.
    ///
    /// Why it matters: Entra writes a GUID. A name, a list or a GUID in braces was written by somebody who hopes for a
    /// lenient comparison, or for a lookup that takes names.
    ///
    /// What to do: look at the signature verdict; let the API compare `tid` with ids only.
    ///
    /// Known false positives: none.
    "tid-not-guid", Tenant, "H/L", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-20"],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let evidence = || Evidence::new("The tenant of the token is no id of a tenant.").expected("a GUID");
    match claims.member("tid") {
        None | Some(Value::Null) => Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(Value::String(tid)) if entra::is_guid(tid) => Check::Quiet,
        Some(Value::String(tid)) => Check::fires(evidence().actual(*tid)),
        Some(_) => Check::fires(evidence().fact("reason", "wrong-type")),
    }
}
