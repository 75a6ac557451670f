//! skopeo and umoci over our layouts, and what skopeo copies from there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use cooperage_blob::Source;
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadOptions};
use cooperage_digest::Digest;
use cooperage_image_spec::{Document, ImageConfig, Manifest};
use cooperage_layout::{Layout, fsck};
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::{self, Failed, Generation, Program};
use cooperage_testkit::tree_listing;
use serde_json::Value;

use super::both;
use crate::forms::Form;
use crate::images::Image;
use crate::matrix::{Here as _, Otherwise, Rows, Seen};
use crate::reasons::Answer as _;
use crate::room::{self, Shared};
use crate::{servers, unpackers};

pub(super) fn rows(rows: &mut Rows<Form>) {
    both(rows, "skopeo-inspects", inspects);
    for medium in Medium::ALL {
        let of = Origin::Layout;
        let take = move |generation, form| copied(generation, of, medium, form).map(drop);
        both(rows, &format!("skopeo-copies-to-{medium}"), take);
        let back = move |generation, form| comes_back(generation, of, medium, form);
        both(rows, &format!("skopeo-copies-back-from-{medium}"), back);
    }
    both(rows, "umoci-unpacks", umoci_unpacks);
}

/// The layout as skopeo names it. In a layout it finds documents of Docker's by their place alone,
/// not by their name.
pub(crate) fn oci(form: Form, image: &Image) -> String {
    if form.is_docker() {
        format!("oci:{}", image.layout.path().display())
    } else {
        format!("oci:{}", image.tag())
    }
}

fn inspects(generation: Generation, form: Form) -> Seen {
    let skopeo = peers::skopeo(generation).here()?;
    let image = form.image()?;
    let place = oci(form, &image);
    let raw = skopeo.run(["inspect", "--raw", &place]).or_refused()?;
    assert_eq!(Digest::of(raw.as_bytes()).as_str(), image.digest());
    let said = skopeo.run(["inspect", &place]).or_refused()?;
    let said: Value = serde_json::from_str(&said).expect("skopeo prints JSON");
    assert_eq!(said["Digest"], image.digest());
    assert_eq!(said["Os"], "linux");
    assert_eq!(said["Env"], serde_json::json!(["A=b"]));
    let layers = image.manifest().layers.iter();
    let layers: Vec<_> = layers.map(|it| it.digest.as_str()).collect();
    assert_eq!(said["Layers"], serde_json::json!(layers));
    Ok(())
}

/// What skopeo copies from: any medium of ours.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Origin {
    Layout,
    OciArchive,
    DockerArchive,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layout => "layout",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        })
    }
}

impl Origin {
    /// The image there, as skopeo names the place; archives are written, for `whom`.
    pub(super) fn place(self, form: Form, image: &Image, whom: &str) -> String {
        let name = format!("{self}-{whom}-{form}");
        let path = match self {
            Self::Layout => return oci(form, image),
            Self::OciArchive => image.oci_archive_as(&name),
            Self::DockerArchive => image.docker_archive_as(&name, &form.write_options()),
        };
        format!("{self}:{}", path.display())
    }
}

/// Where skopeo copies to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Medium {
    Dir,
    Oci,
    OciArchive,
    DockerArchive,
    Registry,
    Storage,
    Daemon(Store),
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dir => "dir",
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
            Self::Registry => "registry",
            Self::Storage => "containers-storage",
            Self::Daemon(store) => unpackers::short(*store),
        })
    }
}

impl Medium {
    pub(super) const ALL: [Self; 9] = [
        Self::Dir,
        Self::Oci,
        Self::OciArchive,
        Self::DockerArchive,
        Self::Registry,
        Self::Storage,
        Self::Daemon(Store::Stable),
        Self::Daemon(Store::ModernGraph),
        Self::Daemon(Store::ModernContainerd),
    ];

    /// What is copied there.
    fn image(
        self,
        generation: Generation,
        of: Origin,
        form: Form,
    ) -> Result<Arc<Image>, Otherwise> {
        match self {
            Self::Daemon(_) => form.image_for(&format!("skopeo-{generation}-{of}")),
            _ => form.image(),
        }
    }

