//! `lifetime-cae-unclaimed`

use super::lifetime;
use crate::codec::json::Value;
use crate::facts::Pairing;
use crate::policy::Lifetime;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::{Claims, Kind};

rule! {
    /// The token of a user lives for a day, and its client did not say that it can be asked for a new one.
    ///
    /// Why it matters: day-long tokens are for clients with continuous access evaluation, whose tokens end when the user is
    /// blocked. Without it a stolen token works for the rest of the day.
    ///
    /// What to do: see whether the API handles claims challenges; let it ask for the optional claim `xms_cc`; state a
    /// lifetime policy of the tenant under `validation.lifetimes`.
    ///
    /// Known false positives: `xms_cc` appears only if the API asks for it, so an API that does not shows this for every
    /// capable client. Managed identities and applications are not judged.
    "lifetime-cae-unclaimed", Time, "M/L", Overreach, Heuristic,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-tokens", "CWE-613"],
    needs: [Claims],
    judge: Api(check),
}

/// 20 to 28 hours.
const DAY_LONG: Lifetime = Lifetime::class(20 * 3600, 28 * 3600);

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let seconds = match lifetime(claims) {
        Ok(Some(seconds)) => seconds,
        Ok(None) => return Check::Quiet,
        Err(reason) => return Check::NotEvaluable(reason),
    };
    let stated = pairing.validation.lifetimes.as_deref().unwrap_or_default();
    let usual = !DAY_LONG.holds(seconds) || stated.iter().any(|class| class.holds(seconds));
    let managed = claims.member("xms_mirid").is_some_and(|value| *value != Value::Null);
    if usual || managed || matches!(claims.kind, Kind::App { .. }) || is_capable(claims) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new(
            "The token lives for a day, and its client did not claim continuous access evaluation.",
        )
        .expected("cp1 in xms_cc, or an hour")
        .actual(format!("{seconds} s"))
        .fact("lifetime_s", seconds)
        .fact("token_kind", claims.kind.name()),
    )
}

/// True if `xms_cc` names the capability, alone or in a list.
fn is_capable(claims: &Claims<'_>) -> bool {
    let names = |text: &str| text.split([' ', ',']).any(|word| word.eq_ignore_ascii_case("cp1"));
    match claims.member("xms_cc") {
        Some(Value::String(text)) => names(text),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_text).any(names),
        _ => false,
    }
}
