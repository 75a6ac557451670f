//! Hard links of a tree, turned so that the first name in the tar's order has the body.

use std::sync::Arc;

use super::FoldError;
use super::order::{Form, Item};
use crate::{Kind, TreePath};

/// Makes every hard link a link to the first of all names of its file, and that one the file.
pub(crate) fn resolve(items: &mut [Item]) -> Result<(), FoldError> {
    let ends = ends(items)?;
    let mut first = vec![None; items.len()];
    for (name, end) in ends.into_iter().enumerate() {
        let Some(end) = end else { continue };
        // A file stands for itself here, so that whichever name comes first is found first.
        match first[end] {
            None => first[end] = Some(name),
            Some(leader) => items[name].form = Form::Link(leader),
        }
        if name != end {
            items[name].entry = Arc::clone(&items[end].entry);
        }
    }
    Ok(())
}

/// For each item that has or is a hard link, the item that is not a link at the end.
fn ends(items: &[Item]) -> Result<Vec<Option<usize>>, FoldError> {
    let mut ends: Vec<Option<usize>> = vec![None; items.len()];
    let mut chain = Vec::new();
    for start in 0..items.len() {
        let mut at = start;
        let end = loop {
            if let Some(end) = ends[at] {
                break end;
            }
            let Kind::HardLink { to } = &items[at].entry.kind else {
                break at;
            };
            chain.push(at);
            if chain.len() > items.len() {
                return Err(FoldError::LinkLoop {
                    entry: items[start].path.display(),
                    origin: items[start].entry.origin.clone(),
                });
            }
            at = find(items, to).ok_or_else(|| fault(items, at, to, None))?;
        };
        if chain.is_empty() {
            continue;
        }
        if items[end].entry.kind == Kind::Directory {
            let to = &items[end].path;
            return Err(fault(items, start, to, Some(items[end].entry.kind.name())));
        }
        ends[end] = Some(end);
        for link in chain.drain(..) {
            ends[link] = Some(end);
        }
    }
    Ok(ends)
}

fn fault(items: &[Item], link: usize, to: &TreePath, kind: Option<&'static str>) -> FoldError {
    let (entry, to, origin) = (
        items[link].path.display(),
        to.display(),
        items[link].entry.origin.clone(),
    );
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

/// The item at `path`; whiteouts and marks do not count.
fn find(items: &[Item], path: &TreePath) -> Option<usize> {
    // Items of this kind are sorted by their paths, and the others never compare as equal.
    let probe = |item: &Item| item.key_against(path);
    items.binary_search_by(probe).ok()
}