    /// Whether it keeps documents and layers as they are; of a docker archive skopeo makes other
    /// documents in any case.
    fn keeps_digests(self, of: Origin) -> bool {
        let keeps = matches!(
            self,
            Self::Dir | Self::Oci | Self::OciArchive | Self::Registry
        );
        keeps && of != Origin::DockerArchive
    }
}

/// An image somewhere, and what speaks to that place.
#[derive(Clone, Debug)]
struct Copied {
    skopeo: Program,
    place: String,
    /// Flags for when the place is read, as `--src-…` has them after `src`.
    flags: Vec<String>,
}

impl Copied {
    /// The flags as one side of a copy, or with no side, has them.
    fn flags(&self, side: &str) -> Vec<String> {
        let flags = self.flags.iter();
        flags.map(|flag| format!("--{side}{flag}")).collect()
    }

    fn inspect(&self, more: &[&str]) -> Result<String, Failed> {
        let mut words = vec!["inspect".to_owned()];
        words.extend(self.flags(""));
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.push(self.place.clone());
        self.skopeo.run(words)
    }
}

/// A place of that kind where nothing is yet.
fn fresh(
    generation: Generation,
    of: Origin,
    medium: Medium,
    form: Form,
) -> Result<Copied, Otherwise> {
    let skopeo = peers::skopeo(generation).here()?;
    let name = format!("skopeo-{generation}-{of}-{form}");
    // See `oci`.
    let after = if form.is_docker() {
        String::new()
    } else {
        format!(":{name}")
    };
    let directory = room::directory();
    let directory = directory.display();
    let (place, flags) = match medium {
        Medium::Dir => (format!("dir:{directory}/dir"), vec![]),
        Medium::Oci => (format!("oci:{directory}/oci{after}"), vec![]),
        Medium::OciArchive => (format!("oci-archive:{directory}/oci.tar{after}"), vec![]),
        Medium::DockerArchive => (
            format!("docker-archive:{directory}/docker.tar:{name}:v1"),
            vec![],
        ),
        Medium::Registry => {
            let registry = servers::registry(generation)?;
            let place = format!("docker://{}/{name}:v1", registry.address());
            (place, vec!["tls-verify=false".to_owned()])
        }
        Medium::Storage => {
            let place =
                format!("containers-storage:[vfs@{directory}/root+{directory}/run]{name}:v1");
            let skopeo = peers::skopeo_with_stores(generation).here()?;
            return Ok(Copied {
                skopeo,
                place,
                flags: vec![],
            });
        }
        Medium::Daemon(store) => {
            let docker = docker::shared(store).here()?;
            let host = format!("daemon-host=unix://{}", docker.socket().display());
            (format!("docker-daemon:{name}:v1"), vec![host])
        }
    };
    Ok(Copied {
        skopeo,
        place,
        flags,
    })
}

/// Copies our image there and looks at what is there then.
fn copied(
    generation: Generation,
    of: Origin,
    medium: Medium,
    form: Form,
) -> Result<Copied, Otherwise> {
    type Result_ = Result<Copied, Otherwise>;
    static COPIED: Shared<(Generation, Origin, Medium, Form), Result_> = Shared::new();
    // Asked every time: each cell that goes without is to be listed.
    fresh(generation, of, medium, form)?;
    COPIED.get((generation, of, medium, form), || {
        copy(generation, of, medium, form)
    })
}

fn copy(
    generation: Generation,
    of: Origin,
    medium: Medium,
    form: Form,
) -> Result<Copied, Otherwise> {
    let image = medium.image(generation, of, form)?;
    let to = fresh(generation, of, medium, form)?;
    let mut words = vec!["copy".to_owned()];
    words.extend(to.flags("dest-"));
    if medium.keeps_digests(of) {
        words.push("--preserve-digests".to_owned());
        if form.is_index() {
            words.push("--all".to_owned());
        }
    }
    let from = of.place(form, &image, &format!("{generation}-to-{medium}"));
    words.extend([from, to.place.clone()]);
    if let Medium::Daemon(_) = medium {
        // An engine that finds the client too old ends the copy with one error or another.
        if let Err(failed) = to.inspect(&[])
            && failed.stderr.contains("is too old")
        {
            return Err(failed).or_refused();
        }
    }
    to.skopeo.run(words).or_refused()?;
    if medium.keeps_digests(of) {
        let raw = to.inspect(&["--raw"]).or_refused()?;
        assert_eq!(Digest::of(raw.as_bytes()).as_str(), image.digest());
    } else {
        let said = to.inspect(&["--config", "--raw"]).or_refused()?;
        same_image(&image, said.as_bytes());
    }
    Ok(to)
}

