//! Tars that are layers of nobody.

use std::fs;

use crate::input::{HEAD, directory, refused};
use crate::support::{good, try_in};

/// One entry of a tar by hand: its name, type and link, and fields that are set as they are.
pub(crate) fn tar_entry(
    name: &str,
    kind: u8,
    link: &str,
    fields: &[(usize, &[u8])],
    body: &[u8],
) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(body.len() as u64);
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[156] = kind;
    bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
    for (at, field) in fields {
        bytes[*at..at + field.len()].copy_from_slice(field);
    }
    header.set_cksum();
    let mut entry = [&header.as_bytes()[..], body].concat();
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// Tars whose parts contradict each other or lead out: refused where they are built in, and told by
/// `verify` where they came into an image unseen.
#[test]
fn tars_that_readers_disagree_about() {
    let directory = directory();
    let at = directory.path();
    let file = |name: &str, body: &[u8]| tar_entry(name, b'0', "", &[], body);
    let pax = |record: &[u8]| tar_entry("pax", b'x', "", &[], record);
    let smuggled = file("smuggled", b"");
    for (tar, words) in [
        // The record says that the next entry lies in the body of a link.
        (
            [
                pax(b"12 size=512\n"),
                tar_entry("l", b'2', "a", &[], b""),
                smuggled,
            ]
            .concat(),
            &["`l`", "body"][..],
        ),
        // A record, then a long name, then an entry that is shorter than the record says.
        (
            [
                pax(b"13 size=9000\n"),
                tar_entry("long", b'L', "", &[], b"a-long-name\0"),
                file("a", b"body"),
            ]
            .concat(),
            &["a-long-name", "cut short"],
        ),
        (pax(b"99 size=4\n"), &["byte 0"]),
        (
            tar_entry("a", b'0', "", &[(124, b"-0000000001")], b""),
            &["size"],
        ),
        (
            tar_entry("a", b'0', "", &[(124, &[0xff; 12])], b""),
            &["size"],
        ),
        (
            tar_entry(
                "a",
                b'0',
                "",
                &[(124, b"\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")],
                b"",
            ),
            &["size"],
        ),
        (
            tar_entry("a", b'0', "", &[(108, &[0xff; 8])], b""),
            &["uid"],
        ),
        (
            tar_entry("a", b'0', "", &[(124, b"77777777777\0")], b""),
            &["`a`", "cut short"],
        ),
        (file("../a", b""), &[".."]),
        (
            tar_entry("h", b'1', "../../etc/passwd", &[], b""),
            &["byte 0", "`../../etc/passwd`"],
        ),
        (
            [
                tar_entry("l", b'2', "/etc", &[], b""),
                file("l/passwd", b""),
            ]
            .concat(),
            &["`l`", "`l/passwd`"],
        ),
    ] {
        fs::write(at.join("bad.tar"), [&tar[..], &[0; 1024]].concat()).expect("a file");
        let words = [&["bad.tar"], words].concat();
        refused(
            at,
            r#"{"layer":{"tar":"bad.tar","form":"canonical"}}"#,
            &words,
        );
        // Those that are tars, and make no tree, can be kept as they are.
        if words != ["bad.tar", "`l`", "`l/passwd`"] {
            refused(at, r#"{"layer":{"tar":"bad.tar"}}"#, &words);
        }
        let bad = fs::read(at.join("bad.tar")).expect("it was written");
        let metadata = cooperage_testkit::layer_metadata(&bad);
        fs::write(at.join("bad.json"), metadata).expect("a file");
        let layer = r#"{"layer":{"metadata":"bad.json","blob":"bad.tar"}}"#;
        fs::write(at.join("kept.plan"), format!("{HEAD}\n{layer}\n")).expect("a file");
        good(at, &["build", "kept.plan", "-o", "oci:kept"]);
        try_in(at, &["verify", "oci:kept"])
            .exits(3)
            .says(&["fault: "])
            .says(&words[1..]);
        try_in(at, &["ls", "oci:kept"]).fails(&words[1..]);
    }
}
