//! Patterns of hosts and paths, and the form in which logged hosts and paths are compared with them.

use std::borrow::Cow;
use std::fmt;

/// The placeholder for the tenant of the data.
pub(super) const TENANT: &str = "{tenant}";

/// A host as it is compared: lower case, without port, brackets and final dot.
pub fn normal_host(host: &str) -> Cow<'_, str> {
    // Most hosts are logged as they are compared.
    let odd = has_any(host, |byte| byte == b':' || byte.wrapping_sub(b'A') <= b'[' - b'A');
    if odd { without_port(host) } else { Cow::Borrowed(host.strip_suffix('.').unwrap_or(host)) }
}

/// True if a text has one of the bytes that `is` picks. Blocks of a fixed size become vector instructions, as long as `is` does
/// not branch; the last one overlaps the one before.
#[inline]
fn has_any(text: &str, is: impl Fn(u8) -> bool) -> bool {
    let in_block = |block: &[u8; 16]| block.iter().fold(0, |any, byte| any | u8::from(is(*byte))) != 0;
    let bytes = text.as_bytes();
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().any(in_block) || in_block(last),
        None => bytes.iter().any(|byte| is(*byte)),
    }
}

fn without_port(host: &str) -> Cow<'_, str> {
    let host = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(literal),
        None => match host.split_once(':') {
            // Several colons are an IPv6 address without brackets, which has no port.
            Some((name, port)) if !port.contains(':') => name,
            _ => host,
        },
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// A path as it is compared: percent-decoded once, then without dot segments. Borrowed where nothing changes.
pub fn normal_path(path: &str) -> Cow<'_, str> {
    // Most paths are logged as they are compared.
    if !has_any(path, |byte| b"?#%.".iter().fold(0, |any, odd| any | u8::from(byte == *odd)) != 0) {
        return Cow::Borrowed(path);
    }
    let Some(first) = memchr::memchr3(b'?', b'#', b'%', path.as_bytes()) else {
        return without_dots(Cow::Borrowed(path));
    };
    let behind = path.as_bytes().get(first..).unwrap_or_default();
    let end = memchr::memchr2(b'?', b'#', behind).map_or(path.len(), |end| first + end);
    without_dots(percent_decoded(path.get(..end).unwrap_or(path)))
}

fn without_dots(path: Cow<'_, str>) -> Cow<'_, str> {
    if has_dot_segment(&path) { Cow::Owned(without_dot_segments(&path)) } else { path }
}

/// True if a segment begins with a dot; most paths have no dot at all.
fn has_dot_segment(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'.', bytes)
        .any(|dot| dot.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'/'))
}

/// Escapes that are none (`%zz`) stay as they are; bytes that are not UTF-8 become U+FFFD.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Cow::Owned(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 3986 section 5.2.4 for a path that begins with a slash.
fn without_dot_segments(path: &str) -> String {
    let Some(relative) = path.strip_prefix('/') else { return path.to_owned() };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = relative.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => {
                kept.push(segment);
                continue;
            }
        }
        // A dot segment at the end leaves the directory's final slash.
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// A host of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostPattern {
    /// One host, in its compared form.
    Exact(String),
    /// `*.`: one or more labels before this suffix (which has no leading dot).
    Below(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl HostPattern {
    /// # Errors
    /// Why it is no host pattern, and what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |suffix| (true, suffix));
        if name.contains(['*', '{', '}']) {
            return Err("a wildcard is `*.` before the domain, and nothing else".to_owned());
        }
        if name.contains(['/', '@', '?', '#']) || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("write the host alone, without scheme and path".to_owned());
        }
        let is_address = name.starts_with('[') || name.matches(':').count() > 1;
        if name.contains(':') && !is_address || name.rsplit_once("]:").is_some() {
            return Err("write the host without its port".to_owned());
        }
        let host = normal_host(name).into_owned();
        if host.is_empty() {
            return Err("it names no host; leave `hosts` out to match any".to_owned());
        }
        Ok(if below { Self::Below(host) } else { Self::Exact(host) })
    }
}

/// A segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// This text.
    Literal(String),
    /// Text with `*` in it: the pieces between the stars.
    Starred(Vec<String>),
    /// `{tenant}`: one segment that is not empty.
    Tenant,
    /// `**`: any segments, or none.
    Any,
}

/// A path of an entry, an operation or a `data-tenant`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PathPattern {
    text: String,
    segments: Vec<Segment>,
    literal_bytes: usize,
    /// How many segments at the beginning are literal, and their length with their slashes.
    literals: usize,
    key_bytes: usize,
    behind_key: BehindKey,
}

/// What a pattern wants behind its [`PathPattern::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BehindKey {
    /// Nothing.
    End,
    /// Any segments, or none.
    Anything,
    /// What only a walk over the segments tells.
    Segments,
}

