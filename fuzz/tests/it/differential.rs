//! Our readers against those of others: tars by Python's tarfile and by libarchive (bsdtar), gzip by
//! zlib, zstd by its tool.
//!
//! Inputs are the seeds and changes of them, the same on every run. Of each seed it is written down
//! whether we read it or why not ([`SEEDS`]), and what we read the others read as the same. Of what
//! is changed, what we accept, the others read as the same, each thing by one of them at least; what
//! we refuse and they accept, we refuse for a reason of [`STRICT`], and no reason too often.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use cooperage_compress::{Codec, decoder};
use cooperage_digest::Digest;
use cooperage_fuzz::{mutate_tar, repair_tar};
use cooperage_tarball::{ReadOptions, TarEntry, TarError, TarKind, TarReader};
use cooperage_testkit::ragged::Numbers;
use serde_json::{Value, json};

use crate::others::{Effort, Others, keep};
use crate::replay::seeds;

/// What we make of each seed as it is: nothing if it is read, or the kind of the error. No seed that
/// we refuse is read by another reader, and none that we read is read otherwise.
const SEEDS: [(&str, Option<&str>); 22] = [
    ("base-256", None),
    ("bsdtar", None),
    ("canonical", None),
    ("gnu", None),
    ("gnu-tar-gnu", None),
    ("gnu-tar-oldgnu", None),
    ("gnu-tar-pax", None),
    ("gnu-tar-v7", None),
    ("no-end", None),
    ("pax", None),
    ("pax-global", None),
    ("sparse-0.0", Some("Unsupported")),
    ("sparse-0.1", Some("Unsupported")),
    ("sparse-1.0", Some("Unsupported")),
    ("sparse-gnu", Some("Unsupported")),
    ("star", None),
    ("tail", None),
    ("twice", None),
    ("ustar", None),
    ("ustar-prefix", None),
    ("v7", None),
    ("whiteouts", None),
];

/// Why we refuse what another reader takes, and of how many changed inputs in a thousand at most.
const STRICT: [(&str, usize, &str); 14] = [
    (
        "Path",
        100,
        "`..`, no name or one too long: no entry may leave the root",
    ),
    ("Root", 5, "the root is a directory, in every layer"),
    (
        "Unsupported",
        55,
        "sparse files, volumes, links with bodies, files named as directories: readers differ",
    ),
    (
        "UnknownType",
        5,
        "to some readers a file, to others nothing",
    ),
    (
        "SaidTwice",
        40,
        "readers differ in which of two names or records counts",
    ),
    (
        "GlobalRecord",
        7,
        "one path or size for all entries: readers differ",
    ),
    ("LoneZeroBlock", 200, "some readers end there, others go on"),
    ("NothingFollows", 5, "records without an entry were cut off"),
    (
        "RecordsTooLong",
        5,
        "no memory for what a header merely claims",
    ),
    ("BadOwner", 5, "a name of an owner with a NUL byte"),
    (
        "BadField",
        55,
        "what is no number is 0 to some and ends the tar for others",
    ),
    (
        "BadRecord",
        20,
        "what is malformed is passed over by some and ends the tar for others",
    ),
    (
        "Checksum",
        3,
        "a header with a wrong checksum is the end to some readers",
    ),
    (
        "CutShort",
        12,
        "a tar that ends within an entry ends there quietly for some readers",
    ),
];

fn text(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A path in the one spelling that we give it, from hex digits.
fn normal(hex: &str) -> String {
    let slash = "2f";
    let bytes: Vec<_> = (0..hex.len())
        .step_by(2)
        .map(|at| &hex[at..at + 2])
        .collect();
    let parts = bytes.split(|byte| *byte == slash);
    let parts = parts.filter(|part| !part.is_empty() && *part != ["2e"]);
    parts.map(<[&str]>::concat).collect::<Vec<_>>().join(slash)
}

fn ours(tar: &[u8]) -> Result<Value, TarError> {
    let plain = ReadOptions {
        whiteouts: false,
        ..ReadOptions::default()
    };
    let mut reader = TarReader::new(tar, plain);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut body = Vec::new();
        if let Err(error) = reader.read_to_end(&mut body) {
            let inner = error.into_inner().expect("an error of the reader's own");
            return Err(*inner.downcast().expect("an error of the reader's own"));
        }
        entries.push(shown(&entry, &body));
    }
    Ok(Value::from(entries))
}

