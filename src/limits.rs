//! Every cap of the tool in one table, each with its reason. Exceeding one is a counted outcome, never a crash.

/// Longest unit (a line, or an element of an envelope) in bytes, unless `--max-line` says otherwise. An Entra token
/// with 200 groups takes some 14 KB, a record with several of them stays far below this.
pub const LINE_BYTES_MAX: usize = 8 << 20;
/// Bytes of a chunk, the unit of work of one worker. Large enough that its bookkeeping disappears, small enough that its
/// bytes stay in a core's cache from reading to judging, and that two cores share a 10 MB file.
pub const CHUNK_BYTES: usize = 512 << 10;
/// Deepest nesting of a token's header or payload; deeper is `json-invalid` (rules.md, family A).
pub const TOKEN_JSON_DEPTH_MAX: usize = 32;
/// Distinct tokens that the verify-once memo holds before it evicts; only tokens that were met again are among them. At
/// some 2 KB each this is about 260 MB.
pub const MEMO_TOKENS_MAX: usize = 1 << 17;
/// Distinct tokens that are taken apart, verified and judged together: many enough to fill the lanes of the signature
/// check, few enough that they stay in a core's cache until they are judged (some 5 KB each).
pub const TOKENS_AT_ONCE: usize = 48;
/// Distinct tokens that a worker finds without asking the memo; it then starts anew.
pub const FRONT_TOKENS_MAX: usize = 1 << 10;
/// So many are enough to see whether tokens come again at all; if they do not, the worker starts anew right away, and after
/// each [`TOKENS_AT_ONCE`] until one was met before.
pub const FRONT_TOKENS_TRIED: usize = 1 << 8;
/// Bytes of tokens that it finds so; tokens that the memo is not to hold because of their size are among them.
pub const FRONT_BYTES_MAX: usize = 64 << 20;
/// Longest token that the memo remembers, in bytes; a longer one is verified at each use. Entra's largest are some 15 KB,
/// and a memo of entries of any size would be no bound on memory.
pub const MEMO_TOKEN_BYTES_MAX: usize = 64 << 10;
/// Items of a list column (`scp`, `roles`) that are written; no token needs as many.
pub const LIST_ITEMS_MAX: usize = 1024;
/// Keys of an authority that are tried when neither `kid` nor `x5t` names one (contract section 4).
pub const FALLBACK_KEYS_MAX: usize = 64;
/// Issuers whose authority is remembered, each at most as long as a cell; tokens may name any number.
pub const ISSUERS_KNOWN_MAX: usize = 1 << 12;
/// Longest string that is written to any table, in bytes (contract section 7).
pub const CELL_BYTES_MAX: usize = 1024;
/// Longest excerpt of a rejected unit, in bytes (contract section 7).
pub const EXCERPT_BYTES_MAX: usize = 200;
/// Addresses of a finding and hosts of a token that are listed (contract section 7).
pub const LISTED_MAX: usize = 10;
/// Distinct addresses of a token that are counted exactly before the sketch takes over (contract section 7).
pub const DISTINCT_EXACT_MAX: usize = 1024;
/// Shortest run of a token's own text that the redactor removes from other cells, in bytes (contract section 7).
pub const REDACTED_BYTES_MIN: usize = 16;
/// Bytes that detection looks at, at the head of an input (formats.md 3.5).
pub const DETECT_BYTES: usize = 256 << 10;
/// Records that detection looks at (contract section 3).
pub const DETECT_RECORDS: usize = 200;
/// Hosts and leading path segments that are listed of the records that no entry of the policy matches; more are met only
/// where somebody makes them up.
pub const UNCOVERED_PLACES_MAX: usize = 1000;
/// Days on either side of a token's `iat` in which a capture must lie for the archive to have an opinion.
pub const COVERAGE_DAYS: i64 = 7;
/// Rows that a table writer holds before it hands them to the Parquet encoder; fixed, so that files do not depend on
/// how the input was cut. Their columns stay in a core's cache, and their memory is used again.
pub const TABLE_BATCH_ROWS: usize = 1024;
/// Bytes of rows that wait in memory for their input to end or for an earlier input; what is beyond waits in a file.
pub const HELD_ROWS_BYTES: usize = 64 << 20;
