//! The key history as a picture (`keys timeline`): a band a source, a bar a key, in plain SVG.
//!
//! Coordinates are tenths of a pixel in whole numbers, so that the same archive gives the same bytes everywhere. However many
//! captures there are, no row has more shapes than pixels. Names come from outside: [`shown`] is their only way into the text.

use super::coverage::Stretch;
use super::history::{KeyHistory, Source};
use super::key::{Key, Listing};
use super::listing::in_short;
use crate::redact;
use crate::time::{DAY, HOUR, UtcMicros};
use jiff::civil::Date;
use std::fmt::Write as _;

/// Tenths of a pixel.
type Tenths = i64;

const WIDTH: Tenths = 12_000;
/// Where the time axis begins and ends.
const LEFT: Tenths = 3_300;
const RIGHT: Tenths = 11_750;
const HEAD: Tenths = 950;
const BAND_HEAD: Tenths = 420;
const ROW: Tenths = 240;
const BAR: Tenths = 100;
/// Room that a time stamp needs.
const LABEL: Tenths = 700;
/// Most time stamps along the axis.
const TICKS_MAX: i64 = 9;

const STYLE: &str = "\
text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}\
.title{font-size:17px;font-weight:600}.source{font-weight:600}\
.kid{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:11px}\
.quiet{fill:#656d76;font-size:11px}.page{fill:#fff}.band{fill:#f6f8fa}.grid{fill:#d8dee4}\
.presumed{fill:#9cc3f5}.known{fill:#1f5fbf}.gap-back{fill:#fff3cd}.gap-line{fill:#d39e1f}\
.absent{fill:#afb8c1}.retired{fill:#656d76}.capture{fill:#57606a}.failed{fill:#cf222e}.cert{fill:#8250df}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#8d96a0}.page{fill:#0d1117}.band{fill:#161b22}\
.grid{fill:#30363d}.presumed{fill:#1f4d8f}.known{fill:#6cb0ff}.gap-back{fill:#3a2d0a}.gap-line{fill:#d29922}\
.absent{fill:#484f58}.retired{fill:#8d96a0}.capture{fill:#8d96a0}.failed{fill:#ff7b72}.cert{fill:#bc8cff}}";

impl KeyHistory {
    /// The life of every key in every source, with captures and gaps, as an SVG document.
    pub fn picture(&self) -> String {
        let axis = Axis::new(self);
        let keys = |id| move |key: &&Key| key.listings.iter().any(|listing| listing.source == id);
        let rows: usize = self.sources().map(|(id, _)| self.keys.iter().filter(keys(id)).count()).sum();
        let count = |number: usize| Tenths::try_from(number).unwrap_or(Tenths::MAX);
        let bands = count(self.sources.len()).saturating_mul(BAND_HEAD);
        let height = HEAD.saturating_add(bands).saturating_add(count(rows).saturating_mul(ROW)) + 250;
        let mut picture = Picture { out: String::new(), axis, height };
        picture.head(self);
        let mut top = HEAD;
        for (id, source) in self.sources() {
            picture.source(source, top);
            top += BAND_HEAD;
            for key in self.keys.iter().filter(keys(id)) {
                for listing in key.listings.iter().filter(|listing| listing.source == id) {
                    picture.key(key, listing, top);
                }
                top += ROW;
            }
        }
        picture.out.push_str("</svg>\n");
        picture.out
    }
}

/// The time that the picture shows.
#[derive(Clone, Copy)]
struct Axis {
    from: UtcMicros,
    to: UtcMicros,
}

impl Axis {
    /// All captures, and a little room on either side.
    fn new(history: &KeyHistory) -> Self {
        let times = || history.sources.iter().flat_map(|source| &source.captures).map(|capture| capture.time);
        let from = times().map(|time| time.start).min().unwrap_or(UtcMicros(0));
        let to = times().map(|time| time.end).max().unwrap_or(UtcMicros(0));
        let room = (to.0.saturating_sub(from.0) / 40).max(HOUR);
        Self { from: from.plus(-room), to: to.plus(room) }
    }

    /// Where an instant stands; what lies outside stands at the edge.
    fn x(self, at: UtcMicros) -> Tenths {
        let at = at.clamp(self.from, self.to);
        let [passed, span] = [at, self.to].map(|at| i128::from(at.0) - i128::from(self.from.0));
        let offset = passed * i128::from(RIGHT - LEFT) / span.max(1);
        LEFT + Tenths::try_from(offset).unwrap_or(0)
    }

