//! Many processes at one layout, killed or not. A process is this very test binary, told by the
//! environment what to do.

#![expect(clippy::print_stdout, reason = "how a process says what came of it")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cooperage_blob::{Root, Sink, Source};
use cooperage_digest::Algorithm;
use cooperage_layout::{GcOptions, Layout, Patience};
use cooperage_testkit::ragged::Numbers;

use crate::{amd64, errors, faults, layout, temporary};

const WORK: &str = "LAYOUT_TEST_WORK";
const LAYOUT: &str = "LAYOUT_TEST_LAYOUT";

/// This binary, to be run as [`worker`] with `work` to do.
pub(crate) fn command(program: &str, arguments: &[&str], work: &str, layout: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args([
            "--exact",
            "processes::worker",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(WORK, work)
        .env(LAYOUT, layout)
        .stdout(Stdio::piped());
    command
}

pub(crate) fn this_binary() -> String {
    std::env::current_exe()
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap()
}

fn start(work: &str, layout: &Path) -> Child {
    command(&this_binary(), &[], work, layout).spawn().unwrap()
}

/// What a process does.
#[test]
#[ignore = "started by other tests, as a process of its own"]
#[expect(
    clippy::disallowed_methods,
    reason = "how a process is told what to do"
)]
fn worker() {
    let (Ok(work), Some(path)) = (std::env::var(WORK), std::env::var_os(LAYOUT)) else {
        return;
    };
    let (what, rest) = work.split_once(' ').unwrap_or((&work, ""));
    match what {
        "publish" => publish(path.as_ref(), rest),
        "flood" => flood(path.as_ref(), rest.parse().unwrap()),
        "one" => one(path.as_ref(), rest.parse().unwrap()),
        _ => panic!("{work}"),
    }
}

/// Eight images, each through a handle of its own, so that collections come in between.
fn publish(path: &Path, name: &str) {
    for i in 0..8 {
        let layout = Layout::create(path).unwrap();
        let name = format!("{name}-{i}");
        let image = amd64(&layout, &name);
        layout.publish(&Root::named(name, image)).unwrap();
    }
}

/// Writes until it is killed; says when it begins.
fn flood(path: &Path, seed: u64) {
    let layout = Layout::create(path).unwrap();
    println!("at work");
    let mut numbers = Numbers::new(seed);
    for i in 0.. {
        let mut writer = layout.create(Algorithm::Sha256).unwrap();
        for _ in 0..numbers.below(64) {
            writer.write_all(&numbers.bytes(16 << 10)).unwrap();
        }
        writer.finish(None).unwrap();
        let image = amd64(&layout, &format!("{seed}-{i}"));
        layout
            .publish(&Root::named(format!("{seed}-{}", i % 4), image))
            .unwrap();
    }
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

#[test]
fn sixteen_writers_lose_nothing_while_others_collect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let mut writers: Vec<_> = (0..16)
        .map(|i| start(&format!("publish {i}"), &path))
        .collect();
    let (mut collections, mut busy) = (0, true);
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
            layout.gc(&options).unwrap();
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
    let names: BTreeSet<_> = layout
        .roots()
        .unwrap()
        .into_iter()
        .map(|root| root.name.unwrap())
        .collect();
    assert_eq!(layout.roots().unwrap().len(), 16 * 8);
    assert_eq!(names.len(), 16 * 8);
    assert!(faults(&path).is_empty(), "{:?}", faults(&path));
    assert!(collections > 1);
    // Two documents each, and the layer of all.
    assert_eq!(
        layout.gc(&GcOptions::default()).unwrap().kept,
        16 * 8 * 2 + 1
    );
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
                Command::new(this_binary())
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

#[test]
fn killed_writers_leave_nothing_half_done() {
    let (_directory, layout) = layout();
    let path = layout.path();
    let (mut numbers, mut left) = (Numbers::new(9), 0);
    for round in 0..20 {
        let mut writer = start(&format!("flood {round}"), path);
        let output = BufReader::new(writer.stdout.take().unwrap());
        assert!(output.lines().any(|line| line.unwrap().contains("at work")));
        std::thread::sleep(Duration::from_micros(500 + numbers.below(40_000) as u64));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(errors(path).is_empty(), "{:?}", errors(path));
        left += temporary(path).len();
        // Its locks went with it.
        layout
            .publish(&Root::named("survivor", amd64(&layout, &round.to_string())))
            .unwrap();
        if round % 4 == 3 {
            layout.gc(&GcOptions::default()).unwrap();
            assert!(faults(path).is_empty(), "{:?}", faults(path));
        }
    }
    assert!(left > 0, "no writer was killed in the middle of a blob");
    assert!(temporary(path).is_empty());
}
