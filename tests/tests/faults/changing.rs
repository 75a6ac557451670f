//! Files that change after they were planned and before they are packed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cooperage_blob::Progress;
use cooperage_plan::{BuildOptions, PlanFile, build};
use cooperage_transport::{DestinationOptions, Location};

use crate::support::{assert_whole, good, noise, snapshot};

/// Does something at the moment when a layer, all of it planned and compared, begins to be packed.
struct Meanwhile<F>(Mutex<Option<F>>, AtomicU64);

impl<F: FnOnce() + Send> Progress for Meanwhile<F> {
    fn start(&self, _name: &str, _bytes: Option<u64>) -> u64 {
        if let Some(act) = self.0.lock().expect("nobody panics").take() {
            act();
        }
        self.1.fetch_add(1, Ordering::Relaxed)
    }

    fn advance(&self, _id: u64, _bytes: u64) {}

    fn finish(&self, _id: u64) {}
}

const LENGTH: usize = 300_000;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a directory"));
        let old = "{\"plan\":\"image\",\"version\":1,\"names\":[\"old:1\"]}\n";
        fs::write(place.path("old.plan"), old).expect("a file");
        let outputs = ["-o", "oci:out/layout", "-o", "oci-archive:out/a.tar"];
        good(
            place.0.path(),
            &[&["build", "old.plan"], &outputs[..]].concat(),
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Builds an image of the files `a` and `twin`, which are the same, and `other`, while
    /// something happens; what was there before stays.
    #[track_caller]
    fn fails_when(&self, act: &(dyn Fn(&Path) + Sync), words: &[&str]) {
        for output in ["oci:out/layout", "oci-archive:out/a.tar"] {
            for (name, seed) in [("a", 1), ("twin", 1), ("other", 2)] {
                let path = self.path(name);
                if path.is_dir() {
                    fs::remove_dir(&path).expect("it is empty");
                } else if path.symlink_metadata().is_ok() {
                    fs::remove_file(&path).expect("it is ours");
                }
                fs::write(&path, noise(seed, LENGTH)).expect("a file");
            }
            let before = snapshot(&self.path("out"));
            let message = self.build(output, act).expect_err("it does not notice");
            for word in words {
                assert!(message.contains(word), "`{word}` is not in: {message}");
            }
            assert_eq!(snapshot(&self.path("out")), before, "{message}");
            assert_whole(&self.path("out/layout"), "old:1");
        }
    }

    fn build(&self, output: &str, act: &(dyn Fn(&Path) + Sync)) -> Result<(), String> {
        let plan = "{\"plan\":\"image\",\"version\":1,\"names\":[\"new:1\"]}\n{\"layer\":{\"name\":\"files\"}}\n\
                    {\"path\":\"a\",\"file\":\"a\"}\n{\"path\":\"other\",\"file\":\"other\"}\n\
                    {\"path\":\"twin\",\"file\":\"twin\"}\n";
        let Ok(PlanFile::Plan(plan)) = PlanFile::parse(plan.as_bytes()) else {
            panic!("it is a plan");
        };
        let (medium, path) = output.split_once(':').expect("a location");
        let location = format!("{medium}:{}", self.path(path).display());
        let location: Location = location.parse().expect("a location");
        let sink = location
            .create(&DestinationOptions::default())
            .expect("it opens");
        let meanwhile = Meanwhile(Mutex::new(Some(|| act(self.0.path()))), AtomicU64::new(0));
        let options = BuildOptions {
            root: self.0.path(),
            progress: &meanwhile,
            ..BuildOptions::default()
        };
        match build(&plan, &sink, &options) {
            Ok(_) => {
                sink.finish().expect("it ends");
                Ok(())
            }
            Err(error) => {
                let mut text = error.to_string();
                let mut next = std::error::Error::source(&error);
                while let Some(cause) = next {
                    text = format!("{text}: {cause}");
                    next = cause.source();
                }
                Err(text)
            }
        }
    }
}

#[test]
fn files_that_grow_or_shrink_or_vanish() {
    let place = Place::new();
    place
        .build("oci:out/fresh", &|_| {})
        .expect_err("there are no files yet");
    assert!(!place.path("out/fresh").exists());
    let append = |at: &Path| {
        use std::io::Write as _;
        let mut file = fs::File::options()
            .append(true)
            .open(at.join("other"))
            .expect("it is there");
        file.write_all(b"more").expect("there is room");
    };
    let entry = "other` for layer entry `other` is";
    let planned = "planned as 300000";
    place.fails_when(
        &append,
        &["layer `files`", entry, "is 300004 bytes long", planned],
    );
    let shrink = |at: &Path| {
        let file = fs::File::options().write(true).open(at.join("other"));
        file.and_then(|file| file.set_len(299_999))
            .expect("it is ours");
    };
    place.fails_when(
        &shrink,
        &["layer `files`", entry, "is 299999 bytes long", planned],
    );
    let empty = |at: &Path| fs::write(at.join("other"), "").expect("it is ours");
    place.fails_when(
        &empty,
        &["layer `files`", entry, "is 0 bytes long", planned],
    );
    let vanish = |at: &Path| fs::remove_file(at.join("other")).expect("it is ours");
    let reading = "other` for layer entry `other`";
    place.fails_when(
        &vanish,
        &["layer `files`", "cannot read `", reading, "No such file"],
    );
}

#[test]
fn files_that_become_something_else() {
    let place = Place::new();
    let replace = |make: &dyn Fn(&Path), at: &Path| {
        let path = at.join("other");
        fs::remove_file(&path).expect("it is ours");
        make(&path);
    };
    let reading = "other` for layer entry `other`";
    let directory = |at: &Path| replace(&|path| fs::create_dir(path).expect("it is free"), at);
    place.fails_when(&directory, &["layer `files`", reading]);
    // It would keep who opens it waiting for ever.
    let pipe = |at: &Path| {
        replace(
            &|path| {
                let made = Command::new("mkfifo").arg(path).status();
                assert!(made.expect("coreutils are there").success());
            },
            at,
        );
    };
    place.fails_when(&pipe, &["layer `files`", reading]);
    let device = |at: &Path| {
        replace(
            &|path| std::os::unix::fs::symlink("/dev/zero", path).expect("it is free"),
            at,
        );
    };
    place.fails_when(&device, &["layer `files`", reading]);
}

/// Two files were compared and found to be the same; whichever changes, at whatever place, without
/// changing its length or its time, the image would say what is not so.
#[test]
fn files_that_change_after_they_were_compared() {
    let place = Place::new();
    for name in ["a", "twin"] {
        let change = |at: &Path| {
            use std::os::unix::fs::FileExt as _;
            let file = fs::File::options()
                .write(true)
                .open(at.join(name))
                .expect("it is ours");
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            file.write_all_at(b"!", LENGTH as u64 / 2)
                .expect("there is room");
            file.set_modified(modified.expect("it has a time"))
                .expect("it is ours");
        };
        let entry = format!("{name}` for layer entry `{name}` was touched after it was compared");
        place.fails_when(
            &change,
            &["layer `files`", &entry, "was it written to meanwhile?"],
        );
        let vanish = |at: &Path| fs::remove_file(at.join(name)).expect("it is ours");
        let entry = format!("{name}` for layer entry `{name}`");
        place.fails_when(
            &vanish,
            &["layer `files`", "cannot read `", &entry, "No such file"],
        );
    }
}
