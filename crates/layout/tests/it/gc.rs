//! Collection.

use std::collections::BTreeSet;
use std::fs;

use cooperage_blob::{Root, Sink, Source, put};
use cooperage_digest::{Algorithm, Digest};
use cooperage_image_spec::{Descriptor, Index, Manifest, MediaType};
use cooperage_layout::{GcError, GcMode, GcOptions, GcReport, Layout, Missing, Patience, Selector};

use crate::{amd64, chain, document, faults, index, layout, manifest, temporary, text};

fn removed(report: &GcReport) -> BTreeSet<Digest> {
    report
        .removed
        .iter()
        .map(|removed| removed.digest.clone())
        .collect()
}

#[test]
fn only_what_nothing_refers_to_goes() {
    let (_directory, layout) = layout();
    let nested = index(&layout, &["linux/amd64", "linux/arm64"], "nested");
    let outer = document(&layout, MediaType::OCI_INDEX, Index::new(vec![nested]));
    layout.publish(&Root::named("kept", outer)).unwrap();
    layout
        .publish(&Root::named("old", amd64(&layout, "old")))
        .unwrap();
    layout
        .publish(&Root::named("old", amd64(&layout, "new")))
        .unwrap();
    fs::write(layout.path().join(".cooperage-left"), "half a blob").unwrap();
    fs::write(layout.path().join("notes.txt"), "mine").unwrap();

    let dry = GcOptions {
        mode: GcMode::DryRun,
        ..GcOptions::default()
    };
    let plan = layout.gc(&dry).unwrap();
    let old = amd64(&cooperage_blob::Memory::new(), "old");
    // The manifest and the config of `old`; the layer is shared.
    assert_eq!(plan.removed.len(), 2);
    assert!(removed(&plan).contains(&old.digest));
    assert_eq!(plan.temporary, [layout.path().join(".cooperage-left")]);
    assert_eq!(
        plan.freed,
        plan.removed.iter().map(|r| r.size).sum::<u64>() + 11
    );
    assert_eq!(plan.kept, 1 + 1 + 2 + 2 + 1 + 2);
    assert!(layout.blob_path(&old.digest).exists());

    assert_eq!(layout.gc(&GcOptions::default()).unwrap(), plan);
    assert!(!layout.blob_path(&old.digest).exists());
    assert!(temporary(layout.path()).is_empty());
    assert_eq!(
        faults(layout.path()),
        ["`notes.txt` is no part of an image layout"]
    );
    let again = layout.gc(&GcOptions::default()).unwrap();
    assert_eq!((again.removed.len(), again.kept), (0, plan.kept));
    assert!(!layout.has(&old).unwrap());
}

#[test]
fn artifacts_subjects_and_strangers_are_kept() {
    let (_directory, layout) = layout();
    // Listed: a signature of an image that is not listed itself.
    let subject = amd64(&layout, "signed");
    let mut signature = manifest(
        &layout,
        &cooperage_image_spec::Platform::linux_amd64(),
        "signature",
    );
    signature.subject = Some(subject);
    let signature = document(&layout, MediaType::OCI_MANIFEST, signature);
    layout.append(signature).unwrap();
    // A subject that was never here.
    let mut dangling = Manifest::new(text(&layout, "{}"), Vec::new());
    dangling.subject = Some(Descriptor::new(
        MediaType::OCI_MANIFEST,
        Digest::of(b"?"),
        1,
    ));
    layout
        .append(document(&layout, MediaType::OCI_MANIFEST, dangling))
        .unwrap();
    // A document of a kind unknown here, with blobs of its own.
    let part = amd64(&layout, "part of a stranger");
    let stranger = format!(
        r#"{{"blobs":[{{"mediaType":"{}","size":{},"digest":"{}"}}],"also":{{"digest":"{}"}}}}"#,
        part.media_type,
        part.size,
        part.digest,
        text(&layout, "mentioned").digest
    );
    let stranger = put(
        &layout,
        MediaType::new("application/x-strange"),
        stranger.as_bytes(),
    )
    .unwrap();
    layout.append(stranger).unwrap();
    // Other algorithms.
    let mut sha512 = layout.create(Algorithm::Sha512).unwrap();
    std::io::Write::write_all(&mut sha512, b"long").unwrap();
    let sha512 = sha512.finish(None).unwrap();
    layout
        .append(Descriptor::new(
            MediaType::new("x"),
            sha512.digest,
            sha512.size,
        ))
        .unwrap();
    fs::create_dir(layout.path().join("blobs/blake3")).unwrap();
    let write_unknown = |name: &str| {
        let digest: Digest = format!("blake3:{name}").parse().unwrap();
        fs::write(layout.blob_path(&digest), name).unwrap();
        Descriptor::new(MediaType::new("x"), digest, name.len() as u64)
    };
    layout.append(write_unknown("kept")).unwrap();
    let unreferenced = write_unknown("garbage");

    let report = layout.gc(&GcOptions::default()).unwrap();
    assert_eq!(removed(&report), BTreeSet::from([unreferenced.digest]));
}