fn shown(entry: &TarEntry, body: &[u8]) -> Value {
    let (mut link, mut device) = (String::new(), (0, 0));
    let kind = match &entry.kind {
        TarKind::File => "file",
        TarKind::Directory => "directory",
        TarKind::Symlink { target } => {
            link = text(target);
            "symlink"
        }
        TarKind::HardLink { to } => {
            link = text(to.as_bytes());
            "hard link"
        }
        TarKind::Fifo => "fifo",
        TarKind::CharDevice { major, minor } => {
            device = (*major, *minor);
            "character"
        }
        TarKind::BlockDevice { major, minor } => {
            device = (*major, *minor);
            "block"
        }
        TarKind::Whiteout | TarKind::Opaque => unreachable!("names are but names here"),
    };
    let attributes = &entry.attributes;
    json!({
        "path": text(entry.path.as_bytes()), "kind": kind, "mode": attributes.mode,
        "owner": [attributes.uid, attributes.gid], "names": [text(&attributes.user), text(&attributes.group)],
        "mtime": [attributes.mtime.seconds, attributes.mtime.nanoseconds],
        "link": link, "device": device, "size": body.len(), "body": Digest::of(body).encoded(),
    })
}

/// What another reader said, with paths as we spell them.
fn theirs(answer: &Value) -> Result<Value, &str> {
    let Some(entries) = answer.get("entries").and_then(Value::as_array) else {
        return Err(answer["refused"].as_str().expect("entries, or why not"));
    };
    let entries = entries.iter().cloned().map(|mut entry| {
        let mut respell = |key: &str| {
            let text = normal(entry[key].as_str().expect("hex digits"));
            entry[key] = Value::from(text);
        };
        respell("path");
        if entry["kind"] == "hard link" {
            let text = normal(entry["link"].as_str().expect("hex digits"));
            entry["link"] = Value::from(text);
        }
        entry
    });
    Ok(entries.collect())
}

/// Which way it went; a panic where it must not have gone.
fn compare(tar: &[u8], answers: &BTreeMap<String, Value>) -> Result<&'static str, String> {
    let answers: Vec<_> = answers
        .iter()
        .map(|(name, answer)| (name, theirs(answer)))
        .collect();
    match ours(tar) {
        Ok(entries) => {
            // libarchive passes over records for all entries, and Python wants an entry behind them.
            let is_partly = |name: &str| name == "libarchive" && has_global_records(tar);
            let same = |(name, read): &&(&String, Result<Value, &str>)| match read {
                Ok(read) if is_partly(name) => without_global(read) == without_global(&entries),
                Ok(read) => *read == entries,
                Err(_) => false,
            };
            match answers.iter().filter(same).count() {
                0 if in_parts(&entries, &answers) => Ok("read the same, each thing by one"),
                0 => Err(format!("we alone read {entries:#}\nothers: {answers:#?}")),
                1 => Ok("read the same by one of the others"),
                _ => Ok("read the same by all"),
            }
        }
        Err(error) if answers.iter().all(|(_, read)| read.is_err()) => {
            drop(error);
            Ok("refused by all")
        }
        Err(error) => {
            let variant = variant(&error);
            let known = STRICT.iter().find(|(kind, ..)| *kind == variant);
            known
                .map(|(kind, ..)| *kind)
                .ok_or_else(|| format!("we alone refuse: {error}\nothers: {answers:#?}"))
        }
    }
}

/// The kind of an error.
fn variant(error: &TarError) -> String {
    let text = format!("{error:?}");
    let name = text.split([' ', '{', '(']).next();
    name.unwrap_or_default().to_owned()
}

/// Whether each thing that we read of each entry is what one of the others reads: Python knows owners
/// of headers without a magic, libarchive has -0.25 s after 1970 for 0.25 s.
fn in_parts(ours: &Value, answers: &[(&String, Result<Value, &str>)]) -> bool {
    let ours = ours.as_array().map_or(&[][..], Vec::as_slice);
    let read: Option<Vec<_>> = answers
        .iter()
        .map(|(_, read)| read.as_ref().ok()?.as_array())
        .collect();
    let Some(read) = read.filter(|read| read.iter().all(|read| read.len() == ours.len())) else {
        return false;
    };
    ours.iter().enumerate().all(|(at, entry)| {
        let mut things = entry.as_object().into_iter().flatten();
        things.all(|(key, value)| read.iter().any(|read| read[at][key] == *value))
    })
}

fn has_global_records(tar: &[u8]) -> bool {
    tar.chunks_exact(512).any(|block| block[156] == b'g')
}

/// Entries without what a record for all of them may say.
fn without_global(entries: &Value) -> Value {
    let entries = entries.as_array().into_iter().flatten().cloned();
    let entries = entries.map(|mut entry| {
        for key in ["owner", "names", "mtime"] {
            entry[key] = Value::Null;
        }
        entry
    });
    entries.collect()
}

