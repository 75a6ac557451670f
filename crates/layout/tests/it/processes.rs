//! Many processes at one layout, killed or not. A process is this very program of tests, told
//! what to do.

#![expect(clippy::print_stdout, reason = "how a process says what came of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cooperage_blob::{Root, Sink, Source};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, annotations};
use cooperage_layout::{GcOptions, Layout, Patience};
use cooperage_testkit::again;
use cooperage_testkit::ragged::Numbers;

use crate::{amd64, errors, faults, layout, temporary};

/// The test that a process runs, which does what it was told instead.
const TEST: &str = "processes::sixteen_writers_and_a_collector";

/// This program, to do this work at a layout.
pub(crate) fn command(work: &str, layout: &Path) -> Command {
    piped(again::command(TEST, &[work, &text(layout)]))
}

/// The same under another program, whose arguments end with the path of this one.
pub(crate) fn command_under(
    program: &str,
    arguments: &[&str],
    work: &str,
    layout: &Path,
) -> Command {
    let words = [work, &text(layout)];
    piped(again::command_under(program, arguments, TEST, &words))
}

fn piped(mut command: Command) -> Command {
    command.stdout(Stdio::piped());
    command
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn start(work: &str, layout: &Path) -> Child {
    command(work, layout).spawn().unwrap()
}

/// What a process does.
fn work(words: &[String]) {
    let [work, path] = words else {
        panic!("{words:?}");
    };
    let path: &Path = path.as_ref();
    let (what, rest) = work.split_once(' ').unwrap_or((work, ""));
    match what {
        "publish" => publish(path, rest),
        "collect" => collect(path, rest.parse().unwrap()),
        "flood" => flood(path, rest.parse().unwrap()),
        "create" => drop(Layout::create(path).unwrap()),
        "one" => one(path, rest.parse().unwrap()),
        "image" => image(path),
        _ => panic!("{work}"),
    }
}

/// Each through a handle of its own, so that collections come in between: eight images under names
/// of their own, eight entries without a name, and eight images one after another under a name that
/// all processes share.
fn publish(path: &Path, name: &str) {
    for i in 0..8 {
        // Between two handles nothing is held: so a collection has its turn now and then.
        let open = || {
            std::thread::sleep(Duration::from_millis(40));
            Layout::create(path).unwrap()
        };
        let label = format!("{name}-{i}");
        let layout = open();
        let image = amd64(&layout, &label);
        layout.publish(&Root::named(&label, image)).unwrap();
        drop(layout);
        let layout = open();
        layout
            .append(crate::text(&layout, &format!("appended {label}")))
            .unwrap();
        drop(layout);
        let layout = open();
        let image = amd64(&layout, &format!("shared {label}"));
        layout.publish(&Root::named("shared", image)).unwrap();
    }
}

/// How many bytes a blob has at most that [`flood`] writes.
const FLOOD: usize = 512 << 10;

/// Writes until it is killed; says when it begins, and each name that it has given.
fn flood(path: &Path, seed: u64) {
    let layout = Layout::create(path).unwrap();
    say("at work");
    let mut numbers = Numbers::new(seed);
    for i in 0.. {
        let mut writer = layout.create(Algorithm::Sha256).unwrap();
        for _ in 0..numbers.below(FLOOD >> 14) {
            writer.write_all(&numbers.bytes(16 << 10)).unwrap();
        }
        writer.finish(None).unwrap();
        let image = amd64(&layout, &format!("{seed}-{i}"));
        let root = Root::named(format!("{seed}-{}", i % 4), image);
        layout.publish(&root).unwrap();
        say(&format!(
            "named {} {}",
            root.name.unwrap(),
            root.descriptor.digest
        ));
    }
}

/// Makes garbage and collects it until it is killed; says when it begins to collect, and when it
/// is done.
fn collect(path: &Path, seed: u64) {
    let options = GcOptions {
        patience: Patience::Wait,
        ..GcOptions::default()
    };
    for round in 0.. {
        let layout = Layout::create(path).unwrap();
        for i in 0..100 {
            crate::text(&layout, &format!("garbage {seed} {round} {i}"));
        }
        say("at work");
        layout.gc(&options).unwrap();
        say("done");
    }
}

/// Says a line on standard output at once.
fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

/// One blob of so many bytes, and what came of it.
fn one(path: &Path, length: usize) {
    let layout = Layout::open(path).unwrap();
    let mut writer = layout.create(Algorithm::Sha256).unwrap();
    let written = writer
        .write_all(&vec![7; length])
        .map_err(|error| error.to_string())
        .and_then(|()| writer.finish(None).map_err(|error| crate::chain(&error)));
    match written {
        Ok(written) => {
            let blob = cooperage_image_spec::Descriptor::new(
                cooperage_image_spec::MediaType::new("x"),
                written.digest,
                written.size,
            );
            match layout.publish(&Root::named("one", blob)) {
                Ok(()) => println!("published"),
                Err(error) => println!("refused: {}", crate::chain(&error)),
            }
        }
        Err(error) => println!("refused: {error}"),
    }
}

/// Three blobs, and then a name.
fn image(path: &Path) {
    let layout = Layout::open(path).unwrap();
    layout
        .publish(&Root::named("image", amd64(&layout, "image")))
        .unwrap();
}

/// None lost, none corrupt: what was appended and what was named, whoever replaced what meanwhile.
#[test]
fn sixteen_writers_and_a_collector() {
    const WRITERS: usize = 16;
    if let Some(words) = again::told() {
        return work(&words);
    }
    let directory = in_memory();
    let path = directory.path().join("layout");
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|i| start(&format!("publish {i}"), &path))
        .collect();
    let (mut collections, mut removed, mut busy) = (0, 0, true);
    while busy {
        busy = false;
        for writer in &mut writers {
            busy |= writer.try_wait().unwrap().is_none();
        }
        if let Ok(layout) = Layout::open(&path) {
            let options = GcOptions {
                patience: Patience::Wait,
                ..GcOptions::default()
            };
            removed += layout.gc(&options).unwrap().removed.len();
            collections += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(
        writers
            .iter_mut()
            .all(|writer| writer.wait().unwrap().success())
    );
    let layout = Layout::open(&path).unwrap();
    let roots = layout.roots().unwrap();
    let names: BTreeSet<_> = roots.iter().filter_map(|root| root.name.clone()).collect();
    let expected: BTreeSet<_> = (0..WRITERS)
        .flat_map(|writer| (0..8).map(move |i| format!("{writer}-{i}")))
        .chain(["shared".into()])
        .collect();
    assert_eq!(names, expected);
    let appended: BTreeSet<_> = (0..WRITERS)
        .flat_map(|writer| (0..8).map(move |i| format!("appended {writer}-{i}")))
        .map(|text| Digest::of(text.as_bytes()))
        .collect();
    let unnamed = roots.iter().filter(|root| root.name.is_none());
    let found: BTreeSet<_> = unnamed.map(|root| root.descriptor.digest.clone()).collect();
    assert_eq!(found, appended);
    assert_eq!(roots.len(), 2 * WRITERS * 8 + 1);
    assert!(faults(&path).is_empty(), "{:?}", faults(&path));
    let last = layout.gc(&GcOptions::default()).unwrap();
    // Two documents for each image, what was appended, and the layer of all.
    assert_eq!(last.kept, WRITERS * 8 * 3 + 2 + 1);
    removed += last.removed.len();
    println!("{collections} collections removed {removed} blobs of images that were replaced");
    // Of those that were replaced each has a manifest and a config.
    assert_eq!(removed, 2 * (WRITERS * 8 - 1));
    assert!(collections > 1);
}

/// A process that is being started has all files of its parent open until it executes its program.
#[test]
fn a_lock_ends_with_its_holder_and_not_with_a_process_just_being_started() {
    let (_directory, layout) = layout();
    let (path, done) = (layout.path().to_path_buf(), AtomicBool::new(false));
    drop(layout);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                Command::new(again::this_program())
                    .arg("--list")
                    .stdout(Stdio::null())
                    .status()
                    .unwrap();
            }
        });
        let refused = (0..300).find_map(|i| {
            let writer = Layout::open(&path).unwrap();
            crate::text(&writer, &i.to_string());
            drop(writer);
            Layout::open(&path).unwrap().gc(&GcOptions::default()).err()
        });
        done.store(true, Ordering::Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
}

