//! Changes of `index.json`.

use std::fs;

use cooperage_blob::{CopyOptions, Memory, Root, Sink, Source};
use cooperage_image_spec::{Json, annotations};
use cooperage_layout::{GcOptions, Layout, Selector};
use proptest::prelude::*;

use crate::{layout, text};

fn names(layout: &Layout) -> Vec<Option<String>> {
    layout
        .roots()
        .unwrap()
        .into_iter()
        .map(|root| root.name)
        .collect()
}

#[test]
fn a_name_moves_and_stays_in_its_place() {
    let (_directory, layout) = layout();
    let (a, b, c) = (text(&layout, "a"), text(&layout, "b"), text(&layout, "c"));
    for (name, blob) in [("one", &a), ("two", &b), ("one", &c)] {
        layout.publish(&Root::named(name, blob.clone())).unwrap();
    }
    assert_eq!(names(&layout), [Some("one".into()), Some("two".into())]);
    let digests = |layout: &Layout| -> Vec<_> {
        layout
            .roots()
            .unwrap()
            .into_iter()
            .map(|root| root.descriptor.digest)
            .collect()
    };
    assert_eq!(digests(&layout), [c.digest.clone(), b.digest.clone()]);

    // Without a name: once, beside the named one of the same digest.
    for _ in 0..2 {
        layout.publish(&Root::unnamed(c.clone())).unwrap();
    }
    assert_eq!(
        names(&layout),
        [Some("one".into()), Some("two".into()), None]
    );

    // The root's name counts, not the one its descriptor brings along.
    let misnamed = a.with(|a| {
        _ = a
            .annotations
            .insert(annotations::REF_NAME.into(), "old".into());
    });
    layout
        .publish(&Root::named("new", misnamed.clone()))
        .unwrap();
    layout.publish(&Root::unnamed(misnamed)).unwrap();
    assert_eq!(names(&layout)[3..], [Some("new".into()), None]);
}

#[test]
fn publishing_again_does_not_touch_the_file() {
    let (_directory, layout) = layout();
    let blob = text(&layout, "a");
    layout.publish(&Root::named("a", blob.clone())).unwrap();
    let path = layout.path().join("index.json");
    // As another program writes it.
    let spaced = fs::read_to_string(&path).unwrap().replace(',', " , ");
    fs::write(&path, &spaced).unwrap();
    layout.publish(&Root::named("a", blob)).unwrap();
    assert!(layout.remove(&|_| false).unwrap().is_empty());
    assert_eq!(fs::read_to_string(&path).unwrap(), spaced);
}

#[test]
fn all_else_survives_an_edit() {
    let (_directory, layout) = layout();
    let kept = text(&layout, "kept");
    let index = format!(
        r#"{{"schemaVersion": 2, "x-top": {{"n": 1.50, "deep": [null]}}, "annotations": {{"k": "v"}},
            "manifests": [{{"x-entry": true, "mediaType": "application/x-strange", "size": 4,
              "digest": "{}", "platform": {{"os": "plan9", "architecture": "mips", "x-p": 1}},
              "annotations": {{"z": "1", "a": "2"}}, "data": "a2VwdA==", "urls": ["http://x.invalid"]}}]}}"#,
        kept.digest
    );
    fs::write(layout.path().join("index.json"), &index).unwrap();
    layout
        .publish(&Root::named("new", text(&layout, "new")))
        .unwrap();
    let after = fs::read(layout.path().join("index.json")).unwrap();
    let (before, after) = (
        Json::parse(index.as_bytes()).unwrap(),
        Json::parse(&after).unwrap(),
    );
    for key in ["x-top", "annotations", "schemaVersion"] {
        assert_eq!(before.get(key), after.get(key), "{key}");
    }
    let entry = |json: &Json| json.get("manifests").unwrap().as_array().unwrap()[0].clone();
    assert_eq!(entry(&before), entry(&after));
}