/// The same layers, by their contents, and the same configuration, but for members that say nothing.
pub(super) fn same_image(image: &Image, config: &[u8]) {
    let theirs: Value = serde_json::from_slice(config).expect("a config is JSON");
    let ours = image.built.images[0].formed.config.raw();
    let ours: Value = serde_json::from_slice(ours).expect("a config is JSON");
    assert_eq!(bare(theirs), bare(ours));
}

/// Without members that are empty, which some programs write and others leave out.
fn bare(value: Value) -> Value {
    let Value::Object(members) = value else {
        return value;
    };
    let members = members.into_iter().map(|(key, value)| (key, bare(value)));
    let says_something = |(_, value): &(String, Value)| match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(_) => true,
    };
    Value::Object(members.filter(says_something).collect())
}

/// From there into a layout, and so into ours.
pub(super) fn comes_back(generation: Generation, of: Origin, medium: Medium, form: Form) -> Seen {
    let from = copied(generation, of, medium, form)?;
    let image = medium.image(generation, of, form)?;
    let keeps = medium.keeps_digests(of);
    if let Some(file) = archive(&from.place) {
        let digest = read_by_us(medium, &file);
        assert!(!keeps || digest == image.built.descriptor.digest);
    }
    let back = room::directory().join("back");
    let mut words = vec!["copy".to_owned()];
    words.extend(from.flags("src-"));
    if keeps {
        words.push("--preserve-digests".to_owned());
        if form.is_index() {
            words.push("--all".to_owned());
        }
    }
    words.extend([from.place.clone(), format!("oci:{}:back", back.display())]);
    from.skopeo.run(words).or_refused()?;
    assert!(fsck(&back).is_empty(), "{:?}", fsck(&back));
    let back = Layout::open(&back).expect("a layout");
    let roots = back.roots().expect("fsck found no fault");
    let [root] = &roots[..] else {
        panic!("one image: {roots:?}")
    };
    let found = root.descriptor.clone();
    if keeps {
        assert_eq!(found.digest, image.built.descriptor.digest);
        return Ok(());
    }
    let manifest = cooperage_blob::read(&back, &found).expect("fsck found no fault");
    let manifest = Document::<Manifest>::parse(manifest).expect("a manifest");
    let config = cooperage_blob::read(&back, &manifest.value().config).expect("it is there");
    Document::<ImageConfig>::parse(config.clone()).expect("a config");
    same_image(&image, &config);
    Ok(())
}

/// The file of an archive.
fn archive(place: &str) -> Option<Arc<Path>> {
    let (kind, rest) = place.split_once(':')?;
    let (path, _) = rest.split_once(':').unwrap_or((rest, ""));
    kind.ends_with("-archive").then(|| Path::new(path).into())
}

/// Its archives are whole to us; gives the digest of the image in it.
fn read_by_us(medium: Medium, file: &Path) -> Digest {
    let options = ReadOptions::default();
    let roots = if medium == Medium::OciArchive {
        let archive = OciArchive::open(file, &options).expect("we read it");
        archive.roots()
    } else {
        let archive = DockerArchive::open(file, &options).expect("we read it");
        archive.verify().expect("nothing is wrong with it");
        archive.roots()
    };
    roots.expect("we read it")[0].descriptor.digest.clone()
}

fn umoci_unpacks(generation: Generation, form: Form) -> Seen {
    let umoci = peers::umoci(generation).here()?;
    unpackers::needs_root()?;
    let image = form.image()?;
    let bundle = image.beside(&format!("bundle-{generation}"));
    unpackers::umoci_unpack(&umoci, &image, &bundle).or_refused()?;
    let what = format!("umoci {generation} (-) and we (+)");
    let theirs = unpackers::steady(tree_listing(&bundle.join("rootfs")));
    theirs.assert_same(&unpackers::steady(image.listing()), &what);
    Ok(())
}
