//! Registry clients over images that skopeo pushed from our layouts.

use std::path::Path;

use cooperage_layout::{Layout, Severity, fsck};
use cooperage_testkit::peers::{self, Generation, Program};

use super::both;
use crate::forms::Form;
use crate::matrix::{Here as _, Otherwise, Rows, Seen};
use crate::reasons::Answer as _;
use crate::room::{self, Shared};
use crate::servers;

pub(super) fn rows(rows: &mut Rows<Form>) {
    both(rows, "crane-validates", crane_validates);
    both(rows, "crane-pulls", crane_pulls);
    both(rows, "oras-copies", oras_copies);
    both(rows, "cosign-signs-and-verifies", cosign_signs);
    both(rows, "cosign-saves", cosign_saves);
}

/// Where skopeo of that generation pushed our layout to: a name that others read it by.
pub(crate) fn pushed(generation: Generation, form: Form) -> Result<String, Otherwise> {
    static PUSHED: Shared<(Generation, Form), Result<String, Otherwise>> = Shared::new();
    let skopeo = peers::skopeo(generation).here()?;
    let registry = servers::registry(generation)?;
    PUSHED.get((generation, form), || {
        let image = form.image()?;
        let name = format!("{}/pushed-{form}:v1", registry.address());
        let flags = [
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
        ];
        let places = [
            super::layouts::oci(form, &image),
            format!("docker://{name}"),
        ];
        let words = flags.map(str::to_owned).into_iter().chain(places);
        skopeo.run(words).or_refused()?;
        Ok(name)
    })
}

fn crane_validates(generation: Generation, form: Form) -> Seen {
    let crane = peers::crane().here()?;
    let name = pushed(generation, form)?;
    let said = crane.run(["digest", "--insecure", &name]).or_refused()?;
    assert_eq!(said.trim(), form.image()?.digest());
    let said = crane
        .run(["validate", "--insecure", "--remote", &name])
        .or_refused()?;
    assert!(said.starts_with("PASS"), "{said}");
    Ok(())
}

/// A layout of somebody else's that holds the image, as the one that it was pushed from.
fn same_layout(path: &Path, form: Form) -> Seen {
    let image = form.image()?;
    let faults = fsck(path);
    let mut errors = faults.iter().filter(|it| it.severity() == Severity::Error);
    assert!(errors.next().is_none(), "{faults:?}");
    let layout = Layout::open(path).expect("a layout");
    let index = layout.index().expect("it has an index");
    // oras lists what an index holds beside the index.
    let mut manifests = index.value().manifests.iter();
    assert!(manifests.any(|it| it.digest == image.built.descriptor.digest));
    Ok(())
}

fn crane_pulls(generation: Generation, form: Form) -> Seen {
    let crane = peers::crane().here()?;
    let name = pushed(generation, form)?;
    let path = room::directory().join("layout");
    let to = path.to_str().expect("tests name their files in UTF-8");
    crane
        .run(["pull", "--insecure", "--format=oci", &name, to])
        .or_refused()?;
    same_layout(&path, form)
}

fn oras_copies(generation: Generation, form: Form) -> Seen {
    let oras = peers::oras().here()?;
    let name = pushed(generation, form)?;
    let path = room::directory().join("layout");
    let to = format!("{}:v1", path.display());
    oras.run(["copy", "--from-plain-http", &name, "--to-oci-layout", &to])
        .or_refused()?;
    same_layout(&path, form)
}

/// A pair of keys; cosign asks nobody for the password.
fn keys(cosign: &Program) -> &'static Path {
    static KEYS: Shared<(), &'static Path> = Shared::new();
    KEYS.get((), || {
        let directory: &Path = Box::leak(room::directory().into_boxed_path());
        let mut command = cosign.command(["generate-key-pair"]);
        command.current_dir(directory).env("COSIGN_PASSWORD", "");
        let output = command.output().expect("cosign starts");
        assert!(output.status.success(), "{output:?}");
        directory
    })
}

fn cosign_signs(generation: Generation, form: Form) -> Seen {
    let cosign = peers::cosign().here()?;
    let name = pushed(generation, form)?;
    let keys = keys(&cosign);
    let digest = form.image()?.digest();
    let (repository, _) = name.rsplit_once(':').expect("it has a tag");
    let name = format!("{repository}@{digest}");
    let key = |file: &str| keys.join(file).display().to_string();
    let sign = [
        "sign",
        "--yes",
        "--key",
        &key("cosign.key"),
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--allow-http-registry",
        &name,
    ];
    let output = cosign
        .command(sign)
        .env("COSIGN_PASSWORD", "")
        .output()
        .expect("cosign starts");
    assert!(output.status.success(), "{output:?}");
    let verify = [
        "verify",
        "--key",
        &key("cosign.pub"),
        "--insecure-ignore-tlog",
        "--allow-http-registry",
        &name,
    ];
    let said = cosign.run(verify).or_refused()?;
    let said: serde_json::Value = serde_json::from_str(said.trim()).expect("cosign prints JSON");
    assert_eq!(
        said[0]["critical"]["image"]["docker-manifest-digest"],
        digest
    );
    Ok(())
}

fn cosign_saves(generation: Generation, form: Form) -> Seen {
    let cosign = peers::cosign().here()?;
    let name = pushed(generation, form)?;
    let path = room::directory().join("layout");
    let to = path.to_str().expect("tests name their files in UTF-8");
    cosign
        .run(["save", "--allow-http-registry", "--dir", to, &name])
        .or_refused()?;
    same_layout(&path, form)
}
