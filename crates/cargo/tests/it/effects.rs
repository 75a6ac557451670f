//! What keys and flags do to an image, and what is said while it is made.

use cooperage_testkit::peers;
use serde_json::{Value, json};

use crate::project::{HELLO, Project};

/// Standard output and standard error of a run that succeeds.
#[track_caller]
fn said(project: &Project, arguments: &[&str]) -> (String, String) {
    let output = project.command(arguments).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}:\n{err}");
    (out, err)
}

/// The lines of the plan, as JSON.
#[track_caller]
fn plan(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--print-plan", "--quiet"]].concat();
    let lines = said(project, &arguments).0;
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

fn layers(summary: &Value) -> &[Value] {
    summary["images"][0]["layers"].as_array().expect("layers")
}

/// Whoever reads, and stops reading before anything was said, has not made the image fail; a disk
/// that takes no answer has.
#[test]
#[cfg(target_os = "linux")]
fn standard_output_may_be_closed_and_not_full() {
    let project = Project::new(HELLO);
    for arguments in [&[][..], &["--format=json"], &["--print-plan"]] {
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = project.command(arguments);
        let output = command.stdout(closed).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}:\n{said}");

        let full = std::fs::File::create("/dev/full").expect("it can be opened");
        let mut command = project.command(arguments);
        let output = command.stdout(full).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}:\n{said}");
        assert!(
            said.contains("cannot write to standard output"),
            "{arguments:?}:\n{said}"
        );
    }
}

#[test]
fn what_was_made_is_printed() {
    let project = Project::new(&[HELLO[0], ("src/main.rs", "fn main() { let unused = 1; }\n")]);
    let (out, err) = said(&project, &[]);
    assert!(
        err.contains("unused variable: `unused`"),
        "cargo is heard: {err}"
    );
    let summary: Value = serde_json::from_str(&said(&project, &["--format=json"]).0).expect("JSON");
    let line = |word: &str| {
        let found = out.lines().find(|line| line.contains(word));
        found.unwrap_or_else(|| panic!("`{word}` is not in:\n{out}"))
    };
    for layer in layers(&summary) {
        let printed = line(layer["digest"].as_str().expect("text"));
        let name = layer["name"].as_str().expect("text");
        assert!(printed.trim_start().starts_with(name), "{printed}");
        let sizes: Vec<&str> = printed.split(['→']).collect();
        assert!(
            sizes.len() == 2 && sizes.iter().all(|size| size.contains('B')),
            "{printed}"
        );
    }
    let digest = summary["digest"].as_str().expect("text");
    assert_eq!(line("image "), format!("image hello:latest {digest}"));
    let place = format!(
        "oci:{}:hello:latest",
        project.target().join("image").display()
    );
    assert_eq!(line("in "), format!("in    {place}"));
    let next = out.split("next:\n").nth(1).expect("what comes next");
    for command in [
        format!("cooperage inspect {place}"),
        format!("skopeo inspect {place}"),
        format!("cooperage copy {place} docker-archive:hello.tar"),
        "docker load -i hello.tar && docker run --rm hello:latest".to_owned(),
    ] {
        assert!(next.contains(&command), "`{command}` is not in:\n{next}");
    }
    let (out, _) = said(&project, &["--output=docker-archive:h.tar"]);
    assert!(
        out.contains("  docker load -i h.tar\n  docker run --rm hello:latest\n"),
        "{out}"
    );
    project.write(HELLO[1].0, HELLO[1].1);
    let (out, err) = said(&project, &["--quiet"]);
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
}

#[test]
fn labels_come_from_git_if_asked_for() {
    let Some(git) = peers::tool("git") else {
        return;
    };
    let project = Project::new(HELLO);
    project.write(".gitignore", "Cargo.lock\n");
    let run = |words: &str| {
        let at = project.path("");
        let at = at.to_str().expect("text");
        let who = [
            "-C",
            at,
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
        ];
        let words = who.into_iter().chain(words.split(' '));
        git.run(words).expect("git does it").trim().to_owned()
    };
    let labels = |arguments: &[&str]| {
        let labels = plan(&project, arguments)[0]["config"]["labels"].clone();
        let of = |key: &str| labels[format!("org.opencontainers.image.{key}")].clone();
        (of("revision"), of("ref.name"))
    };
    let outside = project.command(&["--stamp"]).output().expect("it runs");
    let refusal = String::from_utf8_lossy(&outside.stderr).into_owned();
    assert!(refusal.contains("`git rev-parse HEAD` failed"), "{refusal}");
    run("init --quiet");
    run("add --all");
    run("commit --quiet --message one");
    let revision = run("rev-parse HEAD");
    assert_eq!(labels(&[]), (Value::Null, Value::Null));
    assert_eq!(labels(&["--stamp"]), (json!(revision), Value::Null));
    run("tag v1");
    assert_eq!(labels(&["--stamp"]), (json!(revision), json!("v1")));
    project.write("src/main.rs", "fn main() {}\n");
    let dirty = format!("{revision}-dirty");
    assert_eq!(labels(&["--stamp"]), (json!(dirty), Value::Null));
}

