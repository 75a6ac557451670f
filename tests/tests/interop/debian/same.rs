//! Trees by what is at each path, whoever wrote them.

use std::collections::BTreeMap;

use cooperage_digest::{Algorithm, Hasher};
use cooperage_tarball::{Attributes, Content, Kind, Tree, TreePath};

/// What is at a path. Names of owners and what is below a second are not compared: Docker leaves
/// both out, and so does scanning.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    content: Option<String>,
    pub(super) attributes: Attributes,
    /// The first of its names, if it has several.
    linked: Option<TreePath>,
}

/// All of a tree that has no removals.
pub(super) fn facts(tree: &Tree) -> BTreeMap<TreePath, Fact> {
    let mut groups = BTreeMap::<TreePath, Vec<TreePath>>::new();
    for (path, _) in tree.iter() {
        groups.entry(first(tree, &path)).or_default().push(path);
    }
    let mut facts = BTreeMap::new();
    for (body, names) in groups {
        let entry = tree.get(&body).unwrap();
        let (kind, content) = match &entry.kind {
            Kind::File { content, .. } => (
                Kind::File {
                    content: Content::bytes([]),
                    fold: true,
                },
                Some(digest(content)),
            ),
            kind => (kind.clone(), None),
        };
        let mut attributes = entry.attributes.clone();
        attributes.mtime.nanoseconds = 0;
        attributes.user.clear();
        attributes.group.clear();
        let linked = (names.len() > 1).then(|| names.iter().min().unwrap().clone());
        let fact = Fact {
            kind,
            content,
            attributes,
            linked,
        };
        facts.extend(names.into_iter().map(|name| (name, fact.clone())));
    }
    facts
}

/// Where the hard links that begin at `path` end.
fn first(tree: &Tree, path: &TreePath) -> TreePath {
    let mut path = path.clone();
    while let Some(Kind::HardLink { to }) = tree.get(&path).map(|entry| entry.kind) {
        path = to;
    }
    path
}

fn digest(content: &Content) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut reader = content.open().unwrap();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match std::io::Read::read(&mut reader, &mut buffer).unwrap() {
            0 => return hasher.finish().to_string(),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Each path that is not the same in both.
pub(super) fn differences(
    left: &BTreeMap<TreePath, Fact>,
    right: &BTreeMap<TreePath, Fact>,
) -> Vec<(TreePath, String)> {
    let paths: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    paths
        .into_iter()
        .filter(|path| left.get(*path) != right.get(*path))
        .map(|path| {
            let (left, right) = (left.get(path), right.get(path));
            (path.clone(), format!("{left:?} and {right:?}"))
        })
        .collect()
}
