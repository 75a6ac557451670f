//! Looking up, and what refers to a subject.

use std::fs;

use cooperage_blob::{Root, Sink};
use cooperage_digest::Digest;
use cooperage_image_spec::{Index, Manifest, MediaType, Platform};
use cooperage_layout::{FindError, Layout, Selector};

use crate::{amd64, document, image, index, layout};

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// `app`: an index of three platforms, one of them below another index; `tool`: an image; and one
/// image without a name.
fn shelf() -> (tempfile::TempDir, Layout) {
    let (directory, layout) = layout();
    let arm = index(&layout, &["linux/arm/v6", "linux/arm/v7"], "app");
    let amd = amd64(&layout, "app").with(|d| d.platform = Some(Platform::linux_amd64()));
    let app = document(&layout, MediaType::OCI_INDEX, Index::new(vec![amd, arm]));
    layout.publish(&Root::named("app", app)).unwrap();
    let tool = image(&layout, &platform("linux/arm64"), "tool");
    layout.publish(&Root::named("tool", tool)).unwrap();
    layout
        .publish(&Root::unnamed(amd64(&layout, "bare")))
        .unwrap();
    (directory, layout)
}

#[test]
fn by_name_digest_platform_and_annotation() {
    let (_directory, layout) = shelf();
    let app = layout.find(&Selector::name("app")).unwrap();
    assert!(app.media_type.is_index());
    for (wanted, is) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/amd64/v3", "linux/amd64"),
    ] {
        let wanted = platform(wanted);
        let found = layout
            .find(&Selector::name("app").with_platform(wanted))
            .unwrap();
        assert_eq!(found.platform, Some(platform(is)));
        // The digest of what lies below an index is enough.
        assert_eq!(
            layout
                .find(&Selector::digest(found.digest.clone()))
                .unwrap(),
            found
        );
    }
    // Only one in all the layout; its config tells.
    let tool = layout
        .find(&Selector::default().with_platform(platform("linux/arm64")))
        .unwrap();
    assert_eq!(
        tool.digest,
        layout.find(&Selector::name("tool")).unwrap().digest
    );

    let bare = layout
        .find(&Selector::digest(amd64(&layout, "bare").digest))
        .unwrap();
    let marked = bare.with(|d| _ = d.annotations.insert("mark".into(), "yes".into()));
    layout.append(marked.clone()).unwrap();
    let by_mark = Selector::default().with_annotation("mark", "yes");
    assert_eq!(layout.find(&by_mark).unwrap(), marked);
    // The same digest listed twice is one image.
    assert_eq!(
        layout
            .find(&Selector::digest(marked.digest.clone()))
            .unwrap()
            .digest,
        marked.digest
    );
}

#[test]
fn errors_list_what_there_is() {
    let (_directory, layout) = shelf();
    let check = |selector: Selector, expected: &[&str]| {
        let text = layout.find(&selector).unwrap_err().to_string();
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    };
    check(
        Selector::name("ap"),
        &[
            "nothing with name `ap`; it has `app` (sha256:",
            "`tool` (sha256:",
        ],
    );
    check(
        Selector::name("app").with_platform(platform("linux/riscv64")),
        &[
            "name `app`, platform `linux/riscv64`; it has",
            "linux/amd64",
            "linux/arm/v6",
            "linux/arm/v7",
        ],
    );
    check(
        Selector::name("tool").with_platform(Platform::linux_amd64()),
        &[
            "nothing with name `tool`, platform `linux/amd64`; it has",
            "linux/arm64)",
        ],
    );
    check(
        Selector::default(),
        &["has several with anything: `app` (", "; say which"],
    );
    check(
        Selector::default().with_platform(Platform::linux_amd64()),
        &["several with platform"],
    );
    check(
        Selector::digest(Digest::of(b"?")),
        &["nothing with digest `sha256:"],
    );
    check(
        Selector::default().with_annotation("a", "b"),
        &["nothing with annotation `a=b`"],
    );
    let (_directory, empty) = crate::layout();
    let text = empty.find(&Selector::name("x")).unwrap_err().to_string();
    assert!(text.ends_with("it has nothing"), "{text}");
}

#[test]
fn indexes_may_list_what_is_not_here() {
    let (_directory, layout) = layout();
    let list = index(&layout, &["linux/amd64", "linux/s390x"], "sparse");
    layout.publish(&Root::named("sparse", list)).unwrap();
    let gone = layout
        .find(&Selector::name("sparse").with_platform(platform("linux/s390x")))
        .unwrap();
    fs::remove_file(layout.blob_path(&gone.digest)).unwrap();
    let amd = Selector::name("sparse").with_platform(Platform::linux_amd64());
    assert!(layout.find(&amd).is_ok());
    assert!(matches!(
        layout.find(&Selector::name("other")),
        Err(FindError::NotFound { .. })
    ));
}

#[test]
fn a_damaged_index_is_an_error_and_not_an_absence() {
    let (_directory, layout) = shelf();
    let app = layout.find(&Selector::name("app")).unwrap();
    let path = layout.blob_path(&app.digest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] = b' ';
    fs::write(path, bytes).unwrap();
    match layout.find(&Selector::name("app").with_platform(Platform::linux_amd64())) {
        Err(FindError::Blob(error)) => assert!(error.is_mismatch(), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn referrers_by_subject_as_a_registry_lists_them() {
    let (_directory, layout) = layout();
    let subject = amd64(&layout, "subject");
    let artifact = |kind: &str, config: MediaType| {
        let config = cooperage_blob::put(&layout, config, b"{}").unwrap();
        let mut manifest = Manifest::new(config, vec![crate::text(&layout, kind)]);
        manifest.artifact_type = (!kind.is_empty()).then(|| kind.into());
        manifest.subject = Some(subject.clone());
        manifest.annotations.insert("about".into(), kind.into());
        document(&layout, MediaType::OCI_MANIFEST, manifest)
    };
    let sbom = artifact("application/spdx+json", MediaType::OCI_EMPTY);
    let signature = artifact("", MediaType::new("application/x-signature"));
    let nested = document(
        &layout,
        MediaType::OCI_INDEX,
        Index::new(vec![signature.clone()]),
    );
    for root in [&subject, &sbom, &nested] {
        layout.append((*root).clone()).unwrap();
    }
    let found = layout.referrers(&subject.digest).unwrap();
    let kinds: Vec<_> = found
        .iter()
        .map(|d| (d.digest.clone(), d.artifact_type.clone().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            (sbom.digest.clone(), "application/spdx+json".to_string()),
            (signature.digest, "application/x-signature".to_string())
        ]
    );
    assert_eq!(found[0].annotations["about"], "application/spdx+json");
    assert!(layout.referrers(&sbom.digest).unwrap().is_empty());
}