#[test]
fn each_key_reaches_the_image() {
    let project = Project::new(HELLO);
    let text = "the same\n".repeat(8000);
    for file in ["d/a", "d/b", "e/c"] {
        project.write(file, &text);
    }
    let files = [
        "--file=from=d,to=/d,layer=low",
        "--file=from=e,to=/e,layer=high",
    ];
    let run = |flags: &[&str]| project.run(&[&files, flags].concat());
    let names = |summary: &Value| -> Vec<String> {
        let names = layers(summary).iter().map(|layer| layer["name"].as_str());
        names.map(|name| name.expect("text").to_owned()).collect()
    };
    let plain = run(&[]);
    assert_eq!(names(&plain), ["run time", "low", "high", "binary"]);
    let turned = run(&["--layer=high", "--layer=low"]);
    assert_eq!(names(&turned), ["run time", "high", "low", "binary"]);

    let size = |summary: &Value| layers(summary)[1]["size"].as_u64().expect("a number");
    let (folded, whole) = (size(&plain), size(&run(&["--fold=false"])));
    assert!(whole >= folded + text.len() as u64, "{folded}, {whole}");

    for (flag, media_type) in [
        (
            "--compression=zstd",
            "application/vnd.oci.image.layer.v1.tar+zstd",
        ),
        (
            "--compression=none",
            "application/vnd.oci.image.layer.v1.tar",
        ),
        (
            "--media-types=docker",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ),
    ] {
        let summary = run(&[flag]);
        let manifest = project.blob(summary["digest"].as_str().expect("text"));
        for layer in manifest["layers"].as_array().expect("layers") {
            assert_eq!(layer["mediaType"], media_type, "{flag}");
        }
        let docker = "application/vnd.docker.distribution.manifest.v2+json";
        assert_eq!(manifest["mediaType"] == docker, flag.ends_with("docker"));
    }
}

#[test]
fn what_stands_in_the_plan_is_what_was_asked_for() {
    let project = Project::new(HELLO);
    let certificates = json!("ca-certificates");
    let has = |lines: &[Value]| lines.iter().any(|line| line["runtime"] == certificates);
    let with = plan(&project, &[]);
    let without = plan(&project, &["--certificates=false"]);
    assert!(has(&with) && !has(&without));
    let variable = |lines: &[Value]| lines[0]["config"]["env"]["SSL_CERT_FILE"].clone();
    assert!(variable(&with).is_string() && variable(&without).is_null());

    let base = ["--base=oci:b", "--inherit=entrypoint", "--author=a"];
    let head = &plan(&project, &base)[0];
    assert_eq!(
        (&head["base"]["reference"], &head["author"]),
        (&json!("oci:b"), &json!("a"))
    );
    assert!(head["config"].get("entrypoint").is_none(), "{head}");
    let head = &plan(&project, &["--base=oci:b", "--unset=author"])[0];
    assert!(head.get("author").is_some_and(Value::is_null), "{head}");
}

/// A library that is opened at run time comes along, from the C library's own directory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn libraries_that_are_asked_for_come_along() {
    let project = Project::new(HELLO);
    let find = |lines: &[Value]| {
        let paths = lines.iter().filter_map(|line| line["path"].as_str());
        paths
            .filter(|path| path.ends_with("/libnss_dns.so.2"))
            .count()
    };
    assert_eq!(find(&plan(&project, &[])), 0);
    assert_eq!(find(&plan(&project, &["--library=libnss_dns.so.2"])), 1);
    project.refused(&["--library=libnone.so.9"], "libnone.so.9");
}

#[cfg(unix)]
#[test]
fn directories_and_links_have_modes_of_their_own() {
    let project = Project::new(HELLO);
    project.write("d/sub/run", "#!/bin/sh\n");
    project.write("d/text", "");
    std::os::unix::fs::symlink("sub/run", project.path("d/link")).expect("a link");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(project.path("d/sub/run"), executable).expect("it is ours");
    let modes = |flags: &[&str]| -> Vec<(String, String)> {
        let lines = plan(&project, flags);
        let ours = lines.iter().filter(|line| {
            line["path"]
                .as_str()
                .is_some_and(|path| path == "x" || path.starts_with("x/"))
        });
        ours.map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or("none").to_owned();
            (text("path"), text("mode"))
        })
        .collect()
    };
    let expect = |modes: [&str; 5]| -> Vec<(String, String)> {
        let paths = ["x", "x/link", "x/sub", "x/sub/run", "x/text"];
        let pairs = paths.iter().zip(modes);
        pairs
            .map(|(path, mode)| ((*path).to_owned(), mode.to_owned()))
            .collect()
    };
    assert_eq!(
        modes(&["--file=d:/x"]),
        expect(["0755", "0777", "0755", "0755", "0644"])
    );
    assert_eq!(
        modes(&["--file=from=d,to=/x,mode=0600,dir-mode=0700"]),
        expect(["0700", "0777", "0700", "0600", "0600"])
    );
}
