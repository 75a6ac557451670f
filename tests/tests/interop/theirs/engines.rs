//! What engines save and export.

use std::fs::File;

use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::podman::{self, Podman};

use super::tools::place;
use super::{Deed, Made, Packed, is_chunked, row, tree};
use crate::forms::Form;
use crate::matrix::{Here as _, Otherwise, Rows};
use crate::reasons::Answer as _;
use crate::room;
use crate::servers;
use crate::unpackers::short;

pub(super) fn rows(rows: &mut Rows<Deed>) {
    for store in Store::ALL {
        row(
            rows,
            format!("docker-save-of-its-own/{}", short(store)),
            Packed::Tree,
            move || docker_saves_its_own(store),
        );
        row(
            rows,
            format!("docker-save-of-ours/{}", short(store)),
            Packed::Nothing,
            move || docker_saves_ours(store),
        );
    }
    for generation in Generation::ALL {
        for kind in ["oci-archive", "oci-dir", "docker-archive"] {
            let make = move || podman_saves(generation, kind);
            let name = format!("podman-save-{kind}/{generation}");
            row(rows, name, Packed::Tree, make);
        }
        row(
            rows,
            format!("podman-push-zstd-chunked/{generation}"),
            Packed::Tree,
            move || podman_pushes(generation),
        );
        let name = format!("containerd-export/{generation}");
        row(rows, name, Packed::Nothing, move || {
            containerd_exports(generation)
        });
    }
}

/// An image of Docker's own: a tar that it imported, and a container of that committed.
fn docker_saves_its_own(store: Store) -> Made {
    let docker = docker::shared(store).here()?;
    let mut tar = File::open(tree::tar()?).expect("it was written");
    docker.import(&mut tar, "theirs-base:v1").or_refused()?;
    let words = [
        "create",
        "--label=a=b",
        "--env=C=d",
        "theirs-base:v1",
        "/bin/program",
    ];
    let container = docker.client().run(words).or_refused()?;
    docker.commit(container.trim(), "theirs:v1").or_refused()?;
    save(store, "theirs:v1")
}

fn docker_saves_ours(store: Store) -> Made {
    let docker = docker::shared(store).here()?;
    let name = "saved-ours";
    let ours = Form::OciGzip
        .image()?
        .docker_archive_as(name, &Form::OciGzip.write_options());
    docker.load(&ours).or_refused()?;
    save(store, &format!("{name}:latest"))
}

fn save(store: Store, name: &str) -> Made {
    let docker = docker::shared(store).here()?;
    let path = room::directory().join("docker.tar");
    docker.save(&[name], &path).or_refused()?;
    Ok(format!("docker-archive:{}:{name}", path.display()))
}

fn podman(generation: Generation) -> Result<Podman, Otherwise> {
    let podman = podman::start(generation).here()?;
    let tar = tree::tar()?;
    let tar = tar.to_str().expect("tests name their files in UTF-8");
    let words = [
        "import",
        "--change=CMD=/bin/program",
        "--change=LABEL a=b",
        tar,
        "localhost/theirs:v1",
    ];
    podman.program().run(words).or_refused()?;
    Ok(podman)
}

fn podman_saves(generation: Generation, kind: &str) -> Made {
    let podman = podman(generation)?;
    let path = room::directory().join("saved");
    podman
        .save("localhost/theirs:v1", kind, &path)
        .or_refused()?;
    let path = path.display();
    Ok(match kind {
        "oci-dir" => format!("oci:{path}"),
        "oci-archive" => format!("oci-archive:{path}"),
        _ => format!("docker-archive:{path}"),
    })
}

fn podman_pushes(generation: Generation) -> Made {
    let podman = podman(generation)?;
    let to = place("oci");
    let words = [
        "push",
        "--compression-format=zstd:chunked",
        "localhost/theirs:v1",
        &to,
    ];
    podman.program().run(words).or_refused()?;
    is_chunked(generation, &to)?;
    Ok(to)
}

fn containerd_exports(generation: Generation) -> Made {
    let containerd = servers::containerd(generation)?;
    let short = "exported-ours";
    let ours = Form::OciGzip
        .image()?
        .docker_archive_as(short, &Form::OciGzip.write_options());
    containerd.import(&ours).or_refused()?;
    let name = format!("docker.io/library/{short}:latest");
    let path = room::directory().join("containerd.tar");
    let to = path.to_str().expect("tests name their files in UTF-8");
    containerd
        .client()
        .run(["images", "export", to, &name])
        .or_refused()?;
    Ok(format!("docker-archive:{to}:{name}"))
}
