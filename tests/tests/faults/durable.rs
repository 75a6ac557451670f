//! What is on disk before it has its name, and before others name it: what is not there yet is lost
//! with the power, which no kill can show, but the calls that the system is asked for can.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use cooperage_testkit::peers;

use crate::support::{cooperage, noise};

/// A call of the program, with files as their paths, and the lines where it began and ended.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

/// The calls that sync and rename of the command run in `at`, in the order in which they began.
fn calls(at: &Path, args: &[&str]) -> Option<Vec<Call>> {
    let strace = peers::tool("strace")?;
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2";
    let output = Command::new(strace.path())
        .args(["-f", "-y", "-s", "4096", "-e", calls, "-o", "trace"])
        .arg(cooperage())
        .args(args)
        .current_dir(at)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let trace = fs::read_to_string(at.join("trace")).expect("a trace");
    let (mut calls, mut open) = (Vec::new(), BTreeMap::new());
    for (number, line) in trace.lines().enumerate() {
        let (process, text) = line.split_once(' ').expect("a line has a process");
        let text = text.trim_start();
        // A call during which another thread's began or ended is in two lines.
        if text.starts_with("<... ") {
            let at: usize = open.remove(process).expect("it began before");
            let call: &mut Call = &mut calls[at];
            call.ended = number;
            continue;
        }
        if text.ends_with("<unfinished ...>") {
            open.insert(process, calls.len());
        }
        calls.push(Call {
            text: text.to_owned(),
            began: number,
            ended: number,
        });
    }
    Some(calls)
}

/// The place of the one that is given a name, and the path that it had before.
fn renamed<'a>(calls: &'a [Call], to: &str) -> (&'a Call, &'a str) {
    let end = format!("{to}\"");
    let is_it = |call: &&Call| call.text.starts_with("rename") && call.text.contains(&end);
    // An index is replaced more than once.
    let call = calls.iter().rfind(is_it);
    let call = call.unwrap_or_else(|| panic!("`{to}` is not renamed in {calls:#?}"));
    let from = call.text.split('"').nth(1).expect("the path it had");
    (call, from)
}

/// The file was synced whole before it got the name `to`, and the directory after that; gives the
/// line in which that ended.
fn assert_durable(calls: &[Call], directory: &Path, to: &str) -> usize {
    let directory = fs::canonicalize(directory).expect("it is there");
    let (named, from) = renamed(calls, to);
    let name = Path::new(from).file_name().expect("a file");
    let file = format!("/{}>", name.to_str().expect("text"));
    let synced = |call: &&Call| call.text.starts_with("fsync(") && call.text.contains(&file);
    let synced = calls.iter().rfind(synced);
    let synced = synced.unwrap_or_else(|| panic!("`{from}` is not synced in {calls:#?}"));
    assert!(synced.ended < named.began, "{to}: {calls:#?}");
    let place = format!("<{}>", directory.display());
    let mut after = calls.iter().filter(|call| {
        call.began > named.ended && call.text.starts_with("fsync(") && call.text.contains(&place)
    });
    let last = after.next();
    last.unwrap_or_else(|| panic!("{place} is not synced after `{to}` in {calls:#?}"))
        .ended
}

const HEAD: &str = "{\"plan\":\"image\",\"version\":1,\"names\":[\"app:1\"]}\n";

#[test]
fn archives_are_on_disk_before_they_have_their_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("app.plan"), format!("{HEAD}{{\"layer\":{{}}}}\n")).expect("a file");
    let location = format!("docker-archive:{}", at.join("out.tar").display());
    let Some(calls) = calls(at, &["build", "app.plan", "-o", &location]) else {
        return;
    };
    assert_durable(&calls, at, "/out.tar");
}

/// Every blob of an image, a large one with parts that were synced while it was written among them;
/// and then the index that names it.
#[test]
fn blobs_of_a_build_are_on_disk_before_the_index_names_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("large"), noise(3, 33 << 20)).expect("there is room");
    let layers = "{\"layer\":{\"encoder\":\"none-1\"}}\n{\"path\":\"large\",\"file\":\"large\"}\n\
                  {\"layer\":{}}\n{\"path\":\"small\",\"text\":\"small\"}\n";
    fs::write(at.join("app.plan"), format!("{HEAD}{layers}")).expect("a file");
    let layout = at.join("layout");
    let location = format!("oci:{}", layout.display());
    let Some(calls) = calls(at, &["build", "app.plan", "-o", &location]) else {
        return;
    };
    let early = |call: &&Call| call.text.starts_with("fdatasync(");
    assert!(calls.iter().any(|call| early(&call)), "{calls:#?}");
    let blobs = layout.join("blobs/sha256");
    #[expect(clippy::disallowed_methods, reason = "each is looked at by itself")]
    let names = fs::read_dir(&blobs).expect("it was made");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let ends: Vec<usize> = names
        .map(|name| assert_durable(&calls, &blobs, &format!("/{}", name.display())))
        .collect();
    assert_eq!(ends.len(), 4, "two layers, a config and a manifest");
    let (index, _) = renamed(&calls, "/index.json");
    assert!(ends.iter().all(|end| *end < index.began), "{calls:#?}");
    assert_durable(&calls, &layout, "/index.json");
}
