//! `key-cert-mismatch`

use crate::keys::KeyHistory;
use crate::rules::archive;
use crate::rules::kit::{Evidence, Statement, rule};

rule! {
    /// The certificate that is published with a key holds another key.
    ///
    /// Why it matters: whoever verifies with the certificate and whoever verifies with the numbers of the key accept
    /// different tokens. An issuer does not publish such a pair; a changed archive or a proxy in between does.
    ///
    /// What to do: fetch the key set again over another way and compare; find out who wrote to the archive.
    ///
    /// Known false positives: none.
    "key-cert-mismatch", Signature, "C/C", BlindSpot, Proven,
    references: ["RFC 7517 section 4.7", "CWE-345"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    archive::about_keys(keys, |key| {
        let certificate =
            key.certificates.iter().find(|certificate| certificate.matches_key == Some(false))?;
        Some(
            Evidence::new("The certificate that is published with the key holds another key.")
                .expected("a certificate of the key itself")
                .actual(certificate.thumbprint.clone()),
        )
    })
}
