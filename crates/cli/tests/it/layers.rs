//! `layer` and `commit`, the two halves of a build.

use crate::support::{Project, blob};

const LAYERS: [(&str, &str); 2] = [
    (
        "lower",
        "{\"path\":\"etc/motd\",\"text\":\"old\\n\",\"mode\":\"0600\"}\n\
         {\"path\":\"etc/keep\",\"text\":\"kept\\n\",\"mode\":\"0644\",\"uid\":5,\"gid\":6}\n",
    ),
    (
        "upper",
        "{\"path\":\"app\",\"file\":\"app\",\"mode\":\"4755\"}\n\
         {\"path\":\"etc/motd\",\"text\":\"new!\\n\",\"mode\":\"0644\"}\n\
         {\"path\":\"bin/app\",\"symlink\":\"../app\"}\n",
    ),
];

/// The project's image from layers that were built one by one.
const IMAGE: &str = r#"
{"plan":"image","version":1,"names":["app:1.0"],"config":{"user":"65532","entrypoint":["/app"],"env":{"A":"b"}}}
{"layer":{"metadata":"lower.json","blob":"lower.blob"}}
{"layer":{"metadata":"upper.json","blob":"upper.blob"}}
"#;

fn layers(project: &Project) {
    for (name, entries) in LAYERS {
        let plan = format!("{{\"plan\":\"layer\",\"version\":1,\"name\":\"{name}\"}}\n{entries}");
        let (blob, metadata) = (format!("{name}.blob"), format!("{name}.json"));
        let args = [
            "layer",
            "-",
            "--blob",
            &blob,
            "--metadata",
            &metadata,
            "--format",
            "json",
        ];
        let ran = project.run_with(&args, plan.as_bytes()).exits(0).json();
        let written = project.read_json(&metadata);
        assert_eq!(ran["digest"], written["descriptor"]["digest"]);
        assert_eq!(ran["stored_size"], project.read(&blob).len());
    }
}

#[test]
fn the_halves_make_what_the_whole_makes() {
    let project = Project::built();
    layers(&project);
    // Forming the documents reads no blob.
    for blob in ["lower.blob", "upper.blob"] {
        std::fs::rename(project.path(blob), project.path(&format!("{blob}.away"))).expect("moved");
    }
    let files = [
        "--config",
        "c.json",
        "--manifest",
        "m.json",
        "--descriptor",
        "d.json",
    ];
    let args = [&["commit", "-", "--format", "json"], &files[..]].concat();
    let ran = project.run_with(&args, IMAGE.as_bytes()).exits(0).json();
    assert_eq!(ran["digest"], project.digest("oci:image"));
    assert_eq!(project.read_json("d.json")["digest"], ran["digest"]);
    for (raw, file) in [("config", "c.json"), ("manifest", "m.json")] {
        let whole = project
            .run(&["inspect", "oci:image", "--raw", raw])
            .exits(0);
        assert_eq!(project.read(file), whole.out, "{raw}");
    }
}

#[test]
fn built_layers_go_into_an_image() {
    let project = Project::built();
    layers(&project);
    project
        .run_with(&["build", "-", "-o", "oci:again"], IMAGE.as_bytes())
        .exits(0);
    assert_eq!(project.digest("oci:again"), project.digest("oci:image"));
    let without = IMAGE.replace(",\"blob\":\"upper.blob\"", "");
    project
        .run_with(&["build", "-", "-o", "oci:third"], without.as_bytes())
        .exits(1)
        .says(&["names no `blob`", "hint: name the layer's `blob`"]);
}

