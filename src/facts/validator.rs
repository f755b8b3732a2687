//! What the validators in use would have answered to a token (rules.md 5.6): the deployment's own, and a strict one.
//!
//! Nobody asked them: it is worked out from the presets, so that a finding can tell a gateway that was bypassed from one
//! that is merely lenient.

use super::{Facts, TokenFacts};
use crate::entra;
use crate::policy::{Preset, Validation};
use crate::time::UtcMicros;
use crate::token::Claims;
use crate::verify::Verdict;

/// What a validator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It lets the request through.
    Accepts,
    /// It answers 401.
    Refuses,
    /// What is known does not decide it.
    Unknown,
}

impl Answer {
    /// The word in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepts => "accepts",
            Self::Refuses => "refuses",
            Self::Unknown => "unknown",
        }
    }

    fn refuses_if(refuses: bool) -> Self {
        if refuses { Self::Refuses } else { Self::Accepts }
    }

    /// Of two checks that both must pass.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refuses, _) | (_, Self::Refuses) => Self::Refuses,
            (Self::Accepts, Self::Accepts) => Self::Accepts,
            _ => Self::Unknown,
        }
    }
}

/// A validator: its preset, with the skew that it grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    preset: Preset,
    skew: i64,
}

impl Validator {
    /// RFC 7519 to the letter.
    pub const STRICT: Self = Self { preset: Preset::Strict, skew: 0 };

    /// The deployment's own.
    pub fn of(validation: &Validation) -> Self {
        Self { preset: validation.preset, skew: validation.skew() }
    }

    /// A preset as it comes.
    pub fn preset(preset: Preset) -> Self {
        Self { preset, skew: preset.skew() }
    }

    /// The answer to a token at a request: signature, lifetime and audience must all pass.
    pub fn answer(self, facts: &Facts<'_>) -> Answer {
        let Some(claims) = facts.token.claims() else { return self.signature(facts.token, facts.verdict) };
        let lifetime = facts.time.map_or(Answer::Unknown, |time| self.lifetime(claims, time.at));
        let listed = facts.api.and_then(|api| api.audiences.as_deref());
        self.signature(facts.token, facts.verdict).and(lifetime).and(self.audience(claims, listed))
    }

    /// The answer of the signature check. A `kid` that names no key, or another than the one that verifies, is overlooked
    /// by validators that try every key.
    pub fn signature(self, token: &TokenFacts, verdict: Verdict) -> Answer {
        let named = || {
            let kid = token.header().is_some_and(|header| header.kid.is_some());
            !kid || token.signature.key.is_some_and(|key| token.signature.named.contains(&key))
        };
        match verdict {
            Verdict::Valid => {
                let any_key = matches!(self.preset, Preset::Dotnet | Preset::Kong);
                Answer::refuses_if(!any_key && !named())
            }
            // No validator but Graph's own knows the transform of the nonce.
            Verdict::ValidGraphNonce | Verdict::Invalid | Verdict::Unsigned | Verdict::KeyUnknown => {
                Answer::Refuses
            }
            _ => Answer::Unknown,
        }
    }

    /// The answer of the lifetime check at an instant.
    pub fn lifetime(self, claims: &Claims<'_>, at: UtcMicros) -> Answer {
        let ended = match claims.exp {
            None => self.requires_exp(),
            Some(exp) => self.refuses_expired(exp, at),
        };
        let early = claims.nbf.is_some_and(|nbf| self.refuses_early(nbf, at));
        Answer::refuses_if(ended || early)
    }

    /// True if it refuses a token without `exp`.
    pub fn requires_exp(self) -> bool {
        matches!(self.preset, Preset::Dotnet | Preset::Apim)
    }

    /// True if it refuses a token at an instant because of its `exp`, in seconds.
    pub fn refuses_expired(self, exp: i64, at: UtcMicros) -> bool {
        // Envoy reads an exp of zero as "never expires" (rules.md 5.4).
        if self.preset == Preset::Envoy && exp == 0 {
            return false;
        }
        self.is_past(exp, at)
    }

    /// True if an instant lies past `exp`, in seconds, and the granted skew; at the boundary the presets differ.
    pub fn is_past(self, exp: i64, at: UtcMicros) -> bool {
        let end = UtcMicros::from_seconds(exp).plus(self.skew);
        if self.preset.refuses_at_boundary() { at >= end } else { at > end }
    }

    /// True if it refuses a token at an instant because of its `nbf`, in seconds.
    pub fn refuses_early(self, nbf: i64, at: UtcMicros) -> bool {
        at < UtcMicros::from_seconds(nbf).plus(-self.skew)
    }