#[test]
fn entries_are_appended_replaced_and_removed() {
    let (_directory, layout) = layout();
    let blobs: Vec<_> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| text(&layout, name))
        .collect();
    for blob in &blobs[..3] {
        layout
            .append(
                blob.clone()
                    .with(|b| _ = b.annotations.insert("kind".into(), "x".into())),
            )
            .unwrap();
    }
    layout.append(blobs[0].clone()).unwrap();
    assert_eq!(layout.roots().unwrap().len(), 4);

    // All that match go, the new one stands where the first stood.
    let a = Selector::digest(blobs[0].digest.clone());
    layout
        .replace(&|entry| a.matches(entry), blobs[3].clone())
        .unwrap();
    let digests = || -> Vec<_> {
        layout
            .roots()
            .unwrap()
            .into_iter()
            .map(|root| root.descriptor.digest)
            .collect()
    };
    assert_eq!(digests(), [3, 1, 2].map(|i| blobs[i].digest.clone()));
    // None matches: at the end.
    layout.replace(&|_| false, blobs[0].clone()).unwrap();
    assert_eq!(digests()[3], blobs[0].digest);

    let kind = Selector::default().with_annotation("kind", "x");
    let removed = layout.remove(&|entry| kind.matches(entry)).unwrap();
    assert_eq!(removed.len(), 2);
    assert!(
        layout
            .remove(&|entry| kind.matches(entry))
            .unwrap()
            .is_empty()
    );
    assert_eq!(digests(), [3, 0].map(|i| blobs[i].digest.clone()));
    // Blobs stay until they are collected.
    assert!(layout.has(&blobs[1]).unwrap());
}

/// What go-containerregistry calls `ReplaceIndex`.
#[test]
fn an_index_is_imported_and_then_replaces_what_matches() {
    let from = Memory::new();
    let new = crate::index(&from, &["linux/amd64", "linux/arm64"], "new");
    let (_directory, layout) = layout();
    let old = crate::index(&layout, &["linux/amd64"], "old");
    for name in ["one", "two"] {
        layout.publish(&Root::named(name, old.clone())).unwrap();
    }
    let copied = layout.import(&from, &new, &CopyOptions::default()).unwrap();
    // The layer was there.
    assert_eq!((copied.blobs, copied.skipped), (5, 1));
    assert_eq!(layout.roots().unwrap().len(), 2);
    let matches = Selector::digest(old.digest);
    layout
        .replace(&|entry| matches.matches(entry), new.clone())
        .unwrap();
    assert_eq!(layout.index().unwrap().value().manifests, [new]);
    layout.gc(&GcOptions::default()).unwrap();
    assert!(crate::faults(layout.path()).is_empty());
}

#[test]
fn a_broken_index_is_never_overwritten() {
    let (_directory, layout) = layout();
    let blob = text(&layout, "a");
    let path = layout.path().join("index.json");
    for broken in [
        "",
        "{",
        r#"{"schemaVersion":1}"#,
        r#"{"schemaVersion":2,"manifests":[{}]}"#,
    ] {
        fs::write(&path, broken).unwrap();
        let error = layout.publish(&Root::named("a", blob.clone())).unwrap_err();
        assert!(error.is_malformed(), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
    fs::remove_file(&path).unwrap();
    assert!(layout.append(blob).unwrap_err().is_not_found());
    assert!(!path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any sequence of edits ends where a list of pairs ends.
    #[test]
    fn edits_follow_a_model(steps in prop::collection::vec((0_u8..4, 0_u8..3, any::<bool>()), 1..12)) {
        let (_directory, layout) = layout();
        let blobs: Vec<_> = (0..3).map(|i| text(&layout, &i.to_string())).collect();
        let mut model: Vec<(String, usize)> = Vec::new();
        for (name, blob, remove) in steps {
            let (name, blob) = (name.to_string(), usize::from(blob));
            if remove {
                let selector = Selector::name(name.clone());
                layout.remove(&|entry| selector.matches(entry)).unwrap();
                model.retain(|(other, _)| *other != name);
            } else {
                layout.publish(&Root::named(name.clone(), blobs[blob].clone())).unwrap();
                match model.iter_mut().find(|(other, _)| *other == name) {
                    Some(entry) => entry.1 = blob,
                    None => model.push((name, blob)),
                }
            }
        }
        let roots = layout.roots().unwrap();
        let found: Vec<_> = roots.iter().map(|root| (root.name.clone().unwrap(), root.descriptor.digest.clone())).collect();
        let expected: Vec<_> = model.into_iter().map(|(name, blob)| (name, blobs[blob].digest.clone())).collect();
        prop_assert_eq!(found, expected);
    }
}
