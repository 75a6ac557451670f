//! How a tar is cut into blocks.

use std::collections::BTreeSet;

use cooperage_tarball::{Attributes, BlockRules, Content, Entry, Tree, plan_blocks};
use cooperage_testkit::ragged::Numbers;
use proptest::prelude::*;

use crate::common::{file, in_blocks, pack, path, resolve, tree, unfolded};

const MIB: u64 = 1 << 20;

fn offsets(tree: &Tree, block_size: u64) -> Vec<(u64, u64)> {
    let resolved = resolve(tree);
    let blocks = plan_blocks(&resolved, BlockRules { block_size });
    blocks
        .iter()
        .map(|block| (block.offset, block.len))
        .collect()
}

#[test]
fn an_empty_tree_is_its_end_alone() {
    assert_eq!(offsets(&Tree::new(), MIB), [(0, 1024)]);
    assert_eq!(pack(&resolve(&Tree::new())), [0; 1024]);
}

#[test]
fn a_large_file_has_blocks_of_its_own() {
    let bytes = vec![1; 2 * MIB as usize + 1];
    let tree = tree([("a", file("x")), ("b", file(bytes)), ("c", file("y"))]);
    assert_eq!(
        offsets(&tree, MIB),
        [
            (0, 1024 + 512),
            (1536, MIB),
            (1536 + MIB, MIB),
            (1536 + 2 * MIB, 512),
            (2048 + 2 * MIB, 1024 + 1024),
        ]
    );
}

#[test]
fn the_limit_of_a_file_with_blocks_of_its_own() {
    let small = tree([("a", file(vec![1; 256 * 1024 - 1]))]);
    assert_eq!(offsets(&small, MIB), [(0, 512 + 256 * 1024 + 1024)]);
    let large = tree([("a", file(vec![1; 256 * 1024]))]);
    assert_eq!(
        offsets(&large, MIB),
        [(0, 512), (512, 256 * 1024), (512 + 256 * 1024, 1024)]
    );
}

#[test]
fn a_file_that_fills_its_last_block() {
    let tree = tree([("a", file(vec![1; MIB as usize]))]);
    assert_eq!(
        offsets(&tree, MIB),
        [(0, 512), (512, MIB), (512 + MIB, 1024)]
    );
}

#[test]
fn the_end_of_the_tar_is_alone_when_the_last_group_has_no_room() {
    // Four heads of 512 bytes and the end would be 3072; seven bodies fill a group of 4096.
    let mut filled = Tree::new();
    filled.insert(path("a"), file(vec![1; 3584])).unwrap();
    assert_eq!(offsets(&filled, 4096), [(0, 4096), (4096, 1024)]);
}

#[test]
fn a_head_longer_than_a_block_is_a_group_alone() {
    let mut attributes = Attributes::file();
    attributes
        .xattrs
        .insert(b"user.long".to_vec(), vec![7; 20_000]);
    let mut tree = tree([("a", file("x")), ("c", file("y"))]);
    tree.insert(path("b"), Entry::file(Content::bytes(*b"z"), attributes))
        .unwrap();
    let blocks = in_blocks(&resolve(&tree), 4096);
    assert_eq!(blocks.len(), 3);
    assert!(blocks[1].1.len() > 20_000);
}

#[test]
fn adding_a_file_changes_its_neighbourhood_alone() {
    let mut numbers = Numbers::new(1);
    let mut tree = Tree::new();
    for n in 0..2000 {
        let length = numbers.below(12_000);
        tree.insert(
            path(&format!("usr/lib/{n:05}")),
            file(numbers.bytes(length)),
        )
        .unwrap();
    }
    let blocks = |tree: &Tree| -> BTreeSet<Vec<u8>> {
        let resolved = cooperage_tarball::fold(tree, &unfolded()).unwrap();
        in_blocks(&resolved, MIB)
            .into_iter()
            .map(|(_, bytes)| bytes)
            .collect()
    };
    let before = blocks(&tree);
    assert!(before.len() > 12, "{}", before.len());
    for (n, name) in ["usr/lib/00000+", "usr/lib/01000+", "usr/lib/01999+"]
        .iter()
        .enumerate()
    {
        let mut more = tree.clone();
        more.insert(path(name), file(vec![n as u8; 50_000]))
            .unwrap();
        let after = blocks(&more);
        let new = after.difference(&before).count();
        assert!(
            (1..=4).contains(&new),
            "{new} of {} blocks are new",
            after.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_cover_the_tar(
        lengths in prop::collection::vec(
            prop_oneof![4 => 0..3000_usize, 1 => 262_100..262_200_usize, 1 => 500_000..600_000_usize],
            0..20,
        ),
        block_size in prop_oneof![Just(0), Just(4096), Just(5000), Just(65_536), Just(MIB), Just(4 * MIB)],
    ) {
        let mut tree = Tree::new();
        for (n, length) in lengths.into_iter().enumerate() {
            tree.insert(path(&format!("d{}/{n}", n % 3)), file(vec![n as u8; length])).unwrap();
        }
        let resolved = resolve(&tree);
        let whole = pack(&resolved);
        let blocks = in_blocks(&resolved, block_size);
        let joined: Vec<u8> = blocks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        prop_assert_eq!(joined, whole);
    }
}