/// A directory in memory, where there is one: nothing is to be learnt here of how long a disk takes
/// to sync, and most of the time would go into that.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// What `kill -9` interrupts, and what was seen of it.
struct Kills {
    /// How many were killed.
    killed: usize,
    /// How many of them left a file that was not whole.
    at_a_blob: usize,
    /// How many of them had begun to collect and were not done.
    at_a_collection: usize,
    /// How many of them were killed with part of the garbage removed.
    in_a_collection: usize,
}

/// A hundred writers and a hundred collectors, each killed at a moment of its own within the time
/// that a few rounds of its work take. After each: no fault, every name of every round has the image
/// that it was given last, the locks are free; and after the next run no temporary file.
#[test]
fn kill_9_two_hundred_times() {
    let directory = in_memory();
    let path = directory.path().join("layout");
    drop(Layout::create(&path).unwrap());
    let mut numbers = Numbers::new(9);
    let mut kills = Kills {
        killed: 0,
        at_a_blob: 0,
        at_a_collection: 0,
        in_a_collection: 0,
    };
    let mut known = BTreeMap::new();
    for round in 0..200 {
        let (work, most) = [("flood", 20_000), ("collect", 2_000)][round % 2];
        let delay = Duration::from_micros(numbers.below(most) as u64);
        let said = kill(&format!("{work} {round}"), &path, delay);
        kills.killed += 1;
        assert!(errors(&path).is_empty(), "{:?}", errors(&path));
        let left = temporary(&path).len();
        kills.at_a_blob += usize::from(left > 0);
        let layout = Layout::open(&path).unwrap();
        assert_named_are_there(&layout, &mut known, &said);
        if work == "collect" {
            let begun = said.iter().filter(|line| *line == "at work").count();
            let done = said.iter().filter(|line| *line == "done").count();
            kills.at_a_collection += usize::from(begun > done);
            let garbage = garbage(&path);
            kills.in_a_collection +=
                usize::from(begun > done && (1..100).contains(&(garbage % 100)));
        }
        // The next run. Its locks are free, and it clears up.
        let survivor = amd64(&layout, &round.to_string());
        known.insert("survivor".to_owned(), survivor.digest.clone());
        layout.publish(&Root::named("survivor", survivor)).unwrap();
        assert!(temporary(&path).is_empty(), "{:?}", temporary(&path));
        if round % 10 == 9 {
            drop(layout);
            let layout = Layout::open(&path).unwrap();
            layout.gc(&GcOptions::default()).unwrap();
            assert!(faults(&path).is_empty(), "{:?}", faults(&path));
            // Or the layout grows with every round.
            let is_old = |root: &Descriptor| {
                let name = root.annotations.get(annotations::REF_NAME);
                name.is_some_and(|name| name != "survivor")
            };
            layout.remove(&is_old).unwrap();
            layout.gc(&GcOptions::default()).unwrap();
            known.retain(|name, _| name == "survivor");
        }
    }
    println!(
        "{} killed: {} at a blob, {} at a collection, {} with part of the garbage removed",
        kills.killed, kills.at_a_blob, kills.at_a_collection, kills.in_a_collection
    );
    assert_eq!(kills.killed, 200);
    assert!(kills.at_a_blob >= 30, "too few were killed at a blob");
    assert!(kills.at_a_collection >= 30, "too few were killed at gc");
    assert!(kills.in_a_collection > 0, "none was killed in the midst");
}

