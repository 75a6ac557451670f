//! The tar reader.

use std::io::{Cursor, Read};

use cooperage_tarball::{
    Content, FoldOptions, LoadError, MemberKind, ReadOptions, Resolved, TarEntry, TarError,
    TarKind, TarReader, Trailing, Tree, fold,
};
use cooperage_testkit::ragged::RaggedReader;

use crate::{memory, scratch};

/// A canonical tar longer than this is not made: deep paths have many parents.
const LONGEST: u64 = 4 << 20;

/// What a reader made of a tar.
#[derive(Debug)]
struct Outcome {
    entries: Vec<(TarEntry, Vec<u8>)>,
    end: Result<Trailing, TarError>,
}

pub(crate) fn run(bytes: &[u8]) {
    memory::within((3 << 20) + 64 * bytes.len(), || drop(drain(bytes)));
    for whiteouts in [true, false] {
        let options = ReadOptions {
            whiteouts,
            ..ReadOptions::default()
        };
        let read = read(TarReader::new(RaggedReader::new(bytes, 7), options), true);
        check_places(&read, bytes);
        let skipped = self::read(TarReader::new(bytes, options), false);
        check_same(&read, &skipped);
        let sought = self::read(TarReader::seekable(Cursor::new(bytes), options), false);
        check_same(&skipped, &sought);
        assert_eq!(
            skipped.end.as_ref().map_err(ToString::to_string).ok(),
            sought.end.as_ref().map_err(ToString::to_string).ok(),
        );
    }
    round_trip(bytes);
}

/// Reads all and keeps nothing.
fn drain(bytes: &[u8]) -> Result<(), TarError> {
    let mut reader = TarReader::new(bytes, ReadOptions::default());
    while reader.next_entry()?.is_some() {}
    Ok(())
}

fn read<R: Read>(mut reader: TarReader<R>, bodies: bool) -> Outcome {
    let mut entries = Vec::new();
    let end = loop {
        match reader.next_entry() {
            Err(error) => break Err(error),
            Ok(None) => break reader.finish(),
            Ok(Some(entry)) => {
                let mut body = Vec::new();
                let got = if bodies {
                    reader.read_to_end(&mut body)
                } else {
                    Ok(0)
                };
                entries.push((entry, body));
                if let Err(error) = got {
                    let inner = error.into_inner().expect("an error of the reader's own");
                    break Err(*inner.downcast().expect("an error of the reader's own"));
                }
            }
        }
    };
    Outcome { entries, end }
}

/// An entry lies where it says, and its body is what lies there.
fn check_places(outcome: &Outcome, bytes: &[u8]) {
    let mut end = 0;
    for (at, (entry, body)) in outcome.entries.iter().enumerate() {
        assert!(entry.offset >= end, "entries lie behind one another");
        assert_eq!(entry.offset % 512, 0);
        assert!(entry.data_offset >= entry.offset + 512, "behind its header");
        let is_whole = at + 1 < outcome.entries.len() || outcome.end.is_ok();
        let start = usize::try_from(entry.data_offset).expect("it was read");
        assert_eq!(&bytes[start..start + body.len()], body.as_slice());
        if is_whole {
            assert_eq!(entry.len, body.len() as u64);
            end = entry.data_offset + entry.len;
        }
        if entry.kind != TarKind::File {
            assert_eq!(entry.len, 0);
        }
        let mut parts = entry.path.as_bytes().split(|byte| *byte == b'/');
        assert!(entry.path.is_root() || parts.all(|part| !matches!(part, b"" | b"." | b"..")));
    }
}

