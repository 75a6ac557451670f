//! `image.lock`: read, written, refused.

use std::path::Path;

use cooperage_cargo::lock::Lock;
use cooperage_image_spec::Reference;

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn read(text: &str) -> Result<Lock, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.lock");
    std::fs::write(&path, text).unwrap();
    Lock::read(&path).map_err(|error| error.to_string())
}

#[test]
fn facts_are_kept_until_the_base_is_another() {
    let base = reference("q.io/team/base:1");
    let mut lock = Lock::default();
    lock.pin(&reference(&format!("q.io/team/base:1@{ONE}")));
    let (one, two) = (ONE.parse().unwrap(), TWO.parse().unwrap());
    let document = br#"{"libraries":{},"users":[{"name":"o'brien"}]}"#;
    assert!(lock.put_facts(&base, &one, document));
    assert!(!lock.put_facts(&base, &one, document));
    assert!(lock.put_facts(&reference("other:1"), &two, b"{}"));
    for no_line in [&b"{}\n"[..], b"\xff"] {
        assert!(!lock.put_facts(&base, &two, no_line));
    }
    let again = read(&lock.to_text()).unwrap();
    assert_eq!(again, lock);
    let found: serde_json::Value = serde_json::from_slice(again.facts(&one).unwrap()).unwrap();
    assert_eq!(found["users"][0]["name"], "o'brien");
    // Pinned to the same, they stay; to another, they go, and those of other bases stay.
    assert!(!lock.pin(&reference(&format!("q.io/team/base:1@{ONE}"))));
    assert!(lock.facts(&one).is_some());
    assert!(lock.pin(&reference(&format!("q.io/team/base:1@{TWO}"))));
    assert!(lock.facts(&one).is_none() && lock.facts(&two).is_some());
    let wrong = "version = 1\n[[facts]]\nbase = \"a\"\nmanifest = \"b\"\ndocument = ''\n";
    assert!(read(wrong).unwrap_err().contains("pins `b`"));
}

#[test]
fn what_was_pinned_is_read_back() {
    assert_eq!(
        Lock::read(Path::new("none/image.lock")).unwrap(),
        Lock::default()
    );
    let mut lock = Lock::default();
    assert!(lock.pin(&reference(&format!("q.io/team/base:1@{TWO}"))));
    assert!(lock.pin(&reference(&format!("debian@{ONE}"))));
    assert!(!lock.pin(&reference(&format!("debian:latest@{ONE}"))));
    assert!(!lock.pin(&reference("alpine:3")));
    let text = lock.to_text();
    assert_eq!(
        text,
        format!(
            "# Which images the names of bases mean. Written by `--update`, and to be checked in.\n\
             version = 1\n\
             \n[[base]]\nname = \"docker.io/library/debian:latest\"\ndigest = \"{ONE}\"\n\
             \n[[base]]\nname = \"q.io/team/base:1\"\ndigest = \"{TWO}\"\n"
        )
    );
    let again = read(&text).unwrap();
    assert_eq!(again, lock);
    for (name, expected) in [
        (
            "debian",
            Some(format!("docker.io/library/debian:latest@{ONE}")),
        ),
        (
            "debian:latest",
            Some(format!("docker.io/library/debian:latest@{ONE}")),
        ),
        ("q.io/team/base:1", Some(format!("q.io/team/base:1@{TWO}"))),
        ("q.io/team/base:2", None),
        ("alpine:3", None),
    ] {
        let found = again.pinned(&reference(name)).map(ToString::to_string);
        assert_eq!(found, expected, "{name}");
    }
    // A tag that means another image now.
    assert!(lock.pin(&reference(&format!("debian@{TWO}"))));
    assert_eq!(lock.to_text(), text.replace(ONE, TWO));
}

#[test]
fn what_is_no_lockfile_is_refused() {
    let pin = |name: &str, digest: &str| {
        format!("version = 1\n[[base]]\nname = \"{name}\"\ndigest = \"{digest}\"\n")
    };
    for (text, expected) in [
        ("", "is no lockfile of images"),
        ("version = \"1\"", "is no lockfile of images"),
        ("version = 1\nother = 2", "is no lockfile of images"),
        (
            "version = 2\nother = 2",
            "has version 2, and 1 is the latest that is known here",
        ),
        (
            "version = 1\n[[base]]\nname = \"q.io/a:1\"\n",
            "is no lockfile of images",
        ),
        (&pin("q.io/A:1", ONE), "is upper case"),
        (&pin("q.io/a:1", "sha256:11"), "64 hex digits, found 2"),
        (
            &pin("debian", ONE),
            "expected it in full: `docker.io/library/debian:latest`",
        ),
        (&pin("q.io/a", ONE), "expected it in full: `q.io/a:latest`"),
        (
            &format!(
                "{}{}",
                pin("q.io/a:1", ONE),
                pin("q.io/a:1", TWO).replace("version = 1\n", "")
            ),
            "it is pinned twice",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
