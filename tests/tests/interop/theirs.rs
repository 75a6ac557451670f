//! Images of others, read, verified, copied and edited by us.

mod engines;
mod registry;
mod tools;
mod tree;

use std::fmt;
use std::path::Path;

use cooperage_commit::{Base, DEFAULT_TAR_LIMIT, LoadedLayer, load_layer};
use cooperage_image_spec::Platform;
use cooperage_layout::{Severity, fsck};
use cooperage_tarball::overlay;
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::tree_listing;
use cooperage_transport::Location;
use serde_json::{Map, Value};

use crate::command;
use crate::images::listing_of;
use crate::matrix::{Here as _, Otherwise, Rows, Seen, Table};
use crate::reasons::{Answer as _, refusal};
use crate::room::{self, Shared};
use crate::unpackers::steady;

/// What we do with an image.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Deed {
    Verify,
    VerifyPiped,
    Tree,
    CopyToOci,
    CopyToOciArchive,
    CopyToDockerArchive,
    Edit,
}

impl Deed {
    const ALL: [Self; 7] = [
        Self::Verify,
        Self::VerifyPiped,
        Self::Tree,
        Self::CopyToOci,
        Self::CopyToOciArchive,
        Self::CopyToDockerArchive,
        Self::Edit,
    ];
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verify => "verify",
            Self::VerifyPiped => "verify-from-a-pipe",
            Self::Tree => "tree",
            Self::CopyToOci => "copy-to-oci",
            Self::CopyToOciArchive => "copy-to-oci-archive",
            Self::CopyToDockerArchive => "copy-to-docker-archive",
            Self::Edit => "edit",
        })
    }
}

/// Where an image lies that somebody made, as we name the place.
type Made = Result<String, Otherwise>;

/// What its maker packed into its layers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Packed {
    /// [`tree::directory`].
    Tree,
    /// The same, all of it owned by root, as `buildah add` has it.
    RootsTree,
    /// A bundle of umoci's, `bundle` beside the layout.
    Bundle,
    /// Nothing: its layers are ours, or it has none.
    Nothing,
}

pub(crate) fn tables() -> Vec<Table> {
    let mut rows = Rows::new(
        "theirs",
        "Images of others, read by us",
        include_str!("theirs/theirs.md"),
        &Deed::ALL,
    );
    tools::rows(&mut rows);
    engines::rows(&mut rows);
    registry::rows(&mut rows);
    vec![rows.finish()]
}

/// A row for what `make` makes, once for all cells.
fn row(
    rows: &mut Rows<Deed>,
    name: impl fmt::Display,
    packed: Packed,
    make: impl Fn() -> Made + Send + Sync + 'static,
) {
    let name = name.to_string();
    let key = name.clone();
    rows.row(name, move |deed| {
        static MADE: Shared<String, Made> = Shared::new();
        let place = MADE.get(key.clone(), &make)?;
        do_it(deed, packed, &place)
    });
}

fn do_it(deed: Deed, packed: Packed, place: &str) -> Seen {
    match deed {
        Deed::Verify => verify(place),
        Deed::VerifyPiped => verify_piped(place),
        Deed::Tree => has_the_tree(packed, place),
        Deed::CopyToOci => {
            let to = room::directory().join("layout");
            copy_whole(place, &format!("oci:{}:copied", to.display()))?;
            let faults = fsck(&to);
            assert!(faults.is_empty(), "{faults:?}");
            Ok(())
        }
        Deed::CopyToOciArchive => {
            let to = room::directory().join("oci.tar");
            copy_whole(place, &format!("oci-archive:{}:copied", to.display()))
        }
        Deed::CopyToDockerArchive => copy_to_docker(place),
        Deed::Edit => edit(place),
    }
}

fn verify(place: &str) -> Seen {
    if let Some(layout) = layout(place) {
        let faults = fsck(layout);
        let mut errors = faults.iter().filter(|it| it.severity() == Severity::Error);
        assert!(errors.next().is_none(), "{faults:?}");
    }
    command::run(["verify", place]).or_refused()?;
    let said = command::json(["inspect", place]).or_refused()?;
    assert_eq!(said["images"].as_array().map(Vec::len), Some(1), "{said}");
    Ok(())
}