/// Without the others, on every machine.
#[test]
fn every_seed_is_read_or_refused_as_it_is_written_down() {
    let expected: Vec<_> = SEEDS
        .iter()
        .map(|(name, refused)| (name.to_string(), refused.map(str::to_owned)))
        .collect();
    let found: Vec<_> = seeds("tar")
        .iter()
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            let tar = fs::read(path).expect("a seed");
            (name.into_owned(), ours(&tar).err().as_ref().map(variant))
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn differential_tar() {
    let Some(mut others) = Others::start() else {
        return;
    };
    let seeds: Vec<Vec<u8>> = seeds("tar")
        .iter()
        .map(|path| fs::read(path).expect("a seed"))
        .collect();
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let effort = Effort::new(1500);
    for case in effort.first.. {
        if effort.is_over(case) {
            break;
        }
        let mut numbers = Numbers::new(case);
        let at = usize::try_from(case).expect("not that many");
        let mut tar = seeds[at % seeds.len()].clone();
        // Each seed once as it is.
        let is_changed = at >= seeds.len();
        if is_changed {
            change(&mut tar, &mut numbers);
        }
        if tar.is_empty() {
            continue;
        }
        let answers = others.ask(b't', &tar);
        match compare(&tar, &answers) {
            Ok(way) if is_changed => *tally.entry(way).or_default() += 1,
            Ok(
                "refused by all" | "read the same by all" | "read the same by one of the others",
            ) => {}
            Ok(way) => panic!("{}: {way}: {answers:#?}", SEEDS[at].0),
            Err(why) => panic!("case {case}, kept in `{}`: {why}", keep(&tar)),
        }
    }
    println!("tars: {tally:#?}");
    for way in ["read the same by all", "refused by all"] {
        assert!(
            tally.contains_key(way),
            "the comparison is not one: {tally:#?}"
        );
    }
    assert_no_reason_too_often(&tally);
}

/// A reader that refuses ever more of what others read does so for known reasons, too.
fn assert_no_reason_too_often(tally: &BTreeMap<&str, usize>) {
    let all: usize = tally.values().sum();
    // Of few cases no share can be told.
    if all < 1000 {
        return;
    }
    for (kind, most, why) in STRICT {
        let count = tally.get(kind).copied().unwrap_or(0);
        assert!(
            count * 1000 <= most * all,
            "we alone refused {count} of {all} for `{kind}` ({why}), at most {most} in a thousand \
             are known: {tally:#?}"
        );
    }
}

fn change(tar: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        if numbers.below(3) == 0 && !tar.is_empty() {
            let at = numbers.below(tar.len());
            tar[at] = numbers.bytes(1)[0];
        } else {
            mutate_tar(tar, 64 << 10, numbers.next_u64());
        }
    }
    if numbers.below(12) == 0 {
        tar.truncate(numbers.below(tar.len() + 1));
    }
    if numbers.below(8) != 0 {
        repair_tar(tar);
    }
}

fn differential_codec(name: &str, kind: u8, codec: Codec, cases: u64) -> String {
    let Some(mut others) = Others::start() else {
        return format!("{name}: not compared");
    };
    let seeds: Vec<Vec<u8>> = seeds(name)
        .iter()
        .map(|path| fs::read(path).expect("a seed"))
        .collect();
    let (mut both, mut neither) = (0, 0);
    let effort = Effort::new(cases);
    for case in effort.first.. {
        if effort.is_over(case) {
            break;
        }
        let mut numbers = Numbers::new(case);
        let at = usize::try_from(case).expect("not that many");
        let mut bytes = seeds[at % seeds.len()].clone();
        if at >= seeds.len() {
            let index = numbers.below(bytes.len());
            match numbers.below(4) {
                0 => bytes.truncate(index),
                1 => bytes.extend(seeds[numbers.below(seeds.len())].clone()),
                _ => bytes[index] ^= 1 << numbers.below(8),
            }
        }
        let mut out = Vec::new();
        // As much as the helper reads.
        let read = decoder(codec, &*bytes).take(1 << 20).read_to_end(&mut out);
        let answers = others.ask(kind, &bytes);
        let answer = answers.values().next().expect("one reader");
        match (read, answer.get("refused")) {
            (Ok(_), None) => {
                both += 1;
                assert_eq!(
                    answer["digest"],
                    Digest::of(&out).encoded(),
                    "{}",
                    keep(&bytes)
                );
            }
            (Err(_), Some(_)) => neither += 1,
            (ours, theirs) => panic!("ours: {ours:?}, theirs: {theirs:?}: `{}`", keep(&bytes)),
        }
    }
    assert!(both > 0 && neither > 0, "the comparison is not one");
    format!("{name}: {both} read the same, {neither} refused by both")
}

#[test]
fn differential_gzip() {
    println!("{}", differential_codec("gzip", b'g', Codec::Gzip, 600));
}

#[test]
fn differential_zstd() {
    println!("{}", differential_codec("zstd", b'z', Codec::Zstd, 150));
}
