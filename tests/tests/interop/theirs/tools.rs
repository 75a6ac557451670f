//! What skopeo, umoci and buildah make.

use std::path::Path;

use cooperage_testkit::peers::{self, Generation, Program};

use super::{Deed, Made, Packed, is_chunked, row, tree};
use crate::forms::Form;
use crate::matrix::{Here as _, Otherwise, Rows};
use crate::reasons::Answer as _;
use crate::room::{self, Shared};
use crate::unpackers::needs_root;

pub(super) fn rows(rows: &mut Rows<Deed>) {
    for generation in Generation::ALL {
        let skopeo: [(&str, Form, &str, &[&str]); 7] = [
            ("oci", Form::OciNone, "oci", &[]),
            (
                "oci-zstd",
                Form::OciNone,
                "oci",
                &["--dest-compress-format=zstd"],
            ),
            (
                "oci-zstd-chunked",
                Form::OciNone,
                "oci",
                &["--dest-compress-format=zstd:chunked"],
            ),
            ("oci-of-docker", Form::DockerGzip, "oci", &[]),
            ("oci-archive", Form::OciGzip, "oci-archive", &[]),
            ("oci-archive-zstd", Form::OciZstd, "oci-archive", &[]),
            ("docker-archive", Form::OciGzip, "docker-archive", &[]),
        ];
        for (name, form, kind, flags) in skopeo {
            let make = move || skopeo_copies(generation, form, kind, flags);
            let name = format!("skopeo-{name}/{generation}");
            row(rows, name, Packed::Nothing, make);
        }
        let umoci: [(&str, Option<&str>); 2] = [("", None), ("-zstd", Some("--compress=zstd"))];
        for (name, compress) in umoci {
            let name = format!("umoci-insert{name}/{generation}");
            row(rows, name, Packed::Tree, move || {
                umoci_inserts(generation, compress)
            });
        }
        let name = format!("umoci-repack/{generation}");
        row(rows, name, Packed::Bundle, move || {
            umoci_repacks(generation)
        });
        let buildah: [(&str, &str, &[&str]); 6] = [
            ("oci", "oci", &["--format=oci"]),
            ("oci-docker-documents", "oci", &["--format=docker"]),
            (
                "oci-zstd",
                "oci",
                &["--format=oci", "--compression-format=zstd"],
            ),
            (
                "oci-zstd-chunked",
                "oci",
                &["--format=oci", "--compression-format=zstd:chunked"],
            ),
            ("oci-archive", "oci-archive", &["--format=oci"]),
            ("docker-archive", "docker-archive", &[]),
        ];
        for (name, kind, flags) in buildah {
            let make = move || buildah_pushes(generation, kind, flags);
            let name = format!("buildah-{name}/{generation}");
            row(rows, name, Packed::RootsTree, make);
        }
    }
}

/// A place of that kind where nothing is yet, as skopeo and we name it.
pub(super) fn place(kind: &str) -> String {
    let directory = room::directory();
    let directory = directory.display();
    match kind {
        "oci" => format!("oci:{directory}/layout:theirs"),
        "oci-archive" => format!("oci-archive:{directory}/oci.tar:theirs"),
        _ => format!("docker-archive:{directory}/docker.tar:theirs:v1"),
    }
}

fn skopeo_copies(generation: Generation, form: Form, kind: &str, flags: &[&str]) -> Made {
    let skopeo = peers::skopeo(generation).here()?;
    let image = form.image()?;
    let from = crate::ours::oci(form, &image);
    let to = place(kind);
    skopeo
        .run([&["copy"], flags, &[&from, &to]].concat())
        .or_refused()?;
    if flags.contains(&"--dest-compress-format=zstd:chunked") {
        is_chunked(generation, &to)?;
    }
    Ok(to)
}

/// An image of umoci's own: a layer of the tree.
fn umoci_image(umoci: &Program, compress: Option<&str>) -> Made {
    let path = room::directory().join("layout");
    let path = path.display().to_string();
    let image = format!("{path}:theirs");
    let tree = tree::directory()
        .to_str()
        .expect("tests name their files in UTF-8");
    umoci.run(["init", "--layout", &path]).or_refused()?;
    umoci.run(["new", "--image", &image]).or_refused()?;
    let mut words = vec!["insert", "--image", &image];
    words.extend(compress);
    words.extend([tree, "/"]);
    match umoci.run(words) {
        Err(failed)
            if failed
                .to_string()
                .contains("flag provided but not defined: -compress") =>
        {
            return Err(Otherwise::NotApplicable("it writes gzip alone"));
        }
        inserted => inserted.or_refused()?,
    };
    let words = [
        "config",
        "--image",
        &image,
        "--config.cmd=/bin/program",
        "--config.label=a=b",
        "--author=me",
    ];
    umoci.run(words).or_refused()?;
    Ok(format!("oci:{image}"))
}

fn umoci_inserts(generation: Generation, compress: Option<&str>) -> Made {
    let umoci = peers::umoci(generation).here()?;
    umoci_image(&umoci, compress)
}

/// Unpacked, changed, and a layer of the difference.
fn umoci_repacks(generation: Generation) -> Made {
    let umoci = peers::umoci(generation).here()?;
    needs_root()?;
    let place = umoci_image(&umoci, None)?;
    let image = place.trim_start_matches("oci:");
    let (layout, _) = image.split_once(':').expect("it has a name");
    let bundle = Path::new(layout).with_file_name("bundle");
    let words = bundle.to_str().expect("tests name their files in UTF-8");
    umoci
        .run(["unpack", "--image", image, words])
        .or_refused()?;
    let root = bundle.join("rootfs");
    std::fs::remove_file(root.join("etc/motd")).expect("it was unpacked");
    std::fs::write(root.join("etc/new"), "new").expect("there is room");
    tree::set_whole_second(&root.join("etc/new"));
    umoci
        .run(["repack", "--image", image, words])
        .or_refused()?;
    Ok(place)
}

/// buildah, with a store in which the tree is an image.
fn buildah(generation: Generation) -> Result<Program, Otherwise> {
    type Ready = Result<Program, Otherwise>;
    static READY: Shared<Generation, Ready> = Shared::new();
    let program = peers::buildah(generation).here()?;
    READY.get(generation, || {
        let store = room::directory();
        let at = |name: &str| store.join(name).display().to_string();
        let program = program.with_arguments(["--root".to_owned(), at("root")]);
        let program = program.with_arguments(["--runroot".to_owned(), at("run")]);
        let program = program.with_arguments(["--storage-driver=vfs"]);
        let container = program.run(["from", "scratch"]).or_refused()?;
        let container = container.trim();
        let tree = tree::directory()
            .to_str()
            .expect("tests name their files in UTF-8");
        program.run(["add", container, tree, "/"]).or_refused()?;
        let words = [
            "config",
            "--label=a=b",
            "--annotation=x.y=z",
            "--cmd=/bin/program",
            "--author=me",
            container,
        ];
        program.run(words).or_refused()?;
        program
            .run(["commit", "--quiet", container, "theirs"])
            .or_refused()?;
        Ok(program)
    })
}

fn buildah_pushes(generation: Generation, kind: &str, flags: &[&str]) -> Made {
    let buildah = buildah(generation)?;
    let to = place(kind);
    buildah
        .run([&["push"], flags, &["theirs", &to]].concat())
        .or_refused()?;
    if flags.contains(&"--compression-format=zstd:chunked") {
        is_chunked(generation, &to)?;
    }
    Ok(to)
}