/// Its layers, laid over one another by us, are what lay in the directory that was packed.
fn has_the_tree(packed: Packed, place: &str) -> Seen {
    let expected = match packed {
        Packed::Tree => tree_listing(tree::directory()),
        Packed::RootsTree => {
            let mut listing = tree_listing(tree::directory());
            for entry in &mut listing.0 {
                (entry.uid, entry.gid) = (0, 0);
            }
            listing
        }
        Packed::Bundle => {
            let layout = layout(place).expect("it made a layout");
            tree_listing(&layout.with_file_name("bundle").join("rootfs"))
        }
        Packed::Nothing => return Err(Otherwise::NotApplicable("it packs nothing")),
    };
    let location: Location = place.parse().expect("a location");
    let opened = location.open().expect("it is there");
    let (source, root) = (opened.source(), opened.root().expect("one image"));
    let image = Base::read(source, &root.descriptor, &Platform::linux_amd64());
    let image = image.expect("an image");
    let blobs = image.manifest.value().layers.iter();
    let layers: Result<Vec<_>, _> = blobs
        .zip(&image.config.value().rootfs.diff_ids)
        .map(|(blob, diff_id)| load_layer(source, blob, Some(diff_id), DEFAULT_TAR_LIMIT))
        .collect();
    let layers = match layers {
        Ok(layers) => layers,
        Err(error) => return Err(refusal(&format!("{:#}", anyhow::Error::from(error)))),
    };
    let found = overlay(layers.iter().map(LoadedLayer::tree)).expect("layers fit one another");
    steady(expected).assert_same(
        &steady(listing_of(&found)),
        "what was packed (-) and we (+)",
    );
    Ok(())
}

/// Each layer says where the table of its chunks is: it is zstd:chunked, and not just zstd.
fn is_chunked(generation: Generation, place: &str) -> Seen {
    let manifest = parse(&raw(place, "manifest")?);
    let key = match generation {
        Generation::Stable => "io.containers.zstd-chunked.manifest-checksum",
        Generation::Modern => "io.github.containers.zstd-chunked.manifest-checksum",
    };
    for layer in array(&manifest["layers"]) {
        assert!(layer["annotations"][key].is_string(), "{layer}");
    }
    Ok(())
}

/// The directory of a layout.
fn layout(place: &str) -> Option<&Path> {
    let path = place.strip_prefix("oci:")?.split(':').next()?;
    Some(Path::new(path))
}

/// From standard input, compressed.
fn verify_piped(place: &str) -> Seen {
    let (kind, rest) = place.split_once(':').expect("a location");
    if kind == "oci" {
        return Err(Otherwise::NotApplicable("a layout is a directory"));
    }
    let path = rest.split(':').next().expect("a path");
    let gzip = peers::tool("gzip").here()?;
    let output = gzip.command(["-c", path]).output().expect("gzip starts");
    let stored = room::directory().join("stored.gz");
    std::fs::write(&stored, output.stdout).expect("there is room");
    command::run_with_input(&stored, ["verify", &format!("{kind}:-")])
        .or_refused()
        .map(drop)
}

/// A document as its bytes are.
fn raw(place: &str, which: &str) -> Result<String, Otherwise> {
    command::run(["inspect", "--raw", which, place]).or_refused()
}

/// To where documents stay as they are.
fn copy_whole(place: &str, to: &str) -> Seen {
    command::run(["copy", place, to]).or_refused()?;
    command::run(["verify", to]).or_refused()?;
    let digest = |place| -> Result<Value, Otherwise> {
        Ok(command::json(["inspect", place]).or_refused()?["digest"].take())
    };
    assert_eq!(digest(place)?, digest(to)?);
    Ok(())
}

