//! Engines over our archives: what they load, under which ID, and that it runs.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_blob::Source as _;
use cooperage_daemon_archive::{OciArchive, ReadOptions};
use cooperage_digest::Digest;
use cooperage_testkit::containerd::Containerd;
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::{Failed, Generation};
use cooperage_testkit::podman;

use crate::forms::{Form, SAYS};
use crate::images::Image;
use crate::matrix::{Here as _, Otherwise, Rows, Seen};
use crate::reasons::Answer as _;
use crate::servers;
use crate::unpackers::short;

pub(super) fn rows(rows: &mut Rows<Form>) {
    for archive in [Archive::Docker, Archive::Oci] {
        let name = archive.name();
        for loader in Loader::ALL {
            let see = move |form| loads(loader, archive, form);
            rows.row(
                format!("{}-{name}/{}", loader.deed(), loader.generation()),
                see,
            );
        }
    }
}

/// The one archive that not every engine takes.
pub(super) fn as_it_is(rows: &mut Rows<Loader>) {
    rows.row("docker-archive-as-it-is", |loader| {
        loads(loader, Archive::DockerAsItIs, Form::OciZstd)
    });
}

/// What takes an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loader {
    Docker(Store),
    Podman(Generation),
    Containerd(Generation),
}

impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker(store) => f.write_str(short(*store)),
            Self::Podman(generation) => write!(f, "podman-{generation}"),
            Self::Containerd(generation) => write!(f, "containerd-{generation}"),
        }
    }
}

impl Loader {
    pub(super) const ALL: [Self; 7] = [
        Self::Docker(Store::Stable),
        Self::Docker(Store::ModernGraph),
        Self::Docker(Store::ModernContainerd),
        Self::Podman(Generation::Stable),
        Self::Podman(Generation::Modern),
        Self::Containerd(Generation::Stable),
        Self::Containerd(Generation::Modern),
    ];

    fn deed(self) -> &'static str {
        match self {
            Self::Docker(_) => "docker-loads-and-runs",
            Self::Podman(_) => "podman-loads",
            Self::Containerd(_) => "containerd-imports-and-runs",
        }
    }

    fn generation(self) -> String {
        match self {
            Self::Docker(store) => short(store).trim_start_matches("docker-").to_owned(),
            Self::Podman(generation) | Self::Containerd(generation) => generation.to_string(),
        }
    }
}

/// Which archive of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Archive {
    Docker,
    /// A docker archive in which zstd layers stay as they are.
    DockerAsItIs,
    Oci,
}

impl Archive {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker-archive",
            Self::DockerAsItIs => "docker-archive-as-it-is",
            Self::Oci => "oci-archive",
        }
    }

    /// Writes it, with the image under `name`.
    fn write(self, form: Form, name: &str) -> Result<PathBuf, Otherwise> {
        let image = self.image(form)?;
        Ok(match self {
            Self::Docker => image.docker_archive_as(name, &form.write_options()),
            Self::DockerAsItIs => image.docker_archive_as(name, &form.keeping()),
            Self::Oci => image.oci_archive_as(name),
        })
    }

    fn image(self, form: Form) -> Result<Arc<Image>, Otherwise> {
        form.image_for(self.name())
    }
}

fn loads(loader: Loader, archive: Archive, form: Form) -> Seen {
    match loader {
        Loader::Docker(store) => docker_loads(store, archive, form),
        Loader::Podman(generation) => podman_loads(generation, archive, form),
        Loader::Containerd(generation) => containerd_imports(generation, archive, form),
    }
}

fn docker_loads(store: Store, archive: Archive, form: Form) -> Seen {
    let docker = docker::shared(store).here()?;
    let name = format!("{}-{form}", archive.name());
    // In a layout a name is any text; this engine takes it for a whole reference.
    let full = match archive {
        Archive::Oci => format!("docker.io/library/{name}:latest"),
        _ => name.clone(),
    };
    let path = archive.write(form, &full)?;
    let names = docker.load(&path).or_refused()?;
    assert_eq!(names, [format!("{name}:latest")]);
    assert_eq!(docker.run(&names[0], &[]).or_refused()?, SAYS);
    let said = docker.inspect(&names[0]).or_refused()?;
    // The other store knows an image by its manifest, or by its index.
    if store == Store::ModernContainerd {
        assert_eq!(said["Id"], digest_in(&path).as_str());
    } else {
        let image = archive.image(form)?;
        assert_eq!(said["Id"], image.manifest().config.digest.as_str());
    }
    Ok(())
}

fn podman_loads(generation: Generation, archive: Archive, form: Form) -> Seen {
    let podman = podman::start(generation).here()?;
    let path = archive.write(form, &format!("podman-{generation}-{}", archive.name()))?;
    let names = podman.load(&path).or_refused()?;
    assert_eq!(names.len(), 1, "{names:?}");
    let words = ["image", "inspect", "--format", "{{.Id}}", &names[0]];
    let id = podman.program().run(words).or_refused()?;
    let image = archive.image(form)?;
    assert_eq!(id.trim(), image.manifest().config.digest.encoded());
    Ok(())
}

fn containerd_imports(generation: Generation, archive: Archive, form: Form) -> Seen {
    let containerd = servers::containerd(generation)?;
    let short = format!("containerd-{}-{form}", archive.name());
    let path = archive.write(form, &short)?;
    let name = format!("docker.io/library/{short}:latest");
    import(containerd, &path, archive, &name).or_refused()?;
    assert_eq!(containerd.run(&name, &[]).or_refused()?, SAYS);
    let listed = ["images", "list", &format!("name=={name}")];
    let listed = containerd.client().run(listed).or_refused()?;
    let digest = match archive {
        // The name was given to all that the archive holds.
        Archive::Oci => Digest::of(&index_in(&path)),
        _ => digest_in(&path),
    };
    assert!(listed.contains(digest.as_str()), "{listed}");
    Ok(())
}

/// The digest under which the archive names its image: that of its manifest, or of its index.
fn digest_in(archive: &Path) -> Digest {
    let archive = OciArchive::open(archive, &ReadOptions::default()).expect("we wrote it");
    let roots = archive.roots().expect("we wrote it");
    roots[0].descriptor.digest.clone()
}

/// The `index.json` of an archive.
fn index_in(archive: &Path) -> Vec<u8> {
    let mut archive = tar::Archive::new(File::open(archive).expect("we wrote it"));
    let mut entries = archive
        .entries()
        .expect("a tar")
        .map(|it| it.expect("a tar"));
    let index = entries.find(|it| it.path_bytes().as_ref() == b"index.json");
    let mut bytes = Vec::new();
    let read = index.expect("it has one").read_to_end(&mut bytes);
    read.expect("it is whole");
    bytes
}

/// An OCI archive says a name alone, a docker archive a whole reference.
fn import(
    containerd: &Containerd,
    path: &Path,
    archive: Archive,
    name: &str,
) -> Result<String, Failed> {
    let path = path.to_str().expect("tests name their files in UTF-8");
    let words = match archive {
        Archive::Oci => vec!["images", "import", "--index-name", name, path],
        _ => vec!["images", "import", path],
    };
    containerd.client().run(words)
}
