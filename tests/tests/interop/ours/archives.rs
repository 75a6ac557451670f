//! skopeo over our archives. A docker archive of ours is an OCI archive too.

use cooperage_testkit::peers::{self, Generation};

use super::both;
use super::layouts::{Medium, Origin, comes_back, same_image};
use crate::forms::Form;
use crate::matrix::{Here as _, Rows, Seen};
use crate::reasons::Answer as _;
use crate::room;

pub(super) fn rows(rows: &mut Rows<Form>) {
    both(rows, "skopeo-copies-oci-archive", copies_oci_archive);
    both(rows, "skopeo-copies-docker-archive", copies_docker_archive);
    both(
        rows,
        "skopeo-copies-docker-archive-as-oci-archive",
        copies_docker_archive_as_oci,
    );
}

/// The form of the image in the archives that are copied everywhere: once with each medium is enough.
const FORM: Form = Form::OciGzip;

pub(super) fn copied(rows: &mut Rows<Origin>) {
    both(rows, "skopeo-inspects", inspects);
    for medium in Medium::ALL {
        let name = format!("skopeo-copies-to-and-back-from-{medium}");
        both(rows, &name, move |generation, of| {
            comes_back(generation, of, medium, FORM)
        });
    }
}

fn inspects(generation: Generation, of: Origin) -> Seen {
    let skopeo = peers::skopeo(generation).here()?;
    let image = FORM.image()?;
    let place = of.place(FORM, &image, &format!("{generation}-inspects"));
    let config = ["inspect", "--config", "--raw", &place];
    same_image(&image, skopeo.run(config).or_refused()?.as_bytes());
    let said = skopeo.run(["inspect", &place]).or_refused()?;
    let said: serde_json::Value = serde_json::from_str(&said).expect("skopeo prints JSON");
    assert_eq!(said["Os"], "linux");
    assert_eq!(said["Env"], serde_json::json!(["A=b"]));
    let layers = said["Layers"].as_array().expect("they are listed");
    assert_eq!(layers.len(), image.manifest().layers.len());
    // Of a docker archive it makes a manifest of its own.
    if of == Origin::OciArchive {
        assert_eq!(said["Digest"], image.digest());
    }
    Ok(())
}

/// What `skopeo copy` brings from `from` into a directory of its own, digests kept if `keep`.
fn copy(
    generation: Generation,
    from: &str,
    flags: &[&str],
) -> Result<String, crate::matrix::Otherwise> {
    let skopeo = peers::skopeo(generation).here()?;
    let to = format!("dir:{}/dir", room::directory().display());
    let words = [&["copy"], flags, &[from, &to]].concat();
    skopeo.run(words).or_refused()?;
    let manifest = skopeo.run(["inspect", "--raw", &to]).or_refused()?;
    Ok(manifest)
}

fn digest(text: &str) -> String {
    cooperage_digest::Digest::of(text.as_bytes()).to_string()
}

fn copies_oci_archive(generation: Generation, form: Form) -> Seen {
    let image = form.image()?;
    let path = image.oci_archive_as(&format!("skopeo-{generation}"));
    let from = format!("oci-archive:{}", path.display());
    let manifest = copy(generation, &from, &["--all", "--preserve-digests"])?;
    assert_eq!(digest(&manifest), image.digest());
    Ok(())
}

fn copies_docker_archive(generation: Generation, form: Form) -> Seen {
    let image = form.image()?;
    let name = format!("skopeo-{generation}-{form}");
    let path = image.docker_archive_as(&name, &form.write_options());
    // By its place, by a short name and by a full one.
    for reference in ["", ":@:latest", ":docker.io/library/@:latest"] {
        let reference = reference.replace('@', &name);
        let from = format!("docker-archive:{}{reference}", path.display());
        let manifest = copy(generation, &from, &[])?;
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest");
        let config = image.manifest().config.digest.as_str();
        assert_eq!(manifest["config"]["digest"], config, "{from}");
    }
    Ok(())
}

fn copies_docker_archive_as_oci(generation: Generation, form: Form) -> Seen {
    let image = form.image()?;
    let name = format!("skopeo-{generation}-as-oci");
    let path = image.docker_archive_as(&name, &form.keeping());
    let from = format!("oci-archive:{}", path.display());
    let manifest = copy(generation, &from, &["--preserve-digests"])?;
    let ours = &image.built.images[0].descriptor.digest;
    assert_eq!(digest(&manifest), ours.as_str());
    Ok(())
}
