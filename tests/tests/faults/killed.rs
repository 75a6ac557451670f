//! Programs that are killed while they write files that are no layout; those that write layouts
//! are killed in the tests of `crates/layout`. That what is written lasts when the power fails, no
//! kill shows: that is in `durable.rs`.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cooperage_testkit::ragged::Numbers;

use crate::support::{assert_whole, command, good, noise, snapshot};

/// A tenth of the time at which it would be ready, and so on to all of it: whenever it is killed,
/// what was there is there, and the next run leaves nothing but what it makes.
#[test]
fn kill_9_while_archives_and_layers_are_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("app"), noise(5, 3 << 20)).expect("a file");
    let entry = "{\"path\":\"app\",\"file\":\"app\",\"mode\":\"0755\"}\n";
    let image = "{\"plan\":\"image\",\"version\":1,\"names\":[\"app:1\"]}\n{\"layer\":{}}\n";
    fs::write(at.join("app.plan"), format!("{image}{entry}")).expect("a file");
    let layer = "{\"plan\":\"layer\",\"version\":1}\n";
    fs::write(at.join("app.layer"), format!("{layer}{entry}")).expect("a file");
    let commands: [&[&str]; 4] = [
        &["build", "app.plan", "-o", "oci:layout"],
        &["build", "app.plan", "-o", "docker-archive:a.tar"],
        &["copy", "oci:layout", "oci-archive:o.tar"],
        &[
            "layer",
            "app.layer",
            "--blob",
            "blob",
            "--metadata",
            "metadata",
        ],
    ];
    let times = commands.map(|args| {
        let began = Instant::now();
        good(at, args);
        began.elapsed()
    });
    let expected = snapshot(at);
    let (mut numbers, mut left, mut kills) = (Numbers::new(11), 0, 0);
    for round in 0..6 {
        for (args, time) in commands.iter().zip(times) {
            // Another image each time, so that all is written anew.
            fs::write(at.join("app"), noise(100 + round, 3 << 20)).expect("a file");
            let mut child = command(at, args)
                .stdout(Stdio::null())
                .spawn()
                .expect("it starts");
            let most = u64::try_from(time.as_micros()).expect("not that long");
            std::thread::sleep(Duration::from_micros(numbers.next_u64() % most));
            child.kill().expect("it is ours");
            kills += u32::from(!child.wait().expect("it ends").success());
            assert_whole_but_for_strays(at);
            left += snapshot(at)
                .keys()
                .filter(|name| {
                    name.rsplit('/')
                        .next()
                        .is_some_and(|name| name.starts_with('.'))
                })
                .count();
        }
        fs::write(at.join("app"), noise(5, 3 << 20)).expect("a file");
        for args in commands {
            good(at, args);
        }
        good(at, &["layout", "gc", "layout"]);
        assert_whole(&at.join("layout"), "app:1");
        assert_eq!(
            snapshot(at).keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>()
        );
        assert!(snapshot(at) == expected, "it is another image");
    }
    println!("{kills} were killed at work, {left} files were left behind for a while");
    assert!(kills >= 10 && left > 0, "{kills} kills, {left} files");
}

/// Archives and files are as they were or new; the layout has no fault, whatever was left in it.
#[track_caller]
fn assert_whole_but_for_strays(at: &std::path::Path) {
    good(at, &["verify", "--quiet", "docker-archive:a.tar"]);
    good(at, &["verify", "--quiet", "oci-archive:o.tar"]);
    good(at, &["layout", "fsck", "--quiet", "layout"]);
    good(at, &["verify", "--quiet", "oci:layout:app:1"]);
}
