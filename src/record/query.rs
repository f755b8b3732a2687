//! The small texts inside of records: URLs, queries, cookies, header blocks, addresses.

use bumpalo::Bump;

/// A URL taken apart; every part as it was logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
}

/// Splits an absolute URL, or a path with or without query. The fragment belongs to neither.
pub(super) fn split_url(text: &str) -> Url<'_> {
    let (scheme, rest) = match split_scheme(text) {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let (host, rest) = if scheme.is_some() {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        (authority.rsplit('@').next().filter(|host| !host.is_empty()), rest)
    } else {
        (None, rest)
    };
    let end = memchr::memchr2(b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
    let (path, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let query = behind.strip_prefix('?').map(|query| before(query, b'#'));
    let path = if path.is_empty() && host.is_some() { "/" } else { path };
    Url { scheme, host, path: some(path), query: query.and_then(some) }
}

/// Scheme and rest of an absolute URL.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    // The colon ends the scheme, so that paths, which nearly all texts are, are left at their first byte.
    let end = text.bytes().position(|byte| !byte.is_ascii_alphanumeric()).filter(|end| *end > 0)?;
    let (scheme, behind) = text.split_at_checked(end)?;
    Some((scheme, behind.strip_prefix("://")?))
}

/// The text up to the first of an ASCII byte.
fn before(text: &str, byte: u8) -> &str {
    memchr::memchr(byte, text.as_bytes()).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Splits a request line: method, target, protocol. A text without method gives only the target.
pub(super) fn split_request(line: &str) -> (Option<&str>, &str) {
    let line = line.trim_ascii();
    let Some(space) = memchr::memchr(b' ', line.as_bytes()) else { return (None, line) };
    let (method, rest) = (line.get(..space).unwrap_or_default(), line.get(space + 1..).unwrap_or_default());
    if !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_') {
        return (None, line);
    }
    let last = memchr::memrchr(b' ', rest.as_bytes());
    let has_protocol = |space: &usize| rest.get(space + 1..).is_some_and(|last| last.starts_with("HTTP/"));
    let target = last.filter(has_protocol).and_then(|space| rest.get(..space)).unwrap_or(rest);
    (some(method), target.trim_ascii())
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Values of a parameter in a URL, or in a query with or without `?`.
pub(super) fn parameters<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    text.split(['?', '&', '#', ';']).filter_map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.split(' ').next().unwrap_or_default())
    })
}

/// Values of a cookie in a `Cookie` header.
pub(super) fn cookies<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    text.split(';').filter_map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim_ascii() == name).then_some(value)
    })
}

/// Values of a header in a block of `Name: value` lines.
pub(super) fn header_lines<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        key.trim_ascii().eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The text with `%XX` decoded; as it is where that gives no UTF-8 or nothing is encoded.
pub(super) fn percent_decoded<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return text;
    }
    let decoded = arena.alloc_slice_fill_copy(text.len(), 0_u8);
    let mut used = 0;
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let (byte, rest) = match (first, rest) {
            (b'%', [high, low, rest @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', bytes.get(1..).unwrap_or_default()),
            },
            _ => (*first, rest),
        };
        if let Some(free) = decoded.get_mut(used) {
            *free = byte;
            used += 1;
        }
        bytes = rest;
    }
    decoded.get(..used).and_then(|decoded| std::str::from_utf8(decoded).ok()).unwrap_or(text)
}

/// The value of a hexadecimal digit.
pub(super) fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A client address without port and zone: `ip`, `ip:port`, `[v6]:port`, the first of a list. What is no address stays as
/// it was logged, `unix:` and `-` are none.
pub(super) fn client_ip(text: &str) -> Option<&str> {
    if is_bare_address(text) { Some(text) } else { any_client_ip(text) }
}

/// True for an address with nothing around it: what [`any_client_ip`] would give back as it is.
fn is_bare_address(text: &str) -> bool {
    let mut colons = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'f' | b'.' => {}
            b':' => colons += 1,
            _ => return false,
        }
    }
    // One colon is a port.
    colons != 1 && !text.is_empty()
}

fn any_client_ip(text: &str) -> Option<&str> {
    let first = text.split(',').next()?.trim_ascii().trim_matches('"');
    if first.is_empty() || first == "-" || first.starts_with("unix:") || first == "@" {
        return None;
    }
    if let Some(inside) = first.strip_prefix('[') {
        let (address, _) = inside.split_once(']').unwrap_or((inside, ""));
        return some(address.split('%').next()?);
    }
    let address = match first.split_once(':') {
        // One colon is a port; more are IPv6.
        Some((address, port)) if !port.contains(':') => address,
        _ => first,
    };
    some(address.split('%').next()?)
}

