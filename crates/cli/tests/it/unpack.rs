//! `unpack`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use cooperage_testkit::{peers, tree_listing};
use serde_json::json;

use crate::support::{Project, blob, names};

/// Root gets everything; whoever else runs the tests, all but the owners.
fn arguments(project: &Project, directory: &str) -> Vec<String> {
    let mut words = vec!["unpack", "oci:image", directory, "--format", "json"];
    if fs::metadata(project.path("app"))
        .expect("it is there")
        .uid()
        != 0
    {
        words.push("--rootless");
    }
    words.into_iter().map(str::to_owned).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn an_image_is_unpacked_as_a_container_sees_it() {
    let project = Project::built();
    let arguments = arguments(&project, "root");
    let ran = project.run(&words(&arguments)).exits(0).json();
    assert_eq!(ran["entries"], 6);
    assert_eq!(ran["bytes"], 12_010);
    assert_eq!(ran["directory"], "root");
    assert_eq!(ran["digest"], project.digest("oci:image"));
    assert_eq!(project.read("root/etc/motd"), b"new!\n");
    assert_eq!(project.read("root/bin/app"), project.read("app"));
    let look = |name: &str| fs::metadata(project.path(name)).expect("it is there");
    if look("root").uid() == 0 {
        assert_eq!(ran["left_out"], json!([]));
        assert_eq!(
            (look("root/etc/keep").uid(), look("root/etc/keep").gid()),
            (5, 6)
        );
        assert_eq!(look("root/app").mode() & 0o7777, 0o4755);
    }
    assert_eq!(names(&project.path("root")), ["app", "bin", "etc"]);
}

#[test]
fn a_directory_that_holds_something_stays_unless_it_is_to_go() {
    let project = Project::built();
    fs::create_dir(project.path("root")).expect("a directory can be made");
    project.write("root/old", "old");
    let before = project.names();
    let mut arguments = arguments(&project, "root");
    // Said before the image is looked for.
    project
        .run(&["unpack", "oci:none", "root"])
        .exits(1)
        .says(&[
            "`root` is not empty",
            "hint: choose an empty or a new directory, or `--replace`",
        ]);
    project
        .run(&["unpack", "oci:image", "."])
        .exits(1)
        .says(&["`.` does not end in a name"]);
    assert_eq!(project.read("root/old"), b"old");
    arguments.push("--replace".to_owned());
    project.run(&words(&arguments)).exits(0);
    assert_eq!(names(&project.path("root")), ["app", "bin", "etc"]);
    assert_eq!(project.names(), before);
}

#[test]
fn of_an_index_one_image_is_unpacked() {
    let project = Project::new();
    let plan = r#"{"plan":"index","version":1}
{"image":{"platform":"linux/amd64"}}
{"layer":{}}
{"path":"a","text":"amd64"}
{"image":{"platform":"linux/arm64"}}
{"layer":{}}
{"path":"a","text":"arm64"}
"#;
    project
        .run_with(&["build", "-", "-o", "oci:image"], plan.as_bytes())
        .exits(0);
    let mut arguments = arguments(&project, "root");
    project
        .run(&words(&arguments))
        .exits(1)
        .says(&["is an index of images", "hint: `--platform` chooses one"]);
    arguments.extend(["--platform".to_owned(), "linux/arm64".to_owned()]);
    project.run(&words(&arguments)).exits(0);
    assert_eq!(project.read("root/a"), b"arm64");
}

/// A layer that is not what its names say leaves nothing, whichever layer it is.
#[test]
fn what_cannot_be_verified_is_not_unpacked() {
    for number in [0, 1] {
        let project = Project::built();
        let manifest = project
            .run(&["inspect", "oci:image", "--raw", "manifest"])
            .json();
        let digest = manifest["layers"][number]["digest"]
            .as_str()
            .expect("a digest");
        let mut bytes = project.read(&blob(digest));
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::set_permissions(
            project.path(&blob(digest)),
            fs::Permissions::from_mode(0o644),
        )
        .expect("it can be changed");
        project.write(&blob(digest), bytes);
        let before = project.names();
        let arguments = arguments(&project, "root");
        project.run(&words(&arguments)).exits(1).says(&[digest]);
        assert_eq!(project.names(), before);
    }
}

/// Whoever is not root is told what is refused, and gets all else when that is what they want.
#[test]
fn a_user_is_told_what_is_left_out() {
    let Some(setpriv) = peers::tool_of_root("setpriv") else {
        return;
    };
    let project = Project::built();
    // Where the program was built, a user may have no access.
    let program = project.path("cooperage");
    fs::copy(env!("CARGO_BIN_EXE_cooperage"), &program).expect("the program can be copied");
    let everyone = fs::Permissions::from_mode(0o777);
    for open in [project.path(""), program.clone()] {
        fs::set_permissions(open, everyone.clone()).expect("it is ours");
    }
    let as_a_user = |more: &[&str]| {
        let user = ["--reuid=12345", "--regid=12345", "--clear-groups", "--"];
        let mut command = setpriv.command(user);
        command.arg(&program).args(["unpack", "oci:image", "root"]);
        command.args(more).current_dir(project.path(""));
        command.output().expect("the program starts")
    };
    let before = project.names();
    let refused = as_a_user(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("caused by: the system refuses `app` its owner"),
        "{said}"
    );
    assert!(said.contains("hint: `--rootless` leaves out"), "{said}");
    assert_eq!(project.names(), before);

    let done = as_a_user(&["--rootless", "--format", "json"]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("it is JSON");
    let expected = json!([
        {"what": "owner", "paths": ["app", "bin", "bin/app", "etc", "etc/keep", "etc/motd"]},
        {"what": "setid", "paths": ["app"]},
    ]);
    assert_eq!(json["left_out"], expected);
    let app = fs::metadata(project.path("root/app")).expect("it is there");
    assert_eq!((app.uid(), app.mode() & 0o7777), (12_345, 0o755));
    fs::remove_dir_all(project.path("root")).expect("root may");
    let told = String::from_utf8(as_a_user(&["--rootless"]).stdout).expect("text");
    assert!(
        told.contains("left out: owner of app and 5 others\n"),
        "{told}"
    );
    assert!(
        told.contains("left out: setuid or setgid bit of app\n"),
        "{told}"
    );
}

/// The system call that keeps paths inside is used, and where a sandbox or an older system has it
/// not, the same comes out without it.
#[test]
fn systems_without_openat2_give_the_same() {
    let Some(strace) = peers::tool("strace") else {
        return;
    };
    let project = Project::built();
    let traced = |directory: &str, more: &[&str]| {
        let trace = project.path("trace");
        let mut command = strace.command(["-f", "-e", "trace=openat2", "-o"]);
        command.arg(&trace).args(more);
        command.arg(env!("CARGO_BIN_EXE_cooperage"));
        command
            .args(arguments(&project, directory))
            .current_dir(project.path(""));
        let output = command.output().expect("strace starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        fs::read_to_string(trace).expect("strace wrote it")
    };
    let with = traced("with", &[]);
    let flags = "RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH";
    assert!(with.contains("\"etc\"") && with.contains(flags), "{with}");
    let without = traced("without", &["-e", "inject=openat2:error=ENOSYS"]);
    assert!(
        without.contains("ENOSYS") && !without.contains("\"etc\""),
        "{without}"
    );
    let [with, without] = ["with", "without"].map(|name| tree_listing(&project.path(name)));
    assert!(!with.0.is_empty());
    with.assert_same(&without, "with openat2 and without");
}
