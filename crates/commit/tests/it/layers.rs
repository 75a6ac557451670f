use std::io::{Read, Write};
use std::num::NonZeroUsize;

use cooperage_blob::{Memory, Source};
use cooperage_commit::{Layer, LayerForm, PackOptions, adopt, load_layer, load_tar, pack};
use cooperage_compress::{Codec, Encoding, Workers};
use cooperage_digest::Digest;
use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};

use crate::chain;

const ONE: NonZeroUsize = NonZeroUsize::MIN;

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn tree() -> Tree {
    let mut tree = Tree::new();
    let big = noise(3_000_000);
    for (path, bytes) in [
        ("a/big", &big[..]),
        ("a/twin", &big[..]),
        ("b", b"small"),
        ("c", b""),
    ] {
        let entry = Entry::file(Content::bytes(bytes), Attributes::file());
        tree.insert(TreePath::parse(path).unwrap(), entry).unwrap();
    }
    tree
}

fn bytes(memory: &Memory, layer: &Layer) -> Vec<u8> {
    let mut bytes = Vec::new();
    cooperage_blob::open(memory, &layer.descriptor)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn with(codec: Codec) -> PackOptions<'static> {
    PackOptions {
        encoding: Encoding::of(codec),
        ..PackOptions::default()
    }
}

#[test]
fn a_layer_has_both_names_and_reads_back_as_the_same_tree() {
    for codec in Codec::ALL {
        let memory = Memory::new();
        let layer = pack(&tree(), &with(codec), &memory).unwrap();
        assert_eq!(layer.is_uncompressed(), codec == Codec::None);
        assert_eq!(layer.descriptor.size, bytes(&memory, &layer).len() as u64);
        let blocks: u64 = layer.blocks.iter().map(|block| block.len).sum();
        assert_eq!(blocks, layer.size);
        let loaded = load_layer(&memory, &layer.descriptor, Some(&layer.diff_id), 1 << 30).unwrap();
        let tar = std::fs::read(loaded.tar()).unwrap();
        assert_eq!(
            (Digest::of(&tar), tar.len() as u64),
            (layer.diff_id.clone(), layer.size)
        );
        let paths: Vec<_> = loaded
            .tree()
            .iter()
            .map(|(path, _)| path.display())
            .collect();
        assert_eq!(paths, ["a", "a/big", "a/twin", "b", "c"]);
        // Packed again, it is the same layer: the link that folding made is one already.
        let again = pack(loaded.tree(), &with(codec), &Memory::new()).unwrap();
        assert_eq!(again.diff_id, layer.diff_id);
    }
}

#[test]
fn folding_halves_twins_and_can_be_left_out() {
    let folded = pack(&tree(), &with(Codec::None), &Memory::new()).unwrap();
    let options = PackOptions {
        fold: false,
        ..with(Codec::None)
    };
    let whole = pack(&tree(), &options, &Memory::new()).unwrap();
    assert!(whole.size > folded.size + 2_900_000);
}

#[test]
fn threads_do_not_reach_the_digest() {
    let names = [1, 2, 5, 16].map(|threads| {
        let threads = NonZeroUsize::new(threads).unwrap();
        let options = PackOptions {
            threads,
            ..PackOptions::default()
        };
        pack(&tree(), &options, &Memory::new())
            .unwrap()
            .descriptor
            .digest
    });
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[test]
fn a_file_that_changed_since_planning_is_an_error_and_leaves_no_blob() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    for (before, after) in [("12345", "123456"), ("12345", "1234")] {
        std::fs::write(&file, before).unwrap();
        let mut tree = Tree::new();
        let entry = Entry::file(Content::file(&file).unwrap(), Attributes::file());
        tree.insert(TreePath::parse("f").unwrap(), entry).unwrap();
        std::fs::write(&file, after).unwrap();
        let memory = Memory::new();
        let error = pack(&tree, &PackOptions::default(), &memory).unwrap_err();
        assert!(chain(&error).contains("planned as 5"), "{}", chain(&error));
        assert!(memory.digests().is_empty());
        std::fs::remove_file(&file).unwrap();
        assert!(pack(&tree, &PackOptions::default(), &memory).is_err());
    }
}

