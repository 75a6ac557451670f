//! crane over our layouts and docker archives.

use cooperage_testkit::peers::{self, Generation};

use crate::forms::Form;
use crate::matrix::{Here as _, Rows, Seen};
use crate::reasons::Answer as _;
use crate::servers;

pub(super) fn rows(layouts: &mut Rows<Form>, archives: &mut Rows<Form>) {
    layouts.row("crane-pushes/modern", pushes);
    archives.row("crane-validates-docker-archive/modern", validates);
}

/// It reads a layout to push it, and then the registry has the same.
fn pushes(form: Form) -> Seen {
    let crane = peers::crane().here()?;
    let registry = servers::registry(Generation::Modern)?;
    let image = form.image()?;
    let layout = image
        .layout
        .path()
        .to_str()
        .expect("tests name their files in UTF-8");
    let name = format!("{}/crane-{form}:v1", registry.address());
    // Of the one root, be it an index; its flag `--index` is for the layout's own.
    crane
        .run(["push", "--insecure", layout, &name])
        .or_refused()?;
    let said = crane.run(["digest", "--insecure", &name]).or_refused()?;
    assert_eq!(said.trim(), image.digest());
    Ok(())
}

fn validates(form: Form) -> Seen {
    let crane = peers::crane().here()?;
    let image = form.image()?;
    let path = image.docker_archive_as("crane", &form.write_options());
    let path = path.to_str().expect("tests name their files in UTF-8");
    let said = crane.run(["validate", "--tarball", path]).or_refused()?;
    assert!(said.starts_with("PASS"), "{said}");
    Ok(())
}
