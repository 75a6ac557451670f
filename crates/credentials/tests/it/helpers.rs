//! Helpers that answer, fail, hang, and never stop talking.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use cooperage_credentials::{AuthFile, Credentials, Found, HelperFault, Helpers, Origin, Warning};
use tempfile::TempDir;

use crate::{AUTH, Place, SECRET, shown, warnings};

/// The programs, by short name. They are all written before the first is run: a process that is
/// being started holds open what any thread was just writing, and a program that is open for
/// writing cannot be run.
static PROGRAMS: LazyLock<TempDir> = LazyLock::new(|| {
    let answer = format!(r#"{{"ServerURL":"'"$server"'","Username":"u","Secret":"{SECRET}"}}"#);
    let not_found = "credentials not found in native keychain";
    let directory = tempfile::tempdir().unwrap();
    for (name, script) in [
        // Tells which server it was asked for as the name.
        (
            "echo",
            r#"read -r server; printf '{"Username":"%s","Secret":"s"}' "$server""#.to_owned(),
        ),
        // Knows one server, and notes each question.
        (
            "one",
            format!(
                "read -r server; echo \"$1 $server\" >>\"${{0%/*}}/asked\"; \
                 [ \"$server\" = known.io ] || {{ echo '{not_found}'; exit 1; }}; \
                 echo '{answer}'"
            ),
        ),
        // Keeps docker's own registry by its short name, as podman does.
        (
            "short",
            format!(
                "read -r server; [ \"$server\" = docker.io ] || {{ echo '{not_found}'; exit 1; }}; \
                 echo '{answer}'"
            ),
        ),
        (
            "token",
            format!(r#"echo '{{"Username":"<token>","Secret":"{SECRET}"}}'"#),
        ),
        ("deaf", format!("exec <&-; echo '{answer}'")),
        ("empty", r#"echo '{"Username":"","Secret":""}'"#.to_owned()),
        (
            "failing",
            "echo 'not logged in, run x login'; exit 3".into(),
        ),
        ("mute", "exit 4".to_owned()),
        ("leaky", format!("echo '{answer}'; exit 5")),
        (
            "quoting",
            format!("echo 'bad answer: \"{SECRET}\"'; exit 6"),
        ),
        (
            "garbled",
            format!(r#"echo '{{"Username":5,"Secret":"{SECRET}"}}'"#),
        ),
        ("plain", format!("echo {SECRET}")),
        ("silent", ":".to_owned()),
        ("endless", format!("exec yes {SECRET}")),
        ("hanging", "exec sleep 600".to_owned()),
        // Whoever it started lives on, and with it the pipe.
        (
            "leaving",
            format!("sleep 600 & echo $! >>\"${{0%/*}}/left\"; echo '{answer}'"),
        ),
    ] {
        let path = directory.path().join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = directory.path().join("docker-credential-no-program");
    fs::write(&path, "not a program").unwrap();
    directory
});

fn programs() -> PathBuf {
    PROGRAMS.path().to_owned()
}

/// Long for those that answer, short for those that do not: no test waits for what does not come.
fn helpers(patience: Duration) -> Helpers {
    Helpers {
        path: Some(format!("{}:/usr/bin:/bin", programs().display()).into()),
        time: patience,
        output: 4096,
    }
}

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(200);

fn find_with(config: &str, registry: &str, patience: Duration) -> (Place, Found) {
    let place = Place::new(config);
    let files = vec![AuthFile::required(place.file())];
    let found = Credentials::new(files, helpers(patience)).find(registry, "team/app");
    (place, found)
}

fn find(config: &str, registry: &str) -> Found {
    find_with(config, registry, LONG).1
}

#[test]
fn which_helper_is_asked_and_for_what() {
    for (config, registry, expected) in [
        (r#"{"credHelpers": {"q.io": "echo"}}"#, "q.io", "q.io:s"),
        (r#"{"credHelpers": {"q.io": "echo"}}"#, "r.io", "-"),
        (
            r#"{"credHelpers": {"q.io:5000": "echo"}}"#,
            "q.io:5000",
            "q.io:5000:s",
        ),
        (r#"{"credHelpers": {"q.io/team": "echo"}}"#, "q.io", "-"),
        (r#"{"credHelpers": {"q.io": null}}"#, "q.io", "-"),
        (r#"{"credsStore": "echo"}"#, "q.io", "q.io:s"),
        (
            r#"{"credsStore": "token", "credHelpers": {"q.io": "echo"}}"#,
            "q.io",
            "q.io:s",
        ),
        (
            r#"{"credsStore": "token", "credHelpers": {"q.io": "echo"}}"#,
            "r.io",
            "identity hunter2",
        ),
        // An empty name switches the store off for a registry.
        (
            r#"{"credsStore": "echo", "credHelpers": {"q.io": ""}}"#,
            "q.io",
            "-",
        ),
        // Docker's own registry, by the URL that `docker login` knows it by, then as others do.
        (
            r#"{"credsStore": "echo"}"#,
            "docker.io",
            "https://index.docker.io/v1/:s",
        ),
        (
            r#"{"credHelpers": {"docker.io": "echo"}}"#,
            "docker.io",
            "https://index.docker.io/v1/:s",
        ),
        (
            r#"{"credHelpers": {"index.docker.io": "short"}}"#,
            "docker.io",
            "u:hunter2",
        ),
        (
            r#"{"credHelpers": {"https://index.docker.io/v1/": "short"}}"#,
            "docker.io",
            "u:hunter2",
        ),
        // Before entries, and instead of none.
        (
            r#"{"credsStore": "echo", "auths": {"q.io": {"auth": "dTpw"}}}"#,
            "q.io",
            "q.io:s",
        ),
        (
            r#"{"credsStore": "one", "auths": {"q.io": {"auth": "dTpw"}}}"#,
            "q.io",
            "u:p",
        ),
        (
            r#"{"credsStore": "empty", "auths": {"q.io": {"auth": "dTpw"}}}"#,
            "q.io",
            "u:p",
        ),
        (
            r#"{"credsStore": "one", "auths": {"q.io": {}}}"#,
            "q.io",
            "-",
        ),
        (r#"{"credsStore": "token"}"#, "q.io", "identity hunter2"),
        (r#"{"credsStore": "deaf"}"#, "q.io", "u:hunter2"),
    ] {
        let found = find(config, registry);
        assert_eq!(shown(&found), expected, "{config} for {registry}");
        assert!(found.warnings.is_empty(), "{config}: {:?}", found.warnings);
    }
}

#[test]
fn a_helpers_login_has_an_origin() {
    let origin = find(r#"{"credsStore": "echo"}"#, "q.io").origin.unwrap();
    let expected = Origin::Helper {
        helper: "docker-credential-echo".into(),
        server: "q.io".into(),
    };
    assert_eq!(origin, expected);
    assert_eq!(
        origin.to_string(),
        "`docker-credential-echo`, asked for `q.io`"
    );
}

/// A failing helper is told of, and what else there is counts: never does it fail a pull that
/// needs no login.
#[test]
fn a_failing_helper_warns() {
    for (name, patience, expected) in [
        (
            "failing",
            LONG,
            "it failed with exit status: 3: not logged in, run x login",
        ),
        ("mute", LONG, "it failed with exit status: 4"),
        ("leaky", LONG, "it failed with exit status: 5"),
        ("quoting", LONG, "it failed with exit status: 6"),
        (
            "garbled",
            LONG,
            "its answer is not an object with `Username` and `Secret`",
        ),
        (
            "plain",
            LONG,
            "its answer is not an object with `Username` and `Secret`",
        ),
        (
            "silent",
            LONG,
            "its answer is not an object with `Username` and `Secret`",
        ),
        (
            "endless",
            LONG,
            "it answered with more than 4096 bytes and was ended",
        ),
        (
            "hanging",
            SHORT,
            "it did not answer within 0.2 s and was ended",
        ),
        (
            "leaving",
            SHORT,
            "it did not answer within 0.2 s and was ended",
        ),
        (
            "no-program",
            LONG,
            "it cannot be run: Permission denied (os error 13)",
        ),
        ("missing", LONG, "there is no such program in `PATH`"),
        (
            "../evil",
            LONG,
            "its name is not that of a program: expected letters, digits, `-`, `_` and `.`",
        ),
        (
            "a b",
            LONG,
            "its name is not that of a program: expected letters, digits, `-`, `_` and `.`",
        ),
    ] {
        for rest in ["", r#", "auths": {"q.io": {"auth": "dTpodW50ZXIy"}}"#] {
            let config = format!(r#"{{"credsStore": "{name}"{rest}}}"#);
            let (place, found) = find_with(&config, "q.io", patience);
            let login = if rest.is_empty() { "-" } else { "u:hunter2" };
            assert_eq!(shown(&found), login, "{name}");
            let expected = format!(
                "no login for `q.io` comes from the helper `docker-credential-{name}` that `{}` \
                 names: {expected}",
                place.file().display()
            );
            assert_eq!(warnings(&found), [expected], "{name}");
            let all = format!("{found:?} {found:#?}");
            assert!(!all.contains(SECRET) && !all.contains(AUTH), "{all}");
        }
    }
    let left = fs::read_to_string(programs().join("left")).unwrap();
    for process in left.lines() {
        // It was started by the helper, and ends with nothing of its own.
        let mut shell = std::process::Command::new("sh");
        let ended = shell.args(["-c", "kill \"$1\"", "sh", process]).status();
        assert!(ended.unwrap().success());
    }
}

/// Faults can be told apart by more than their words.
#[test]
fn faults_are_values() {
    let found = find_with(r#"{"credsStore": "hanging"}"#, "q.io", SHORT).1;
    let [
        Warning::Helper {
            helper,
            server,
            fault,
            ..
        },
    ] = &found.warnings[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!(
        (&**helper, &**server),
        ("docker-credential-hanging", "q.io")
    );
    assert!(matches!(**fault, HelperFault::Slow { limit } if limit == SHORT));
}

/// However many repositories and threads, a helper is asked once for a registry: some ask a person.
#[test]
fn a_helper_is_asked_once() {
    let place = Place::new(r#"{"credsStore": "one"}"#);
    let files = vec![AuthFile::required(place.file())];
    let credentials = Credentials::new(files, helpers(LONG));
    let asked = || fs::read_to_string(programs().join("asked")).unwrap_or_default();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let credentials = &credentials;
            scope.spawn(move || {
                let found = credentials.find("known.io", &format!("app{number}"));
                assert_eq!(shown(&found), "u:hunter2");
            });
        }
    });
    let known = |asked: &str| asked.lines().filter(|line| *line == "get known.io").count();
    assert_eq!(known(&asked()), 1, "{}", asked());
}
