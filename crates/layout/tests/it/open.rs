//! Making and opening.

use std::fs;
use std::path::Path;

use cooperage_blob::Source;
use cooperage_layout::{GcOptions, Layout, OpenError, Patience};

use crate::{chain, faults};

#[test]
fn an_empty_layout_is_just_what_the_spec_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/layout");
    let layout = Layout::create(&path).unwrap();
    assert!(layout.roots().unwrap().is_empty());
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(read("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert_eq!(
        read("index.json"),
        r#"{"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
    );
    assert!(path.join("blobs/sha256").is_dir());
    assert!(faults(&path).is_empty());
}

#[test]
fn creating_again_changes_nothing() {
    let (_directory, layout) = crate::layout();
    let blob = crate::text(&layout, "kept");
    layout.append(blob.clone()).unwrap();
    let again = Layout::create(layout.path()).unwrap();
    assert_eq!(again.roots().unwrap()[0].descriptor, blob);
}

#[test]
fn an_interrupted_creation_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    Layout::create(&path).unwrap();
    fs::remove_file(path.join("oci-layout")).unwrap();
    fs::write(path.join(".cooperage-0123"), "half").unwrap();
    assert!(matches!(
        Layout::open(&path),
        Err(OpenError::NotLayout { .. })
    ));
    Layout::create(&path).unwrap();
}

#[test]
fn many_create_the_same_at_once_while_others_collect() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = &directory.path().join("a/layout");
        let collect = || {
            let options = GcOptions {
                patience: Patience::Wait,
                ..GcOptions::default()
            };
            Layout::create(path).unwrap().gc(&options).unwrap();
        };
        let append = |i: i32| {
            let layout = Layout::create(path).unwrap();
            layout.append(crate::text(&layout, &i.to_string())).unwrap();
        };
        std::thread::scope(|scope| {
            for i in 0..8 {
                scope.spawn(collect);
                scope.spawn(move || append(i));
            }
        });
        assert_eq!(Layout::open(path).unwrap().roots().unwrap().len(), 8);
    }
}

#[test]
fn what_is_no_layout_is_refused() {
    let check = |prepare: &dyn Fn(&Path), expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("layout");
        prepare(&path);
        for result in [Layout::open(&path), Layout::create(&path)] {
            let found = chain(&result.expect_err(expected));
            let found = found.replace(&path.display().to_string(), "PATH");
            if found.starts_with(expected) {
                return;
            }
            // Opening says less than creating where there is something else.
            assert_eq!(
                found,
                "`PATH` is not an image layout: it has no file `oci-layout`"
            );
        }
        panic!("nothing began with {expected}");
    };
    let with = |name: &'static str, bytes: &'static str| {
        move |path: &Path| {
            fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
            fs::write(path.join(name), bytes).unwrap();
        }
    };
    let occupied = |name: &str| {
        format!(
            "`PATH` is not an image layout and has `{name}` in it: choose an empty directory or a new one"
        )
    };
    check(&with("notes.txt", ""), &occupied("notes.txt"));
    check(&with("blobs/sha256/x", ""), &occupied("blobs"));
    check(&with("blobs/other/x", ""), &occupied("blobs"));
    check(&with("index.json", "{}"), &occupied("index.json"));
    check(
        &with("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
        "`PATH` is an image layout of version `2.0.0`: only `1.0.0` is known",
    );
    for damaged in ["", "[]", "{}", r#"{"imageLayoutVersion":1}"#, "\u{0}"] {
        let prepare = |path: &Path| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("oci-layout"), damaged).unwrap();
        };
        check(&prepare, "`PATH/oci-layout` is damaged");
    }
}

#[test]
fn a_file_and_nothing_are_no_layouts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(
        Layout::open(&file),
        Err(OpenError::NotLayout { .. })
    ));
    assert!(Layout::create(&file).is_err());
    let nothing = directory.path().join("nothing");
    assert!(matches!(Layout::open(&nothing), Err(OpenError::Io { .. })));
    assert!(!nothing.exists());
}
