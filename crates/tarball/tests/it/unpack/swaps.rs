//! Someone else changes what is being unpacked, as fast as they can.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Puts a link to `outside` in the place of the directory `d` of whatever is being unpacked in
/// `place`, and takes it away again.
fn swap(place: &Path, outside: &Path, stop: &AtomicBool) {
    let mut attempt = 0;
    while !stop.load(Ordering::Relaxed) {
        let stage = place.join(format!(".cooperage-{}-{}.tmp", std::process::id(), attempt));
        let (directory, aside) = (stage.join("d"), stage.join("aside"));
        if fs::rename(&directory, &aside).is_ok() {
            drop(symlink(outside, &directory));
            std::thread::yield_now();
            drop(fs::remove_file(&directory));
            drop(fs::rename(&aside, &directory));
        }
        // What could not be removed after an attack lies there still, with the next one beside.
        attempt = (attempt + 1) % 3;
    }
}

#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(outside.path().join("40/deep")).unwrap();
    fs::write(outside.path().join("40/deep/canary"), "lives").unwrap();
    let before = scanned(outside.path());
    let made = tempfile::tempdir().unwrap();
    let mut plan = Tree::new();
    for number in 0..50 {
        // A directory of its own each, so that `d` is passed every time.
        let name = format!("d/{number}/deep/file");
        plan.insert(path(&name), file("x")).unwrap();
        let link = format!("d/{number}/deep/link");
        plan.insert(path(&link), Entry::hard_link(path(&name)))
            .unwrap();
    }
    let plan = mine(plan);
    let stop = AtomicBool::new(false);
    let mut refused = 0;
    let mut results: Vec<String> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| swap(made.path(), outside.path(), &stop));
        for number in 0..60 {
            let out: PathBuf = made.path().join(format!("out-{number}"));
            if let Err(error) = plainly(&plan, &out) {
                results.push(said(&error));
                refused += 1;
            } else {
                fs::remove_dir_all(&out).unwrap();
            }
            if refused >= 6 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let is_same = tar_of(&scanned(outside.path())) == tar_of(&before);
    assert!(is_same, "something outside was changed: {results:#?}");
    assert!(refused > 0, "it was never swapped at the right moment");
}
