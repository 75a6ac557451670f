//! `inspect` and `ls`.

use serde_json::{Value, json};

use crate::support::{Project, blob};

#[test]
fn inspect_tells_what_the_plan_said() {
    let project = Project::built();
    let ran = project
        .run(&["inspect", "oci:image:app:1.0", "--format", "json"])
        .exits(0)
        .json();
    let image = &ran["images"][0];
    assert_eq!(ran["names"], json!(["app:1.0"]));
    assert_eq!(image["kind"], "image");
    assert_eq!(image["platform"], "linux/amd64");
    assert_eq!(image["config"]["User"], "65532");
    assert_eq!(image["layers"][1]["created_by"], "cooperage: upper");
    assert_eq!(image["history"].as_array().map(Vec::len), Some(2));
    let text = project.run(&["inspect", "oci:image"]).exits(0);
    text.says(&[
        "user         65532",
        "entrypoint   [\"/app\"]",
        "env          A=b",
        "diff ID",
    ]);
    let by_digest = format!("oci:image@{}", ran["digest"].as_str().expect("a digest"));
    assert_eq!(project.digest(&by_digest), ran["digest"]);
}

#[test]
fn raw_documents_are_the_blobs_bytes() {
    let project = Project::built();
    let digest = project.digest("oci:image");
    let manifest = project
        .run(&["inspect", "oci:image", "--raw", "manifest"])
        .exits(0);
    assert_eq!(manifest.out, project.read(&blob(&digest)));
    project
        .run(&["inspect", "oci:image", "--raw", "index"])
        .exits(1)
        .says(&["is no index"]);
}

#[test]
fn what_a_foreign_image_says_cannot_steer_a_terminal() {
    let project = Project::new();
    let plan = r#"{"plan":"image","version":1,"names":["evil"],"config":{"labels":{"l":"a\u001b[2Jb"}}}
{"layer":{"created_by":"\u001b]0;x\u0007"}}
{"path":"\u001b[31mred","text":"x"}
"#;
    project
        .run_with(&["build", "-", "-o", "oci:evil"], plan.as_bytes())
        .exits(0);
    for args in [&["inspect", "oci:evil"][..], &["ls", "-l", "oci:evil"]] {
        let ran = project.run(args).exits(0);
        assert!(!ran.out.contains(&0x1b), "{}", ran.text().escape_debug());
        assert!(ran.text().contains("\\u{1b}["));
    }
}

#[test]
fn ls_shows_each_file_with_its_layer() {
    let project = Project::built();
    let ran = project
        .run(&["ls", "oci:image", "--format", "json"])
        .exits(0)
        .json();
    let find = |path: &str| -> Value {
        let files = ran["files"].as_array().expect("a list");
        files
            .iter()
            .find(|file| file["path"] == path)
            .unwrap_or(&Value::Null)
            .clone()
    };
    for (path, member, expected) in [
        ("etc/motd", "layer", json!(1)),
        ("etc/motd", "size", json!(5)),
        ("etc/motd", "mode", json!("0644")),
        ("etc/keep", "layer", json!(0)),
        ("etc/keep", "uid", json!(5)),
        ("app", "mode", json!("4755")),
        ("bin/app", "target", json!("../app")),
        ("etc", "type", json!("directory")),
    ] {
        assert_eq!(find(path)[member], expected, "{path}: {member}");
    }
    let long = project.run(&["ls", "-l", "oci:image"]).exits(0).text();
    let line = |path: &str| {
        long.lines()
            .find(|line| line.ends_with(path))
            .unwrap_or_default()
    };
    assert!(
        line("  app").starts_with("-rwsr-xr-x 0:0 12000   1 "),
        "{long}"
    );
    assert!(line("-> ../app").starts_with("lrwxrwxrwx 0:0"), "{long}");
    assert!(line("etc/keep").starts_with("-rw-r--r-- 5:6"), "{long}");
}

#[test]
fn ls_leaves_out_what_a_layer_removed() {
    let project = Project::built();
    let plan = r#"{"plan":"image","version":1,"names":["less"],"base":"oci:image"}
{"layer":{"name":"less"}}
{"path":"etc/motd","whiteout":true}
{"path_b64":"//4=","text":"not UTF-8"}
"#;
    project
        .run_with(&["build", "-", "-o", "oci:less"], plan.as_bytes())
        .exits(0);
    let text = project.run(&["ls", "oci:less"]).exits(0).text();
    assert!(
        text.contains("etc/keep") && !text.contains("etc/motd"),
        "{text}"
    );
    let json = project
        .run(&["ls", "oci:less", "--format", "json"])
        .exits(0)
        .text();
    assert!(json.contains("\"path_b64\": \"//4=\""), "{json}");
}

#[test]
fn completions_and_pages_are_made() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        project
            .run(&["completions", shell])
            .exits(0)
            .says(&["closure"]);
        project
            .run(&["completions", shell, "--program=cargo-image"])
            .exits(0)
            .says(&["cargo-image", "remap-paths"]);
    }
    let ran = project
        .run(&["man", "pages", "--format", "json"])
        .exits(0)
        .json();
    let pages = ran["pages"].as_array().expect("a list");
    assert!(
        pages.contains(&json!("cooperage-layout-fsck.1")),
        "{pages:?}"
    );
    assert!(pages.contains(&json!("cargo-image.1")), "{pages:?}");
    for page in pages {
        let page = format!("pages/{}", page.as_str().expect("text"));
        let text = String::from_utf8(project.read(&page)).expect("text");
        let end = if page.ends_with("cargo-image.1") {
            "In Cargo.toml"
        } else {
            "Exit codes"
        };
        assert!(text.contains(end), "{page}: {text}");
    }
    project.run(&["completions", "no-such-shell"]).exits(2);
}