/// To where layers may be recompressed: the same configuration, and so the same layers' contents.
fn copy_to_docker(place: &str) -> Seen {
    let path = room::directory().join("docker.tar");
    let to = format!("docker-archive:{}:copied:v1", path.display());
    command::run(["copy", place, &to]).or_refused()?;
    command::run(["verify", &to]).or_refused()?;
    assert_eq!(raw(place, "config")?, raw(&to, "config")?);
    Ok(())
}

/// A layer and a label on top of it: but for the manifest's annotations, all that was there is there
/// still.
fn edit(place: &str) -> Seen {
    let directory = room::directory();
    let plan = directory.join("plan");
    let text = format!(
        "{{\"plan\":\"image\",\"version\":1,\"names\":[\"edited\"],\"base\":{place:?},\
          \"config\":{{\"labels\":{{\"added\":\"yes\"}}}}}}\n\
         {{\"layer\":{{}}}}\n{{\"path\":\"added/by/us\",\"text\":\"ours\"}}\n"
    );
    std::fs::write(&plan, text).expect("there is room");
    let plan = plan.to_str().expect("tests name their files in UTF-8");
    let to = format!("oci:{}/layout:edited", directory.display());
    command::run(["build", plan, "--output", &to]).or_refused()?;
    command::run(["verify", &to]).or_refused()?;
    same_manifest_but_for_ours(&raw(place, "manifest")?, &raw(&to, "manifest")?);
    same_configuration_but_for_ours(&raw(place, "config")?, &raw(&to, "config")?);
    Ok(())
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("a document is JSON")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Nothing of the manifest is gone but its annotations, which were about that manifest; Docker's
/// types are OCI's now.
fn same_manifest_but_for_ours(base: &str, edited: &str) {
    let (mut base, mut edited) = (parse(base), parse(edited));
    let ours = edited["layers"].as_array_mut().and_then(Vec::pop);
    assert!(ours.is_some(), "a layer on top of {edited}");
    for layer in base["layers"].as_array_mut().into_iter().flatten() {
        let media_type = layer["mediaType"].as_str().expect("a layer has a type");
        let kind = media_type.strip_prefix("application/vnd.docker.image.rootfs.diff.tar");
        if let Some(kind) = kind {
            let kind = kind.replace('.', "+");
            layer["mediaType"] = format!("application/vnd.oci.image.layer.v1.tar{kind}").into();
        }
    }
    for (manifest, gone) in [(&mut base, &["annotations"][..]), (&mut edited, &[])] {
        let members = manifest.as_object_mut().expect("a manifest is an object");
        members.retain(|key, _| !["mediaType", "config"].contains(&&**key));
        members.retain(|key, _| !gone.contains(&&**key));
    }
    assert_eq!(base, edited);
}

fn same_configuration_but_for_ours(base: &str, edited: &str) {
    let (mut base, mut edited) = (parse(base), parse(edited));
    for list in ["/rootfs/diff_ids", "/history"] {
        let nothing = Value::Array(Vec::new());
        let of = |value: &Value| value.pointer(list).unwrap_or(&nothing).clone();
        let (base, edited) = (of(&base), of(&edited));
        let (base, edited) = (array(&base), array(&edited));
        assert!(edited.starts_with(base), "{list}: {base:?} and {edited:?}");
    }
    let labels = edited["config"]["Labels"].as_object_mut();
    let labels = labels.expect("ours is there");
    assert_eq!(labels.remove("added"), Some("yes".into()));
    let without = |value: &mut Value| {
        let members = value.as_object_mut().expect("a config is an object");
        for member in ["created", "history", "rootfs"] {
            members.remove(member);
        }
        members.entry("config").or_insert(Value::Null);
        let config = &mut members["config"];
        if config.is_null() {
            *config = Value::Object(Map::new());
        }
        let config = config
            .as_object_mut()
            .expect("a config's config is an object");
        // `null` says as much as nothing does.
        config.retain(|_, value| !value.is_null());
        if config
            .get("Labels")
            .is_some_and(|it| it == &Value::Object(Map::new()))
        {
            config.remove("Labels");
        }
    };
    without(&mut base);
    without(&mut edited);
    assert_eq!(base, edited);
}