    /// Instants to write at the axis, with their texts.
    fn ticks(self) -> Vec<(UtcMicros, String)> {
        let span = self.to.0.saturating_sub(self.from.0);
        let steps = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
        let Some(step) = steps.into_iter().find(|step| span / step < TICKS_MAX) else {
            return self.months(span);
        };
        // Weeks begin on a Monday, and the epoch was a Thursday.
        let monday = if step >= 7 * DAY { 4 * DAY } else { 0 };
        let first = (self.from.0.saturating_sub(monday).div_euclid(step) + 1).saturating_mul(step);
        let instants =
            (0..=TICKS_MAX).map(|number| UtcMicros(first.saturating_add(monday)).plus(number * step));
        let text = |at: UtcMicros| {
            let text = at.to_string();
            let (date, time) = text.split_once('T').unwrap_or((&text, ""));
            if step < DAY {
                format!("{} {}", date.get(5..).unwrap_or(date), time.get(..5).unwrap_or(time))
            } else {
                date.to_owned()
            }
        };
        instants.filter(|at| *at < self.to).map(|at| (at, text(at))).collect()
    }

    fn months(self, span: i64) -> Vec<(UtcMicros, String)> {
        let steps = [1, 2, 3, 6, 12, 24, 60, 120, 600, 1_200, 6_000];
        let step = steps.into_iter().find(|step| span / (step * 30 * DAY) < TICKS_MAX).unwrap_or(12_000);
        let year = |at: UtcMicros| at.to_string().get(..4).and_then(|year| year.parse::<i64>().ok());
        let (Some(first), Some(last)) = (year(self.from), year(self.to)) else { return Vec::new() };
        let months = (first * 12..=last * 12 + 12).filter(|month| month % step == 0);
        let instants = months.filter_map(|month| {
            let year = i16::try_from(month.div_euclid(12)).ok()?;
            let number = i8::try_from(month.rem_euclid(12) + 1).ok()?;
            let start = Date::new(year, number, 1).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            let text = if step >= 12 { format!("{year:04}") } else { format!("{year:04}-{number:02}") };
            Some((UtcMicros(start.timestamp().as_microsecond()), text))
        });
        instants.filter(|(at, _)| *at > self.from && *at < self.to).collect()
    }
}

struct Picture {
    out: String,
    axis: Axis,
    height: Tenths,
}

