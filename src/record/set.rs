//! All formats of a run: the presets, and those of the formats file.

use super::compile::{self, TemplateText};
use super::detect::{self, Detection};
use super::errors::{self, FormatError, Located, Place, Problem};
use super::format::Format;
use super::spec::{File, Kind, OneOrMany, Spec};
use super::template;
use crate::redact;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;

/// The presets in the order in which detection tries them: name and TOML.
const PRESETS: [(&str, &str); 8] = [
    ("apim", include_str!("presets/apim.toml")),
    ("apim-loganalytics", include_str!("presets/apim-loganalytics.toml")),
    ("kong", include_str!("presets/kong.toml")),
    ("caddy", include_str!("presets/caddy.toml")),
    ("envoy-json", include_str!("presets/envoy-json.toml")),
    ("nginx-combined", include_str!("presets/nginx-combined.toml")),
    ("apache-combined", include_str!("presets/apache-combined.toml")),
    ("scan", include_str!("presets/scan.toml")),
];

/// A file that formats came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// The file, as it was named.
    pub path: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// Every format that a run knows.
#[derive(Debug)]
pub struct FormatSet {
    /// User formats by name, then presets in their order.
    pub(super) formats: Vec<Arc<Format>>,
    scan: Arc<Format>,
    texts: BTreeMap<String, String>,
    digests: Vec<FileDigest>,
}

impl FormatSet {
    /// Loads the presets and, if there is one, the formats file. Paths inside it are relative to it.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or a format cannot be used as it is written; see [`FormatError`].
    pub fn load(formats_file: Option<&Path>) -> Result<Self, FormatError> {
        let mut bases = BTreeMap::new();
        let mut texts = BTreeMap::new();
        let mut presets: Vec<Arc<Format>> = Vec::new();
        for (name, text) in PRESETS {
            let file = read_toml("preset", text)?;
            for (_, spec) in file.format {
                let whole = spec.span();
                let spec = spec.into_inner();
                let format = build(name, &spec, spec_text(&spec, None), &whole, true);
                presets.push(Arc::new(format.map_err(|located| placed("preset", text, located))?));
                bases.insert(name.to_owned(), spec);
            }
            texts.insert(name.to_owned(), text.to_owned());
        }
        let scan = presets.last().map(Arc::clone).ok_or_else(|| FormatError::Invalid {
            at: Place::of("preset", "", 0),
            problem: Problem::Missing("kind"),
        })?;
        let mut set = Self { formats: Vec::new(), scan, texts, digests: Vec::new() };
        if let Some(path) = formats_file {
            set.load_user_formats(path, &bases)?;
        }
        set.formats.extend(presets);
        Ok(set)
    }

    fn load_user_formats(&mut self, path: &Path, bases: &BTreeMap<String, Spec>) -> Result<(), FormatError> {
        let shown = path.display().to_string();
        let text = self.read(path)?;
        let file = read_toml(&shown, &text)?;
        for (name, spec) in file.format {
            let whole = spec.span();
            let place = |problem: Problem, span| placed(&shown, &text, problem.at(span));
            if bases.contains_key(name.get_ref()) {
                return Err(place(Problem::PresetName(name.get_ref().clone()), name.span()));
            }
            let spec =
                with_base(spec.into_inner(), bases).map_err(|located| placed(&shown, &text, located))?;
            let outside = match &spec.from {
                Some(from) => Some(self.named_template(path, &spec, from).map_err(|error| match error {
                    Outside::Read(error) => error,
                    Outside::Problem(problem) => place(problem, from.log_format.span()),
                })?),
                None => None,
            };
            let format = build(name.get_ref(), &spec, spec_text(&spec, outside), &whole, false);
            self.formats.push(Arc::new(format.map_err(|located| placed(&shown, &text, located))?));
            self.texts.insert(name.get_ref().clone(), section(&text, name.get_ref()));
        }
        Ok(())
    }

    /// The template that `from` points at.
    fn named_template(
        &mut self,
        formats: &Path,
        spec: &Spec,
        from: &super::spec::From,
    ) -> Result<TemplateText, Outside> {
        let path = formats.parent().unwrap_or(Path::new("")).join(from.file.get_ref());
        let configuration = self.read(&path).map_err(Outside::Read)?;
        let name = from.log_format.get_ref();
        let found = match spec.kind {
            Some(Kind::Nginx) => template::nginx_named(&configuration, name)
                .map(|(text, escapes)| TemplateText { text, escapes }),
            Some(Kind::Apache) => template::apache_named(&configuration, name)
                .map(|text| TemplateText { text, escapes: template::Escapes::Apache }),
            _ => return Err(Outside::Problem(Problem::Misplaced("from"))),
        };
        let missing = || Problem::NoSuchLogFormat { file: path.display().to_string(), name: name.clone() };
        found.ok_or_else(|| Outside::Problem(missing()))
    }

