//! What the tests of this crate share.

use cooperage_tarball::{
    Attributes, BlockRules, Content, Entry, FoldOptions, Kind, Resolved, Tree, TreePath, fold,
    plan_blocks,
};

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

pub(crate) fn file(bytes: impl AsRef<[u8]>) -> Entry {
    Entry::file(Content::bytes(bytes.as_ref()), Attributes::file())
}

/// A tree from paths and what stands there.
pub(crate) fn tree<const N: usize>(entries: [(&str, Entry); N]) -> Tree {
    let mut tree = Tree::new();
    for (at, entry) in entries {
        tree.insert(path(at), entry).unwrap();
    }
    tree
}

pub(crate) fn unfolded() -> FoldOptions {
    FoldOptions {
        fold: false,
        ..FoldOptions::default()
    }
}

pub(crate) fn resolve(tree: &Tree) -> Resolved {
    fold(tree, &FoldOptions::default()).unwrap()
}

pub(crate) fn pack(resolved: &Resolved) -> Vec<u8> {
    let mut tar = Vec::new();
    resolved.write_to(&mut tar).unwrap();
    assert_eq!(tar.len() as u64, resolved.tar_len());
    tar
}

/// The tar of a tree that is not folded.
pub(crate) fn tar_of(tree: &Tree) -> Vec<u8> {
    pack(&fold(tree, &unfolded()).unwrap())
}

/// The tar of a tree in blocks, which must be what the whole is.
pub(crate) fn in_blocks(resolved: &Resolved, block_size: u64) -> Vec<(u64, Vec<u8>)> {
    let mut end = 0;
    let mut blocks = Vec::new();
    for block in plan_blocks(resolved, BlockRules { block_size }) {
        assert_eq!(block.offset, end, "blocks have no gaps");
        assert_ne!(block.len, 0);
        end += block.len;
        let mut bytes = b"left from before".to_vec();
        resolved.read_block(&block, &mut bytes).unwrap();
        blocks.push((block.offset, bytes));
    }
    assert_eq!(end, resolved.tar_len());
    blocks
}

/// What hard links may lead to.
pub(crate) fn linkable(tree: &Tree) -> Vec<TreePath> {
    tree.iter()
        .filter(|(_, entry)| entry.kind != Kind::Directory)
        .map(|(path, _)| path.clone())
        .collect()
}

/// The names of a tar's headers as they stand there, PAX records left out.
pub(crate) fn names(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let name = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap()
    };
    archive.entries().unwrap().map(name).collect()
}

/// What `program` prints when it gets `input`, or `None`, said aloud, when it is missing.
/// It must succeed without a warning.
pub(crate) fn ask(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let tool = cooperage_testkit::peers::tool(program)?;
    let output = tool.run_with_input(arguments, &mut &*input).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{program} {arguments:?} warns: {said}");
    Some(String::from_utf8(output.stdout).expect("listings of these tests are text"))
}
