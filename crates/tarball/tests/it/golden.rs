//! Bytes that must never change unseen.

use cooperage_digest::Digest;
use cooperage_tarball::{BlockRules, Entry, Resolved, Tree, TreePath, plan_blocks};
use cooperage_testkit::golden;
use cooperage_testkit::ragged::Numbers;

use crate::common::{file, pack, path, resolve, tree};
use crate::write::everything;

fn digest(resolved: &Resolved) -> String {
    Digest::of(&pack(resolved)).to_string()
}

#[test]
fn tars() {
    golden::check("tar/empty", digest(&resolve(&Tree::new())));
    golden::check("tar/everything", digest(&resolve(&everything())));

    let mut removals = tree([
        ("d/+x", Entry::whiteout()),
        ("d/+y", file("")),
        ("tmp/x", file("")),
        ("root/x", file("")),
    ]);
    for at in [TreePath::root(), path("d"), path("e/f")] {
        removals.set_opaque(at).unwrap();
    }
    golden::check("tar/removals", digest(&resolve(&removals)));

    let mut bytes = Tree::new();
    bytes
        .insert(TreePath::new(b"caf\xe9").unwrap(), Entry::symlink(*b"\xff"))
        .unwrap();
    golden::check("tar/not-utf8", digest(&resolve(&bytes)));

    let twin = || file(vec![7; 70_000]);
    let folded = tree([
        ("b", twin()),
        ("a", twin()),
        ("c", Entry::hard_link(path("b"))),
    ]);
    golden::check("tar/folded", digest(&resolve(&folded)));
}

#[test]
fn block_tables() {
    let mut numbers = Numbers::new(3);
    let mut tree = Tree::new();
    for n in 0..3000 {
        let length = numbers.below(4_000);
        tree.insert(
            path(&format!("usr/share/{:02}/{n}", n % 40)),
            file(numbers.bytes(length)),
        )
        .unwrap();
    }
    for (n, length) in [262_144, 262_143, 9_000_001].into_iter().enumerate() {
        tree.insert(path(&format!("usr/lib/{n}")), file(numbers.bytes(length)))
            .unwrap();
    }
    let resolved = resolve(&tree);
    golden::check("tar/blocks-tree", digest(&resolved));
    for (name, block_size) in [("tar/blocks-1m", 1 << 20), ("tar/blocks-4m", 4 << 20)] {
        let blocks = plan_blocks(&resolved, BlockRules { block_size });
        let table: Vec<_> = blocks
            .iter()
            .map(|block| format!("{} {}", block.offset, block.len))
            .collect();
        golden::check(name, table.join("\n"));
    }
}
