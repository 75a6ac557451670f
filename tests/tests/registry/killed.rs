//! Ctrl-C and kills at every stage of a push and of a pull: no tag points at what is not there, and
//! no file has a final name that is not whole.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cooperage_layout::Layout;
use cooperage_testkit::again;
use cooperage_testkit::faults::{Fault, On, Proxy, Rule};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::Registry;
use rustix::process::{Pid, Signal, kill_process};

use crate::images::{Image, image};
use crate::support::{check_layout, client, options, pull, push, shared};

/// The test that the other process runs, which does what it was told instead.
const TEST: &str = "killed::a_push_that_is_killed_publishes_nothing_that_is_not_whole";

fn app() -> Image {
    image(61, &[1_000_000, 300_000, 40_000, 500])
}

/// What the process that is killed does: the direction, the registry's address, the name and a
/// layout.
fn work(words: &[String]) {
    let [direction, address, name, path] = words else {
        panic!("told {words:?}");
    };
    let client = client(options());
    let result = match direction.as_str() {
        "push" => push(&app(), &client, address, name).map(drop),
        _ => pull(
            &client,
            address,
            name,
            &Layout::open(Path::new(path)).expect("a layout"),
        )
        .map(drop),
    };
    result.expect("no fault but its death");
}

fn start(words: &[&str]) -> Child {
    again::command(TEST, words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// Starts a process and ends it as soon as so many requests have come by. Says whether it was
/// ended at its work.
fn ended_at(requests: usize, proxy: &Proxy, words: &[&str]) -> bool {
    let mut process = start(words);
    let deadline = Instant::now() + Duration::from_secs(60);
    while proxy.count() < requests {
        if process.try_wait().expect("it is ours").is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "nothing goes on");
        std::thread::sleep(Duration::from_micros(200));
    }
    let signal = if requests.is_multiple_of(2) {
        Signal::KILL
    } else {
        Signal::INT
    };
    let number = i32::try_from(process.id()).expect("a number of a process");
    if process.try_wait().expect("it is ours").is_none() {
        let number = Pid::from_raw(number).expect("not zero");
        kill_process(number, signal).expect("it is ours");
    }
    !process.wait().expect("it ends").success()
}

/// Answers and uploads take their time, so that there is a middle to be killed in.
fn slowly(registry: &Registry) -> Proxy {
    let slow = Fault::Slow {
        pieces: 20,
        pause: 1,
    };
    Proxy::start(registry.address(), vec![Rule::always(On::Blob, slow)])
}

#[test]
fn a_push_that_is_killed_publishes_nothing_that_is_not_whole() {
    if let Some(words) = again::told() {
        return work(&words);
    }
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    let (mut kills, mut published) = (0, 0);
    for requests in 1..22 {
        let name = format!("killed/push-{requests}");
        let proxy = slowly(registry);
        let tagged = format!("{name}:1");
        let words = ["push", proxy.address(), &tagged, "-"];
        kills += u32::from(ended_at(requests, &proxy, &words));
        drop(proxy);
        if registry.manifest(&name, "1").is_some() {
            published += 1;
            assert_eq!(registry.missing(&name, "1"), Vec::<String>::new());
        }
        push(
            &app(),
            &client(options()),
            registry.address(),
            &format!("{name}:1"),
        )
        .expect("what was left does no harm");
        assert_eq!(registry.missing(&name, "1"), Vec::<String>::new());
    }
    println!("{kills} were ended at work, {published} had published");
    assert!(
        kills >= 8 && published < 21,
        "{kills} kills, {published} published"
    );
}

#[test]
fn a_pull_that_is_killed_leaves_no_name_and_no_blob_that_is_not_whole() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    let name = "killed/pull:1";
    let image = app();
    push(&image, &client(options()), registry.address(), name).expect("it takes it");
    let mut kills = 0;
    for requests in 1..9 {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("layout");
        drop(Layout::create(&path).expect("a layout"));
        let proxy = slowly(registry);
        let words = ["pull", proxy.address(), name, path.to_str().expect("text")];
        let was_killed = ended_at(requests, &proxy, &words);
        kills += u32::from(was_killed);
        let layout = Layout::open(&path).expect("a layout still");
        check_layout(&layout, (!was_killed).then_some(&image));
        pull(&client(options()), registry.address(), name, &layout).expect("nothing is in the way");
        check_layout(&layout, Some(&image));
        layout
            .gc(&cooperage_layout::GcOptions::default())
            .expect("it removes what was left");
        let temporary = strays(&path);
        assert_eq!(temporary, Vec::<String>::new());
    }
    println!("{kills} were ended at work");
    assert!(kills >= 4, "{kills} kills");
}

/// Files whose names say that they are not final.
#[expect(clippy::disallowed_methods, reason = "the order does not matter")]
fn strays(layout: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for directory in [layout.to_owned(), layout.join("blobs/sha256")] {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy().into_owned();
            if name.starts_with('.') {
                found.push(name);
            }
        }
    }
    found
}
