//! Other programs read what is written here, and the other way round.

use std::fs;
use std::path::Path;

use cooperage_blob::{CopyOptions, Memory, Root, Sink, Source, copy};
use cooperage_image_spec::{Document, ImageConfig, Json, Manifest, Platform};
use cooperage_layout::{GcOptions, Layout, Selector};
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::registry;

use crate::{amd64, errors, faults, index, layout};

const BOTH: [Generation; 2] = [Generation::Stable, Generation::Modern];

fn oci(path: &Path, name: &str) -> String {
    format!("oci:{}:{name}", path.display())
}

fn platforms(layout: &Layout) {
    layout
        .publish(&Root::named("one", amd64(layout, "one")))
        .unwrap();
    let many = index(layout, &["linux/amd64", "linux/arm64"], "many");
    layout.publish(&Root::named("many", many)).unwrap();
}

#[test]
fn skopeo_reads_what_we_write_and_we_what_it_writes() {
    for generation in BOTH {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        let (directory, layout) = layout();
        platforms(&layout);
        // What else lies in the layout does not disturb it.
        fs::write(layout.path().join(".cooperage-left"), "half").unwrap();
        let text = skopeo.run(["inspect", &oci(layout.path(), "one")]).unwrap();
        let text = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(
            text.get("Architecture").and_then(Json::as_str),
            Some("amd64")
        );

        let theirs = directory.path().join("theirs");
        for name in ["one", "many"] {
            let (from, to) = (oci(layout.path(), name), oci(&theirs, name));
            skopeo
                .run(["copy", "--all", "--preserve-digests", &from, &to])
                .unwrap();
        }
        let theirs = Layout::open(&theirs).unwrap();
        assert!(
            faults(theirs.path()).is_empty(),
            "{:?}",
            faults(theirs.path())
        );
        for root in layout.roots().unwrap() {
            let name = Selector::name(root.name.unwrap());
            assert_eq!(theirs.find(&name).unwrap().digest, root.descriptor.digest);
        }

        // We change theirs, and it still reads it; then it changes ours, and nothing is lost.
        theirs
            .publish(&Root::named("two", amd64(&theirs, "two")))
            .unwrap();
        for name in ["one", "two"] {
            skopeo.run(["inspect", &oci(theirs.path(), name)]).unwrap();
        }
        skopeo
            .run([
                "copy",
                &oci(theirs.path(), "two"),
                &oci(layout.path(), "two"),
            ])
            .unwrap();
        let names: Vec<_> = layout
            .roots()
            .unwrap()
            .into_iter()
            .filter_map(|root| root.name)
            .collect();
        assert_eq!(names, ["one", "many", "two"]);
        let arm = Selector::name("many").with_platform(Platform::linux_arm64());
        assert!(layout.find(&arm).is_ok());
        layout.gc(&GcOptions::default()).unwrap();
        assert!(faults(layout.path()).is_empty());
    }
}

