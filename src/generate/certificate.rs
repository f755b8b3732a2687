//! Self-signed certificates (RFC 5280) of the throwaway RSA keys, as Entra puts one beside each key. Nobody reads more of
//! them than their dates, their key and their thumbprint.

use super::archive::instant;

/// First and last second of a certificate, since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    /// `notBefore`
    pub from: i64,
    /// `notAfter`
    pub until: i64,
}

/// sha256WithRSAEncryption without parameters but NULL (RFC 4055 section 5).
const SHA256_WITH_RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];
/// Version 3, as the explicitly tagged integer 2.
const VERSION: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];
/// The object id of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The certificate of a name for a public key (its `SubjectPublicKeyInfo`), in DER. `sign` signs what it is given.
pub(super) fn self_signed(
    name: &str,
    validity: Validity,
    public_key: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let name = element(UTF8_STRING, &[name.as_bytes()]);
    let name = element(SEQUENCE, &[&element(SET, &[&element(SEQUENCE, &[COMMON_NAME, &name])])]);
    let dates = [validity.from, validity.until].map(|at| element(UTC_TIME, &[utc_time(at).as_bytes()]));
    let dates = element(SEQUENCE, &[&dates[0], &dates[1]]);
    let serial = element(INTEGER, &[&[1]]);
    let body = element(SEQUENCE, &[VERSION, &serial, SHA256_WITH_RSA, &name, &dates, &name, public_key]);
    let signature = sign(&body)?;
    // No bit of the last byte is unused.
    let signature = element(BIT_STRING, &[&[0], &signature]);
    Ok(element(SEQUENCE, &[&body, SHA256_WITH_RSA, &signature]))
}

/// Year in two digits, month, day, hour, minute, second, Z.
fn utc_time(at: i64) -> String {
    let text: String = instant(at).chars().filter(char::is_ascii_digit).collect();
    format!("{}Z", text.get(2..14).unwrap_or_default())
}

/// Tag, length in the shortest form, content.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == 0).collect();
    let mut out = vec![tag];
    match digits.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            out.extend_from_slice(long);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
