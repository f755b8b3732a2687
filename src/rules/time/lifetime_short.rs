//! `lifetime-short`

use super::{classes, is_listed, lifetime, longest, shown};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token lives shorter than any token of Entra, or for a time between the usual ones.
    ///
    /// Why it matters: Entra draws lifetimes from few classes. One outside of them is a policy that nobody told you of, or
    /// an invention.
    ///
    /// What to do: state the tenant's lifetimes under `validation.lifetimes`; look at the signature verdict of the rest.
    ///
    /// Known false positives: a sign-in frequency that shortens tokens (state its class), and issuers of third parties,
    /// which are not judged where the policy lists them.
    "lifetime-short", Time, "L/I", Overreach, Heuristic,
    references: ["https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes"],
    needs: [Claims],
    judge: Api(check),
}

/// The shortest lifetime that a tenant can configure, in seconds.
const CONFIGURABLE_MIN: i64 = 600;

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let seconds = match lifetime(claims) {
        Ok(Some(seconds)) => seconds,
        Ok(None) => return Check::Quiet,
        Err(reason) => return Check::NotEvaluable(reason),
    };
    let classes = classes(pairing.validation);
    let usual = classes.iter().any(|class| class.holds(seconds));
    // What is longer than all of them is `lifetime-long`.
    if usual || seconds > longest(pairing.validation) || is_listed(claims, pairing.validation) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The lifetime of the token belongs to no class of the policy or of Entra.")
            .expected(shown(classes))
            .actual(format!("{seconds} s"))
            .fact("lifetime_s", seconds)
            .fact("below_configurable", seconds < CONFIGURABLE_MIN),
    )
}