#[test]
fn umoci_edits_what_we_write_and_we_what_it_writes() {
    for generation in BOTH {
        let Some(umoci) = peers::umoci(generation) else {
            continue;
        };
        let (directory, layout) = layout();
        layout
            .publish(&Root::named("one", amd64(&layout, "one")))
            .unwrap();
        let path = layout.path().to_str().unwrap().to_string();
        fs::write(layout.path().join(".cooperage-left"), "half").unwrap();
        umoci
            .run([
                "config",
                "--image",
                &format!("{path}:one"),
                "--tag",
                "umoci",
                "--config.user",
                "7",
            ])
            .unwrap();
        let text = umoci.run(["ls", "--layout", &path]).unwrap();
        assert_eq!(text.lines().count(), 2);
        let changed = layout.find(&Selector::name("umoci")).unwrap();
        let manifest = cooperage_blob::read(&layout, &changed).unwrap();
        let manifest = Document::<Manifest>::parse(manifest).unwrap();
        let config = cooperage_blob::read(&layout, &manifest.value().config).unwrap();
        let config = Document::<ImageConfig>::parse(config).unwrap();
        assert_eq!(config.value().config.user.as_deref(), Some("7"));

        // Each collects after the other: nothing that is named goes.
        layout
            .publish(&Root::named("two", amd64(&layout, "two")))
            .unwrap();
        umoci.run(["gc", "--layout", &path]).unwrap();
        assert!(
            errors(layout.path()).is_empty(),
            "{:?}",
            errors(layout.path())
        );
        layout.gc(&GcOptions::default()).unwrap();
        assert!(
            faults(layout.path()).is_empty(),
            "{:?}",
            faults(layout.path())
        );
        umoci
            .run(["stat", "--image", &format!("{path}:two")])
            .unwrap();

        let theirs = directory.path().join("theirs");
        umoci
            .run(["init", "--layout", theirs.to_str().unwrap()])
            .unwrap();
        let tagged = format!("{}:fresh", theirs.display());
        umoci.run(["new", "--image", &tagged]).unwrap();
        let theirs = Layout::create(&theirs).unwrap();
        theirs
            .publish(&Root::named("ours", amd64(&theirs, "ours")))
            .unwrap();
        let fresh = &theirs.roots().unwrap()[0];
        assert_eq!(fresh.name.as_deref(), Some("fresh"));
        copy(&theirs, fresh, &Memory::new(), &CopyOptions::default()).unwrap();
        umoci.run(["stat", "--image", &tagged]).unwrap();
        assert!(
            faults(theirs.path()).is_empty(),
            "{:?}",
            faults(theirs.path())
        );
    }
}

#[test]
fn crane_pushes_our_layout_and_pulls_into_it() {
    let Some(crane) = peers::crane() else { return };
    let Some(registry) = registry::start(Generation::Stable) else {
        return;
    };
    let (_directory, layout) = layout();
    let many = index(&layout, &["linux/amd64", "linux/arm64"], "crane");
    layout.publish(&Root::named("many", many.clone())).unwrap();
    fs::write(layout.path().join(".cooperage-left"), "half").unwrap();
    let (path, name) = (
        layout.path().to_str().unwrap(),
        format!("{}/many:tag", registry.address()),
    );
    crane
        .run(["push", "--insecure", "--index", path, &name])
        .unwrap();
    let (_other, back) = crate::layout();
    crane
        .run([
            "pull",
            "--insecure",
            "--format",
            "oci",
            &name,
            back.path().to_str().unwrap(),
        ])
        .unwrap();
    layout.gc(&GcOptions::default()).unwrap();
    assert!(faults(layout.path()).is_empty());
    let back = Layout::open(back.path()).unwrap();
    assert!(errors(back.path()).is_empty(), "{:?}", errors(back.path()));
    let found = back
        .find(&Selector::default().with_platform(Platform::linux_arm64()))
        .unwrap();
    let arm = Selector::name("many").with_platform(Platform::linux_arm64());
    assert_eq!(found.digest, layout.find(&arm).unwrap().digest);
}

/// What one program writes, another reads and a third changes: index.json keeps what none of
/// them knows.
#[test]
fn unknown_members_survive_us_beside_others() {
    let Some(skopeo) = peers::skopeo(Generation::Stable) else {
        return;
    };
    let (_directory, layout) = layout();
    layout
        .publish(&Root::named("one", amd64(&layout, "one")))
        .unwrap();
    let path = layout.path().join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen('{', r#"{"x-top":{"deep":[1.0]},"#, 1)).unwrap();
    skopeo.run(["inspect", &oci(layout.path(), "one")]).unwrap();
    layout
        .publish(&Root::named("two", amd64(&layout, "two")))
        .unwrap();
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains(r#""x-top":{"deep":[1.0]}"#)
    );
    skopeo.run(["inspect", &oci(layout.path(), "two")]).unwrap();
}