/// Both read the same, or failed at the same place for the same reason.
fn check_same(one: &Outcome, other: &Outcome) {
    let entries = |outcome: &Outcome| -> Vec<TarEntry> {
        let entries = outcome.entries.iter();
        entries.map(|(entry, _)| entry.clone()).collect()
    };
    assert_eq!(entries(one), entries(other));
    match (&one.end, &other.end) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        // How far it was read depends on whether it was read or passed over.
        (Err(TarError::CutShort { .. }), Err(TarError::CutShort { .. })) => {}
        (one, other) => assert_eq!(
            one.as_ref().map_err(ToString::to_string),
            other.as_ref().map_err(ToString::to_string)
        ),
    }
}

/// What is read and written by the canonical writer reads the same, and is written the same.
fn round_trip(bytes: &[u8]) {
    let Some((tree, resolved, tar)) = scratch::file(bytes, |path| {
        let tree = match Tree::from_tar(path, &ReadOptions::default()) {
            Ok(tree) => tree,
            Err(LoadError::Open { source, .. }) => panic!("{source}"),
            Err(_) => return None,
        };
        let resolved = resolve(&tree)?;
        let tar = write(&resolved);
        Some((tree, resolved, tar))
    }) else {
        return;
    };
    let again = read(TarReader::new(tar.as_slice(), ReadOptions::default()), true);
    let trailing = again.end.expect("what is written is read");
    assert_eq!((trailing.zeros, trailing.other), (0, 0));
    assert_eq!(again.entries.len(), resolved.members().count());
    for ((entry, body), member) in again.entries.iter().zip(resolved.members()) {
        assert_eq!(entry.path, member.path);
        assert!(is_kind(&entry.kind, &member.kind), "{entry:?} {member:?}");
        if !matches!(entry.kind, TarKind::Whiteout | TarKind::Opaque) {
            assert_eq!(entry.attributes, member.attributes, "{entry:?}");
        }
        if let MemberKind::File { content } = member.kind {
            let Content::Slice { offset, len, .. } = content else {
                panic!("the bodies of a tar are slices of it: {content:?}")
            };
            let start = usize::try_from(offset).expect("it was read");
            assert_eq!(len, body.len() as u64);
            assert_eq!(&bytes[start..start + body.len()], body.as_slice());
        }
    }
    let whiteouts = tree.opaque().count() + tree.len();
    assert!(whiteouts <= again.entries.len(), "nothing is lost");
    let second = scratch::file(&tar, |path| {
        let tree = Tree::from_tar(path, &ReadOptions::default()).expect("what is written is read");
        write(&resolve(&tree).expect("it was resolved before"))
    });
    assert!(second == tar, "the canonical form is its own");
}

fn resolve(tree: &Tree) -> Option<Resolved> {
    let options = FoldOptions {
        fold: false,
        ..FoldOptions::default()
    };
    let resolved = fold(tree, &options).ok()?;
    (resolved.tar_len() <= LONGEST).then_some(resolved)
}

fn write(resolved: &Resolved) -> Vec<u8> {
    let mut tar = Vec::new();
    resolved
        .write_to(&mut tar)
        .expect("its bodies are where they were");
    assert_eq!(tar.len() as u64, resolved.tar_len());
    tar
}

fn is_kind(read: &TarKind, written: &MemberKind) -> bool {
    match (read, written) {
        (TarKind::File, MemberKind::File { .. })
        | (TarKind::Directory, MemberKind::Directory)
        | (TarKind::Fifo, MemberKind::Fifo)
        | (TarKind::Whiteout, MemberKind::Whiteout)
        | (TarKind::Opaque, MemberKind::Opaque) => true,
        (TarKind::Symlink { target }, MemberKind::Symlink { target: written }) => target == written,
        (TarKind::HardLink { to }, MemberKind::HardLink { to: written }) => to == written,
        (
            TarKind::CharDevice { major, minor },
            MemberKind::CharDevice {
                major: a, minor: b, ..
            },
        )
        | (
            TarKind::BlockDevice { major, minor },
            MemberKind::BlockDevice {
                major: a, minor: b, ..
            },
        ) => (major, minor) == (a, b),
        _ => false,
    }
}
