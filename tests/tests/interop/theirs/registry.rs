//! What registry clients pull, copy and make.

use cooperage_testkit::peers::{self, Generation};

use super::tools::place;
use super::{Deed, Made, Packed, row, tree};
use crate::forms::Form;
use crate::matrix::{Here as _, Rows};
use crate::reasons::Answer as _;
use crate::{ours, room};

pub(super) fn rows(rows: &mut Rows<Deed>) {
    for format in ["oci", "tarball", "legacy"] {
        let name = format!("crane-pull-{format}/modern");
        row(rows, name, Packed::Nothing, move || crane_pulls(format));
    }
    row(rows, "crane-append/modern", Packed::Tree, crane_appends);
    row(rows, "oras-copy/modern", Packed::Nothing, oras_copies);
    row(
        rows,
        "oras-push-artifact/modern",
        Packed::Nothing,
        oras_pushes,
    );
    row(rows, "cosign-save/modern", Packed::Nothing, cosign_saves);
}

fn crane_pulls(format: &str) -> Made {
    let crane = peers::crane().here()?;
    let name = ours::pushed(Generation::Modern, Form::OciGzip)?;
    let to = place(if format == "oci" {
        "oci"
    } else {
        "docker-archive"
    });
    let path = to.split(':').nth(1).expect("it has a path").to_owned();
    let words = [
        "pull",
        "--insecure",
        &format!("--format={format}"),
        &name,
        &path,
    ];
    crane.run(words).or_refused()?;
    // It gives no name in a layout, and the whole one in an archive.
    Ok(if format == "oci" {
        format!("oci:{path}")
    } else {
        format!("docker-archive:{path}")
    })
}

/// An image of crane's own, of a tar that was made by GNU tar.
fn crane_appends() -> Made {
    let crane = peers::crane().here()?;
    let tar = tree::tar()?;
    let path = room::directory().join("crane.tar");
    let (tar, to) = (tar.display().to_string(), path.display().to_string());
    let words = [
        "append",
        "--new_layer",
        &tar,
        "--new_tag=theirs:v1",
        "--output",
        &to,
    ];
    crane.run(words).or_refused()?;
    Ok(format!("docker-archive:{to}"))
}

fn oras_copies() -> Made {
    let oras = peers::oras().here()?;
    let name = ours::pushed(Generation::Modern, Form::OciGzip)?;
    let to = place("oci");
    let layout = to.trim_start_matches("oci:");
    let words = [
        "copy",
        "--from-plain-http",
        &name,
        "--to-oci-layout",
        layout,
    ];
    oras.run(words).or_refused()?;
    Ok(to)
}

/// No image, but files with types of their own.
fn oras_pushes() -> Made {
    let oras = peers::oras().here()?;
    let to = place("oci");
    let layout = to.trim_start_matches("oci:");
    let mut command = oras.command([
        "push",
        "--oci-layout",
        "--artifact-type=application/vnd.example",
    ]);
    command.current_dir(tree::directory());
    command.args([layout, "etc/motd:text/plain"]);
    let output = command.output().expect("oras starts");
    assert!(output.status.success(), "{output:?}");
    Ok(to)
}

fn cosign_saves() -> Made {
    let cosign = peers::cosign().here()?;
    let name = ours::pushed(Generation::Modern, Form::OciGzip)?;
    let path = room::directory().join("layout");
    let to = path.display().to_string();
    cosign
        .run(["save", "--allow-http-registry", "--dir", &to, &name])
        .or_refused()?;
    Ok(format!("oci:{to}"))
}
