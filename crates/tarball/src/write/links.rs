//! Hard links of a tree, turned so that the first name in the tar's order has the body.

use super::FoldError;
use super::order::{Form, Index, Item};
use crate::tree::store::{Id, Store};
use crate::{Kind, TreePath};

/// Makes every hard link a link to the first of all names of its file, and that one the file.
pub(crate) fn resolve(store: &Store, items: &mut [Item]) -> Result<(), FoldError> {
    if !items.iter().any(|item| target(store, item).is_some()) {
        return Ok(());
    }
    let ends = Links::new(store, items).ends()?;
    let mut first = vec![None; items.len()];
    for (name, end) in ends.into_iter().enumerate() {
        let Some(end) = end else { continue };
        // A file stands for itself here, so that whichever name comes first is found first.
        match first[end as usize] {
            None => first[end as usize] = Some(name as Index),
            Some(leader) => items[name].form = Form::Link(leader),
        }
        items[name].entry = items[end as usize].name;
    }
    Ok(())
}

/// Where an item leads, if its entry is a hard link.
fn target<'a>(store: &'a Store, item: &Item) -> Option<&'a TreePath> {
    match store.other(item.name) {
        Some(Kind::HardLink { to }) => Some(to),
        _ => None,
    }
}

struct Links<'a> {
    store: &'a Store,
    items: &'a [Item],
    /// The item of each record; removals and marks do not count.
    by_record: Vec<Option<Index>>,
}

impl<'a> Links<'a> {
    fn new(store: &'a Store, items: &'a [Item]) -> Self {
        let mut by_record = vec![None; store.records()];
        for (index, item) in items.iter().enumerate() {
            if !matches!(item.form, Form::Whiteout | Form::Opaque) {
                by_record[item.name as usize] = Some(index as Index);
            }
        }
        Self {
            store,
            items,
            by_record,
        }
    }

    /// For each item that has or is a hard link, the item that is not a link at the end.
    fn ends(&self) -> Result<Vec<Option<Index>>, FoldError> {
        let mut ends: Vec<Option<Index>> = vec![None; self.items.len()];
        let mut chain: Vec<Index> = Vec::new();
        for start in 0..self.items.len() as Index {
            let mut at = start;
            let end = loop {
                if let Some(end) = ends[at as usize] {
                    break end;
                }
                let Some(to) = target(self.store, self.item(at)) else {
                    break at;
                };
                chain.push(at);
                if chain.len() > self.items.len() {
                    return Err(FoldError::LinkLoop {
                        entry: self.path(start),
                        origin: self.store.origin(self.item(start).name),
                    });
                }
                let found = self.store.find(to.as_bytes());
                let found = found.and_then(|id| self.by_record[id as usize]);
                at = found.ok_or_else(|| self.fault(at, to.display(), None))?;
            };
            if chain.is_empty() {
                continue;
            }
            let name = self.item(end).name;
            if self.item(end).form == Form::Parent || self.store.is_directory(name) {
                let to = self.path(end);
                return Err(self.fault(start, to, Some(Kind::Directory.name())));
            }
            ends[end as usize] = Some(end);
            for link in chain.drain(..) {
                ends[link as usize] = Some(end);
            }
        }
        Ok(ends)
    }

    fn item(&self, index: Index) -> &Item {
        &self.items[index as usize]
    }

    fn path(&self, index: Index) -> String {
        self.store.path(self.item(index).name).display()
    }

    fn fault(&self, link: Index, to: String, kind: Option<&'static str>) -> FoldError {
        let name: Id = self.item(link).name;
        let (entry, origin) = (self.path(link), self.store.origin(name));
        match kind {
            None => FoldError::DanglingLink { entry, to, origin },
            Some(kind) => FoldError::LinkTarget {
                entry,
                to,
                kind,
                origin,
            },
        }
    }
}
