//! The third part of the planting table: what is wrong with a key, and tokens of somebody who should not sign here.

use super::edit::Edit::{AfterIssue, Json};
use super::keyring::Signer;
use super::plant::{Plant, Twist, plant};
use crate::entra::Cloud;
use serde_json::{Map, Value};

/// What is wrong with a key, though its issuer published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Its certificate begins after the traffic.
    CertificateToCome,
    /// Its certificate ended before the traffic.
    CertificateEnded,
    /// 1024 bits.
    Short,
    /// The public exponent is 257.
    OddExponent,
    /// `use` is enc.
    ForEncryption,
    /// `alg` is RS512.
    OtherAlgorithm,
    /// `cloud_instance_name` is that of the US government.
    OtherCloud,
    /// The own key of an application that the policy does not list.
    CustomKey,
}

impl Flaw {
    /// Every flaw.
    pub(super) const ALL: [Self; 8] = [
        Self::CertificateToCome,
        Self::CertificateEnded,
        Self::Short,
        Self::OddExponent,
        Self::ForEncryption,
        Self::OtherAlgorithm,
        Self::OtherCloud,
        Self::CustomKey,
    ];

    /// Changes a JWK to what the flaw makes of it, where the document and not the key is wrong.
    pub(super) fn declare(self, jwk: &mut Map<String, Value>) {
        let (name, value) = match self {
            Self::ForEncryption => ("use", "enc"),
            Self::OtherAlgorithm => ("alg", "RS512"),
            Self::OtherCloud => ("cloud_instance_name", Cloud::UsGovernment.instance_name()),
            _ => return,
        };
        jwk.insert(name.to_owned(), value.into());
    }
}

/// The rows. Those about keys are planted where the issuer signs with RSA.
pub(super) const FLAWED: &[Plant] = &[
    flawed("key-before-cert", Flaw::CertificateToCome, &["key-before-cert"]),
    flawed("key-cert-expired", Flaw::CertificateEnded, &["key-cert-expired"]),
    flawed("key-weak-rsa", Flaw::Short, &["key-weak-rsa"]),
    flawed("key-bad-exponent", Flaw::OddExponent, &["key-bad-exponent"]),
    flawed("key-use-mismatch", Flaw::ForEncryption, &["key-use-mismatch"]),
    flawed("key-alg-mismatch", Flaw::OtherAlgorithm, &["key-alg-mismatch"]),
    flawed("key-cloud-mismatch", Flaw::OtherCloud, &["key-cloud-mismatch"]),
    flawed("key-custom-unexpected", Flaw::CustomKey, &["key-custom-unexpected"]),
    plant("key-custom", Twist::WrongKey(Signer::Custom), &["key-custom"]),
    // Issued while the key was published, for longer than any policy allows, and used days after it was withdrawn; the user
    // signed in as long ago.
    plant(
        "key-retired-at-use",
        Twist::LongAfter(Signer::Retired),
        &["auth-stale", "key-retired-at-use", "lifetime-long"],
    ),
    plant(
        "personal-account",
        Twist::ClaimsBy(
            Signer::Personal,
            &[
                ("tid", Json(r#""9188040d-6c67-4c5b-b112-36a304b66dad""#)),
                (
                    "iss",
                    Json(r#""https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0""#),
                ),
            ],
        ),
        &["personal-account", "tenant-not-allowed"],
    ),
    // RFC 7523: the client signs with its own key, in its own name, to the token endpoint.
    plant(
        "client-assertion-sent",
        Twist::ClaimsBy(
            Signer::Attacker,
            &[
                ("iss", Json(r#""{client}""#)),
                ("sub", Json(r#""{client}""#)),
                ("aud", Json(r#""https://login.microsoftonline.com/{tid}/oauth2/v2.0/token""#)),
            ],
        ),
        &["aud-form", "client-assertion-sent", "iss-unknown", "wrong-aud"],
    ),
    plant("auth-stale", Twist::Claims(&[("auth_time", AfterIssue(-50_000))]), &["auth-stale"]),
];

const fn flawed(name: &'static str, flaw: Flaw, rules: &'static [&'static str]) -> Plant {
    plant(name, Twist::WrongKey(Signer::Flawed(flaw)), rules)
}
