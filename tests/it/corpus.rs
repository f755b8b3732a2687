//! A generated corpus that tests share, and an engine over it.

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokentrail::engine::{Chunk, Concluded, Engine, Filters, Partial, Rows, Setup, Units};
use tokentrail::findings::LargeTable;
use tokentrail::generate::{LogFormat, Plan, generate};
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::record::{Format, FormatSet};
use tokentrail::rules::{RULES, Rule};

/// A corpus on disk.
pub struct Corpus {
    folder: PathBuf,
}

/// The corpus of a format: some thousand lines, three tokens in ten misused.
pub fn corpus(format: LogFormat) -> &'static Corpus {
    static EDGE: OnceLock<Corpus> = OnceLock::new();
    static NGINX: OnceLock<Corpus> = OnceLock::new();
    static ENVOY: OnceLock<Corpus> = OnceLock::new();
    let place = match format {
        LogFormat::EdgeJson => &EDGE,
        LogFormat::Nginx => &NGINX,
        LogFormat::EnvoyJson => &ENVOY,
    };
    place.get_or_init(|| {
        // Below target/, because what a static holds is never dropped; the last run's is cleared away here.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("corpus-{}", format.name()));
        drop(fs::remove_dir_all(&folder));
        let plan = Plan {
            lines: 3_000,
            seed: 7,
            format,
            reuse: 6,
            misuse: 0.3,
            tenants: 3,
            kids: 2,
            ..Plan::new(&folder)
        };
        generate(&plan).unwrap();
        Corpus { folder }
    })
}

impl Corpus {
    /// A corpus in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A file or folder of the corpus.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The `formats.toml`, if the corpus needs one.
    pub fn formats(&self) -> Option<PathBuf> {
        Some(self.path("formats.toml")).filter(|path| path.exists())
    }

    /// Sources and bytes of the logs, in order.
    pub fn logs(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.path("logs")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let name = |path: &Path| format!("logs/{}", path.file_name().unwrap().to_str().unwrap());
        files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
    }

    /// The format that the logs are detected to have.
    pub fn format(&self) -> Arc<Format> {
        let formats = FormatSet::load(self.formats().as_deref()).unwrap();
        let (source, bytes) = self.logs().remove(0);
        formats.detect(&source, &bytes, None).format
    }

    /// An engine with the corpus' policy and keys, and further rules.
    pub fn engine(&self, further: &[&'static Rule]) -> Engine {
        self.engine_with(further, false)
    }

    /// The same, with or without code that only some processors have.
    pub fn engine_with(&self, further: &[&'static Rule], portable: bool) -> Engine {
        let policy = Policy::load(&self.path("policy.toml")).unwrap();
        self.engine_under(policy, further, portable)
    }

    /// The same under another policy.
    pub fn engine_under(&self, policy: Policy, further: &[&'static Rule], portable: bool) -> Engine {
        let mut rules = RULES.to_vec();
        rules.extend_from_slice(further);
        Engine::new(Setup {
            policy: Some(Arc::new(policy)),
            keys: Some(Arc::new(KeyHistory::load(&self.path("keys")).unwrap())),
            rules,
            filters: Filters::default(),
            occurrences: true,
            activity: true,
            portable,
        })
    }
}

/// A piece of a log: which file, its bytes, where it began.
#[derive(Clone)]
pub struct Piece<'l> {
    pub source: &'l str,
    pub bytes: &'l [u8],
    pub offset: i64,
    pub line: i64,
}

/// Cuts logs into pieces of so many lines (the last of a file may be shorter).
pub fn pieces(logs: &[(String, Vec<u8>)], mut lines_of: impl FnMut() -> usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (source, bytes) in logs {
        let (mut offset, mut line) = (0, 1);
        while offset < bytes.len() {
            let wanted = lines_of().max(1);
            let ends: Vec<usize> = bytes[offset..]
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1)
                .take(wanted)
                .collect();
            let length = if ends.len() == wanted { ends[wanted - 1] } else { bytes.len() - offset };
            pieces.push(Piece {
                source,
                bytes: &bytes[offset..offset + length],
                offset: i64::try_from(offset).unwrap(),
                line,
            });
            offset += length;
            line += i64::try_from(ends.len()).unwrap();
        }
    }
    pieces
}

/// Audits pieces into a new partial.
pub fn audit(engine: &Engine, format: &Arc<Format>, pieces: &[Piece<'_>], rows: &mut Rows) -> Partial {
    let mut partial = engine.partial();
    let mut scratch = engine.scratch();
    for piece in pieces {
        let input = engine.input(piece.source, Arc::clone(format));
        let chunk = Chunk {
            bytes: piece.bytes,
            offset: piece.offset,
            line: piece.line,
            units: Units::Lines,
            cut: false,
        };
        engine.audit_chunk(&input, chunk, &mut scratch, &mut partial, rows);
    }
    partial
}

/// Everything that was concluded, as text that can be compared.
pub fn told(concluded: &Concluded) -> String {
    let Concluded { tables, totals } = concluded;
    let large = [&tables.tokens, &tables.activity, &tables.state].map(|table| cells(&**table));
    format!("{tables:#?}\n{large:#?}\n{totals:#?}")
}

/// Every cell of a table, by column.
pub fn cells(table: &dyn LargeTable) -> Vec<Vec<String>> {
    let batch = table.batch(0..table.rows()).unwrap();
    let texts = |column: &ArrayRef| {
        // The zone of a timestamp cannot be printed without a table of zones; the number says as much.
        let plain = match column.data_type() {
            DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
            _ => Arc::clone(column),
        };
        (0..batch.num_rows()).map(|row| array_value_to_string(&plain, row).unwrap()).collect()
    };
    batch.columns().iter().map(texts).collect()
}
