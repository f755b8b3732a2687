//! The digest of an input's stored bytes. Hashing takes longer than auditing, so a large input has a thread for it; the
//! bytes are handed over as copies, because a second read would cost more and could see other bytes than were audited.

use crate::redact;
use aws_lc_rs::digest::{Context, SHA256};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes that are hashed on the spot: an input that has no more is not worth a thread.
const HERE_BYTES: u64 = 1 << 20;
/// Bytes that are handed over at once, and how many such blocks may wait.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCKS: usize = 16;

/// A digest in the making.
pub(super) enum Hash {
    /// On the reader's thread: the state, and the bytes so far.
    Here(Context, u64),
    /// On a thread of its own.
    Beside(Beside),
}

/// The reader's end of the thread that hashes.
pub(super) struct Beside {
    block: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Context>,
}

impl Hash {
    /// The digest of nothing yet.
    pub(super) fn new() -> Self {
        Self::Here(Context::new(&SHA256), 0)
    }

    /// Takes in the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Self::Here(context, before) = self
            && *before >= HERE_BYTES
            && let Ok(beside) = Beside::start(context.clone())
        {
            *self = Self::Beside(beside);
        }
        match self {
            Self::Here(context, so_far) => {
                context.update(bytes);
                *so_far += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            }
            Self::Beside(beside) => beside.update(bytes),
        }
    }

    /// The digest, 64 hexadecimal digits.
    pub(super) fn finish(self) -> Option<String> {
        let context = match self {
            Self::Here(context, _) => context,
            Self::Beside(beside) => beside.finish()?,
        };
        Some(redact::hex(context.finish().as_ref()))
    }
}

impl Beside {
    fn start(mut context: Context) -> std::io::Result<Self> {
        let (full, blocks) = sync_channel::<Vec<u8>>(BLOCKS);
        // Room for all blocks that there can be: handing one back never waits.
        let (back, empty) = sync_channel(BLOCKS + 2);
        let hash = move || {
            for mut block in blocks {
                context.update(&block);
                block.clear();
                // The reader may have gone meanwhile.
                let _ = back.try_send(block);
            }
            context
        };
        let thread = std::thread::Builder::new().name("digest".to_owned()).spawn(hash)?;
        Ok(Self { block: Vec::with_capacity(BLOCK_BYTES), full, empty, thread })
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES.saturating_sub(self.block.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() >= BLOCK_BYTES {
                let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BLOCK_BYTES));
                // It can only have gone by a panic, which `finish` sees.
                let _ = self.full.send(std::mem::replace(&mut self.block, next));
            }
        }
    }

    fn finish(self) -> Option<Context> {
        let Self { block, full, thread, .. } = self;
        let _ = full.send(block);
        drop(full);
        thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::digest;

    #[test]
    fn the_digest_does_not_depend_on_where_it_is_made() {
        let bytes: Vec<u8> = (0..7_000_003_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let expected = redact::hex(digest(&SHA256, &bytes).as_ref());
        for step in [1_000, BLOCK_BYTES, BLOCK_BYTES + 1, 3_000_000, bytes.len()] {
            let mut hash = Hash::new();
            for part in bytes.chunks(step) {
                hash.update(part);
            }
            assert_eq!(matches!(hash, Hash::Here(..)), step == bytes.len());
            assert_eq!(hash.finish().as_ref(), Some(&expected), "{step}");
        }
        let nothing = redact::hex(digest(&SHA256, b"").as_ref());
        assert_eq!(Hash::new().finish(), Some(nothing));
    }
}
