//! `keys pack`: one Parquet file that every reader of an archive takes, with the same result.

use crate::keys_show::keys;
use crate::mint;
use crate::result::{audit_in, rows_of};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Packs an archive; returns the file.
fn packed(folder: &Path, archive: &str) -> std::path::PathBuf {
    let file = folder.join("history.parquet");
    let (code, _, stderr) = keys(folder, &["pack", "--keys", archive, "-o", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    file
}

#[test]
fn an_audit_with_it_gives_the_same_bytes() {
    let gateways = mint::testdata("gateways");
    let folder = tempfile::tempdir().unwrap();
    let file = packed(folder.path(), gateways.join("keys").to_str().unwrap());
    let audit = |keys: &str| {
        audit_in(&gateways, ["--keys", keys, "--policy", "policy.toml", "--formats", "formats.toml", "logs"])
    };
    let (of_directory, of_file) = (audit("keys"), audit(file.to_str().unwrap()));
    assert_eq!((of_directory.exit, &of_file.exit), (of_file.exit, &of_directory.exit));
    assert_eq!(of_directory.tables(), of_file.tables());
    let [left, right] = [of_directory.run(), of_file.run()];
    assert_eq!(left["result_digest"], right["result_digest"]);
    assert!(left["result_digest"].is_string());
    let valid = |run: &Value| run["verdicts"].to_string();
    assert_eq!(valid(&left), valid(&right));
}

#[test]
fn every_command_reads_it_like_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    let file = packed(folder.path(), "keys");
    let name = file.to_str().unwrap();
    for command in
        [&["list"][..], &["timeline"], &["show", "testonlykeyA_00000000000000", "--format", "json"]]
    {
        let [directory, file] =
            ["keys", name].map(|archive| keys(folder.path(), &[command, &["--keys", archive]].concat()));
        assert_eq!(directory, file, "{command:?}");
    }
    let (code, _, stderr) = keys(folder.path(), &["diff", "keys", name]);
    assert!(code == 0 && stderr.contains("no key was added"), "{stderr}");
    // A pack of the pack is the pack, and so is a second one.
    let bytes = fs::read(&file).unwrap();
    let (code, _, stderr) = keys(folder.path(), &["pack", "--keys", name, "-o", "again.parquet"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read(folder.path().join("again.parquet")).unwrap(), bytes);
    fs::write(folder.path().join("x.json"), r#"{"keys":[]}"#).unwrap();
    let args = ["add", "x.json", "--captured-at", "2026-11-22", "--keys", name];
    let (code, _, stderr) = keys(folder.path(), &args);
    assert!(code == 2 && stderr.contains("a packed archive is never changed"), "{stderr}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn it_can_be_queried() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("keys");
    mint::write_good_archive("everyday", &archive);
    fs::create_dir_all(archive.join("copies")).unwrap();
    let body = r#"{"keys":[]}"#;
    for name in ["2026-11-22.json", "2026-11-23.json"] {
        fs::write(archive.join("copies").join(name), body).unwrap();
    }
    let rows = rows_without_content(&packed(folder.path(), "keys"));
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    let lines = of("line");
    assert_eq!(lines.len(), 5);
    assert!(
        lines.iter().all(|line| line["source"].starts_with("https://") && line.contains_key("captured_at"))
    );
    let copies: Vec<_> =
        of("document").into_iter().filter(|row| row["file"].starts_with("copies/")).collect();
    assert_eq!((copies.len(), &copies[0]["sha256"]), (2, &copies[1]["sha256"]));
}

/// The rows of a pack with the columns that are text or numbers.
fn rows_without_content(file: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    use parquet::arrow::ProjectionMask;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap();
    let mask = ProjectionMask::columns(
        builder.parquet_schema(),
        ["kind", "file", "source", "captured_at", "sha256"],
    );
    let batches = builder.with_projection(mask).build().unwrap();
    batches.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

#[test]
fn tampering_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    let file = packed(folder.path(), "keys");
    let whole = fs::read(&file).unwrap();
    let changed = folder.path().join("changed.parquet");
    for at in [5, whole.len() / 2, whole.len() - 20] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&changed, bytes).unwrap();
        let (code, _, stderr) = keys(folder.path(), &["list", "--keys", "changed.parquet"]);
        assert!(code == 2 && stderr.contains("changed.parquet: tampered"), "{at}: {stderr}");
    }
    fs::write(&changed, "no Parquet").unwrap();
    let (code, _, stderr) = keys(folder.path(), &["check", "--keys", "changed.parquet"]);
    assert!(code == 2 && stderr.contains("neither a directory nor a packed archive"), "{stderr}");
    // An archive that an audit would refuse is not packed.
    mint::write_good_archive("changed-document", &folder.path().join("bad"));
    let (code, _, stderr) = keys(folder.path(), &["pack", "--keys", "bad", "-o", "bad.parquet"]);
    assert!(code == 2 && stderr.contains("tampered"), "{stderr}");
    assert!(!folder.path().join("bad.parquet").exists());
}