#[test]
fn what_cannot_be_read_stops_it() {
    let (_directory, layout) = layout();
    let list = index(&layout, &["linux/amd64", "linux/arm64"], "x");
    layout.publish(&Root::named("x", list)).unwrap();
    let garbage = text(&layout, "garbage");
    let arm = Selector::name("x").with_platform("linux/arm64".parse().unwrap());
    let path = layout.blob_path(&layout.find(&arm).unwrap().digest);
    let bytes = fs::read(&path).unwrap();

    fs::write(&path, bytes.to_ascii_uppercase()).unwrap();
    for missing in [Missing::Refuse, Missing::Skip] {
        let error = layout
            .gc(&GcOptions {
                missing,
                ..GcOptions::default()
            })
            .unwrap_err();
        assert!(
            matches!(&error, GcError::Unreadable { source, .. } if source.is_mismatch()),
            "{error}"
        );
    }
    fs::remove_file(&path).unwrap();
    let error = layout.gc(&GcOptions::default()).unwrap_err();
    assert!(
        chain(&error).starts_with("nothing was removed, since `sha256:"),
        "{error}"
    );
    assert!(layout.has(&garbage).unwrap());

    // A layout that never had that platform.
    let skip = GcOptions {
        missing: Missing::Skip,
        ..GcOptions::default()
    };
    let report = layout.gc(&skip).unwrap();
    assert!(removed(&report).contains(&garbage.digest));

    fs::write(layout.path().join("index.json"), "{").unwrap();
    assert!(matches!(layout.gc(&skip), Err(GcError::Layout(error)) if error.is_malformed()));
}

#[test]
fn who_writes_is_waited_for_or_not_disturbed() {
    let (_directory, layout) = layout();
    let other = Layout::open(layout.path()).unwrap();
    let pending = amd64(&other, "written and not named yet");
    // `other` holds the blobs, whoever asks.
    for mode in [GcMode::Remove, GcMode::DryRun] {
        let options = GcOptions {
            mode,
            ..GcOptions::default()
        };
        assert!(matches!(layout.gc(&options), Err(GcError::Busy { .. })));
    }
    // It does not hold up others who write, nor itself.
    layout
        .publish(&Root::named("note", text(&layout, "note")))
        .unwrap();

    std::thread::scope(|scope| {
        let collector = Layout::open(layout.path()).unwrap();
        let waiting = scope.spawn(move || {
            collector.gc(&GcOptions {
                patience: Patience::Wait,
                ..GcOptions::default()
            })
        });
        drop(layout);
        other
            .publish(&Root::named("late", pending.clone()))
            .unwrap();
        drop(other);
        let report = waiting.join().unwrap().unwrap();
        assert!(report.removed.is_empty(), "{report:?}");
    });
}

#[test]
fn what_has_said_is_there_stays() {
    let (_directory, layout) = layout();
    let blob = text(&layout, "unnamed");
    let path = layout.path().to_path_buf();
    drop(layout);
    let counting = Layout::open(&path).unwrap();
    assert!(counting.has(&blob).unwrap());
    let collector = Layout::open(&path).unwrap();
    assert!(matches!(
        collector.gc(&GcOptions::default()),
        Err(GcError::Busy { .. })
    ));
    drop(counting);
    assert_eq!(
        collector.gc(&GcOptions::default()).unwrap().removed.len(),
        1
    );
}

#[test]
fn a_handle_can_collect_what_it_wrote_but_not_what_it_writes() {
    let (_directory, layout) = layout();
    let writer = layout.create(Algorithm::Sha256).unwrap();
    let error = layout.gc(&GcOptions::default()).unwrap_err();
    assert!(
        matches!(error, GcError::Writing { writers: 1, .. }),
        "{error}"
    );
    writer.finish(None).unwrap();
    assert_eq!(layout.gc(&GcOptions::default()).unwrap().removed.len(), 1);
    // And goes on as before: it neither holds the lock nor remembers what is gone.
    let blob = text(&layout, "after");
    layout.publish(&Root::named("after", blob)).unwrap();
    assert_eq!(layout.roots().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn nothing_is_removed_through_a_link() {
    let (directory, layout) = layout();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let victim = elsewhere.join(Digest::of(b"victim").encoded());
    fs::write(&victim, "victim").unwrap();
    fs::remove_dir(layout.path().join("blobs/sha256")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, layout.path().join("blobs/sha256")).unwrap();
    let error = chain(&layout.gc(&GcOptions::default()).unwrap_err());
    assert!(error.contains("found a symlink"), "{error}");
    assert!(victim.exists());
}
