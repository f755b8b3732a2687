//! Any lines give the same records on the fast path for JSON and on the full one, which remembers nothing.

#![no_main]

use bumpalo::Bump;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tokentrail::record::{Format, FormatSet, ReadScratch};

static FORMATS: LazyLock<Vec<Arc<Format>>> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("formats.toml");
    let set = FormatSet::load(Some(&file)).expect("the formats beside this crate");
    let names = ["plain", "deep", "kong", "caddy", "apim-loganalytics", "envoy-json"];
    names.into_iter().filter_map(|name| set.get(name)).collect()
});

fuzz_target!(|lines: &[u8]| {
    for format in FORMATS.iter() {
        let (mut fast, mut full) = (ReadScratch::default(), ReadScratch::portable());
        // Twice: the first time the fast path learns the shapes of the lines.
        for line in lines.split(|byte| *byte == b'\n').chain(lines.split(|byte| *byte == b'\n')) {
            let (fast_arena, full_arena) = (Bump::new(), Bump::new());
            let found = format.read(line, &fast_arena, &mut fast);
            let wanted = format.read(line, &full_arena, &mut full);
            assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{}", format.name());
        }
    }
});
