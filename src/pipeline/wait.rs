//! Stopping: one flag that every thread looks at, and a reader that a silent pipe cannot hold.

use super::Place;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How often a reader that waits for a pipe looks at the flag.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bytes that are taken from a pipe at once, and how many such pieces may wait.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 8;

/// Whether the run is to stop: because it was interrupted from outside, or because its sink failed.
#[derive(Debug)]
pub(super) struct Halt<'h> {
    interrupted: &'h AtomicBool,
    failed: AtomicBool,
}

impl<'h> Halt<'h> {
    pub(super) fn new(interrupted: &'h AtomicBool) -> Self {
        Self { interrupted, failed: AtomicBool::new(false) }
    }

    /// Stops the run from inside.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// True once the run was interrupted from outside.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// True once nothing more is to be read.
    pub(super) fn now(&self) -> bool {
        self.interrupted() || self.failed.load(Ordering::Acquire)
    }
}

/// Reads a pipe on a thread of its own, so that the reader notices a stop while the pipe is silent. The thread is left
/// behind then: a blocked read cannot be called off, and it ends with the process.
pub(super) struct Patient<'h> {
    halt: &'h Halt<'h>,
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
}

impl<'h> Patient<'h> {
    /// # Errors
    ///
    /// No thread could be started.
    pub(super) fn new(place: &Place, halt: &'h Halt<'h>) -> io::Result<Self> {
        let path = match place {
            Place::Pipe { path } | Place::File { path, .. } => Some(path.clone()),
            Place::Stdin | Place::Nowhere { .. } => None,
        };
        let (sender, pieces) = sync_channel(PIECES);
        std::thread::Builder::new().name("pipe".to_owned()).spawn(move || pass_on(path, &sender))?;
        Ok(Self { halt, pieces, piece: Vec::new(), at: 0 })
    }
}

fn pass_on(path: Option<PathBuf>, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut reader: Box<dyn Read> = match path.map(File::open) {
        None => Box::new(io::stdin().lock()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => {
            // Nobody listens any more if the run was stopped meanwhile.
            let _ = sender.send(Err(error));
            return;
        }
    };
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer.get(..read).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.send(piece).is_err() || failed {
            return;
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.piece.len() {
            match self.pieces.recv_timeout(LOOK_EVERY) {
                Ok(piece) => {
                    self.piece = piece?;
                    self.at = 0;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.halt.now() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "stopped while waiting for more"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let read = self.piece.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_pipe_does_not_hold_a_stopped_run() {
        let stop = AtomicBool::new(false);
        let halt = Halt::new(&stop);
        let (sender, pieces) = sync_channel(1);
        let mut reader = Patient { halt: &halt, pieces, piece: Vec::new(), at: 0 };
        sender.send(Ok(b"abc".to_vec())).unwrap();
        let mut buffer = [0; 2];
        assert_eq!(reader.read(&mut buffer).unwrap(), 2);
        assert_eq!(reader.read(&mut buffer).unwrap(), 1);
        stop.store(true, Ordering::Release);
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let stop = AtomicBool::new(false);
        let halt = Halt::new(&stop);
        let mut read = Vec::new();
        let place = Place::Pipe { path: file.path().to_owned() };
        Patient::new(&place, &halt).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
