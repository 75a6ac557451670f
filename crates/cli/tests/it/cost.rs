//! What packing takes: memory, and reads. Time is `cargo xtask bench`'s.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cooperage_testkit::peers;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cooperage");

/// Starts a program and says the peak of its resident memory, in KiB. A small process, since one
/// that starts another counts as its least what the starting one has.
const LAUNCHER: &str = "
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// The code of a program that is not optimised is larger, and so is what of it is in memory: 10 MiB
/// more than of the program that users have, whatever it packs.
const CODE: u64 = if cfg!(debug_assertions) { 10 << 20 } else { 0 };

/// A directory `tree` to be filled, and plans beside it.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory can be made");
    fs::create_dir(directory.path().join("tree")).expect("a directory can be made");
    directory
}

/// The line for all of `tree`.
const TREE: &str = r#"{"tree":"tree","mode":"0644"}"#;

/// Writes the plan of layers with these lines, and gives the arguments that build it.
fn arguments(directory: &Path, encoder: &str, layers: &[&str]) -> Vec<String> {
    let mut plan = "{\"plan\":\"image\",\"version\":1}\n".to_owned();
    for lines in layers {
        let layer = format!("{{\"layer\":{{\"encoder\":\"{encoder}\"}}}}\n");
        plan.extend([&layer, *lines, "\n"]);
    }
    let file = directory.join(format!("{encoder}.plan"));
    fs::write(&file, plan).expect("the plan is written");
    let image = directory.join(encoder);
    let _ = fs::remove_dir_all(&image);
    [
        "--quiet".to_owned(),
        "--jobs=2".to_owned(),
        "build".to_owned(),
        file.display().to_string(),
        format!("--output=oci:{}", image.display()),
    ]
    .to_vec()
}

/// The peak of resident memory when two jobs build the image of these layers, in bytes.
fn peak(directory: &Path, encoder: &str, layers: &[&str]) -> Option<u64> {
    let python = peers::tool("python3")?;
    let mut all = ["-c".to_owned(), LAUNCHER.to_owned(), PROGRAM.to_owned()].to_vec();
    all.extend(arguments(directory, encoder, layers));
    let said = python.run(all).expect("the image is built");
    let kibibytes: u64 = said.trim().parse().expect("the launcher says a number");
    Some(kibibytes * 1024)
}

/// Bytes that no codec makes shorter, so that all that is held at once is as large as it can be.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let words = (0..len.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(len).collect()
}

#[test]
fn memory_does_not_grow_with_layers() {
    let directory = directory();
    let noise = noise(48 << 20);
    fs::write(directory.path().join("tree/noise"), &noise).expect("the file is written");
    for (encoder, most) in [("gzip-2", 32 << 20), ("zstd-1", 64 << 20)] {
        for layers in [&[TREE][..], &[TREE; 3]] {
            let Some(peak) = peak(directory.path(), encoder, layers) else {
                return;
            };
            let (count, most) = (layers.len(), most + CODE);
            assert!(
                peak <= most,
                "{encoder}, {count} layers: {peak} bytes, at most {most}"
            );
        }
    }
}

#[test]
fn an_entry_takes_at_most_200_bytes() {
    let directory = directory();
    let mut lines = Vec::new();
    let mut grow_to = |count: usize| {
        for number in lines.len()..count {
            let below = format!("usr/lib/package-{}/modules", number / 100);
            let path = format!("{below}/a-module-of-the-package-{number}.py");
            let tree = directory.path().join("tree");
            fs::create_dir_all(tree.join(below)).expect("a directory can be made");
            fs::write(tree.join(&path), "").expect("a file can be made");
            lines.push(format!(
                r#"{{"path":"{path}","file":"tree/{path}","mode":"0644"}}"#
            ));
        }
        [TREE, &lines.join("\n")].map(|lines| peak(directory.path(), "gzip-2", &[lines]))
    };
    let (few, many) = (4_000, 24_000);
    // The directories are entries too.
    let entries = (many - few) as u64 * 102 / 100;
    let (before, after) = (grow_to(few), grow_to(many));
    for (way, (before, after)) in ["a tree", "lines"].iter().zip(before.iter().zip(after)) {
        let (Some(before), Some(after)) = (*before, after) else {
            return;
        };
        let each = after.saturating_sub(before) / entries;
        assert!(
            each <= 200,
            "{way}: {each} bytes an entry: {before}, then {after}"
        );
        assert!(before <= 32 << 20, "{way}: {before}");
    }
}

