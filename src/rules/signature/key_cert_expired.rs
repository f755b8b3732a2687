//! `key-cert-expired`

use super::VerifyingKey;
use crate::facts::{Facts, Pairing};
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
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
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let Ok(key) = VerifyingKey::of(pairing.token, pairing.context) else { return Quiet::NEVER };
    let iat = pairing.token.claims().and_then(|claims| claims.iat).map(UtcMicros::from_seconds);
    match not_after(&key) {
        Some(not_after) if iat.is_none_or(|iat| iat <= not_after) => Quiet::until(not_after),
        _ => Quiet::NEVER,
    }
}

/// The end of the key's certificate. Of several the latest decides.
fn not_after(key: &VerifyingKey<'_>) -> Option<UtcMicros> {
    key.key().certificates.iter().filter_map(|certificate| certificate.not_after).max()
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(not_after) = not_after(&key) else {
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
