//! The order of a tar's entries, and the parents that are added.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tree::store::{Id, ROOT, Store};
use crate::tree::walk::{Step, Walk};
use crate::{Attributes, Entry};

/// One entry of the tar to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Where it stands; what it removes, for a whiteout; the directory, for an opaque mark.
    pub(crate) name: Id,
    /// Where the entry stands that it shows: there too, but for another name of a file.
    pub(crate) entry: Id,
    pub(crate) form: Form,
    /// The length of its head in bytes.
    pub(crate) head: u32,
}

/// Which entry of the tar, counted from 0.
pub(crate) type Index = u32;

/// How an item is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// As its entry says.
    Plain,
    /// As a hard link to the item of this index, which comes before it.
    Link(Index),
    /// As a directory that nobody put into the tree.
    Parent,
    /// As a removal.
    Whiteout,
    /// As the mark of an opaque directory.
    Opaque,
}

/// All entries of a tree with their missing parents, in the order of the tar.
///
/// Removals have names too, and so ask for parents: Docker makes a directory for a name without
/// one, 20.10 with mode 0600, and so would close `tmp` for everyone who removes a file there.
pub(crate) fn items(store: &Store) -> Vec<Item> {
    let mut items = Vec::with_capacity(store.records());
    let mut add = |id, form| {
        items.push(Item {
            name: id,
            entry: id,
            form,
            head: 0,
        });
    };
    for step in Walk::new(store) {
        match step {
            // They were added before their siblings.
            Step::At(id) if store.is_whiteout(id) => {}
            Step::At(id) if store.has_entry(id) => add(id, Form::Plain),
            Step::At(ROOT) => {}
            Step::At(id) => add(id, Form::Parent),
            Step::Inside(id) => {
                if store.is_opaque(id) {
                    add(id, Form::Opaque);
                }
                for child in store.children(id) {
                    if store.is_whiteout(child) {
                        add(child, Form::Whiteout);
                    }
                }
            }
        }
    }
    items
}

const PARENT_MODE: u32 = 0o755;

/// The mode of a parent that nobody put in.
///
/// What every system has otherwise is as every system has it: a layer that only adds a file below
/// `tmp` must not close it for everyone.
pub(crate) fn parent_mode(path: &[u8]) -> u32 {
    match path {
        b"tmp" | b"var/tmp" => 0o1777,
        b"root" => 0o700,
        _ => PARENT_MODE,
    }
}

/// Entries for directories that nobody put in, one for each mode.
#[derive(Debug, Default)]
pub(crate) struct Parents(BTreeMap<u32, Arc<Entry>>);

impl Parents {
    pub(crate) fn entry(&mut self, mode: u32) -> Arc<Entry> {
        let make = || Arc::new(Entry::directory(Attributes::with_mode(mode)));
        Arc::clone(self.0.entry(mode).or_insert_with(make))
    }
}