#[test]
fn a_file_is_read_once_and_twice_if_it_has_to_be_compared() {
    let Some(strace) = peers::tool("strace") else {
        return;
    };
    let directory = directory();
    let tree = directory.path().join("tree");
    let noise = noise(3 << 20);
    let files: [(&str, &[u8], u64); 7] = [
        ("small", &noise[..1000], 1),
        ("large", &noise, 1),
        ("empty", b"", 1),
        // Of one length and with other samples: these alone are read twice.
        ("equal-1", &noise[..200_000], 1),
        ("equal-2", &noise[1..200_001], 1),
        // The same: read to be compared, and the first one again to be packed.
        ("same-1", &noise[..300_000], 2),
        ("same-2", &noise[..300_000], 1),
    ];
    for (name, bytes, _) in &files {
        fs::write(tree.join(name), bytes).expect("the file is written");
    }
    let trace = directory.path().join("trace");
    let words = ["-f", "-y", "-s", "0", "-e", "trace=read,pread64", "-o"];
    let mut command = strace.command(words);
    command.arg(&trace).arg(PROGRAM);
    command.args(arguments(directory.path(), "zstd-1", &[TREE]));
    let output = command.output().expect("strace starts");
    assert!(output.status.success(), "{output:?}");

    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let read = bytes_read(&trace, &tree);
    for (name, bytes, times) in files {
        let samples = 2 * 4096;
        let most = bytes.len() as u64 * times + samples;
        let read = read.get(name).copied().unwrap_or(0);
        assert!(
            (bytes.len() as u64..=most).contains(&read),
            "{name}: {read} of {} bytes were read, {times} times are allowed",
            bytes.len()
        );
    }
}

/// How many bytes were read of each file in `tree`, from lines such as
/// `12 pread64(5</tree/name>, ""..., 1000, 0) = 1000`. A call that was interrupted by another
/// thread's has its result in a line of its own, by process.
fn bytes_read(trace: &str, tree: &Path) -> BTreeMap<String, u64> {
    let mut read = BTreeMap::new();
    let mut unfinished: BTreeMap<&str, &str> = BTreeMap::new();
    let tree = tree.display().to_string();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').expect("a line has a process");
        let name = |call: &'_ str| {
            let place = call.split_once('<')?.1.split_once('>')?.0;
            Some(
                place
                    .strip_prefix(&tree)?
                    .trim_start_matches('/')
                    .to_owned(),
            )
        };
        let call = if call.ends_with("<unfinished ...>") {
            unfinished.insert(process, call);
            continue;
        } else if call.trim_start().starts_with("<...") {
            unfinished.remove(process).unwrap_or(call)
        } else {
            call
        };
        let count: Option<u64> = line
            .rsplit(" = ")
            .next()
            .and_then(|count| count.parse().ok());
        if let (Some(name), Some(count)) = (name(call), count) {
            *read.entry(name).or_insert(0_u64) += count;
        }
    }
    read
}

/// No tar that waits to be compressed, nor anything else: what a build writes lies where the image
/// will, from the first byte on.
#[test]
fn no_file_is_made_but_in_the_output() {
    let Some(strace) = peers::tool("strace") else {
        return;
    };
    let directory = directory();
    let at = directory.path();
    fs::write(at.join("tree/noise"), noise(9 << 20)).expect("the file is written");
    let out = at.join("out");
    for name in ["out", "tmp"] {
        fs::create_dir(at.join(name)).expect("a directory can be made");
    }
    for medium in ["oci", "oci-archive", "docker-archive"] {
        let mut arguments = arguments(at, "gzip-2", &[TREE]);
        arguments.pop();
        arguments.push(format!("--output={medium}:{}/{medium}", out.display()));
        let trace = at.join("trace");
        let calls = "trace=open,openat,openat2,creat,memfd_create,mkdir,mkdirat";
        let mut command = strace.command(["-f", "-y", "-e", calls, "-o"]);
        command.arg(&trace).arg(PROGRAM).args(arguments);
        let output = command.env("TMPDIR", at.join("tmp")).output();
        let output = output.expect("strace starts");
        assert!(output.status.success(), "{output:?}");

        let trace = fs::read_to_string(trace).expect("strace wrote it");
        let words = ["O_CREAT", "O_TMPFILE", "creat(", "mkdir", "memfd_create"];
        let makes = |line: &&str| words.iter().any(|word| line.contains(word));
        let made: Vec<_> = trace.lines().filter(makes).collect();
        let outside = |line: &&&str| !line.contains(&out.display().to_string());
        let outside: Vec<_> = made.iter().filter(outside).collect();
        assert!(outside.is_empty(), "{medium}: {outside:#?}");
        assert!(!made.is_empty(), "{medium}: {trace}");
    }
}