    fn read(&mut self, path: &Path) -> Result<String, FormatError> {
        let shown = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| FormatError::Read { path: shown.clone(), source })?;
        let sha256 = redact::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref());
        if !self.digests.iter().any(|known| known.path == shown) {
            self.digests.push(FileDigest { path: shown, sha256 });
        }
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Names of all formats: the user's in byte order, then the presets in the order in which detection tries them.
    pub fn names(&self) -> Vec<&str> {
        self.formats.iter().map(|format| format.name()).collect()
    }

    /// A format by its name.
    pub fn get(&self, name: &str) -> Option<Arc<Format>> {
        self.formats.iter().find(|format| format.name() == name).cloned()
    }

    /// The last resort, which reads every text.
    pub(super) fn scan(&self) -> Arc<Format> {
        Arc::clone(&self.scan)
    }

    /// The TOML of a format: a preset's whole file, or the user format's own section.
    pub fn toml_of(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The formats file and every file that it refers to, in the order in which they were read.
    pub fn files(&self) -> &[FileDigest] {
        &self.digests
    }

    /// SHA-256 of the formats file; where it refers to other files, of one line `SHA-256, two spaces, position` a file.
    /// `None` without a formats file.
    pub fn sha256(&self) -> Option<String> {
        match self.digests.as_slice() {
            [] => None,
            [only] => Some(only.sha256.clone()),
            several => {
                let lines: Vec<String> =
                    several.iter().enumerate().map(|(at, file)| format!("{}  {at}\n", file.sha256)).collect();
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, lines.concat().as_bytes());
                Some(redact::hex(digest.as_ref()))
            }
        }
    }

    /// Which format an input has, from its head (up to [`crate::limits::DETECT_BYTES`], decompressed). `source` is matched
    /// with the user formats' `files`; `forced` is the name that `--input-format` gives, which must be one of
    /// [`Self::names`].
    pub fn detect(&self, source: &str, head: &[u8], forced: Option<&str>) -> Detection {
        detect::detect(self, source, head, forced)
    }
}

/// Why a template outside of the formats file could not be taken.
enum Outside {
    Read(FormatError),
    Problem(Problem),
}

fn placed(file: &str, text: &str, located: Located) -> FormatError {
    FormatError::Invalid { at: Place::of(file, text, located.span.start), problem: located.problem }
}

fn read_toml(file: &str, text: &str) -> Result<File, FormatError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        let nearest = nearest_known(&message);
        let at = Place::of(file, text, error.span().map_or(0, |span| span.start));
        FormatError::Invalid { at, problem: Problem::Toml { message, nearest } }
    })
}

/// Reads "unknown field `a`, expected one of `b`, `c`" for the name nearest to `a`.
fn nearest_known(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown"))?;
    errors::nearest(unknown, names).map(str::to_owned)
}

fn with_base(spec: Spec, bases: &BTreeMap<String, Spec>) -> Result<Spec, Located> {
    let Some(name) = spec.extends.clone() else { return Ok(spec) };
    let Some(base) = bases.get(name.get_ref()) else {
        let nearest = errors::nearest(name.get_ref(), bases.keys().map(String::as_str)).map(str::to_owned);
        return Err(Problem::UnknownBase { name: name.get_ref().clone(), nearest }.at(name.span()));
    };
    if spec.kind.is_some_and(|kind| Some(kind) != base.kind) {
        return Err(Problem::KindOfBase.at(name.span()));
    }
    let own_template = spec.template.is_some() || spec.from.is_some();
    let mut merged = spec.over(base.clone());
    if own_template && merged.from.is_some() {
        merged.template = None;
    }
    Ok(merged)
}

/// The template of a format: its own text, as it was pasted, or the one from outside.
fn spec_text(spec: &Spec, outside: Option<TemplateText>) -> Result<Option<TemplateText>, Located> {
    if outside.is_some() {
        return Ok(outside);
    }
    let Some(given) = &spec.template else { return Ok(None) };
    let text = match spec.kind {
        Some(Kind::Nginx) => {
            template::nginx_text(given.get_ref()).map(|(text, escapes)| TemplateText { text, escapes })
        }
        _ => template::apache_text(given.get_ref())
            .map(|text| TemplateText { text, escapes: template::Escapes::Apache }),
    };
    text.map(Some).map_err(|problem| problem.at(given.span()))
}

fn build(
    name: &str,
    spec: &Spec,
    template: Result<Option<TemplateText>, Located>,
    whole: &Range<usize>,
    is_preset: bool,
) -> Result<Format, Located> {
    let compiled = compile::compile(spec, template?, whole)?;
    let mut globs = globset::GlobSetBuilder::new();
    for glob in spec.files.iter().flat_map(OneOrMany::iter) {
        let place = if glob.span().is_empty() { whole.clone() } else { glob.span() };
        let wrong = |_| Problem::Glob(glob.get_ref().clone()).at(place);
        globs.add(globset::GlobBuilder::new(glob.get_ref()).literal_separator(true).build().map_err(wrong)?);
    }
    let files = globs.build().map_err(|_| Problem::Glob(name.to_owned()).at(whole.clone()))?;
    Ok(Format {
        name: name.to_owned(),
        is_preset,
        description: spec.description.clone().unwrap_or_default(),
        shape: compiled.shape,
        reader: compiled.reader,
        notices: compiled.notices,
        hint: spec.hint.clone(),
        files,
        has_files: spec.files.is_some(),
        signature: spec.signature.clone().unwrap_or_default(),
    })
}

/// The lines of a formats file from a format's header to the next one.
fn section(text: &str, name: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Spans {
        format: BTreeMap<Spanned<String>, Spanned<toml::Table>>,
    }
    let Ok(Spans { format }) = toml::from_str(text) else { return String::new() };
    let line_start =
        |at: usize| text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let mut starts: Vec<usize> = format.keys().map(|key| line_start(key.span().start)).collect();
    starts.sort_unstable();
    let Some(start) = format.keys().find(|key| key.get_ref() == name).map(|key| line_start(key.span().start))
    else {
        return String::new();
    };
    let end = starts.into_iter().find(|next| *next > start).unwrap_or(text.len());
    text.get(start..end).unwrap_or_default().trim_end().to_owned() + "\n"
}
