//! `key-issuer-absent`

use crate::keys::KeyHistory;
use crate::rules::archive;
use crate::rules::kit::{Evidence, Statement, rule};

rule! {
    /// A v2 key set lists a key without its issuer.
    ///
    /// Why it matters: the issuer of a key tells whether it may sign for a tenant (`key-issuer-mismatch`). Without it a key
    /// of personal accounts cannot be told from one of organizations.
    ///
    /// What to do: capture the v2 key set of the tenant itself as well.
    ///
    /// Known false positives: key documents of v1 never carry it and are not looked at.
    "key-issuer-absent", Signature, "I/I", BlindSpot, Proven,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-tokens"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    archive::about_keys(keys, |key| {
        let listing = key.listings.iter().find(|listing| {
            let is_v2 = archive::entra(keys, listing.source).is_some_and(|source| source.version == 2);
            is_v2 && listing.issuers.contains(&None)
        })?;
        Some(
            Evidence::new("A v2 key set lists the key without its issuer.")
                .expected("the property `issuer`")
                .actual(keys.source_name(listing.source)),
        )
    })
}
