//! Where requests come from: named networks and address prefixes.

use super::times::Class;
use crate::codec::decimal;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The /24 or /56 of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Prefix {
    /// The first three bytes of an IPv4 address.
    V4([u8; 3]),
    /// The first seven bytes of an IPv6 address.
    V6([u8; 7]),
}

impl Prefix {
    /// The prefix of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let mut prefix = [0; 7];
                prefix.iter_mut().zip(v6.octets()).for_each(|(byte, octet)| *byte = octet);
                Self::V6(prefix)
            }
        }
    }

    /// Appends what [`fmt::Display`] writes; nearly all addresses are of version 4.
    pub fn push(&self, out: &mut String) {
        match self {
            Self::V4(bytes) => {
                for byte in bytes {
                    decimal::push_unsigned((*byte).into(), out);
                    out.push('.');
                }
                out.push_str("0/24");
            }
            Self::V6(_) => out.push_str(&self.to_string()),
        }
    }

    /// The prefix that was written as [`fmt::Display`] does.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, _) = text.split_once('/')?;
        let prefix = Self::of(address.parse().ok()?);
        (prefix.to_string() == text).then_some(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c]) => write!(f, "{a}.{b}.{c}.0/24"),
            Self::V6(bytes) => {
                let mut octets = [0; 16];
                octets.iter_mut().zip(bytes).for_each(|(octet, byte)| *octet = *byte);
                write!(f, "{}/56", Ipv6Addr::from(octets))
            }
        }
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'t> {
    /// The policy's name of the network.
    pub network: Option<&'t str>,
    /// The prefix.
    pub prefix: Prefix,
}

impl<'t> Place<'t> {
    /// The place as rules tell places apart: a named network is one.
    pub fn spot(&self) -> Spot<'t> {
        self.network.map_or(Spot::Prefix(self.prefix), Spot::Network)
    }
}

/// A place that is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot<'t> {
    /// A named network.
    Network(&'t str),
    /// The prefix of an address outside of these.
    Prefix(Prefix),
}

impl Spot<'_> {
    /// An IPv4 and an IPv6 prefix of one token are one place: a machine has both.
    pub fn class(&self) -> Class {
        match self {
            Self::Network(_) => Class::Single,
            Self::Prefix(Prefix::V4(_)) => Class::Left,
            Self::Prefix(Prefix::V6(_)) => Class::Right,
        }
    }

    /// True if the two are the IPv4 and the IPv6 side of a place.
    pub fn pairs_with(&self, other: &Self) -> bool {
        matches!((self.class(), other.class()), (Class::Left, Class::Right) | (Class::Right, Class::Left))
    }
}

impl fmt::Display for Spot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => f.write_str(name),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

/// How many places some spots are, an IPv4 and an IPv6 one being one.
pub fn count_spots(spots: &BTreeSet<Spot<'_>>) -> u64 {
    let of = |class| spots.iter().filter(|spot| spot.class() == class).count();
    let count = of(Class::Single) + of(Class::Left).max(of(Class::Right));
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_written_and_read() {
        for (address, prefix) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ] {
            let found = Prefix::of(address.parse().unwrap());
            assert_eq!(found.to_string(), prefix);
            assert_eq!(Prefix::parse(prefix), Some(found));
            let mut text = String::new();
            found.push(&mut text);
            assert_eq!(text, prefix);
        }
        for text in ["", "203.0.113.1/24", "203.0.113.0", "x/24"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn both_sides_of_a_machine_are_one_place() {
        let spot = |address: &str| Spot::Prefix(Prefix::of(address.parse().unwrap()));
        let spots: BTreeSet<Spot<'_>> =
            [spot("192.0.2.1"), spot("198.51.100.1"), spot("2001:db8::1"), Spot::Network("office")].into();
        assert_eq!(count_spots(&spots), 3);
        assert!(spot("192.0.2.1").pairs_with(&spot("2001:db8::1")));
        assert!(!spot("192.0.2.1").pairs_with(&Spot::Network("office")));
    }
}
