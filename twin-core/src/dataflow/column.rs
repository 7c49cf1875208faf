//! A growing column in shared chunks: the n-th series' value is at n. A clone copies one pointer
//! per 64 values, so a checkpoint costs microseconds; a value that is changed afterwards copies
//! its chunk once. Chunks that were never touched take no room.

use std::array;
use std::sync::Arc;

/// Values in one chunk.
const CHUNK: usize = 64;

/// A sparse, growing column; what was never written is `T::default()`.
#[derive(Clone, Debug, Default)]
pub(super) struct Column<T> {
    chunks: Vec<Option<Arc<[T; CHUNK]>>>,
}

impl<T: Clone + Default> Column<T> {
    /// Nothing in it.
    pub(super) const fn new() -> Column<T> {
        Column { chunks: Vec::new() }
    }

    /// The value at `slot`, if its chunk was ever written.
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / CHUNK)?.as_ref()?;
        Some(&chunk[slot % CHUNK])
    }

    /// The value at `slot`, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        let number = slot / CHUNK;
        if number >= self.chunks.len() {
            self.chunks.resize_with(number + 1, || None);
        }
        let chunk =
            self.chunks[number].get_or_insert_with(|| Arc::new(array::from_fn(|_| T::default())));
        &mut Arc::make_mut(chunk)[slot % CHUNK]
    }

    /// All values of written chunks with their slots, in order, taken out.
    pub(super) fn into_values(self) -> impl Iterator<Item = (u32, T)> {
        self.chunks.into_iter().enumerate().filter_map(|(n, c)| Some((n, c?))).flat_map(
            |(number, chunk)| {
                let values = Arc::unwrap_or_clone(chunk).into_iter().enumerate();
                values.map(move |(at, value)| {
                    (u32::try_from(number * CHUNK + at).expect("slots are 32-bit"), value)
                })
            },
        )
    }

    /// All values of written chunks with their slots, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.chunks.iter().enumerate().filter_map(|(n, c)| Some((n, c.as_ref()?))).flat_map(
            |(number, chunk)| {
                chunk.iter().enumerate().map(move |(at, value)| {
                    (u32::try_from(number * CHUNK + at).expect("slots are 32-bit"), value)
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut column = Column::new();
        *column.get_mut(200) = 7;
        let copy = column.clone();
        *column.get_mut(200) = 8;
        *column.get_mut(3) = 1;
        assert_eq!((copy.get(200), copy.get(3), column.get(200)), (Some(&7), None, Some(&8)));
        assert_eq!((column.get(2), column.get(70)), (Some(&0), None));
        let written: Vec<_> = column.iter().filter(|(_, v)| **v != 0).collect();
        assert_eq!(written, [(3, &1), (200, &8)]);
    }
}
