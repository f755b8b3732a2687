//! `key-thumbprint-mismatch`

use crate::keys::KeyHistory;
use crate::rules::archive;
use crate::rules::kit::{Evidence, Statement, rule};

rule! {
    /// The id of an Entra key is not the thumbprint of its certificate.
    ///
    /// Why it matters: Entra names its keys by the SHA-1 thumbprint of their certificate. An id that does not follow from the
    /// certificate shows a capture that somebody changed.
    ///
    /// What to do: compare the capture with another copy; see who can write to the archive.
    ///
    /// Known false positives: keys of B2C and External ID, custom keys of applications and keys without a certificate are
    /// named otherwise and are not looked at.
    "key-thumbprint-mismatch", Signature, "H/H", BlindSpot, Proven,
    references: [
        "RFC 7517 section 4.8", "https://learn.microsoft.com/entra/identity-platform/access-tokens", "CWE-345",
    ],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    archive::about_keys(keys, |key| {
        let is_entras = |source| archive::entra(keys, source).is_some_and(|source| source.appid.is_none());
        if !key.listings.iter().any(|listing| is_entras(listing.source)) {
            return None;
        }
        let names: Vec<&String> = key.kid.iter().chain(&key.x5t).collect();
        let certificate = key
            .certificates
            .iter()
            .find(|certificate| names.iter().any(|name| **name != certificate.thumbprint))?;
        let wrong = names.into_iter().find(|name| **name != certificate.thumbprint)?;
        Some(
            Evidence::new("The id of the key is not the thumbprint of its certificate.")
                .expected(certificate.thumbprint.clone())
                .actual(wrong.clone()),
        )
    })
}
