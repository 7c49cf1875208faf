//! A list that one thread appends to and others read while it goes on: a clone copies a pointer
//! per 64 items, so that what waits can be shown anew ten times a second.

use std::sync::Arc;

/// Items in one chunk.
const CHUNK: usize = 64;

/// An append-only list of shared items.
#[derive(Debug)]
pub(super) struct List<T> {
    /// All full but the last.
    chunks: Vec<Arc<Vec<Arc<T>>>>,
}

impl<T> Clone for List<T> {
    fn clone(&self) -> List<T> {
        List { chunks: self.chunks.clone() }
    }
}

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List { chunks: Vec::new() }
    }
}

impl<T> List<T> {
    pub(super) const fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends an item. Clones do not see it.
    pub(super) fn push(&mut self, item: T) {
        let item = Arc::new(item);
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(item),
            Some(_) | None => self.chunks.push(Arc::new(vec![item])),
        }
    }

    /// All items, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().map(Arc::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_what_comes_later() {
        let mut list = List::default();
        let mut clones = Vec::new();
        for number in 0..200 {
            clones.push(list.clone());
            list.push(number);
        }
        for (length, clone) in clones.iter().enumerate() {
            assert!(clone.iter().copied().eq(0..length));
            assert_eq!(clone.is_empty(), length == 0);
        }
    }
}