/// A number as `str::parse` reads it, at once where it is short and plain, as nearly every logged duration is.
pub(super) fn number(text: &str) -> Option<f64> {
    plain_number(text.as_bytes()).or_else(|| text.parse().ok())
}

/// Up to nine digits with a point among them or none: a quotient of two exact numbers, which is rounded only once.
fn plain_number(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 9] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
    let point = text.iter().position(|byte| *byte == b'.');
    if text.len() - usize::from(point.is_some()) > 9 || !text.first()?.is_ascii_digit() {
        return None;
    }
    let mut digits = 0_u32;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + u32::from(*byte - b'0'),
            b'.' if Some(at) == point => {}
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |point| text.len() - point - 1);
    Some(f64::from(digits) / POWERS.get(decimals)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_numbers_are_read_as_the_standard_library_reads_them(text in "[0-9]{0,6}[.]?[0-9]{0,6}[.e-]?[0-9]?") {
            prop_assert_eq!(number(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }

        #[test]
        fn bare_addresses_stay_as_they_are(text in "[0-9a-f.:]{0,9}[%, \\]@-]?[0-9:]{0,3}") {
            prop_assert_eq!(client_ip(&text), any_client_ip(&text));
        }

        /// The splitting of URLs and request lines by bytes is the one by words of the standard library.
        #[test]
        fn urls_and_request_lines_are_split_as_defined(text in "(htt-?ps?(:|:/|://))?([a-zé]{0,2}[/?#:@ ]){0,6}(HTTP/1| )?") {
            let scheme = text.split_once("://").filter(|(scheme, _)| {
                !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
            prop_assert_eq!(split_scheme(&text), scheme);
            let rest = scheme.map_or(text.as_str(), |(_, rest)| rest);
            let rest = rest.get(if scheme.is_some() { rest.find(['/', '?', '#']).unwrap_or(rest.len()) } else { 0 }..).unwrap();
            let query = rest.split('#').next().and_then(|rest| rest.split_once('?')).map(|(_, query)| query);
            prop_assert_eq!(split_url(&text).query, query.filter(|query| !query.is_empty()));
            let line = text.trim_ascii();
            let (method, target) = line.split_once(' ').unwrap_or(("", line));
            let (method, target) = match target.rsplit_once(' ') {
                _ if !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_') => ("", line),
                Some((target, protocol)) if protocol.starts_with("HTTP/") && line.contains(' ') => (method, target),
                _ => (method, target),
            };
            prop_assert_eq!(split_request(&text), (some(method), if method.is_empty() { target } else { target.trim_ascii() }));
        }
    }

    #[test]
    fn urls_are_split() {
        let url = split_url("https://api.contoso.example:8443/v1/orders?page=2#x");
        assert_eq!(url.scheme, Some("https"));
        assert_eq!(url.host, Some("api.contoso.example:8443"));
        assert_eq!((url.path, url.query), (Some("/v1/orders"), Some("page=2")));
        assert_eq!(split_url("/v1?next=http://x").host, None);
        assert_eq!(split_url("https://h").path, Some("/"));
        assert_eq!(split_url("").path, None);
        assert_eq!(split_request("GET /a b HTTP/1.1"), (Some("GET"), "/a b"));
        assert_eq!(split_request("/only"), (None, "/only"));
    }

    #[test]
    fn addresses_lose_port_and_zone() {
        for (text, address) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7:51234", Some("203.0.113.7")),
            ("203.0.113.7, 10.0.3.1", Some("203.0.113.7")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("unix:", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(client_ip(text), address, "{text}");
        }
    }

    #[test]
    fn parameters_and_cookies_are_found() {
        let arena = Bump::new();
        assert_eq!(parameters("/x?a=1&access_token=abc&b=2", "access_token").collect::<Vec<_>>(), ["abc"]);
        assert_eq!(parameters("access_token=abc HTTP/1.1", "access_token").collect::<Vec<_>>(), ["abc"]);
        assert_eq!(cookies("a=1; sid=x=y", "sid").collect::<Vec<_>>(), ["x=y"]);
        assert_eq!(
            header_lines("Host: h\r\nauthorization: Bearer x\r\n", "Authorization").collect::<Vec<_>>(),
            [" Bearer x"]
        );
        assert_eq!(percent_decoded("a%2Eb%2", &arena), "a.b%2");
        assert_eq!(percent_decoded("%ff", &arena), "%ff");
    }
}
