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
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            (Some(scheme), rest)
        }
        _ => (None, text),
    };
    let (host, rest) = if scheme.is_some() {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        (authority.rsplit('@').next().filter(|host| !host.is_empty()), rest)
    } else {
        (None, rest)
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let path = if path.is_empty() && host.is_some() { "/" } else { path };
    Url { scheme, host, path: some(path), query: query.and_then(some) }
}

/// Splits a request line: method, target, protocol. A text without method gives only the target.
pub(super) fn split_request(line: &str) -> (Option<&str>, &str) {
    let line = line.trim_ascii();
    let Some((method, rest)) = line.split_once(' ') else { return (None, line) };
    if !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_') {
        return (None, line);
    }
    let target = match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => target,
        _ => rest,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(header_lines("Host: h\r\nauthorization: Bearer x\r\n", "Authorization").collect::<Vec<_>>(), [" Bearer x"]);
        assert_eq!(percent_decoded("a%2Eb%2", &arena), "a.b%2");
        assert_eq!(percent_decoded("%ff", &arena), "%ff");
    }
}
