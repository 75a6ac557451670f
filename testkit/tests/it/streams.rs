//! Ragged streams lose nothing, and listings tell trees apart.

use std::io::Read as _;

use cooperage_testkit::listing::Kind;
use cooperage_testkit::ragged::{Numbers, RaggedReader, RaggedWriter, write_raggedly};
use cooperage_testkit::tree_listing;

#[test]
fn ragged_streams_lose_nothing() {
    let bytes = Numbers::new(1).bytes(300_000);
    for seed in 0..8 {
        let mut read = Vec::new();
        RaggedReader::new(bytes.as_slice(), seed)
            .read_to_end(&mut read)
            .unwrap();
        assert!(read == bytes, "reader, seed {seed}");
        let mut writer = RaggedWriter::new(Vec::new(), seed);
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
        assert!(writer.into_inner() == bytes, "writer, seed {seed}");
        let mut written = Vec::new();
        write_raggedly(&mut written, &bytes, seed).unwrap();
        assert!(written == bytes, "calls, seed {seed}");
    }
}

#[cfg(unix)]
#[test]
fn a_listing_tells_all() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("a")).unwrap();
    std::fs::write(at("a/file"), "text").unwrap();
    std::fs::hard_link(at("a/file"), at("b")).unwrap();
    std::os::unix::fs::symlink("a/file", at("c")).unwrap();
    let listing = tree_listing(directory.path());
    let paths: Vec<_> = listing.0.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["a", "a/file", "b", "c"]);
    let (file, link) = (listing.get("a/file").unwrap(), listing.get("b").unwrap());
    let sha256 = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1".to_owned();
    assert_eq!(file.kind, Kind::File { size: 4, sha256 });
    assert_eq!(file.linked.as_deref(), Some("a/file"));
    assert_eq!(link.linked.as_deref(), Some("a/file"));
    assert_eq!(
        listing.get("c").unwrap().kind,
        Kind::Symlink("a/file".to_owned())
    );
    listing.assert_same(&tree_listing(directory.path()), "twice the same");

    std::fs::write(at("a/file"), "TEXT").unwrap();
    let other = tree_listing(directory.path());
    let caught = std::panic::catch_unwind(|| listing.assert_same(&other, "after a change"));
    let said = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(
        said.contains("- a/file ") && said.contains("+ b "),
        "{said}"
    );
    assert!(!said.contains(" c "), "{said}");
}
