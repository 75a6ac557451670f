//! One image, whoever builds it, wherever and however: `cargo xtask image`, the binary included.
//!
//! One test for each line of that promise, `docs/determinism.md`. Most of them build a small
//! program of their own that does all it can to let its surroundings into the image: generated
//! code, panics in a dependency, C with `__FILE__` and `__DATE__`, debug information. It is built
//! anew in each place; a control shows that without our renaming it is another program there.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use cooperage_testkit::peers;
use serde_json::Value;

use crate::place::{Order, Place};
use crate::support::{Made, make, workspace, xtask};

/// What all must agree with: built plainly, once, by the debug build of the front.
fn reference() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| Place::new("reference").image(&[]))
}

/// Compares layer by layer first: which one differs says most.
#[track_caller]
fn assert_same(made: &Made, reference: &Made) {
    assert_eq!(made.layers(), reference.layers(), "{}", made.said);
    assert_eq!(made.images(), reference.images(), "{}", made.said);
    assert_eq!(made.digest(), reference.digest());
}

/// `git clone … && cargo xtask image`, literally, and another clone with another target directory
/// and another `CARGO_HOME`.
///
/// The first builds everything, as whoever comes to this repository does; without optimisation and
/// debug information, which leaves two minutes of one processor. The second runs the front that
/// the first built: where the front itself was built is not the point. Clones have the last
/// commit, not what has been changed since; what cargo has downloaded is shared.
#[test]
fn two_clones_with_other_target_directories_and_cargo_homes() {
    let Some(git) = peers::tool("git") else {
        return;
    };
    let one = Place::empty("one");
    let two = Place::empty("two");
    let clone = |place: &Place, at: &str, program: &Path| {
        let clone = place.dir().join(at);
        let words = [Path::new("clone"), "--quiet".as_ref(), workspace(), &clone];
        git.run(words).expect("this workspace can be cloned");
        let mut command = place.command(program);
        command.current_dir(&clone);
        command
    };
    let image = |place: &Place, mut command: Command| {
        command.arg("image");
        let made = make::<&str>(command, &place.dir().join("metadata.json"), &[]);
        let layout = place.target().join("image/index.json");
        assert!(layout.is_file(), "it lies below the target directory");
        made
    };
    let mut cargo = clone(&one, "cooperage", Path::new(env!("CARGO")));
    cargo
        .args(["--config", r#"profile.dev.package."*".opt-level=0"#])
        .args(["--config", "profile.dev.debug=false"])
        .args(["--config", "profile.dev.incremental=false"])
        .arg("xtask");
    let first = image(&one, cargo);
    let front = one.target().join("debug/xtask");
    let second = image(
        &two,
        clone(&two, "a/deeper place/with another name", &front),
    );
    assert_same(&second, &first);
}

/// The program that names its surroundings: other paths for all of it.
#[test]
fn other_paths_target_directory_and_cargo_home() {
    let place = Place::new("elsewhere/in-a-path/that-is-longer");
    assert_same(&place.image(&[]), reference());
    let kept = place.image(&["--remap-paths=false"]);
    assert_ne!(
        kept.layers().last(),
        reference().layers().last(),
        "the program no longer shows where it was built: it tests nothing"
    );
}

/// As `nobody`, who writes to the place's own directories alone. The one thing more that this user
/// may do here is to read everything: the toolchain may lie in somebody's home.
#[test]
#[cfg(unix)]
fn another_user() {
    const NOBODY: u32 = 65534;
    let Some(setpriv) = peers::tool_of_root("setpriv") else {
        return;
    };
    let place = Place::new("user");
    place.give_to(NOBODY);
    let id = NOBODY.to_string();
    let read = "+dac_read_search";
    let mut words: Vec<&str> = vec!["--reuid", &id, "--regid", &id, "--clear-groups"];
    words.extend(["--inh-caps", read, "--ambient-caps", read]);
    // Else `access`, by which a C compiler looks for its linker, knows of no capability.
    words.extend(["--securebits", "+no_setuid_fixup"]);
    let xtask = xtask().to_str().expect("UTF-8");
    words.push(xtask);
    let mut command = place.command(setpriv.path());
    command.args(words).arg("image");
    let made = place.make(command, &[]);
    assert_same(&made, reference());
    let owner = std::os::unix::fs::MetadataExt::uid(
        &place.target().metadata().expect("it was built there"),
    );
    assert_eq!(owner, NOBODY, "it was not that user who built it");
}

/// Files as a checkout under another umask leaves them, and the umask itself.
#[test]
#[cfg(unix)]
fn another_umask() {
    for (umask, strip) in [("077", 0o077), ("000", 0)] {
        let place = Place::new(umask);
        place.chmod(|is_executable| (if is_executable { 0o777 } else { 0o666 }) & !strip);
        let mut command = place.command(Path::new("/bin/sh"));
        command
            .args(["-c", r#"umask "$1"; shift; exec "$@""#, "sh", umask])
            .arg(xtask())
            .arg("image");
        assert_same(&place.make(command, &[]), reference());
    }
}

/// A locale that is not installed has no effect by itself; the variables are there all the same.
#[test]
fn another_time_zone_and_language() {
    let place = Place::new("zone");
    let mut command = place.front();
    command
        .env("TZ", "Asia/Kathmandu")
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("LANGUAGE", "tr");
    assert_same(&place.make(command, &[]), reference());
}

#[test]
fn other_file_times() {
    let place = Place::new("times");
    place.touch();
    assert_same(&place.image(&[]), reference());
}

/// Written the other way round, and on a file system that lists names in the order of writing.
#[test]
fn another_directory_order() {
    let place = Place::with_order("order", Order::Backward);
    assert_same(&place.image(&[]), reference());
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        for order in [Order::Forward, Order::Backward] {
            let place = Place::within(memory, "order", order);
            assert_same(&place.image(&[]), reference());
        }
    }
}

#[test]
fn one_thread_or_many() {
    let place = Place::new("threads");
    for (jobs, threads) in [("1", "1"), ("4", "2"), ("2", "5"), ("2", "16")] {
        // Cargo keeps what it built: the first of these builds with one job.
        let made = place.image(&["--jobs", jobs, "--threads", threads]);
        assert_same(&made, reference());
    }
    let place = Place::new("more-threads");
    let made = place.image(&["--jobs", "8", "--threads", "3"]);
    assert_same(&made, reference());
}

#[test]
fn repeated_runs() {
    let place = Place::new("again");
    for _ in 0..3 {
        assert_same(&place.image(&[]), reference());
    }
    // Into the same layout, which stays as it is.
    let index = place.layout().join("index.json");
    let before = std::fs::read(&index).expect("an index");
    std::fs::remove_dir_all(place.target()).expect("it was built there");
    assert_same(&place.image(&[]), reference());
    assert_eq!(std::fs::read(&index).expect("an index"), before);
}

/// The reference was made by the debug build. The release build is `cargo image`, which the debug
/// build packs, in the directory where `programs.rs` builds the `cooperage` of the same package.
#[test]
fn debug_or_release_build_of_the_front() {
    let place = Place::empty("release");
    let mut command = crate::support::program();
    command.current_dir(workspace());
    let metadata = place.dir().join("metadata.json");
    let output = format!("oci:{}", place.dir().join("image").display());
    let flags = ["-p", "cooperage-cli", "--bin", "cargo-image", "--locked"];
    make(
        command,
        &metadata,
        &[&flags[..], &["--output", &output]].concat(),
    );
    let release = crate::support::programs().join("build/release/cargo-image");
    let place = Place::new("by-release");
    let mut command = place.command(&release);
    command.arg("image");
    assert_same(&place.make(command, &[]), reference());
}

const EARLIER: i64 = 1_700_000_000;
const LATER: i64 = 1_750_000_000;

fn at(place: &Place, seconds: i64, flags: &[&str]) -> Made {
    let mut command = place.front();
    command.env("SOURCE_DATE_EPOCH", seconds.to_string());
    place.make(command, flags)
}

/// The moments of a config: its own, and those of its history.
fn moments(config: &Value) -> (String, Vec<String>) {
    let text = |value: &Value| value["created"].as_str().unwrap_or("none").to_owned();
    let history = config["history"].as_array().expect("a history");
    (text(config), history.iter().map(text).collect())
}

#[test]
fn source_date_epoch_sets_created_and_the_new_history_entries() {
    let place = Place::new("epoch");
    let plain = place.image(&[]);
    let (created, history) = moments(&place.config(&plain));
    assert_eq!(created, "1970-01-01T00:00:00Z");
    assert_eq!(history, vec![created; plain.layers().len()]);

    let earlier = at(&place, EARLIER, &[]);
    let (created, history) = moments(&place.config(&earlier));
    assert_eq!(created, "2023-11-14T22:13:20Z");
    assert_eq!(history, vec![created; plain.layers().len()]);
    assert_ne!(earlier.digest(), plain.digest());

    // On a base: its own entries stay as they are.
    let base = place.dir().join("base");
    let output = format!("oci:{}:base", base.display());
    at(&place, EARLIER, &["--output", &output]);
    let on_base = at(&place, LATER, &["--base", &output]);
    let (created, over) = moments(&place.config(&on_base));
    assert_eq!(created, "2025-06-15T15:06:40Z");
    let new = vec![created; on_base.layers().len()];
    assert_eq!(over, [history, new].concat());
}

#[test]
fn layers_keep_mtime_0_unless_asked() {
    let place = Place::new("mtime");
    // That is what `SOURCE_DATE_EPOCH` is for: it reaches the program.
    place.edit("c/part.c", r#" " " __DATE__ " " __TIME__"#, "");
    let flags = ["--compression", "none"];
    let plain = place.image(&flags);
    for made in [&plain, &at(&place, EARLIER, &flags)] {
        assert_eq!(made.layers(), plain.layers());
        let late: Vec<_> = place
            .mtimes(made)
            .into_iter()
            .filter(|(_, mtime)| *mtime != 0)
            .collect();
        assert_eq!(late, []);
    }
    let asked = ["--compression", "none", "--mtime", "source-date-epoch"];
    let mtimes = place.mtimes(&at(&place, EARLIER, &asked));
    let seconds = u64::try_from(EARLIER).expect("after 1970");
    // Not so: directories that were only made to hold others, users, certificates, time zones.
    for path in [
        "run.sh", "a", "a/twin-2", "b/0.txt", "link", "large", "twin-1",
    ] {
        assert_eq!(mtimes[&format!("srv/assets/{path}")], seconds, "{path}");
    }
    assert_eq!(mtimes["usr/local/bin/greeter"], seconds);
    assert_eq!(mtimes["etc/passwd"], 0);
}

/// A change of source under another `SOURCE_DATE_EPOCH`, as two commits have them.
#[test]
fn two_commits_leave_every_lower_layer_as_it_was() {
    let place = Place::new("commits");
    let one = at(&place, EARLIER, &[]);
    place.edit("src/main.rs", "Hello", "Good evening");
    let two = at(&place, LATER, &[]);
    let (one, two) = (one.layers(), two.layers());
    let (binary, lower) = one.split_last().expect("layers");
    assert_eq!(lower, &two[..two.len() - 1]);
    assert!(lower.len() >= 2, "run time and files: {lower:?}");
    assert_eq!(binary.0, "binary");
    assert_ne!(
        Some(binary),
        two.last(),
        "the change did not reach the binary"
    );
}
