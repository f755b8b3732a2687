//! `key-cert-expired`

use super::VerifyingKey;
use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::time::UtcMicros;

rule! {
    /// The token was issued or used after the certificate of its key had expired.
    ///
    /// Why it matters: validators do not look at the certificate's period, so a key goes on working long after its
    /// owner forgot it. In the Storm-0558 attack a key whose certificate had ended two years before signed tokens.
    ///
    /// What to do: ask why the key still signs; treat the token as forged with an old key if nobody can tell.
    ///
    /// Known false positives: custom signing keys whose owner does not renew the certificate; keys of applications under
    /// `keys.custom-key-apps` are not judged.
    "key-cert-expired", Signature, "H/M", Attack, Proven,
    references: ["RFC 7517 section 4.7", "CWE-324", "CWE-298", "ATT&CK T1606"],
    needs: [Keys],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    // Of several certificates the latest decides.
    let Some(not_after) = key.key().certificates.iter().filter_map(|certificate| certificate.not_after).max()
    else {
        return Check::NotEvaluable(Reason::NO_CERTIFICATE);
    };
    let iat = facts.token.claims().and_then(|claims| claims.iat).map(UtcMicros::from_seconds);
    let issued_late = iat.is_some_and(|iat| iat > not_after);
    let late = match facts.time {
        _ if issued_late => iat,
        None => return Check::NotEvaluable(Reason::NO_TIME),
        Some(time) => (time.at > not_after).then_some(time.at),
    };
    let Some(late) = late.filter(|_| !key.is_declared_custom(facts.context)) else { return Check::Quiet };
    let (verb, what) = if issued_late { ("issued", "an iat") } else { ("used", "a use") };
    let evidence =
        Evidence::new(format!("The token was {verb} after the certificate of its key had expired."))
            .expected(format!("{what} up to {not_after}"))
            .actual(late.to_string())
            .fact("not_after", not_after.to_string());
    Check::fires(key.describe(evidence, None))
}
