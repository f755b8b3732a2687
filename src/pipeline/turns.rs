//! Who reads what next: every input that is open lies here, but for those that a worker is reading from.
//!
//! A worker takes the open input of the lowest number, and opens another one only if there is none: so rows leave in the
//! order of the inputs with little waiting, and inputs that are slow to read (compressed ones) are read side by side. No
//! more inputs are open than there are workers.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Inputs, as the module says. `T` is an input that is open.
#[derive(Debug)]
pub(super) struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Open inputs by their number.
    idle: BTreeMap<usize, T>,
    /// Turns that were taken and not ended.
    taken: usize,
    /// The first input that was not opened.
    next: usize,
    inputs: usize,
}

impl<T> Turns<T> {
    /// Turns over so many inputs, none of which is open.
    pub(super) fn new(inputs: usize) -> Self {
        let state = State { idle: BTreeMap::new(), taken: 0, next: 0, inputs };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for an input to read from; `None` if there will be none. Once `stopped`, none is opened any more.
    pub(super) fn take(&self, stopped: impl Fn() -> bool) -> Option<Turn<'_, T>> {
        let mut state = self.lock();
        loop {
            let found = match state.idle.pop_first() {
                Some((number, open)) => Some((number, Some(open))),
                None if state.next < state.inputs && !stopped() => {
                    state.next += 1;
                    Some((state.next - 1, None))
                }
                None => None,
            };
            if let Some((number, open)) = found {
                state.taken += 1;
                return Some(Turn { turns: self, number, open });
            }
            if state.taken == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to read from an input until it is put back or dropped; a panic drops it too, so that nobody waits for ever.
#[derive(Debug)]
pub(super) struct Turn<'t, T> {
    turns: &'t Turns<T>,
    number: usize,
    open: Option<T>,
}

impl<T> Turn<'_, T> {
    /// Number of the input.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The input; `None` if it is still to be opened.
    pub(super) fn open(&mut self) -> Option<T> {
        self.open.take()
    }

    /// Lets others read on from the input.
    pub(super) fn put_back(self, open: T) {
        self.turns.lock().idle.insert(self.number, open);
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.taken -= 1;
        // Whoever waits has to hear that nothing is left.
        let over = state.taken == 0 && state.idle.is_empty();
        drop(state);
        if over {
            self.turns.changed.notify_all();
        } else {
            self.turns.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_lowest_open_input_comes_first() {
        let turns = Turns::new(3);
        let first = turns.take(|| false).unwrap();
        let mut second = turns.take(|| false).unwrap();
        assert_eq!((first.number(), second.number(), second.open()), (0, 1, None));
        second.put_back('b');
        first.put_back('a');
        let mut first = turns.take(|| false).unwrap();
        assert_eq!((first.number(), first.open()), (0, Some('a')));
        drop(first);
        drop(turns.take(|| true).unwrap());
        assert!(turns.take(|| true).is_none(), "stopped");
        assert_eq!(turns.take(|| false).unwrap().number(), 2);
        assert!(turns.take(|| false).is_none());
    }

    #[test]
    fn every_piece_is_read_once_by_any_number_of_workers() {
        for workers in [1, 2, 8] {
            let turns: Turns<usize> = Turns::new(20);
            let pieces = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| {
                        while let Some(mut turn) = turns.take(|| false) {
                            let left = turn.open().unwrap_or(50);
                            if left > 0 {
                                pieces.fetch_add(1, Ordering::Relaxed);
                                turn.put_back(left - 1);
                            }
                        }
                    });
                }
            });
            assert_eq!(pieces.into_inner(), 1000);
        }
    }
}
