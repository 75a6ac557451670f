//! Many processes at one cache, killed or not. A process is this very program of tests, told
//! what to do.

#![expect(clippy::print_stdout, reason = "how a process says what came of it")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cooperage_blob::{Error, Memory, Source, read};
use cooperage_cache::{BlobError, Cache, Cached};
use cooperage_testkit::again;
use cooperage_testkit::ragged::Numbers;

use crate::{ROOMY, all, assert_whole, cache, chain, give, numbered, partial, put};

/// The test that a process runs, which does what it was told instead.
const TEST: &str = "processes::sixteen_processes_share_each_blob";
const LENGTH: usize = 100_000;

/// This program, to do this work at a cache.
pub(crate) fn command(work: &str, cache: &Path) -> Command {
    piped(again::command(TEST, &[work, &text(cache)]))
}

/// The same under another program, whose arguments end with the path of this one.
pub(crate) fn command_under(
    program: &str,
    arguments: &[&str],
    work: &str,
    cache: &Path,
) -> Command {
    let words = [work, &text(cache)];
    piped(again::command_under(program, arguments, TEST, &words))
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn start(work: &str, cache: &Cache) -> Child {
    command(work, cache.directory()).spawn().unwrap()
}

/// What a process does.
fn work(words: &[String]) {
    let [work, path] = words else {
        panic!("{words:?}");
    };
    let path: &Path = path.as_ref();
    let (what, rest) = work.split_once(' ').unwrap_or((work, ""));
    match what {
        "share" => share(path, rest.parse().unwrap()),
        "hang" => hang(path, rest.parse().unwrap()),
        "get" => get(path, rest.parse().unwrap()),
        "flood" => flood(path, rest.parse().unwrap()),
        "one" => one(path, rest.parse().unwrap()),
        _ => panic!("{work}"),
    }
}

/// Says a line on standard output at once.
fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

fn listen() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
}

/// Notes a fetch where all processes do.
fn note(path: &Path, number: u64) {
    let mut options = OpenOptions::new();
    let file = path.parent().unwrap().join("fetches");
    let mut file = options.append(true).create(true).open(file).unwrap();
    file.write_all(format!("{number}\n").as_bytes()).unwrap();
}

/// Twenty blobs, in an order of its own, with three others at it.
fn share(path: &Path, seed: u64) {
    let cache = Cache::open(path, ROOMY).unwrap();
    let blobs: Vec<_> = (0..20).map(|number| numbered(number, 20_000)).collect();
    say("ready");
    listen();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, blobs) = (&cache, &blobs);
            scope.spawn(move || {
                let mut numbers = Numbers::new(seed * 4 + thread);
                for _ in 0..40 {
                    let number = numbers.below(20) as u64;
                    let (bytes, descriptor) = &blobs[number as usize];
                    let blob = cache.blob(descriptor, |writer| {
                        note(path, number);
                        for piece in bytes.chunks(1000) {
                            give(writer, piece)?;
                            std::thread::yield_now();
                        }
                        Ok(())
                    });
                    assert_eq!(all(blob.unwrap()).unwrap(), *bytes);
                }
            });
        }
    });
}

/// Sixteen processes of four threads, and each blob is fetched once: all others wait and share it.
#[test]
fn sixteen_processes_share_each_blob() {
    if let Some(words) = again::told() {
        return work(&words);
    }
    let (directory, cache) = cache(ROOMY);
    let mut processes: Vec<Child> = (0..16)
        .map(|i| start(&format!("share {i}"), &cache))
        .collect();
    for process in &mut processes {
        wait_for("ready", process);
    }
    // All at once.
    for process in &mut processes {
        process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let fetches = std::fs::read_to_string(directory.path().join("fetches")).unwrap();
    let mut numbers: Vec<u64> = fetches.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(cache.usage().unwrap().blobs, 20);
    assert!(partial(&cache).is_empty());
    assert_whole(&cache);
}

/// Reads what a process says up to a line with these words; the test runner says things too.
fn wait_for(words: &str, process: &mut Child) {
    let mut lines = BufReader::new(process.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "it did not say `{words}`"
        );
    }
}

/// Fetches half of a blob, and goes on when it is told to, which never happens.
fn hang(path: &Path, number: u64) {
    let cache = Cache::open(path, ROOMY).unwrap();
    let (bytes, descriptor) = numbered(number, LENGTH);
    let blob = cache.blob(&descriptor, |writer| {
        // More than any buffer on the way.
        give(writer, &bytes)?;
        writer.flush().unwrap();
        say("half of it");
        listen();
        Err(Error::unsupported("it was not killed"))
    });
    drop(blob);
}