impl PathPattern {
    /// # Errors
    /// Why it is no path pattern, and what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(relative) = text.strip_prefix('/') else {
            return Err("a path begins with `/`".to_owned());
        };
        if text.contains(['?', '#']) {
            return Err("write the path alone, without query".to_owned());
        }
        let segments = relative.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        // A path without wildcard is the most specific there is.
        let literal_bytes = text.find(['*', '{']).unwrap_or(usize::MAX);
        let literals = segments.iter().map_while(|segment| match segment {
            Segment::Literal(text) => Some(text.len() + 1),
            _ => None,
        });
        let (literals, key_bytes) = literals.fold((0, 0), |(count, sum), length| (count + 1, sum + length));
        let behind_key = match segments.get(literals..).unwrap_or_default() {
            [] => BehindKey::End,
            wild if wild.iter().all(|segment| *segment == Segment::Any) => BehindKey::Anything,
            _ => BehindKey::Segments,
        };
        Ok(Self { text: text.to_owned(), segments, literal_bytes, literals, key_bytes, behind_key })
    }

    /// The leading segments that are literal; a path that matches begins with them and then ends or goes on with a slash.
    pub(super) fn key(&self) -> &str {
        self.text.get(..self.key_bytes).unwrap_or_default()
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Literal bytes before the first wildcard; more is more specific.
    pub(super) fn literal_bytes(&self) -> usize {
        self.literal_bytes
    }

    /// How often `{tenant}` stands in it.
    pub(super) fn tenants(&self) -> usize {
        self.segments.iter().filter(|segment| **segment == Segment::Tenant).count()
    }

    /// What it wants behind its key.
    pub(super) fn behind_key(&self) -> BehindKey {
        self.behind_key
    }

    /// True if a path in its compared form matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let Some(behind) = path.strip_prefix(self.key()) else { return false };
        let is_whole = behind.starts_with('/') || (behind.is_empty() && !path.is_empty());
        match self.behind_key {
            BehindKey::End => behind.is_empty(),
            BehindKey::Anything => is_whole,
            BehindKey::Segments => is_whole && self.captured(path).is_some(),
        }
    }

    /// The segment at `{tenant}` if a path in its compared form matches; empty where the pattern has none.
    ///
    /// Walks pattern and path together and remembers only the last `**`: should the rest not match, that one takes a
    /// segment more. Time is at most the product of both lengths.
    pub(super) fn captured<'p>(&self, path: &'p str) -> Option<&'p str> {
        // What is literal at the beginning is compared at once.
        let behind = path.strip_prefix(self.key())?;
        let mut rest =
            if behind.is_empty() && !path.is_empty() { None } else { Some(behind.strip_prefix('/')?) };
        let mut pattern = self.segments.get(self.literals..).unwrap_or_default();
        let mut tenant = "";
        let mut retry: Option<(&[Segment], &'p str)> = None;
        loop {
            if let Some((Segment::Any, after)) = pattern.split_first() {
                let Some(text) = rest else {
                    pattern = after;
                    continue;
                };
                if after.is_empty() {
                    return Some(tenant);
                }
                retry = Some((after, text));
                pattern = after;
                continue;
            }
            match (pattern.split_first(), rest) {
                (None, None) => return Some(tenant),
                (Some((segment, after)), Some(text)) => {
                    let (head, tail) = split_segment(text);
                    if segment.matches(head) {
                        if *segment == Segment::Tenant {
                            tenant = head;
                        }
                        (pattern, rest) = (after, tail);
                        continue;
                    }
                }
                _ => {}
            }
            let (after, text) = retry?;
            let tail = split_segment(text).1;
            (pattern, rest) = (after, tail);
            retry = Some((after, tail?));
        }
    }
}

/// The first segment, and what follows its slash if there is one.
fn split_segment(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(head, tail)| (head, Some(tail)))
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "**" => Ok(Self::Any),
            TENANT => Ok(Self::Tenant),
            "." | ".." => {
                Err("dot segments are removed from logged paths; write the path without them".to_owned())
            }
            _ if text.contains("**") => Err("`**` stands alone between slashes".to_owned()),
            _ if text.contains(['{', '}']) => {
                Err("the only placeholder is `{tenant}`, alone between slashes; write `*` for any other"
                    .to_owned())
            }
            _ if text.contains('*') => Ok(Self::Starred(text.split('*').map(str::to_owned).collect())),
            _ => Ok(Self::Literal(text.to_owned())),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Starred(pieces) => starred(pieces, text),
            Self::Tenant => !text.is_empty(),
            Self::Any => true,
        }
    }
}

/// True if the text consists of the pieces in order, with anything between them: the first at its start, the last at
/// its end, the others as early as possible.
fn starred(pieces: &[String], text: &str) -> bool {
    let Some((first, others)) = pieces.split_first() else { return text.is_empty() };
    let Some((last, middle)) = others.split_last() else { return text == first };
    let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    true
}

/// `{tenant}` as one label of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TenantHost {
    before: String,
    after: String,
}

impl TenantHost {
    /// # Errors
    /// Why it is no such pattern, and what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(TENANT).collect();
        let [before, after] = parts.as_slice() else {
            return Err("it needs exactly one `{tenant}`".to_owned());
        };
        if !before.is_empty() && !before.ends_with('.') || !after.is_empty() && !after.starts_with('.') {
            return Err("`{tenant}` is one whole label, alone between dots".to_owned());
        }
        if text.contains(['*', '/', ':']) {
            return Err("write labels and `{tenant}` only".to_owned());
        }
        Ok(Self { before: before.to_ascii_lowercase(), after: after.to_ascii_lowercase() })
    }

    /// The label at `{tenant}` of a host in its compared form.
    pub(super) fn captured<'h>(&self, host: &'h str) -> Option<&'h str> {
        let label = host.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        (!label.is_empty() && !label.contains('.')).then_some(label)
    }
}
