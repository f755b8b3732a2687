//! The little DER that keys need (X.690): `SubjectPublicKeyInfo` out, certificates in (RFC 5280).
//!
//! The reader is bounded by its input and never panics; it checks no signature, because a certificate in a key document
//! is a statement of the issuer that served it, nothing more.

use super::jwk::Curve;
use super::jwk::Material;
use crate::time::SECOND;
use crate::time::UtcMicros;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `rsaEncryption` with its NULL parameter (RFC 3279 section 2.3.1).
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// `id-ecPublicKey` with `secp256r1` (RFC 5480 section 2.1.1).
const P256: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
/// `id-ecPublicKey` with `secp384r1`.
const P384: &[u8] =
    &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
/// `id-Ed25519` (RFC 8410 section 3).
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// What a certificate says, as far as keys need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertificateFields {
    pub(super) not_before: UtcMicros,
    pub(super) not_after: UtcMicros,
    /// The key; `None` for a type that is not known here.
    pub(super) material: Option<Material>,
}

/// The DER `SubjectPublicKeyInfo` of a key; `None` for material without one that is known here.
pub(super) fn subject_public_key_info(material: &Material) -> Option<Vec<u8>> {
    let (algorithm, key) = match material {
        Material::Rsa { modulus, exponent } => {
            let numbers = [integer(modulus), integer(exponent)].concat();
            (RSA, element(SEQUENCE, &numbers))
        }
        Material::Ec { curve: Curve::P256, point } => (P256, point.clone()),
        Material::Ec { curve: Curve::P384, point } => (P384, point.clone()),
        Material::Ed25519 { x } => (ED25519, x.to_vec()),
        Material::Other { .. } => return None,
    };
    let bits = [&[0], key.as_slice()].concat();
    Some(element(SEQUENCE, &[element(SEQUENCE, algorithm), element(BIT_STRING, &bits)].concat()))
}

/// Reads a certificate; `None` if it is none.
pub(super) fn certificate(der: &[u8]) -> Option<CertificateFields> {
    let mut outer = Reader(der);
    let mut certificate = Reader(outer.expect(SEQUENCE)?);
    let mut signed = Reader(certificate.expect(SEQUENCE)?);
    if signed.peek() == Some(VERSION) {
        signed.next()?;
    }
    signed.expect(INTEGER)?; // serial number
    signed.expect(SEQUENCE)?; // signature algorithm
    signed.expect(SEQUENCE)?; // issuer
    let mut validity = Reader(signed.expect(SEQUENCE)?);
    let not_before = time(validity.next()?)?;
    let not_after = time(validity.next()?)?;
    signed.expect(SEQUENCE)?; // subject
    let material = public_key(signed.expect(SEQUENCE)?);
    Some(CertificateFields { not_before, not_after, material })
}

fn public_key(info: &[u8]) -> Option<Material> {
    let mut info = Reader(info);
    let algorithm = info.expect(SEQUENCE)?;
    let (0, key) = info.expect(BIT_STRING)?.split_first().map(|(unused, key)| (*unused, key))? else {
        return None;
    };
    match algorithm {
        RSA => {
            let mut outer = Reader(key);
            let mut numbers = Reader(outer.expect(SEQUENCE)?);
            Material::rsa(numbers.expect(INTEGER)?, numbers.expect(INTEGER)?)
        }
        P256 => Some(Material::Ec { curve: Curve::P256, point: key.to_vec() }),
        P384 => Some(Material::Ec { curve: Curve::P384, point: key.to_vec() }),
        ED25519 => Some(Material::Ed25519 { x: key.try_into().ok()? }),
        _ => None,
    }
}

/// `UTCTime` or `GeneralizedTime` in the one form that RFC 5280 section 4.1.2.5 allows: seconds and `Z`.
fn time((tag, text): (u8, &[u8])) -> Option<UtcMicros> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let year_digits = match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    if text.len() != year_digits + 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = text.split_at_checked(year_digits)?;
    let year: i16 = year.parse().ok()?;
    let year = match tag {
        UTC_TIME if year < 50 => year + 2000,
        UTC_TIME => year + 1900,
        _ => year,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = jiff::civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    let seconds = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(UtcMicros(seconds.checked_mul(SECOND)?))
}

/// An unsigned big-endian number, trimmed, as INTEGER.
fn integer(number: &[u8]) -> Vec<u8> {
    match number.first() {
        Some(0x80..) => element(INTEGER, &[&[0], number].concat()),
        Some(_) => element(INTEGER, number),
        None => element(INTEGER, &[0]),
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let short =
        length.iter().position(|byte| *byte != 0).map_or(&[][..], |at| length.get(at..).unwrap_or_default());
    let mut out = vec![tag];
    match (short, content.len()) {
        ([], _) => out.push(0),
        ([one], ..0x80) => out.push(*one),
        (bytes, _) => {
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Elements in a row.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and content of the next element; `None` at the end, and for anything that is not DER.
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let count = usize::from(*first & 0x7f);
            if !(1..=4).contains(&count) {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(element(4, &[]), [4, 0]);
        assert_eq!(element(4, &[7; 127])[..3], [4, 127, 7]);
        assert_eq!(element(4, &[7; 128])[..4], [4, 0x81, 128, 7]);
        assert_eq!(element(4, &[7; 256])[..5], [4, 0x82, 1, 0, 7]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn public_keys_survive_the_round_trip() {
        for material in [
            Material::rsa(&[0xc5; 256], &[1, 0, 1]).unwrap(),
            Material::Ec { curve: Curve::P256, point: vec![4; 65] },
            Material::Ec { curve: Curve::P384, point: vec![4; 97] },
            Material::Ed25519 { x: [9; 32] },
        ] {
            let der = subject_public_key_info(&material).unwrap();
            let mut outer = Reader(&der);
            assert_eq!(public_key(outer.expect(SEQUENCE).unwrap()), Some(material));
        }
    }

    #[test]
    fn a_certificate_is_read_and_any_prefix_of_it_refused() {
        let der = include_bytes!("../../testdata/keys/test-only-rsa2048-a.crt");
        let fields = certificate(der).unwrap();
        assert_eq!(fields.not_before.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(fields.not_after.to_string(), "2031-01-01T00:00:00Z");
        assert!(matches!(fields.material, Some(Material::Rsa { ref modulus, .. }) if modulus.len() == 256));
        for length in 0..der.len().min(900) {
            assert!(length > 300 || certificate(&der[..length]).is_none());
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(bytes: Vec<u8>) {
            let _ = certificate(&bytes);
        }
    }
}