/// Starts a process, kills it so long after it said to be at work, and gives all that it had said.
fn kill(work: &str, layout: &Path, delay: Duration) -> Vec<String> {
    let mut process = start(work, layout);
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        // The first words are the test runner's.
        if let Some(at) = line.find("at work") {
            said.push(line[at..].to_owned());
            break;
        }
    }
    assert!(!said.is_empty(), "`{work}` did not begin");
    std::thread::sleep(delay);
    process.kill().unwrap();
    process.wait().unwrap();
    // Of a line that was cut short, nothing is known.
    said.extend(lines.map_while(Result::ok));
    said
}

/// Every name that is `known` from earlier rounds has its image still, since nobody gave it another.
/// Of the names that the process killed just now gave, each has the image that it was last said to
/// have, but for one that it had no time to speak of. What is found is known from here on; that all
/// of it is whole, fsck has seen.
fn assert_named_are_there(layout: &Layout, known: &mut BTreeMap<String, Digest>, said: &[String]) {
    let roots = layout.roots().unwrap();
    let found: BTreeMap<_, _> = roots
        .into_iter()
        .filter_map(|root| Some((root.name?, root.descriptor.digest)))
        .collect();
    for (name, digest) in &*known {
        assert_eq!(found.get(name), Some(digest), "{name}");
    }
    let last: BTreeMap<_, _> = said
        .iter()
        .filter_map(|line| line.strip_prefix("named ")?.split_once(' '))
        .filter_map(|(name, digest)| Some((name, digest.parse::<Digest>().ok()?)))
        .collect();
    let is_another = |(name, digest): &(&&str, &Digest)| found.get(**name) != Some(digest);
    let others: Vec<_> = last.iter().filter(is_another).collect();
    assert!(others.len() <= 1, "{others:?}: {found:?}");
    for (name, digest) in others {
        assert!(found.contains_key(*name), "{name}: {found:?}");
        assert!(layout.blob_path(digest).exists(), "{name}: {digest}");
    }
    *known = found;
}

/// How many blobs there are that [`collect`] made.
#[expect(clippy::disallowed_methods, reason = "counted, not ordered")]
fn garbage(layout: &Path) -> usize {
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let is_garbage = |path: &Path| {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).unwrap();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, 7), &mut start).unwrap();
        start == b"garbage"
    };
    blobs
        .map(|blob| blob.unwrap().path())
        .filter(|path| is_garbage(path))
        .count()
}
