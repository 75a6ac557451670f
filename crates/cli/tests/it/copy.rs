//! `copy`.

use std::process::Stdio;

use cooperage_testkit::peers::{self, Generation};

use crate::support::{PLAN, Project};

#[test]
fn an_image_keeps_its_digest_through_every_medium() {
    let project = Project::built();
    let digest = project.digest("oci:image");
    let route = [
        "oci:image",
        "oci-archive:a.tar",
        "docker-archive:b.tar",
        "oci:c:third",
    ];
    for pair in route.windows(2) {
        let ran = project
            .run(&["copy", pair[0], pair[1], "--format", "json"])
            .exits(0)
            .json();
        assert_eq!(ran["images"][0]["digest"], digest, "{pair:?}");
        assert_eq!(ran["to"], pair[1]);
        assert_eq!(project.digest(pair[1]), digest, "{pair:?}");
    }
    let again = project
        .run(&["copy", "oci:image", "oci:c", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&again["images"][0]["blobs"], &again["images"][0]["skipped"]),
        (&0.into(), &4.into())
    );
}

#[test]
fn archives_go_through_pipes() {
    let project = Project::built();
    for medium in ["docker-archive", "oci-archive"] {
        let (pipe, file) = (format!("{medium}:-"), format!("{medium}:file.tar"));
        let piped = project.run(&["copy", "oci:image", &pipe]).exits(0);
        project.run(&["copy", "oci:image", &file]).exits(0);
        assert!(
            piped.out == project.read("file.tar"),
            "{medium}: a pipe gets the same bytes"
        );
        let to = format!("oci:from-{medium}");
        project.run_with(&["copy", &pipe, &to], &piped.out).exits(0);
        assert_eq!(project.digest(&to), project.digest("oci:image"));
    }
    let layout = ["copy", "oci:image", "oci:-"];
    project
        .run(&layout)
        .exits(1)
        .says(&["hint: `oci-archive:-`"]);
}

#[test]
fn zstd_layers_are_recompressed_unless_told_otherwise() {
    let project = Project::new();
    let plan = PLAN.replace(
        "\"name\":\"upper\"",
        "\"name\":\"upper\",\"encoder\":\"zstd-1\"",
    );
    project
        .run_with(&["build", "-", "-o", "oci:image"], plan.as_bytes())
        .exits(0);
    let ran = project.run(&[
        "copy",
        "oci:image",
        "docker-archive:a.tar",
        "--format",
        "json",
    ]);
    let archive = &ran.exits(0).json()["archive"]["images"][0];
    assert_eq!(archive["recompressed"].as_array().map(Vec::len), Some(1));
    assert_ne!(archive["manifest"], archive["source"]);
    project
        .run(&["copy", "oci:image", "docker-archive:a.tar"])
        .exits(0)
        .says(&["recompressed to gzip: layer sha256:"]);
    let keep = [
        "copy",
        "oci:image",
        "docker-archive:k.tar",
        "--keep-zstd",
        "--format",
        "json",
    ];
    let kept = project.run(&keep).exits(0).json();
    assert_eq!(
        kept["archive"]["images"][0]["recompressed"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[test]
fn all_images_go_at_once() {
    let project = Project::built();
    let other = PLAN
        .replace("app:1.0", "other:2.0")
        .replace("kept", "changed");
    project
        .run_with(&["build", "-", "-o", "oci:image"], other.as_bytes())
        .exits(0);
    project
        .run(&["copy", "oci:image", "oci:to"])
        .exits(1)
        .says(&[
            "`app:1.0`, `other:2.0`",
            "hint: an image is chosen by a name",
        ]);
    project
        .run(&["copy", "--all", "oci:image", "docker-archive:a.tar"])
        .exits(0);
    for name in ["app:1.0", "other:2.0"] {
        let (from, to) = (
            format!("oci:image:{name}"),
            format!("docker-archive:a.tar:{name}"),
        );
        assert_eq!(project.digest(&from), project.digest(&to));
    }
    project
        .run(&["copy", "--all", "oci:image:app:1.0", "oci:x"])
        .exits(1)
        .says(&["`--all`"]);
    project
        .run(&["copy", "--all", "oci:image", "oci:x:y"])
        .exits(1)
        .says(&["`--all`"]);
}

#[test]
fn faults_are_named() {
    let project = Project::built();
    for (args, words) in [
        (["copy", "oci:none", "oci:x"], "cannot open `oci:none`"),
        (["copy", "oci:image:none", "oci:x"], "it holds `app:1.0`"),
        (
            ["copy", "docker-archive:app", "oci:x"],
            "cannot open `docker-archive:app`",
        ),
        (
            ["copy", "oci:image", "docker-archive:no/such/dir.tar"],
            "no/such",
        ),
    ] {
        project.run(&args).exits(1).says(&["error: ", words]);
    }
    let platform = ["copy", "oci:image", "oci:x", "--platform", "linux/arm64"];
    project
        .run(&platform)
        .exits(1)
        .says(&["runs on linux/amd64, not on linux/arm64"]);
    assert!(!project.path("x").exists());
}

#[test]
fn a_reader_who_leaves_early_is_no_fault() {
    let project = Project::built();
    let mut child = project
        .command()
        .args(["ls", "oci:image", "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn skopeo_reads_what_goes_to_a_pipe() {
    let Some(skopeo) = peers::skopeo(Generation::Modern) else {
        return;
    };
    let project = Project::built();
    let piped = project
        .run(&["copy", "oci:image", "docker-archive:-"])
        .exits(0);
    project.write("piped.tar", &piped.out);
    let location = format!("docker-archive:{}", project.path("piped.tar").display());
    let text = skopeo
        .run(["inspect", "--config", &location])
        .expect("skopeo reads the archive");
    assert!(text.contains("65532"), "{text}");
}
