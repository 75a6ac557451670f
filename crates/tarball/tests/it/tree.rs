//! Trees give back what was put in, in the order of the paths' bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cooperage_tarball::{Attributes, Content, Entry, Kind, Mtime, Tree, TreePath};
use cooperage_testkit::ragged::Numbers;

use crate::common::path;

/// A file of the machine that need not be there.
fn at(place: &str, len: u64) -> Kind {
    Kind::File {
        content: Content::File {
            path: PathBuf::from(place),
            len,
        },
        fold: len.is_multiple_of(2),
    }
}

#[test]
fn every_entry_comes_back_as_it_was() {
    let kinds = [
        at("/src/usr/bin/app", 1),
        at("/src/bin/app", 2),
        at("/app", 3),
        at("app", 4),
        at("usr/bin/app", 5),
        at("/usr/bin/app", 6),
        at("/other/name", 7),
        at("app/", 8),
        at("//app", 9),
        at("", 1 << 62),
        Kind::Directory,
        Kind::Symlink {
            target: b"\xff".to_vec(),
        },
        Kind::HardLink { to: path("usr") },
        Kind::Whiteout,
        Kind::Fifo,
        Kind::CharDevice { major: 1, minor: 3 },
    ];
    let attributes = Attributes {
        mtime: Mtime::from_seconds(-1),
        user: b"me".to_vec(),
        ..Attributes::with_mode(0o4711)
    };
    for name in ["usr/bin/app", "app"] {
        for kind in &kinds {
            let entry = Entry::new(kind.clone(), attributes.clone()).with_origin("a test");
            let mut tree = Tree::new();
            tree.insert(path(name), entry.clone()).unwrap();
            let found = tree.get(&path(name)).unwrap();
            assert_eq!((&found, &found.origin), (&entry, &entry.origin));
            assert_eq!(tree.remove(&path(name)), Some(entry));
            assert_eq!(
                (tree.len(), tree.is_empty(), tree == Tree::new()),
                (0, true, true)
            );
        }
    }
}

/// Names that sort differently with and without a slash behind them.
const NAMES: [&str; 8] = ["a", "a-", "a-b", "a.b", "a0", "aa", "b", "\u{fc}"];

#[test]
fn a_tree_is_a_map_from_paths_however_it_came_about() {
    let mut numbers = Numbers::new(7);
    for _ in 0..200 {
        let mut tree = Tree::new();
        let mut map: BTreeMap<TreePath, Entry> = BTreeMap::new();
        for len in 0..numbers.below(60) as u64 {
            let depth = 1 + numbers.below(3);
            let names = (0..depth).map(|_| NAMES[numbers.below(NAMES.len())]);
            let path = path(&names.collect::<Vec<_>>().join("/"));
            match numbers.below(8) {
                0 => assert_eq!(tree.remove(&path), map.remove(&path)),
                1 => {
                    tree.remove_all(&path);
                    map.retain(|other, _| *other != path && !other.is_below(&path));
                }
                _ => {
                    let kind = if numbers.below(2) == 0 {
                        Kind::Directory
                    } else {
                        at("/somewhere/a", len)
                    };
                    let entry = Entry::new(kind, Attributes::file());
                    if tree.insert(path.clone(), entry.clone()).is_ok() {
                        map.entry(path).or_insert(entry);
                    }
                }
            }
        }
        assert!(tree.iter().eq(map.clone()));
        assert_eq!(tree.len(), map.len());
        for name in NAMES.map(path) {
            let below = map.iter().filter(|(path, _)| path.is_below(&name));
            assert!(
                tree.below(&name)
                    .eq(below.map(|(path, entry)| (path.clone(), entry.clone())))
            );
        }
        let copy = tree.clone();
        for path in map.keys() {
            tree.remove(path);
        }
        assert!(tree.is_empty() && copy.iter().eq(map));
    }
}
