//! Every form of gzip and zstd that others write, as the blob of a layer.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use cooperage_compress::{Codec, sniffing_decoder};
use cooperage_digest::Digest;
use cooperage_testkit::peers;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc, GzBuilder};

use crate::command;
use crate::forms::Form;
use crate::matrix::{Here as _, Otherwise, Rows, Seen, Table};
use crate::reasons::Answer as _;
use crate::room::{self, Shared};

/// What we do with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    Decode,
    Keep,
    Recompress,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decode => "decode",
            Self::Keep => "keep",
            Self::Recompress => "recompress",
        })
    }
}

type Stored = Result<Vec<u8>, Otherwise>;
type Make = fn(&[u8]) -> Stored;

pub(crate) fn tables() -> Vec<Table> {
    let mut rows = Rows::new(
        "streams",
        "Layers in every form of gzip and zstd, read by us",
        include_str!("streams.md"),
        &[Deed::Decode, Deed::Keep, Deed::Recompress],
    );
    let made: [(&'static str, Codec, Make); 20] = [
        ("gzip/gzip-with-a-name", Codec::Gzip, |tar| {
            named_by_gzip(tar)
        }),
        ("gzip/pigz-independent-blocks", Codec::Gzip, |tar| {
            by("pigz", &["-p3", "-b128", "-ic"], tar)
        }),
        ("gzip/igzip", Codec::Gzip, |tar| by("igzip", &["-1c"], tar)),
        ("gzip/libdeflate", Codec::Gzip, |tar| {
            by("libdeflate-gzip", &["-12", "-c"], tar)
        }),
        ("gzip/python", Codec::Gzip, |tar| {
            by("python3", &["-c", PYTHON], tar)
        }),
        ("gzip/several-members", Codec::Gzip, |tar| Ok(members(tar))),
        ("gzip/empty-members", Codec::Gzip, |tar| {
            Ok([members(b""), members(tar), members(b"")].concat())
        }),
        ("gzip/zeros-behind-the-end", Codec::Gzip, |tar| {
            Ok([members(tar), vec![0; 10_240]].concat())
        }),
        ("gzip/sync-points", Codec::Gzip, |tar| Ok(synced(tar))),
        ("gzip/name-comment-extra-time", Codec::Gzip, |tar| {
            Ok(headed(tar))
        }),
        ("gzip/header-checksum", Codec::Gzip, |tar| {
            Ok(with_header_checksum(tar))
        }),
        ("gzip/stored-blocks", Codec::Gzip, |tar| {
            Ok(gzip(tar, Compression::none()))
        }),
        ("zstd/zstd-19", Codec::Zstd, |tar| {
            by("zstd", &["-19qc"], tar)
        }),
        ("zstd/window-of-128-mib", Codec::Zstd, |tar| {
            by("zstd", &["--ultra", "-22", "--long=27", "-qc"], tar)
        }),
        ("zstd/without-checksum", Codec::Zstd, |tar| {
            by("zstd", &["--no-check", "-qc"], tar)
        }),
        ("zstd/pzstd", Codec::Zstd, |tar| {
            by("pzstd", &["-qc", "-p", "2"], tar)
        }),
        ("zstd/several-frames", Codec::Zstd, |tar| {
            Ok(frames(tar)?.concat())
        }),
        ("zstd/skippable-frames", Codec::Zstd, |tar| {
            Ok(frames(tar)?.join(&SKIPPABLE[..]))
        }),
        ("zstd/skippable-frame-first", Codec::Zstd, |tar| {
            Ok([&SKIPPABLE[..], &frames(tar)?.concat()].concat())
        }),
        ("zstd/empty-frames", Codec::Zstd, |tar| {
            Ok(frames(tar)?.join(&frames(b"")?.concat()[..]))
        }),
    ];
    for (name, codec, make) in made {
        rows.row(name, move |deed| {
            static MADE: Shared<&'static str, Result<Arc<Vec<u8>>, Otherwise>> = Shared::new();
            let tar = tar()?;
            let stored = MADE.get(name, || make(&tar).map(Arc::new))?;
            do_it(deed, codec, &tar, &stored)
        });
    }
    vec![rows.finish()]
}

/// Two megabytes: the layer with the program.
fn tar() -> Result<Arc<Vec<u8>>, Otherwise> {
    static TAR: Shared<(), Arc<Vec<u8>>> = Shared::new();
    let image = Form::OciNone.image()?;
    Ok(TAR.get((), || {
        let layers = &image.manifest().layers;
        let path = image.layout.blob_path(&layers[layers.len() - 1].digest);
        Arc::new(std::fs::read(path).expect("it is there"))
    }))
}

/// What a program makes of its standard input.
fn by(program: &str, arguments: &[&str], tar: &[u8]) -> Stored {
    let program = peers::tool(program).here()?;
    let mut tar = tar;
    let output = program.run_with_input(arguments, &mut tar).or_refused()?;
    Ok(output.stdout)
}

const PYTHON: &str =
    "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))";

fn named_by_gzip(tar: &[u8]) -> Stored {
    let gzip = peers::tool("gzip").here()?;
    let path = room::directory().join("layer.tar");
    std::fs::write(&path, tar).expect("there is room");
    let output = gzip.command(["-9c".as_ref(), path.as_os_str()]).output();
    let stored = output.expect("it starts").stdout;
    assert_eq!(stored[3], 8, "a name");
    Ok(stored)
}

fn gzip(tar: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(tar).expect(INFALLIBLE);
    encoder.finish().expect(INFALLIBLE)
}

const INFALLIBLE: &str = "a vector takes all";

fn members(tar: &[u8]) -> Vec<u8> {
    let length = tar.len() / 3 + 1;
    if tar.is_empty() {
        return gzip(tar, Compression::fast());
    }
    let members = tar
        .chunks(length)
        .map(|part| gzip(part, Compression::fast()));
    members.collect::<Vec<_>>().concat()
}

fn synced(tar: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in tar.chunks(100_000) {
        encoder.write_all(part).expect(INFALLIBLE);
        encoder.flush().expect(INFALLIBLE);
    }
    encoder.finish().expect(INFALLIBLE)
}

fn headed(tar: &[u8]) -> Vec<u8> {
    let header = GzBuilder::new()
        .filename("layer.tar")
        .comment("made by hand")
        .extra(vec![1; 300])
        .mtime(1_234_567_890);
    let mut encoder = header.write(Vec::new(), Compression::fast());
    encoder.write_all(tar).expect(INFALLIBLE);
    encoder.finish().expect(INFALLIBLE)
}

/// FHCRC and FTEXT, which no program writes by itself.
fn with_header_checksum(tar: &[u8]) -> Vec<u8> {
    let plain = gzip(tar, Compression::fast());
    let mut header = plain[..10].to_vec();
    header[3] = 0b11;
    let mut crc = Crc::new();
    crc.update(&header);
    let sum = crc.sum() as u16;
    [&header, &sum.to_le_bytes()[..], &plain[10..]].concat()
}

/// A frame of seven bytes for somebody else.
const SKIPPABLE: [u8; 15] = *b"\x5a\x2a\x4d\x18\x07\x00\x00\x00private";

/// Three frames, or an empty one.
fn frames(tar: &[u8]) -> Result<Vec<Vec<u8>>, Otherwise> {
    if tar.is_empty() {
        return Ok(vec![by("zstd", &["-qc"], tar)?]);
    }
    let parts = tar.chunks(tar.len() / 3 + 1);
    parts.map(|part| by("zstd", &["-qc"], part)).collect()
}

fn do_it(deed: Deed, codec: Codec, tar: &[u8], stored: &[u8]) -> Seen {
    match deed {
        Deed::Decode => {
            let (found, mut reader) = sniffing_decoder(stored).expect("it is known");
            assert_eq!(found, codec);
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).expect("it decodes");
            assert!(bytes == tar, "other bytes come out");
        }
        Deed::Keep => {
            let layer = built(r#""keep""#, tar, stored)?;
            assert_eq!(layer["digest"], Digest::of(stored).as_str());
        }
        Deed::Recompress => {
            let layer = built(r#""recompress","encoder":"gzip-1""#, tar, stored)?;
            assert_ne!(layer["digest"], Digest::of(stored).as_str());
        }
    }
    Ok(())
}

/// An image whose layer it is, in the form that a plan asks for, and the right diff ID.
fn built(form: &str, tar: &[u8], stored: &[u8]) -> Result<serde_json::Value, Otherwise> {
    let directory = room::directory();
    let at = |name: &str| -> PathBuf { directory.join(name) };
    std::fs::write(at("layer"), stored).expect("there is room");
    let plan = format!(
        "{{\"plan\":\"image\",\"version\":1,\"names\":[\"built\"]}}\n\
         {{\"layer\":{{\"tar\":\"layer\",\"form\":{form}}}}}\n"
    );
    std::fs::write(at("plan"), plan).expect("there is room");
    let to = format!("oci:{}:built", at("layout").display());
    let plan = at("plan").display().to_string();
    let mut said = command::json(["build", &plan, "--output", &to]).or_refused()?;
    command::run(["verify", &to]).or_refused()?;
    let layer = said["images"][0]["layers"][0].take();
    assert_eq!(layer["diff_id"], Digest::of(tar).as_str());
    Ok(layer)
}