impl Picture {
    fn head(&mut self, history: &KeyHistory) {
        let [width, height] = [px(WIDTH), px(self.height)];
        let captures: usize = history.sources.iter().map(|source| source.captures.len()).sum();
        let what = format!(
            "{} sources, {} keys, {captures} captures; times are UTC; archive {}",
            history.sources.len(),
            history.keys.len(),
            history.sha256().get(..16).unwrap_or_default()
        );
        let _ = write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>Key history</title>\n<desc>{what}</desc>\n\
             <style>{STYLE}</style>\n<defs><pattern id=\"gap\" width=\"5\" height=\"5\" \
             patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"gap-back\" width=\"5\" \
             height=\"5\"/><rect class=\"gap-line\" width=\"2\" height=\"5\"/></pattern></defs>\n"
        );
        self.rect("page", 0, 0, WIDTH, self.height, None);
        self.text("title", 200, 300, "Key history");
        self.text("quiet", 1_350, 300, &what);
        self.legend();
        for (at, text) in self.axis.ticks() {
            let x = self.axis.x(at);
            self.rect("grid", x, HEAD - 80, 10, self.height - HEAD - 40, None);
            if x + LABEL <= WIDTH {
                self.text("quiet", x + 40, HEAD - 60, &text);
            }
        }
    }

    fn legend(&mut self) {
        let y = 560;
        let entries: [(&str, Tenths, Tenths, &str); 8] = [
            ("capture", 15, 120, "capture"),
            ("failed", 30, 120, "failed or partial"),
            ("known", 30, BAR, "a capture lists the key"),
            ("presumed", 260, BAR, "presumed between two"),
            ("gap", 260, BAR, "gap: may be gone"),
            ("absent", 260, 15, "confirmed absent"),
            ("retired", 20, BAR, "retirement proven"),
            ("cert", 260, 15, "certificate is valid"),
        ];
        let mut x = 200;
        for (class, width, height, text) in entries {
            self.rect(class, x, y - 40 - height / 2, width, height, None);
            self.text("quiet", x + width + 60, y, text);
            x += width + 260 + 62 * Tenths::try_from(text.len()).unwrap_or(0);
        }
    }

    /// The head of a band: the source and its captures.
    fn source(&mut self, source: &Source, top: Tenths) {
        self.rect("band", 100, top + 30, WIDTH - 200, BAND_HEAD - 60, None);
        let name = if source.name.is_empty() { "the archive's own directory" } else { &source.name };
        self.text("source", 200, top + 175, &shown(name, 120));
        let complete = source.captures.iter().filter(|capture| capture.complete).count();
        let text =
            format!("{complete} complete captures, {} failed or partial", source.captures.len() - complete);
        self.text("quiet", 200, top + 320, &text);
        let times = |complete| {
            let captures = source.captures.iter().filter(move |capture| capture.complete == complete);
            captures.map(|capture| (capture.time.start, capture.time.end))
        };
        self.stretches("capture", times(true), top + 250, 110, 15, None);
        self.stretches("failed", times(false), top + 235, 140, 30, None);
    }

    fn key(&mut self, key: &Key, listing: &Listing, top: Tenths) {
        let kid = key.kid.as_deref().unwrap_or("(no kid)");
        self.text("kid", 200, top + 155, &shown(kid, 30));
        let size = key.bits.map(|bits| bits.to_string()).or_else(|| key.crv.clone()).unwrap_or_default();
        self.text("quiet", 2_400, top + 155, &shown(&format!("{} {size}", key.kty), 12));
        let (bounds, bar) = (listing.bounds(), top + 70);
        let edges = (self.axis.from, self.axis.to);
        let absent = [
            bounds.absent_before_until.map(|until| (edges.0, until)),
            bounds.retired_at.map(|retired| (retired, edges.1)),
        ];
        self.stretches("absent", absent.into_iter().flatten(), bar + BAR / 2, 15, 10, None);
        let outer = [
            bounds.last_absent_before.map(|absent| (absent, bounds.first_seen)),
            bounds.first_absent_after.map(|absent| (bounds.last_seen, absent)),
        ];
        let gaps = listing.gaps();
        let mut all = gaps.clone();
        all.extend(outer.into_iter().flatten());
        all.sort_unstable();
        self.stretches("gap", all.into_iter(), bar, BAR, 10, None);
        let title = title(key, listing, &gaps);
        self.stretches("presumed", listing.standing.presumed().into_iter(), bar, BAR, 20, Some(&title));
        self.stretches("known", listing.standing.known(), bar, BAR, 15, Some(&title));
        if let Some(retired) = bounds.retired_at {
            self.rect("retired", self.axis.x(retired), bar - 20, 20, BAR + 40, None);
        }
        let valid = key.certificates.iter().filter_map(|own| own.not_before.zip(own.not_after));
        let valid = valid.filter(|(from, to)| *from < edges.1 && *to > edges.0);
        self.stretches("cert", valid, bar + BAR + 20, 15, 15, None);
    }

    /// Shapes for stretches of time that are sorted by their start; those that touch are one.
    fn stretches(
        &mut self,
        class: &str,
        stretches: impl Iterator<Item = Stretch>,
        y: Tenths,
        height: Tenths,
        width_min: Tenths,
        title: Option<&str>,
    ) {
        let mut open: Option<(Tenths, Tenths)> = None;
        for (from, to) in stretches {
            let left = self.axis.x(from);
            let right = self.axis.x(to).max(left + width_min);
            open = match open {
                Some((start, end)) if left <= end + 5 => Some((start, end.max(right))),
                Some((start, end)) => {
                    self.rect(class, start, y, end - start, height, title);
                    Some((left, right))
                }
                None => Some((left, right)),
            };
        }
        if let Some((start, end)) = open {
            self.rect(class, start, y, end - start, height, title);
        }
    }

    fn rect(
        &mut self,
        class: &str,
        x: Tenths,
        y: Tenths,
        width: Tenths,
        height: Tenths,
        title: Option<&str>,
    ) {
        let fill =
            if class == "gap" { "fill=\"url(#gap)\"".to_owned() } else { format!("class=\"{class}\"") };
        let [x, y, width, height] = [x, y, width, height].map(px);
        let _ = write!(self.out, "<rect {fill} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        let _ = match title {
            Some(title) => writeln!(self.out, "><title>{title}</title></rect>"),
            None => writeln!(self.out, "/>"),
        };
    }

    /// Text that is safe already.
    fn text(&mut self, class: &str, x: Tenths, y: Tenths, text: &str) {
        let _ = writeln!(self.out, "<text class=\"{class}\" x=\"{}\" y=\"{}\">{text}</text>", px(x), px(y));
    }
}

