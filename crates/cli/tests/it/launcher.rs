//! Programs that are this one, with a request beside them.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::program::{self, Ran};

use crate::support::Project;

const PARTS: [&str; 5] = ["l.blob", "l.json", "c.json", "m.json", "d.json"];

/// Puts the image into an archive of the user's.
const PUSH: &str = r#"{"action":"push","version":1}
{"part":"root","file":"_main/app/d.json"}
{"part":"document","file":"_main/app/m.json"}
{"part":"document","file":"_main/app/c.json"}
{"part":"layer","metadata":"_main/app/l.json","blob":"_main/app/l.blob"}
{"name":"app:1"}
{"to":"oci-archive:app.tar"}
"#;

/// A project with an image in parts, in the directory `app`.
fn project() -> Project {
    let project = Project::new();
    for request in [crate::action::LAYER, crate::action::IMAGE] {
        project.write("made", request);
        project.run(&["action", "@made"]).exits(0);
    }
    fs::remove_file(project.path("app")).expect("it was there");
    fs::create_dir_all(project.path("parts")).expect("a directory");
    for part in PARTS {
        fs::rename(project.path(part), project.path("parts").join(part)).expect("moved");
    }
    project
}

/// A program at `name`, with the request beside it.
fn launcher(project: &Project, name: &str, request: Option<&str>) {
    let path = project.path(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    symlink(env!("CARGO_BIN_EXE_cooperage"), &path).expect("a link");
    if let Some(request) = request {
        project.write(&format!("{name}.request"), request);
    }
}

/// Starts it where it may write, as a build system's `run` does.
fn start(project: &Project, name: &str, args: &[&str], vars: &[(&str, &Path)]) -> Ran {
    fs::create_dir_all(project.path("user")).expect("a directory");
    let mut command = Command::new(project.path(name));
    command.current_dir(project.path("parts")).args(args);
    for var in ["RUNFILES_DIR", "RUNFILES_MANIFEST_FILE"] {
        command.env_remove(var);
    }
    command.env("BUILD_WORKING_DIRECTORY", project.path("user"));
    command.envs(vars.iter().copied());
    program::run(&mut command, b"")
}

fn tree(project: &Project, name: &str) {
    let main = project.path(name).join("_main");
    fs::create_dir_all(&main).expect("directories");
    symlink(project.path("parts"), main.join("app")).expect("a link");
}

fn manifest(project: &Project, name: &str, more: &str) {
    let parts = project.path("parts");
    let line = |part: &&str| format!("_main/app/{part} {}\n", parts.join(part).display());
    let lines: String = PARTS.iter().map(line).collect();
    project.write(name, lines + more);
}

/// A program, and variables that it gets.
type Prepared = (String, Vec<(&'static str, PathBuf)>);

#[test]
fn runfiles_are_found_wherever_they_lie() {
    let check = |prepare: &dyn Fn(&Project) -> Prepared| {
        let project = project();
        let (name, vars) = prepare(&project);
        let vars: Vec<_> = vars
            .iter()
            .map(|(name, path)| (*name, path.as_path()))
            .collect();
        start(&project, &name, &[], &vars)
            .exits(0)
            .says(&["app.tar"]);
        let digest = project.read_json("parts/d.json")["digest"].clone();
        let found = project.digest("oci-archive:user/app.tar:app:1");
        assert_eq!(digest, found.as_str());
    };
    check(&|project| {
        launcher(project, "bin/push", Some(PUSH));
        tree(project, "elsewhere");
        (
            "bin/push".into(),
            vec![("RUNFILES_DIR", project.path("elsewhere"))],
        )
    });
    check(&|project| {
        launcher(project, "bin/push", Some(PUSH));
        manifest(project, "MANIFEST", "");
        (
            "bin/push".into(),
            vec![("RUNFILES_MANIFEST_FILE", project.path("MANIFEST"))],
        )
    });
    check(&|project| {
        launcher(project, "bin/push", Some(PUSH));
        tree(project, "bin/push.runfiles");
        // What is not there is passed over.
        (
            "bin/push".into(),
            vec![("RUNFILES_DIR", project.path("nowhere"))],
        )
    });
    check(&|project| {
        launcher(project, "bin/push", Some(PUSH));
        manifest(project, "bin/push.runfiles_manifest", "");
        ("bin/push".into(), Vec::new())
    });
    check(&|project| {
        let name = "bin/test.runfiles/_main/tool/push";
        launcher(project, name, Some(PUSH));
        tree(project, "bin/test.runfiles");
        (name.into(), Vec::new())
    });
    check(&|project| {
        // The request is a runfile as the others are.
        let name = "bin/test.runfiles/_main/tool/push";
        launcher(project, name, None);
        project.write("elsewhere.request", PUSH);
        let request = project.path("elsewhere.request");
        manifest(
            project,
            "MANIFEST",
            &format!("_main/tool/push.request {}\n", request.display()),
        );
        (
            name.into(),
            vec![("RUNFILES_MANIFEST_FILE", project.path("MANIFEST"))],
        )
    });
}

#[test]
fn a_launcher_has_its_own_command_line() {
    let project = project();
    launcher(&project, "bin/push", Some(PUSH));
    tree(&project, "bin/push.runfiles");
    let help = start(&project, "bin/push", &["--help"], &[])
        .exits(0)
        .text();
    for words in [
        "Usage: push [OPTIONS]",
        "--tag <TAG>",
        "--quiet",
        "--insecure-registry",
    ] {
        assert!(help.contains(words), "`{words}` is not in:\n{help}");
    }
    let to = ["--to", "oci:layout:other", "--format", "json", "--quiet"];
    let ran = start(&project, "bin/push", &to, &[]).exits(0);
    assert_eq!(
        ran.json()["digest"],
        project.read_json("parts/d.json")["digest"]
    );
    project.digest("oci:user/layout:other");
    assert!(!project.path("user/app.tar").exists());
    start(&project, "bin/push", &["build"], &[]).exits(2);
}

#[test]
fn what_is_no_launcher_is_the_command() {
    let project = project();
    // Found by its name alone, the program lies anywhere but here.
    project.write("parts/cooperage.request", PUSH);
    let mut command = Command::new(env!("CARGO_BIN_EXE_cooperage"));
    command
        .current_dir(project.path("parts"))
        .arg0("cooperage")
        .arg("--version");
    let ran = program::run(&mut command, b"").exits(0);
    assert!(ran.text().starts_with("cooperage "), "{}", ran.text());

    launcher(&project, "bin/plain", None);
    let ran = start(&project, "bin/plain", &["--version"], &[]).exits(0);
    assert!(ran.text().starts_with("cooperage "), "{}", ran.text());
}

#[test]
fn faulty_launchers_say_what_is_wrong() {
    for (request, said) in [
        (
            PUSH.replace("push", "pusch"),
            "no action `pusch` is known here: did you mean `push`?",
        ),
        (
            PUSH.replace("\"part\":\"root\"", "\"prat\":\"root\""),
            "`prat`: did you mean `part`?",
        ),
        (
            crate::action::LAYER.to_owned(),
            "the action `layer` has no launcher",
        ),
        (
            PUSH.replace("c.json", "nowhere"),
            "the runfile `_main/app/nowhere` is not there: looked in `",
        ),
    ] {
        let project = project();
        launcher(&project, "bin/push", Some(&request));
        tree(&project, "bin/push.runfiles");
        start(&project, "bin/push", &[], &[]).fails(&[said]);
    }
    let project = project();
    launcher(&project, "bin/push", Some(PUSH));
    start(&project, "bin/push", &[], &[])
        .fails(&["cannot be found: no runfiles directory or manifest is there"]);
}
