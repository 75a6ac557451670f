//! The action `expect`: each expectation holds where it should, and fails where it should.

use serde_json::Value;

use crate::pieces::{Pieces, Silent as _};

/// `met` is as expected, and `wrong` is not, which the report says with `expected` and `found`.
#[track_caller]
fn check(pieces: &Pieces, met: &str, wrong: &str, expected: &str, found: &str) {
    let report = r#"{"output":"report","file":"report"}"#;
    pieces.act_on("expect", &[report, met]).silent();
    let written = pieces.project.read_json("report");
    assert_eq!(written["passed"], 1, "{met}");
    assert_eq!(written["failed"], Value::Array(Vec::new()), "{met}");

    let ran = pieces.act_on("expect", &[report, met, wrong]);
    assert_eq!(ran.code, Some(1), "{wrong}");
    let line = pieces.lines.lines().count() + 4;
    ran.fails(&[&format!("line {line}: expected {expected}, found {found}")]);
    let written = pieces.project.read_json("report");
    assert_eq!(written["passed"], 1, "{wrong}");
    let failed = written["failed"].as_array().expect("a list");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["line"], line);
    assert_eq!(failed[0]["expected"], expected);
    assert_eq!(failed[0]["found"], found);
}

fn file(members: &str) -> String {
    format!(r#"{{"expect":"file",{members}}}"#)
}

#[test]
fn the_config_is_compared_by_value() {
    let pieces = Pieces::new();
    check(
        &pieces,
        r#"{"expect":"config","config":{"User":"65532","Entrypoint":["/app/run"],"Cmd":null}}"#,
        r#"{"expect":"config","config":{"Entrypoint":["/app/ran"]}}"#,
        "`Entrypoint` of the config to be [\"/app/ran\"]",
        "[\"/app/run\"]",
    );
    check(
        &pieces,
        r#"{"expect":"config","config":{}}"#,
        r#"{"expect":"config","config":{"User":null}}"#,
        "`User` of the config to be absent",
        "\"65532\"",
    );
    check(
        &pieces,
        r#"{"expect":"config","config":{"Labels":{"team":"casks"}}}"#,
        r#"{"expect":"config","config":{"WorkingDir":"/"}}"#,
        "`WorkingDir` of the config to be \"/\"",
        "none",
    );
    // Of the environment a part is enough, or all of it as the config has it.
    check(
        &pieces,
        r#"{"expect":"config","config":{"Env":{"A":"b=c","B":null}}}"#,
        r#"{"expect":"config","config":{"Env":{"A":null}}}"#,
        "no environment variable `A`",
        "`b=c`",
    );
    check(
        &pieces,
        r#"{"expect":"config","config":{"Env":["A=b=c"]}}"#,
        r#"{"expect":"config","config":{"Env":{"B":"x"}}}"#,
        "environment variable `B` to be `x`",
        "none",
    );
    check(
        &pieces,
        r#"{"expect":"platform","platform":"linux/x86_64"}"#,
        r#"{"expect":"platform","platform":"linux/arm64"}"#,
        "platform `linux/arm64`",
        "`linux/amd64`",
    );
    check(
        &pieces,
        r#"{"expect":"label","name":"team","value":"casks"}"#,
        r#"{"expect":"label","name":"team","value":"vats"}"#,
        "label `team` to be `vats`",
        "`casks`",
    );
    check(
        &pieces,
        r#"{"expect":"label","name":"other","value":null}"#,
        r#"{"expect":"label","name":"team","value":null}"#,
        "no label `team`",
        "`casks`",
    );
    check(
        &pieces,
        r#"{"expect":"annotation","name":"kind","value":"test"}"#,
        r#"{"expect":"annotation","name":"sort","value":"test"}"#,
        "annotation `sort` to be `test`",
        "none",
    );
}

#[test]
fn layers_are_counted_and_weighed() {
    let pieces = Pieces::new();
    let size = pieces.project.read("app.blob").len();
    check(
        &pieces,
        &format!(r#"{{"expect":"size","max":{size}}}"#),
        &format!(r#"{{"expect":"size","max":{}}}"#, size - 1),
        &format!("layers of at most {} bytes", size - 1),
        &format!("{size} bytes"),
    );
    check(
        &pieces,
        r#"{"expect":"layers","count":1}"#,
        r#"{"expect":"layers","count":2}"#,
        "2 layers",
        "1",
    );
    check(
        &pieces,
        r#"{"expect":"layers","max":1}"#,
        r#"{"expect":"layers","max":0}"#,
        "at most 0 layers",
        "1",
    );
}

#[test]
fn files_have_what_is_expected_of_them() {
    let pieces = Pieces::new();
    let digest = cooperage_testkit::sha256(b"hello\n");
    let hex = digest.strip_prefix("sha256:").expect("sha256");
    let wrong = hex.replacen(&hex[..1], if hex.starts_with('0') { "1" } else { "0" }, 1);
    let motd = |members: &str| file(&format!(r#""path":"etc/motd",{members}"#));
    for (met, wrong, expected, found) in [
        (
            r#""type":"file""#,
            r#""type":"dir""#,
            "to be a `dir`",
            "a `hardlink`",
        ),
        (
            r#""mode":"0640""#,
            r#""mode":"644""#,
            "to have mode `0644`",
            "`0640`",
        ),
        (r#""uid":5"#, r#""uid":0"#, "to have uid 0", "5"),
        (r#""gid":6"#, r#""gid":5"#, "to have gid 5", "6"),
        (r#""size":6"#, r#""size":7"#, "to have 7 bytes", "6"),
        (
            r#""text":"hello\n""#,
            r#""text":"hullo\n""#,
            "to hold `hullo\\n`",
            "`hello\\n`",
        ),
        (
            &format!(r#""sha256":"{hex}""#),
            &format!(r#""sha256":"sha256:{wrong}""#),
            &format!("to be `sha256:{wrong}`"),
            &format!("`{digest}`"),
        ),
    ] {
        let expected = format!("`etc/motd` {expected}");
        check(&pieces, &motd(met), &motd(wrong), &expected, found);
    }
    check(
        &pieces,
        &file(r#""path":"/bin/run","type":"symlink","target":"../app/run""#),
        &file(r#""path":"bin/run","target":"/app/run""#),
        "`bin/run` to link to `/app/run`",
        "`../app/run`",
    );
    // Both names of a file are the file, of which the first by path has the bytes.
    check(
        &pieces,
        &file(r#""path":"etc/issue","type":"file","mode":"0640","text":"hello\n""#),
        &file(r#""path":"etc/issue","type":"hardlink""#),
        "`etc/issue` to be a `hardlink`",
        "a `file`",
    );
    check(
        &pieces,
        &file(r#""path":"etc/motd","type":"hardlink","target":"etc/issue""#),
        &file(r#""path":"etc/issue","target":"etc/motd""#),
        "`etc/issue` to link to `etc/motd`",
        "no link",
    );
    check(
        &pieces,
        &file(r#""path":"var/empty","type":"directory","mode":"0700""#),
        &file(r#""path":"var/empty","size":0"#),
        "`var/empty` to be a file with content",
        "none",
    );
    check(
        &pieces,
        &file(r#""path":"app/run""#),
        &file(r#""path":"app/ran""#),
        "`app/ran`",
        "nothing",
    );
    check(
        &pieces,
        &file(r#""path":"app""#),
        &file(r#""path":"bin/run/x""#),
        "`bin/run/x`",
        "nothing: `bin/run` is a symlink to `../app/run`, and links are not followed",
    );
}

#[test]
fn what_must_not_be_there_is_found() {
    let pieces = Pieces::new();
    check(
        &pieces,
        r#"{"expect":"absent","match":"**/*.key"}"#,
        r#"{"expect":"absent","match":"/etc/{motd,issue}"}"#,
        "nothing at `/etc/{motd,issue}`",
        "`etc/issue`, `etc/motd`",
    );
}

#[test]
fn a_removed_file_is_not_there() {
    let mut pieces = Pieces::new();
    pieces.layer("upper", r#"{"path":"etc/motd","whiteout":true}"#);
    pieces.image("app2", "", &["app", "upper"]);
    check(
        &pieces,
        r#"{"expect":"absent","match":"etc/motd"}"#,
        &file(r#""path":"etc/motd""#),
        "`etc/motd`",
        "nothing",
    );
    // Its other name is a file still.
    let issue = file(r#""path":"etc/issue","text":"hello\n""#);
    pieces.act_on("expect", &[&issue]).silent();
}

#[test]
fn all_failures_are_listed() {
    let pieces = Pieces::new();
    let wrong = file(r#""path":"etc/motd","mode":"0600","uid":0,"text":"""#);
    let ran = pieces.act_on("expect", &[&wrong, r#"{"expect":"layers","count":7}"#]);
    ran.fails(&[
        "the image is not as expected, in 4 ways:",
        "line 6: expected `etc/motd` to have mode `0600`, found `0640`",
        "line 6: expected `etc/motd` to have uid 0, found 5",
        "line 6: expected `etc/motd` to hold ``, found `hello\\n`",
        "line 7: expected 7 layers, found 1",
    ]);
}

#[test]
fn of_an_index_every_image_is_looked_at_unless_one_is_chosen() {
    let mut pieces = Pieces::new();
    pieces.index();
    let amd64 = r#"{"expect":"platform","platform":"linux/amd64"}"#;
    let motd = file(r#""path":"etc/motd","uid":5"#);
    let report = r#"{"output":"report","file":"report"}"#;
    pieces.act_on("expect", &[report, &motd]).silent();
    assert_eq!(pieces.project.read_json("report")["passed"], 2);
    // An index has images for platforms.
    let arm64 = r#"{"expect":"platform","platform":"linux/arm64/v8"}"#;
    pieces
        .act_on("expect", &[report, &motd, amd64, arm64])
        .silent();
    assert_eq!(pieces.project.read_json("report")["passed"], 4);
    let s390x = r#"{"expect":"platform","platform":"linux/s390x"}"#;
    let ran = pieces.act_on("expect", &[report, &motd, s390x]);
    ran.fails(&["expected an image for `linux/s390x`, found `linux/amd64`, `linux/arm64`"]);
    assert_eq!(pieces.project.read_json("report")["passed"], 2);
    let wrong = file(r#""path":"etc/motd","uid":0"#);
    let ran = pieces.act_on("expect", &[report, amd64, &wrong]);
    ran.fails(&[
        "linux/amd64: expected `etc/motd` to have uid 0, found 5",
        "linux/arm64: expected `etc/motd` to have uid 0, found 5",
    ]);
    let written = pieces.project.read_json("report");
    assert_eq!(written["passed"], 1);
    assert_eq!(written["failed"][1]["platform"], "linux/arm64");
    let chosen = r#"{"platform":"linux/amd64"}"#;
    pieces.act_on("expect", &[amd64, chosen]).silent();
    let none = r#"{"platform":"linux/s390x"}"#;
    pieces
        .act_on("expect", &[amd64, none])
        .fails(&["linux/s390x"]);
}

#[test]
fn lines_that_expect_nothing_known_are_refused() {
    let pieces = Pieces::new();
    for (line, said) in [
        ("", "nothing is expected: add a line `{\"expect\":…}`"),
        (
            r#"{"expect":"fiel","path":"x"}"#,
            "`fiel` cannot be expected: did you mean `file`?",
        ),
        (
            r#"{"expect":"file","path":"x","mood":"0644"}"#,
            "line 6: unknown field `mood`: did you mean `mode`?",
        ),
        (r#"{"expect":"file"}"#, "line 6: `path`"),
        (
            r#"{"expect":"file","path":"x/../y"}"#,
            "line 6: `path` is not valid",
        ),
        (
            r#"{"expect":"file","path":"x","mode":"rw"}"#,
            "`rw` is no octal mode such as `0755`",
        ),
        (
            r#"{"expect":"file","path":"x","type":"symlnk"}"#,
            "no type `symlnk` is known: did you mean `symlink`?",
        ),
        (
            r#"{"expect":"file","path":"x","sha256":"12"}"#,
            "line 6: `sha256` is not valid",
        ),
        (r#"{"expect":"absent","match":"["}"#, "`[` is no glob"),
        (r#"{"expect":"size"}"#, "line 6: `max`"),
        (r#"{"expect":"layers"}"#, "`count` or `max`"),
        (
            r#"{"expect":"layers","count":1,"max":2}"#,
            "expected `count` or `max`, found both",
        ),
        (r#"{"expect":"label","name":"x"}"#, "line 6: `value`"),
        (
            r#"{"expect":"config","config":{"Env":{"A":1}}}"#,
            "line 6: `config`: expected strings and `null` in `Env`",
        ),
        (
            r#"{"expect":"config","config":[]}"#,
            "line 6: `config`: expected an object",
        ),
    ] {
        pieces.act_on("expect", &[line]).fails(&[said]);
    }
    // A layer whose bytes are not those of its digest tells nothing.
    let mut bytes = pieces.project.read("app.blob");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    pieces.project.write("app.blob", bytes);
    pieces
        .act_on("expect", &[&file(r#""path":"app/run""#)])
        .fails(&["the part `app.blob` is damaged"]);
    // What asks for no file reads no layer.
    let layers = r#"{"expect":"layers","count":1}"#;
    pieces.act_on("expect", &[layers]).silent();
}

#[cfg(unix)]
#[test]
fn a_launcher_says_how_it_went() {
    let pieces = Pieces::new();
    let run = |lines: &[&str], args: &[&str]| {
        let mut launcher = pieces.launcher("expect", lines);
        cooperage_testkit::program::run(launcher.args(args), b"")
    };
    let layers = r#"{"expect":"layers","count":1}"#;
    run(&[layers], &[]).exits(0).says(&["1 thing as expected"]);
    let quiet = run(&[layers], &["-q"]).exits(0);
    assert_eq!((quiet.text(), &*quiet.err), (String::new(), ""));
    let json = run(&[layers], &["--format", "json"]).exits(0).json();
    assert_eq!(json["passed"], 1);
    run(&[r#"{"expect":"layers","count":2}"#], &[]).fails(&["expected 2 layers, found 1"]);
    run(&[layers], &["--tag", "x"]).exits(2);
}