fn get(path: &Path, number: u64) {
    let cache = Cache::open(path, ROOMY).unwrap();
    let (bytes, descriptor) = numbered(number, LENGTH);
    say("ready");
    let blob = cache.blob(&descriptor, |writer| {
        note(path, number);
        give(writer, &bytes)
    });
    assert_eq!(all(blob.unwrap()).unwrap(), bytes);
}

/// Whoever is killed in the middle of a fetch lets go, and one of those who wait fetches.
#[test]
fn a_killed_fetch_is_taken_over() {
    let (directory, cache) = cache(ROOMY);
    let mut fetching = start("hang 1", &cache);
    wait_for("half of it", &mut fetching);
    let usage = cache.usage().unwrap();
    assert_eq!((usage.blobs, usage.partial), (0, 1));
    assert_eq!(usage.partial_bytes, LENGTH as u64);
    // As long as it lives, what it fetches is not taken away.
    assert_eq!(cache.prune(0).unwrap().removed, 0);
    let mut waiting: Vec<Child> = (0..3).map(|_| start("get 1", &cache)).collect();
    for process in &mut waiting {
        wait_for("ready", process);
    }
    let fetches = directory.path().join("fetches");
    std::thread::sleep(Duration::from_millis(50));
    assert!(!fetches.exists(), "one did not wait");
    fetching.kill().unwrap();
    fetching.wait().unwrap();
    for mut process in waiting {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(std::fs::read_to_string(fetches).unwrap(), "1\n");
    assert!(partial(&cache).is_empty());
    assert_whole(&cache);
}

/// Fetches one blob after another, in a cache that holds few of them, until it is killed.
fn flood(path: &Path, seed: u64) {
    let cache = Cache::open(path, 5 * LENGTH as u64).unwrap();
    let mut numbers = Numbers::new(seed);
    say("at work");
    loop {
        let number = numbers.below(20) as u64;
        let (bytes, _) = numbered(number, LENGTH);
        assert_eq!(all(put(&cache, &bytes)).unwrap(), bytes);
    }
}

/// After each kill: every blob is whole, nothing is locked, and what was left goes.
#[test]
fn kill_9_forty_times() {
    let (_directory, cache) = cache(ROOMY);
    let mut numbers = Numbers::new(9);
    let mut in_a_fetch = 0;
    for round in 0..40 {
        let is_in_a_fetch = round % 4 == 0;
        let mut process = if is_in_a_fetch {
            let mut process = start("hang 1", &cache);
            wait_for("half of it", &mut process);
            process
        } else {
            let mut process = start(&format!("flood {round}"), &cache);
            wait_for("at work", &mut process);
            std::thread::sleep(Duration::from_micros(numbers.below(20_000) as u64));
            process
        };
        process.kill().unwrap();
        process.wait().unwrap();
        assert_whole(&cache);
        let left = !partial(&cache).is_empty();
        assert!(left || !is_in_a_fetch, "nothing was left of a fetch");
        in_a_fetch += usize::from(left);
        // The next one goes on where it likes.
        let (bytes, _) = numbered(numbers.below(20) as u64, LENGTH);
        assert_eq!(all(put(&cache, &bytes)).unwrap(), bytes);
        assert!(partial(&cache).len() <= 2, "{:?}", partial(&cache));
        cache.prune(0).unwrap();
        assert!(partial(&cache).is_empty(), "{:?}", partial(&cache));
    }
    println!("40 killed, {in_a_fetch} of them in a fetch");
    assert!(in_a_fetch >= 10);
}

/// One blob of so many bytes, through a cache and without, and what came of it.
fn one(path: &Path, length: usize) {
    let cache = Cache::open(path, ROOMY).unwrap();
    let (bytes, descriptor) = numbered(7, length);
    match cache.blob(&descriptor, |writer| give(writer, &bytes)) {
        Ok(blob) => say(&format!("kept {}", all(blob).unwrap().len())),
        Err(BlobError::Cache(error)) => say(&format!("refused: {}", chain(&error))),
        Err(error) => say(&format!("failed: {}", chain(&error))),
    }
    let memory = Memory::new();
    memory.insert_unverified(descriptor.digest.clone(), bytes.clone());
    let source = Cached::new(memory, cache);
    assert_eq!(read(&source, &descriptor).unwrap(), bytes);
    let faults: Vec<String> = source.take_faults().iter().map(chain).collect();
    say(&format!("read all the same, {} faults", faults.len()));
    let mut rest = Vec::new();
    source
        .fetch(&descriptor)
        .unwrap()
        .read_to_end(&mut rest)
        .unwrap();
    assert_eq!(rest, bytes);
}