/// What a viewer shows beside the pointer.
fn title(key: &Key, listing: &Listing, gaps: &[Stretch]) -> String {
    let (first, last) = listing.seen();
    let mut text = format!(
        "{}: first seen {first}, last seen {last}",
        shown(key.kid.as_deref().unwrap_or("(no kid)"), 200)
    );
    if let Some(longest) = gaps.iter().map(|(from, to)| to.0.saturating_sub(from.0)).max() {
        let _ = write!(text, ", {} gaps up to {}", gaps.len(), in_short(longest));
    }
    for certificate in &key.certificates {
        if let Some((from, to)) = certificate.not_before.zip(certificate.not_after) {
            let _ = write!(text, ", certificate {from} to {to}");
        }
    }
    if let Some(why) = key.prepared.unusable() {
        let _ = write!(text, ", verifies nothing: {why}");
    }
    text
}

fn px(tenths: Tenths) -> String {
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 { whole.to_string() } else { format!("{whole}.{tenth}") }
}

/// Text from outside, for SVG: without tokens, without characters that steer, with XML's own characters escaped, and cut.
fn shown(text: &str, chars_max: usize) -> String {
    let clean = redact::cell(text, &[]);
    let mut out = String::new();
    for (at, char) in clean.chars().enumerate() {
        if at == chars_max {
            out.push('\u{2026}');
            break;
        }
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // The last two of these are no characters of XML.
            _ if char.is_control()
                || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push('\u{fffd}');
            }
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{TestKey, history};

    #[test]
    fn names_cannot_leave_their_text() {
        let hostile = "</text><script>alert('1')</script>\u{1b}[31m\u{202e}&\"\u{ffff}";
        let history =
            history(&[(hostile, 20_000, Some(vec![TestKey::RsaA.jwk(hostile)])), (hostile, 20_001, None)]);
        let picture = history.picture();
        assert!(!picture.contains("<script") && !picture.contains('\u{1b}') && !picture.contains('\u{202e}'));
        assert!(picture.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{picture}");
        assert_eq!(picture, history.picture());
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    #[test]
    fn a_row_has_no_more_shapes_than_pixels() {
        let captures: Vec<_> = (0..8_000)
            .map(|day| ("x", day, Some(if day % 2 == 0 { vec![TestKey::P256.jwk("a")] } else { vec![] })))
            .collect();
        let picture = history(&captures).picture();
        assert!(picture.matches("<rect").count() < 2_000, "{}", picture.len());
    }

    #[test]
    fn the_axis_names_round_times() {
        let texts = |from: i64, to: i64| {
            let axis = Axis { from: UtcMicros(from), to: UtcMicros(to) };
            axis.ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(texts(HOUR / 2, 3 * HOUR), ["01-01 01:00", "01-01 02:00"]);
        assert_eq!(
            texts(5 * HOUR, 3 * DAY),
            ["01-01 12:00", "01-02 00:00", "01-02 12:00", "01-03 00:00", "01-03 12:00"]
        );
        assert_eq!(texts(0, 30 * DAY).first().map(String::as_str), Some("1970-01-05"));
        let months = texts(0, 300 * DAY);
        assert_eq!(months.first().map(String::as_str), Some("1970-03"), "{months:?}");
        assert!(texts(0, 9_000 * DAY) == ["1975", "1980", "1985", "1990"]);
    }

    #[test]
    fn gaps_failures_and_retirement_are_drawn() {
        let key = || Some(vec![TestKey::RsaA.jwk("a")]);
        let none = || Some(vec![]);
        let captures = [
            ("x", 1, none()),
            ("x", 2, none()),
            ("x", 3, key()),
            ("x", 4, None),
            ("x", 5, key()),
            ("x", 6, none()),
            ("x", 8, none()),
            ("x", 10, none()),
        ];
        let picture = history(&captures).picture();
        let count = |class: &str| picture.matches(&format!("class=\"{class}\"")).count();
        // Each class stands once in the legend.
        assert_eq!((count("failed"), count("retired"), count("absent")), (2, 2, 3));
        assert_eq!((count("presumed"), count("known"), count("capture")), (3, 3, 8));
        assert_eq!(picture.matches("url(#gap)").count(), 2);
    }
}
