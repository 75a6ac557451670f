//! Everyone's readers read what we write; what everyone writes, and we read, is in
//! `docs/interop.md`.

use std::path::Path;
use std::process::{Command, Stdio};

use cooperage_compress::{Codec, EncoderId, Encoding};
use cooperage_testkit::{go, peers};

use crate::{corpus, encode, every_encoding};

/// The corpus, stored at each of some levels.
fn layers(codec: Codec) -> impl Iterator<Item = (Encoding, Vec<u8>)> {
    let blocks = corpus::blocks();
    every_encoding()
        .filter(move |encoding| encoding.codec() == codec && encoding.level() % 3 == 1)
        .map(move |encoding| (encoding, encode(&blocks[..], &encoding, 2).stored))
}

/// Lets a program decompress from standard input to standard output.
fn check_reads(program: &str, codec: Codec, arguments: &[&str]) {
    let Some(program) = peers::tool(program) else {
        return;
    };
    let tar = corpus::blocks().concat();
    for (encoding, stored) in layers(codec) {
        let output = program
            .run_with_input(arguments, &mut &stored[..])
            .expect("it reads ours");
        assert!(output.stdout == tar, "{} of {encoding:?}", program.name());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "", "{} has something to say", program.name());
    }
}

#[test]
fn gzip_reads_ours() {
    check_reads("gzip", Codec::Gzip, &["-dc"]);
}

#[test]
fn pigz_reads_ours() {
    check_reads("pigz", Codec::Gzip, &["-dc"]);
}

#[test]
fn igzip_reads_ours() {
    check_reads("igzip", Codec::Gzip, &["-dc"]);
}

#[test]
fn libdeflate_reads_ours() {
    check_reads("libdeflate-gzip", Codec::Gzip, &["-dc"]);
}

#[test]
fn zstd_reads_ours() {
    check_reads("zstd", Codec::Zstd, &["-dcq"]);
}

/// `zlib.decompressobj` reads one member: nothing may be left, and the end be reached.
#[test]
fn python_reads_one_member_with_nothing_left() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let script = "import sys, zlib\n\
        d = zlib.decompressobj(31)\n\
        sys.stdout.buffer.write(d.decompress(sys.stdin.buffer.read()) + d.flush())\n\
        assert d.eof and not d.unused_data and not d.unconsumed_tail";
    let tar = corpus::blocks().concat();
    for (encoding, stored) in layers(Codec::Gzip) {
        let output = python
            .run_with_input(["-c", script], &mut &stored[..])
            .expect("one member");
        assert!(output.stdout == tar, "{encoding:?}");
    }
}

const GO: &str = r#"package main

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	in := bufio.NewReader(os.Stdin)
	reader, err := gzip.NewReader(in)
	check(err)
	reader.Multistream(false)
	_, err = io.Copy(os.Stdout, reader)
	check(err)
	if _, err := in.ReadByte(); err != io.EOF {
		panic("something follows the first member")
	}
}
"#;

/// Go's reader of one member, which is what Docker's and containerd's unpackers stand on.
#[test]
fn go_reads_one_member_with_nothing_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    std::fs::write(path("main.go"), GO).unwrap();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if !go::build(&path("main.go"), &path("reader"), kept) {
        return;
    }
    let tar = corpus::blocks().concat();
    for (encoding, stored) in layers(Codec::Gzip) {
        std::fs::write(path("layer"), stored).unwrap();
        let output = Command::new(path("reader"))
            .stdin(Stdio::from(std::fs::File::open(path("layer")).unwrap()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout == tar, "{encoding:?}");
    }
}

/// zlib has all of the corpus in one stream, we have it in blocks that know nothing of each other.
#[test]
fn the_best_level_is_smaller_than_that_of_zlib() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let script = "import sys, zlib\nprint(len(zlib.compress(sys.stdin.buffer.read(), 9)))";
    let blocks = corpus::blocks();
    let output = python
        .run_with_input(["-c", script], &mut &blocks.concat()[..])
        .expect("zlib compresses it");
    let said = String::from_utf8_lossy(&output.stdout);
    let theirs: usize = said.trim().parse().expect("a length");
    let best = *EncoderId::Gzip2.levels().end();
    let best = Encoding::new(EncoderId::Gzip2, best, 1 << 20).expect("it is a level");
    let ours = encode(&blocks[..], &best, 2).stored.len();
    assert!(ours < theirs, "{ours} and {theirs}");
}
