//! A bounded number of chunk buffers: they bound the memory of a run, and hold readers back when judging is slower.

use super::chunk::Buffer;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};

/// Buffers that are free, and room for those that are not.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<Buffer>>,
    returned: Condvar,
    /// Bytes that a free buffer keeps.
    most: usize,
}

impl Pool {
    /// A pool of `buffers`, each of which keeps up to `most` bytes of memory between two uses.
    pub(super) fn new(buffers: usize, most: usize) -> Self {
        let free = (0..buffers).map(|_| Buffer::default()).collect();
        Self { free: Mutex::new(free), returned: Condvar::new(), most }
    }

    /// Waits for a free buffer.
    pub(super) fn take(&self) -> Lease<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
        Lease { buffer: free.pop().unwrap_or_default(), pool: self }
    }
}

/// A buffer that goes back when it is dropped, even by a panic.
#[derive(Debug)]
pub(super) struct Lease<'p> {
    buffer: Buffer,
    pool: &'p Pool,
}

impl Deref for Lease<'_> {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.buffer
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear(self.pool.most);
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        self.pool.returned.notify_one();
    }
}