fn take(bytes: &[u8], form: LayerForm) -> (Memory, Layer) {
    let memory = Memory::new();
    let layer = adopt(bytes, "a test", form, &Workers::new(ONE), &memory).unwrap();
    (memory, layer)
}

#[test]
fn an_existing_layer_is_kept_uncompressed_or_recompressed() {
    let memory = Memory::new();
    let plain = pack(&tree(), &with(Codec::None), &memory).unwrap();
    for codec in Codec::ALL {
        let layer = pack(&tree(), &with(codec), &memory).unwrap();
        let stored = bytes(&memory, &layer);
        let (_, kept) = take(&stored, LayerForm::Keep);
        assert_eq!(kept.descriptor, layer.descriptor);
        assert_eq!((&kept.diff_id, kept.size), (&layer.diff_id, layer.size));
        assert_eq!(kept.entries, layer.entries);
        let (there, bare) = take(&stored, LayerForm::Uncompress);
        assert_eq!(bare.descriptor, plain.descriptor);
        assert_eq!(Digest::of(&bytes(&there, &bare)), layer.diff_id);
        for into in Codec::ALL {
            let (there, new) = take(&stored, LayerForm::Recompress(Encoding::of(into)));
            assert_eq!(new.diff_id, layer.diff_id);
            let loaded =
                load_layer(&there, &new.descriptor, Some(&layer.diff_id), 1 << 30).unwrap();
            assert_eq!(loaded.diff_id(), &layer.diff_id);
        }
    }
}

#[test]
fn what_is_no_tar_or_damaged_or_of_foreign_compression_is_refused() {
    let memory = Memory::new();
    let layer = pack(&tree(), &PackOptions::default(), &memory).unwrap();
    let mut stored = bytes(&memory, &layer);
    let fail = |bytes: &[u8], reason: &str| {
        for form in [LayerForm::Keep, LayerForm::Uncompress] {
            let there = Memory::new();
            let error = adopt(bytes, "`x.tar`", form, &Workers::new(ONE), &there).unwrap_err();
            assert!(chain(&error).contains(reason), "{}", chain(&error));
            assert!(there.digests().is_empty(), "a blob was left behind");
        }
    };
    fail(&stored[..stored.len() - 9], "cannot read `x.tar`");
    let middle = stored.len() / 2;
    stored[middle] ^= 0x10;
    fail(&stored, "cannot read `x.tar`");
    fail(&[b'x'; 2048], "`x.tar` cannot be a layer: expected a tar");
    fail(&stored_text(), "`x.tar` cannot be a layer: expected a tar");
    fail(b"BZh91AY&SY", "bzip2, for which no layer media type exists");
    fail(b"\xfd7zXZ\0", "xz, for which no layer media type exists");
}

/// A file that is well compressed, and no tar.
fn stored_text() -> Vec<u8> {
    let mut text = cooperage_compress::Encoder::new(Vec::new(), Encoding::default()).unwrap();
    text.write_all(&[b'x'; 2048]).unwrap();
    text.finish().unwrap()
}

#[test]
fn a_layer_is_read_only_as_far_as_the_limit() {
    let mut bomb = cooperage_compress::Encoder::new(Vec::new(), Encoding::default()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..20 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let error = load_tar(&bomb[..], "bomb", None, 10 << 20).unwrap_err();
    assert!(
        error.to_string().contains("more than 10485760 bytes"),
        "{error}"
    );
}

#[test]
fn a_layer_with_another_diff_id_is_refused() {
    let memory = Memory::new();
    let layer = pack(&tree(), &PackOptions::default(), &memory).unwrap();
    let other = Digest::of(b"other");
    let error = load_layer(&memory, &layer.descriptor, Some(&other), 1 << 30).unwrap_err();
    assert!(
        error.to_string().contains("expected diff ID sha256:"),
        "{error}"
    );
    memory.insert_unverified(
        layer.descriptor.digest.clone(),
        bytes(&memory, &layer)[1..].to_vec(),
    );
    assert!(load_layer(&memory, &layer.descriptor, None, 1 << 30).is_err());
    assert!(memory.fetch(&layer.descriptor).is_ok());
}
