//! Where files are looked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cooperage_credentials::{AuthFile, Credentials, Format, Helpers};

use crate::{Place, shown, warnings};

fn login(path: &Path, user: &str, format: Format) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let entries = format!(r#"{{"q.io": {{"username": "{user}", "password": "p"}}}}"#);
    let text = match format {
        Format::Config => format!(r#"{{"auths": {entries}}}"#),
        Format::Legacy => entries,
    };
    fs::write(path, text).unwrap();
}

/// With all of them there, each place is asked before the next.
#[test]
fn places_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let mut variables: BTreeMap<&str, OsString> = BTreeMap::new();
    for (name, path) in [
        ("REGISTRY_AUTH_FILE", "named.json"),
        ("DOCKER_CONFIG", "docker"),
        ("XDG_RUNTIME_DIR", "run"),
        ("XDG_CONFIG_HOME", "config"),
        ("HOME", "home"),
    ] {
        variables.insert(name, at.join(path).into());
    }
    let mut places = vec![
        ("flag.json", ""),
        ("named.json", "REGISTRY_AUTH_FILE"),
        ("docker/config.json", "DOCKER_CONFIG"),
        ("run/containers/auth.json", "XDG_RUNTIME_DIR"),
        ("config/containers/auth.json", "XDG_CONFIG_HOME"),
        ("home/.config/containers/auth.json", ""),
        ("home/.docker/config.json", ""),
        ("home/.dockercfg", ""),
    ];
    if !cfg!(target_os = "linux") {
        places.retain(|(place, _)| !place.starts_with("run/"));
        variables.remove("XDG_RUNTIME_DIR");
    }
    for (place, _) in &places {
        let format = if *place == "home/.dockercfg" {
            Format::Legacy
        } else {
            Format::Config
        };
        login(&at.join(place), place, format);
    }
    // The flag's file, then as the variables go, one after the other, those of the home directory.
    for (number, (place, variable)) in places.iter().enumerate() {
        let credentials = Credentials::from_variables(&|name| variables.get(name).cloned());
        let credentials = match number {
            0 => credentials.with_file(at.join(place), "`--authfile`"),
            _ => credentials,
        };
        let found = credentials.find("q.io", "app");
        assert_eq!(shown(&found), format!("{place}:p"));
        assert!(found.warnings.is_empty(), "{place}: {:?}", found.warnings);
        // What is there no more is passed over.
        if *place != "flag.json" {
            fs::remove_file(at.join(place)).unwrap();
        }
        variables.remove(variable);
    }
    let credentials = Credentials::from_variables(&|name| variables.get(name).cloned());
    assert_eq!(shown(&credentials.find("q.io", "app")), "-");
}

/// A variable that is empty is as good as none, and without any nothing is read, nothing said.
#[test]
fn an_environment_without_anything() {
    for value in [None, Some(OsString::new())] {
        let credentials = Credentials::from_variables(&|_| value.clone());
        let files: Vec<&AuthFile> = credentials.files().collect();
        // Where those without a session keep theirs.
        let runtime = files
            .iter()
            .all(|file| file.path.starts_with("/run/containers"));
        assert!(runtime && files.len() <= 1, "{files:?}");
    }
    let found = Credentials::none().find("q.io", "app");
    assert!(found.login.is_none() && found.warnings.is_empty());
}

/// What somebody named and is not there is said; what may be there, and is not, is not.
#[test]
fn files_that_are_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::write(at.join("file"), "").unwrap();
    let credentials = Credentials::from_variables(&|name| match name {
        "REGISTRY_AUTH_FILE" => Some(at.join("no.json").into()),
        "DOCKER_CONFIG" => Some(at.join("none").into()),
        "HOME" => Some(at.join("file").into()),
        _ => None,
    })
    .with_file(at.join("flag.json"), "`--authfile`");
    let found = credentials.find("q.io", "app");
    let expected = [
        format!(
            "no logins are read from `{}`, named by `--authfile`: there is no such file",
            at.join("flag.json").display()
        ),
        format!(
            "no logins are read from `{}`, named by `REGISTRY_AUTH_FILE`: there is no such file",
            at.join("no.json").display()
        ),
    ];
    assert_eq!(warnings(&found), expected);
}

/// A directory, or a pipe that nobody writes to, where a file may be: said, and not waited for.
#[cfg(unix)]
#[test]
fn what_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [directory.path().to_owned(), pipe] {
        let files = vec![AuthFile::optional(path.clone())];
        let found = Credentials::new(files, Helpers::default()).find("q.io", "app");
        let expected = format!(
            "no logins are read from `{}`: it is not a regular file",
            path.display()
        );
        assert_eq!(warnings(&found), [expected]);
    }
}

/// A pipe that somebody named is read, and once for all registries.
#[cfg(unix)]
#[test]
fn a_file_is_read_once() {
    let place = Place::new("{}");
    let pipe = place.directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::thread::scope(|scope| {
        scope.spawn(|| login(&pipe, "piped", Format::Config));
        let files = vec![AuthFile::required(pipe.clone())];
        let credentials = Credentials::new(files, Helpers::default());
        for repository in ["app", "other"] {
            let found = credentials.find("q.io", repository);
            assert_eq!(shown(&found), "piped:p", "{:?}", found.warnings);
        }
    });
}
