//! Values that many entries share, each held once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::store::Id;

#[derive(Debug)]
pub(super) struct Interner<T: ?Sized> {
    values: Vec<Arc<T>>,
    ids: BTreeMap<Arc<T>, Id>,
}

impl<T: ?Sized> Clone for Interner<T> {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            ids: self.ids.clone(),
        }
    }
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            ids: BTreeMap::new(),
        }
    }
}

impl<T: Ord + ?Sized> Interner<T> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, id: Id) -> &Arc<T> {
        &self.values[id as usize]
    }

    /// The number of a value, which `make` makes if it is new.
    pub(super) fn intern(&mut self, value: &T, make: impl FnOnce(&T) -> Arc<T>) -> Id {
        // Mostly it is the one that came last.
        if let Some(last) = self.values.last().filter(|last| &***last == value) {
            debug_assert!(self.ids.contains_key(last));
            return (self.values.len() - 1) as Id;
        }
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let (id, value) = (self.values.len() as Id, make(value));
        self.values.push(Arc::clone(&value));
        self.ids.insert(value, id);
        id
    }
}