    /// The answer of the audience check, given what the API accepts; without that nobody knows what was configured.
    pub fn audience(self, claims: &Claims<'_>, listed: Option<&[String]>) -> Answer {
        match listed {
            _ if self.preset == Preset::Kong => Answer::Accepts,
            None => Answer::Unknown,
            Some(listed) => {
                let known = |aud: &str| listed.iter().any(|listed| same_audience(self.preset, aud, listed));
                Answer::refuses_if(!claims.audience.stated().any(known))
            }
        }
    }
}

/// True if a preset takes an audience of a token for a listed one. GUIDs are the same in any letter case, because claims
/// keep them in lower case (rules.md 1.4).
pub fn same_audience(preset: Preset, aud: &str, listed: &str) -> bool {
    let without_slash = |text| str::strip_suffix(text, '/').unwrap_or(text);
    let without_scheme = |text| {
        let bare = str::strip_prefix(text, "https://").or_else(|| str::strip_prefix(text, "http://"));
        bare.unwrap_or(text)
    };
    let (aud, listed) = match preset {
        Preset::Kong => return true,
        Preset::Apim | Preset::Strict => (aud, listed),
        Preset::Dotnet => (without_slash(aud), without_slash(listed)),
        Preset::Envoy => (without_slash(without_scheme(aud)), without_slash(without_scheme(listed))),
    };
    aud.len() == listed.len()
        && (aud == listed || (entra::is_guid(listed) && aud.eq_ignore_ascii_case(listed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::base64url::encode;
    use crate::token::Token;

    fn token(claims: &str) -> Token {
        Token::parse(&format!(
            "{}.{}.{}",
            encode(br#"{"alg":"RS256"}"#),
            encode(claims.as_bytes()),
            encode(&[1; 256])
        ))
    }

    /// The answers of every preset to the lifetime of a token at second 1000.
    fn lifetimes(claims: &str) -> Vec<bool> {
        let token = token(claims);
        let at = UtcMicros::from_seconds(1000);
        let refuses =
            |preset| Validator::preset(preset).lifetime(token.claims().unwrap(), at) == Answer::Refuses;
        Preset::ALL.into_iter().map(refuses).collect()
    }

    #[test]
    fn lifetimes_end_where_each_preset_says() {
        // dotnet, envoy, apim, kong, strict
        assert_eq!(lifetimes(r#"{"exp":1001}"#), [false; 5]);
        assert_eq!(lifetimes(r#"{"exp":1000}"#), [false, false, false, true, true]);
        assert_eq!(lifetimes(r#"{"exp":940}"#), [false, false, true, true, true]);
        assert_eq!(lifetimes(r#"{"exp":939}"#), [false, true, true, true, true]);
        assert_eq!(lifetimes(r#"{"exp":699}"#), [true; 5]);
        assert_eq!(lifetimes(r#"{"exp":0}"#), [true, false, true, true, true]);
        assert_eq!(lifetimes(r#"{"nbf":1}"#), [true, false, true, false, false]);
        assert_eq!(lifetimes(r#"{"exp":9999,"nbf":1060}"#), [false, false, true, true, true]);
        assert_eq!(lifetimes(r#"{"exp":9999,"nbf":1301}"#), [true; 5]);
    }

    #[test]
    fn a_skew_of_the_deployments_own_takes_the_place_of_the_presets() {
        let validation = Validation { clock_skew: Some(0), ..Validation::default() };
        assert!(Validator::of(&validation).is_past(999, UtcMicros::from_seconds(1000)));
        assert!(!Validator::of(&validation).is_past(1000, UtcMicros::from_seconds(1000)));
    }

    #[test]
    fn audiences_are_compared_as_each_preset_does() {
        let refuses = |aud: &str, listed: &str| {
            let token = token(&format!(r#"{{"aud":"{aud}"}}"#));
            let listed = [listed.to_owned()];
            let refuses = |preset| {
                let answer = Validator::preset(preset).audience(token.claims().unwrap(), Some(&listed));
                answer == Answer::Refuses
            };
            Preset::ALL.into_iter().map(refuses).collect::<Vec<_>>()
        };
        assert_eq!(refuses("https://a.example", "https://a.example"), [false; 5]);
        assert_eq!(refuses("https://a.example/", "https://a.example"), [false, false, true, false, true]);
        assert_eq!(refuses("http://a.example", "https://a.example/"), [true, false, true, false, true]);
        assert_eq!(refuses("https://A.example", "https://a.example"), [true, true, true, false, true]);
        assert_eq!(refuses(" ", "https://a.example"), [true, true, true, false, true]);
    }

    #[test]
    fn unknown_yields_to_refusal_alone() {
        assert_eq!(Answer::Unknown.and(Answer::Refuses), Answer::Refuses);
        assert_eq!(Answer::Unknown.and(Answer::Accepts), Answer::Unknown);
        assert_eq!(Answer::Accepts.and(Answer::Accepts), Answer::Accepts);
    }
}
