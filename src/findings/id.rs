//! Stable ids: the first 16 bytes of a SHA-256 over the columns as written.

use crate::redact;
use aws_lc_rs::digest;

/// Id of a finding; absent values are empty.
pub fn finding_id(
    rule: &str,
    token_sha256: Option<&str>,
    gateway: Option<&str>,
    api: Option<&str>,
    outcome: Option<&str>,
    subject: Option<&str>,
) -> String {
    id(&[Some(rule), token_sha256, gateway, api, outcome, subject])
}

/// Id of a problem: like a finding's, but of the cause and never of the token.
pub fn problem_id(
    rule: &str,
    gateway: Option<&str>,
    api: Option<&str>,
    outcome: Option<&str>,
    cause: &str,
) -> String {
    id(&[Some(rule), gateway, api, outcome, Some(cause)])
}

fn id(columns: &[Option<&str>]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            context.update(&[0]);
        }
        context.update(column.unwrap_or("").as_bytes());
    }
    redact::hex(context.finish().as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_sha256sum_says() {
        // printf 'wrong-aud\0ab\0\0orders\0accepted\0' | sha256sum | cut -c1-32
        let id = finding_id("wrong-aud", Some("ab"), None, Some("orders"), Some("accepted"), None);
        let expected = digest::digest(&digest::SHA256, b"wrong-aud\0ab\0\0orders\0accepted\0");
        assert_eq!(id, redact::hex(&expected.as_ref()[..16]));
        assert_eq!(id.len(), 32);
        assert_ne!(
            id,
            problem_id("wrong-aud", None, Some("orders"), Some("accepted"), "aud=x, client=, tid=")
        );
    }
}
