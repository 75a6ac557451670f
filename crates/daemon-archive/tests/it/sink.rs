//! The sink: whole archives or none.

use std::path::Path;

use cooperage_blob::{CopyOptions, Root, Sink, copy, put};
use cooperage_compress::Codec;
use cooperage_daemon_archive::{ArchiveSink, DockerArchive, OciArchive, ReadOptions, WriteOptions};
use cooperage_digest::Algorithm;
use cooperage_image_spec::MediaType;

use crate::common::{Family, archive, named, small};

fn listing(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = walk(directory).collect();
    names.sort();
    names
}

#[expect(clippy::disallowed_methods, reason = "sorted by the caller")]
fn walk(directory: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

#[test]
fn it_makes_what_the_function_makes() {
    for codec in Codec::ALL {
        let built = small(Family::Oci, codec);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.tar");
        let sink = ArchiveSink::docker(&path, &WriteOptions::default()).unwrap();
        for name in ["app", "docker.io/library/app:v2"] {
            let root = Root::named(name, built.descriptor.clone());
            copy(&built.memory, &root, &sink, &CopyOptions::default()).unwrap();
        }
        let report = sink.finish().unwrap();
        let images = [named(&built.descriptor, &["app:latest", "app:v2"])];
        let (expected, expected_report) = archive(&built.memory, &images, &WriteOptions::default());
        assert_eq!(report, expected_report);
        assert!(std::fs::read(&path).unwrap() == expected);
        assert_eq!(listing(directory.path()), ["app.tar"]);
        DockerArchive::open(&path, &ReadOptions::default())
            .unwrap()
            .verify()
            .unwrap();
    }
}

#[test]
fn what_was_there_stays_until_all_is_there() {
    let built = small(Family::Oci, Codec::None);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.tar");
    std::fs::write(&path, "before").unwrap();
    let root = Root::named("app", built.descriptor.clone());

    let sink = ArchiveSink::docker(&path, &WriteOptions::default()).unwrap();
    copy(&built.memory, &root, &sink, &CopyOptions::default()).unwrap();
    drop(sink);
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(listing(directory.path()), ["app.tar"]);

    // A root that is no image makes the last step fail.
    let sink = ArchiveSink::docker(&path, &WriteOptions::default()).unwrap();
    let note = put(&sink, MediaType::new("text/plain"), b"a note").unwrap();
    sink.publish(&Root::named("note", note)).unwrap();
    sink.finish().unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(listing(directory.path()), ["app.tar"]);

    let sink = ArchiveSink::docker(&path, &WriteOptions::default()).unwrap();
    copy(&built.memory, &root, &sink, &CopyOptions::default()).unwrap();
    sink.finish().unwrap();
    DockerArchive::open(&path, &ReadOptions::default()).unwrap();
}

/// What a killed process left goes with the next archive; what another is at stays.
#[cfg(unix)]
#[test]
fn what_was_left_behind_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path(".cooperage-dead.tmp")).unwrap();
    std::fs::write(path(".cooperage-dead.tmp/blob"), "half").unwrap();
    std::fs::create_dir(path(".cooperage-mine")).unwrap();
    let built = small(Family::Oci, Codec::None);
    let root = Root::named("app", built.descriptor.clone());
    let first = ArchiveSink::oci(&path("first.tar")).unwrap();
    copy(&built.memory, &root, &first, &CopyOptions::default()).unwrap();
    let second = ArchiveSink::oci(&path("second.tar")).unwrap();
    assert!(!path(".cooperage-dead.tmp").exists());
    first.finish().unwrap();
    copy(&built.memory, &root, &second, &CopyOptions::default()).unwrap();
    second.finish().unwrap();
    let mut names = listing(directory.path());
    names.sort();
    assert_eq!(names, [".cooperage-mine", "first.tar", "second.tar"]);
}

/// A link stays, and what cannot be replaced is refused before anything is made.
#[cfg(unix)]
#[test]
fn it_writes_where_links_lead_and_to_files_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("far")).unwrap();
    std::os::unix::fs::symlink("far/x.tar", path("link")).unwrap();
    ArchiveSink::oci(&path("link")).unwrap().finish().unwrap();
    assert!(path("link").is_symlink() && path("far/x.tar").is_file());
    for (other, words) in [
        (path("far"), "a directory"),
        ("/dev/null".into(), "a character device"),
    ] {
        for error in [
            ArchiveSink::check(&other).unwrap_err(),
            ArchiveSink::docker(&other, &WriteOptions::default()).unwrap_err(),
        ] {
            let start = format!("`{}` is {words}, and an archive", other.display());
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
    assert_eq!(listing(directory.path()), ["far", "link"]);
}

#[cfg(unix)]
#[test]
fn the_file_has_ordinary_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        directory.path().join("ours"),
        directory.path().join("theirs"),
    );
    std::fs::write(&theirs, "").unwrap();
    ArchiveSink::oci(&ours).unwrap().finish().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&theirs));
}

#[test]
fn blobs_are_verified_and_names_checked() {
    let directory = tempfile::tempdir().unwrap();
    let sink = ArchiveSink::docker(&directory.path().join("x"), &WriteOptions::default()).unwrap();
    let built = small(Family::Oci, Codec::None);
    let mut writer = sink.create(Algorithm::Sha256).unwrap();
    writer.write_all(b"something else").unwrap();
    assert!(
        writer
            .finish(Some(&built.descriptor))
            .unwrap_err()
            .is_mismatch()
    );
    assert!(!sink.has(&built.descriptor).unwrap());
    let root = Root::named("app", built.descriptor.clone());
    assert!(sink.publish(&root).unwrap_err().is_not_found());
    let root = Root::named("UPPER", built.descriptor);
    assert!(sink.publish(&root).unwrap_err().is_unsupported());
}

#[test]
fn oci_archives_keep_any_name() {
    let built = small(Family::Docker, Codec::Zstd);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.tar");
    let sink = ArchiveSink::oci(&path).unwrap();
    for name in ["any Name", "v1"] {
        let root = Root::named(name, built.descriptor.clone());
        copy(&built.memory, &root, &sink, &CopyOptions::default()).unwrap();
    }
    sink.finish().unwrap();
    let archive = OciArchive::open(&path, &ReadOptions::default()).unwrap();
    let names = crate::docker::names(&archive);
    assert_eq!(names, [Some("any Name".into()), Some("v1".into())]);
}