#[test]
fn an_image_on_a_base_reads_its_documents_alone() {
    let project = Project::built();
    layers(&project);
    let plan = r#"{"plan":"image","version":1,"base":"oci:image"}
{"layer":{"metadata":"upper.json","blob":"upper.blob"}}
"#;
    let base = project
        .run(&["inspect", "oci:image", "--raw", "manifest"])
        .json();
    let lowest = base["layers"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let away = project.path("away");
    std::fs::rename(project.path(&blob(&lowest)), &away).expect("moved");
    let args = ["commit", "-", "--config", "c.json", "--manifest", "m.json"];
    project.run_with(&args, plan.as_bytes()).exits(0);
    assert_eq!(
        project.read_json("m.json")["layers"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    std::fs::rename(&away, project.path(&blob(&lowest))).expect("moved back");
    project
        .run_with(&["build", "-", "-o", "oci:based"], plan.as_bytes())
        .exits(0);
    let whole = project.run(&["inspect", "oci:based", "--raw", "manifest"]);
    assert_eq!(whole.out, project.read("m.json"));
}

#[test]
fn an_index_gets_a_config_and_a_manifest_for_each_image() {
    let project = Project::new();
    layers(&project);
    let plan = r#"{"plan":"index","version":1}
{"image":{"platform":"linux/amd64"}}
{"layer":{"metadata":"lower.json","blob":"lower.blob"}}
{"image":{"platform":"linux/arm64"}}
{"layer":{"metadata":"upper.json","blob":"upper.blob"}}
"#;
    let one = [
        "commit",
        "-",
        "--config",
        "c1",
        "--manifest",
        "m1",
        "--index",
        "i",
    ];
    project
        .run_with(&one, plan.as_bytes())
        .exits(1)
        .says(&["2 images", "`--config`"]);
    let two = [&one[..], &["--config", "c2", "--manifest", "m2"]].concat();
    project.run_with(&two, plan.as_bytes()).exits(0);
    project
        .run_with(&["build", "-", "-o", "oci:image"], plan.as_bytes())
        .exits(0);
    let index = project.run(&["inspect", "oci:image", "--raw", "index"]);
    assert_eq!(project.read("i"), index.out);
    project
        .run_with(&one[..6], plan.as_bytes())
        .exits(1)
        .says(&["`--index FILE`"]);
}

#[test]
fn faults_leave_no_files() {
    let project = Project::new();
    let before = project.names();
    let plan = "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"file\":\"no-such\"}\n";
    let args = ["layer", "-", "--blob", "b", "--metadata", "m"];
    project
        .run_with(&args, plan.as_bytes())
        .exits(1)
        .says(&["no-such", "plan line 2"]);
    // The metadata cannot be written, so the blob does not show either.
    let plan = "{\"plan\":\"layer\",\"version\":1}\n{\"path\":\"a\",\"text\":\"a\"}\n";
    let args = ["layer", "-", "--blob", "b", "--metadata", "no/such/m"];
    project
        .run_with(&args, plan.as_bytes())
        .exits(1)
        .says(&["cannot write `no/such/m`"]);
    let args = [
        "layer",
        "-",
        "--blob",
        "b",
        "--metadata",
        "m",
        "--require-modes",
    ];
    project
        .run_with(&args, plan.as_bytes())
        .exits(1)
        .says(&["no mode", "hint: give the entry"]);
    let args = ["commit", "app.plan", "--config", "c", "--manifest", "m"];
    project
        .run(&args)
        .exits(1)
        .says(&["layer 0 (`lower`) is not built yet", "hint:"]);
    assert_eq!(project.names(), before);
}

#[test]
fn symlinks_and_files_are_told_apart() {
    let project = Project::new();
    std::os::unix::fs::symlink("nowhere", project.path("dangling")).expect("a symlink");
    for (entry, hint) in [
        (
            r#""file":"dangling""#,
            "hint: `symlink_of` instead of `file`",
        ),
        (
            r#""symlink_of":".""#,
            "hint: `file` instead of `symlink_of`",
        ),
    ] {
        let plan = format!("{{\"plan\":\"layer\",\"version\":1}}\n{{\"path\":\"a\",{entry}}}\n");
        let args = ["layer", "-", "--blob", "b", "--metadata", "m"];
        project
            .run_with(&args, plan.as_bytes())
            .exits(1)
            .says(&[hint]);
    }
}
