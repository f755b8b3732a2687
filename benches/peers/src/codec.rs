//! Decompressors alone, into nothing.

use crate::Failure;
use cpu_time::ProcessTime;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes of both buffers.
const BUFFER_BYTES: usize = 256 << 10;

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}

/// Reads to the end; bytes.
fn drain(mut reader: impl Read) -> Result<u64, Failure> {
    let (mut buffer, mut bytes) = (vec![0; BUFFER_BYTES], 0);
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += u64::try_from(read)?;
    }
}

/// gzip with zlib-rs.
pub(crate) fn inflate(files: &[PathBuf]) -> Result<Value, Failure> {
    timed("inflate", files, |file| drain(MultiGzDecoder::new(file)))
}

/// zstd.
pub(crate) fn unzstd(files: &[PathBuf]) -> Result<Value, Failure> {
    timed("unzstd", files, |file| drain(zstd::stream::read::Decoder::with_buffer(file)?))
}

fn timed(
    peer: &str,
    files: &[PathBuf],
    each: impl Fn(BufReader<File>) -> Result<u64, Failure>,
) -> Result<Value, Failure> {
    let (start, mut bytes) = (Instant::now(), 0);
    for path in files {
        bytes += each(open(path)?)?;
    }
    Ok(json!({
        "peer": peer,
        "bytes": bytes,
        "cpu_s": ProcessTime::now().as_duration().as_secs_f64(),
        "wall_s": start.elapsed().as_secs_f64(),
    }))
}

/// Compresses a file.
pub(crate) fn pack(file: &Path, out: &Path) -> Result<Value, Failure> {
    let mut reader = open(file)?;
    let writer = BufWriter::with_capacity(BUFFER_BYTES, File::create(out)?);
    let bytes = match out.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let mut encoder = GzEncoder::new(writer, Compression::new(6));
            let bytes = io::copy(&mut reader, &mut encoder)?;
            encoder.finish()?.flush()?;
            bytes
        }
        Some("zst") => {
            let mut encoder = zstd::stream::write::Encoder::new(writer, 3)?;
            let bytes = io::copy(&mut reader, &mut encoder)?;
            encoder.finish()?.flush()?;
            bytes
        }
        _ => return Err(format!("{}: name it .gz or .zst", out.display()).into()),
    };
    Ok(json!({ "peer": "pack", "bytes": bytes }))
}
