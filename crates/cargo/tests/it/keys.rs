//! `[package.metadata.image]`, key by key.

use std::path::Path;

use cooperage_cargo::metadata::{KEYS, Scope, read};
use cooperage_cargo::settings::{Mtime, Part, Settings, Vocabulary};
use serde_json::Value;

fn parse(text: &str, scope: Scope) -> Result<Settings, String> {
    let table: Value = toml::from_str(text).expect("the test is TOML");
    let metadata = serde_json::json!({ "image": table });
    read(&metadata, Path::new("/w/app/Cargo.toml"), scope).map_err(|error| error.to_string())
}

#[track_caller]
fn check(text: &str, expect: impl FnOnce(&Settings) -> bool) {
    let settings = parse(text, Scope::Package).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(expect(&settings), "{text}: {settings:?}");
}

#[track_caller]
fn refused(text: &str, expect: &str) {
    let error = parse(text, Scope::Package).expect_err(text);
    let expect = format!("`/w/app/Cargo.toml`: {expect}");
    assert_eq!(error, expect, "{text}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_key_is_read() {
    check("base = 'oci:base:13'", |s| {
        s.base.as_deref() == Some("oci:/w/app/base:13")
    });
    check("base = 'oci:/abs'", |s| {
        s.base.as_deref() == Some("oci:/abs")
    });
    check("base-digest = 'sha256:00'", |s| {
        s.base_digest.as_deref() == Some("sha256:00")
    });
    check("bin = 'b'", |s| s.bin.as_deref() == Some("b"));
    check("bin-path = '/app/'", |s| {
        s.bin_path.as_deref() == Some("/app/")
    });
    check("user = 1000", |s| s.user.as_deref() == Some("1000"));
    check("user = 'app:app'", |s| s.user.as_deref() == Some("app:app"));
    check("entrypoint = ['/a', '-b']", |s| {
        s.entrypoint.as_ref().is_some_and(|e| e.len() == 2)
    });
    check("args = []", |s| s.args == Some(vec![]));
    check("cmd = ['x']", |s| s.args == Some(vec!["x".into()]));
    check("env = { A = 'b', N = 1, T = true }", |s| {
        s.env["A"] == "b" && s.env["N"] == "1" && s.env["T"] == "true"
    });
    check("ports = [80, '53/udp', '6000-6010']", |s| {
        s.ports.iter().eq(["53/udp", "6000-6010/tcp", "80/tcp"])
    });
    check("labels = { a = 'b' }", |s| s.labels["a"] == "b");
    check("annotations = { a = 'b' }", |s| s.annotations["a"] == "b");
    check("volumes = ['/data']", |s| s.volumes.contains("/data"));
    check("working-dir = '/srv'", |s| {
        s.working_dir.as_deref() == Some("/srv")
    });
    check("stop-signal = 'SIGINT'", |s| {
        s.stop_signal.as_deref() == Some("SIGINT")
    });
    check("stop-signal = 2", |s| s.stop_signal.as_deref() == Some("2"));
    check("stop-signal = 'SIGRTMIN+3'", |s| s.stop_signal.is_some());
    check("healthcheck = ['/a', '-v']", |s| {
        s.healthcheck
            .as_ref()
            .is_some_and(|h| h.test == ["CMD", "/a", "-v"])
    });
    check(
        "healthcheck = { shell = 'a -v', interval = '1m30s', retries = 3 }",
        |s| {
            let check = s.healthcheck.as_ref().expect("it is given");
            check.test == ["CMD-SHELL", "a -v"]
                && check.interval == Some(90_000_000_000)
                && check.retries == Some(3)
        },
    );
    check(
        "files = [{ from = 'a', to = '/b', mode = '0600', layer = 'l' }]",
        |s| {
            let rule = &s.files[0];
            rule.mode == Some(0o600)
                && rule.layer.as_deref() == Some("l")
                && rule.root == Path::new("/w/app")
                && rule.origin == "`package.metadata.image.files[0]` in `/w/app/Cargo.toml`"
        },
    );
    check("layers = ['x', 'y']", |s| s.layers == ["x", "y"]);
    check("platforms = ['x86_64-unknown-linux-musl']", |s| {
        s.platforms.is_some()
    });
    check("tags = ['a:1']", |s| s.tags == Some(vec!["a:1".into()]));
    check("compression = 'zstd:19'", |s| {
        s.compression
            .is_some_and(|e| e.codec().as_str() == "zstd" && e.level() == 19)
    });
    check(
        "compression = { codec = 'gzip', level = 9, block-size = 2097152 }",
        |s| {
            s.compression
                .is_some_and(|e| e.level() == 9 && e.block_size() == 2 << 20)
        },
    );
    check("fold = false", |s| s.fold == Some(false));
    check("mtime = 'source-date-epoch'", |s| {
        s.mtime == Some(Mtime::SourceDateEpoch)
    });
    check("mtime = 12", |s| s.mtime == Some(Mtime::At(12)));
    check("created = '2026-01-02T03:04:05Z'", |s| s.created.is_some());
    check("author = 'A'", |s| s.author.as_deref() == Some("A"));
    check("certificates = false\ntime-zones = true", |s| {
        (s.certificates, s.time_zones) == (Some(false), Some(true))
    });
    check("libraries = ['libnss_dns.so.2']", |s| {
        s.libraries.contains("libnss_dns.so.2")
    });
    check("sysroot = 'root'", |s| {
        s.sysroot.as_deref() == Some(Path::new("/w/app/root"))
    });
    check("users = [{ name = 'app', uid = 7 }]", |s| {
        (s.users[0].uid, s.users[0].gid) == (7, 7)
    });
    check("remap-paths = false\nstamp = true", |s| {
        (s.remap_paths, s.stamp) == (Some(false), Some(true))
    });
    check("media-types = 'docker'", |s| {
        s.media_types == Some(Vocabulary::Docker)
    });
    check("unset = ['env.PATH', 'cmd', 'labels']", |s| {
        s.unset.contains(&Part::One("env", "PATH".into()))
            && s.unset.contains(&Part::Value("args"))
            && s.unset.contains(&Part::All("labels"))
    });
    check("inherit = ['user']", |s| {
        s.inherit.contains(&Part::Value("user"))
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_understood_is_named() {
    refused(
        "entrypont = ['/a']",
        "`package.metadata.image` has an unknown key `entrypont`; did you mean `entrypoint`?",
    );
    refused(
        "package = 'a'",
        &format!(
            "`package.metadata.image` has an unknown key `package`; known are `{}`",
            KEYS.join("`, `")
        ),
    );
    refused(
        "files = [{ form = 'a', to = '/b' }]",
        "`package.metadata.image.files[0]` has an unknown key `form`; did you mean `from`?",
    );
    refused(
        "files = [{ from = 'a' }]",
        "`package.metadata.image.files[0]` lacks the key `to`",
    );
    let place = |key: &str, rest: &str| format!("`package.metadata.image.{key}`: {rest}");
    let cases = [
        (
            "ports = ['http']",
            "ports[0]",
            "expected a port such as `8080` or `53/udp`, found \"http\"",
        ),
        (
            "ports = [0]",
            "ports[0]",
            "expected a port such as `8080` or `53/udp`, found `0`",
        ),
        (
            "ports = [70000]",
            "ports[0]",
            "expected a port such as `8080` or `53/udp`, found `70000`",
        ),
        (
            "ports = ['1/icmp']",
            "ports[0]",
            "expected `tcp`, `udp` or `sctp` after the port, found \"1/icmp\"",
        ),
        (
            "ports = 80",
            "ports",
            "expected an array of strings, found `80`",
        ),
        (
            "entrypoint = '/a -b'",
            "entrypoint",
            "expected an array of strings, found \"/a -b\"",
        ),
        (
            "env = ['A=b']",
            "env",
            "expected a table of strings, found an array of 1",
        ),
        (
            "env = { A = ['b'] }",
            "env.A",
            "expected a string, found an array of 1",
        ),
        (
            "env = { 'A=' = 'b' }",
            "env",
            "expected the name of a variable, which is not empty and has no `=`, found \"A=\"",
        ),
        (
            "user = ''",
            "user",
            "expected `USER[:GROUP]`, by name or number; root is `0`, found \"\"",
        ),
        (
            "user = 'a:b:c'",
            "user",
            "expected `USER[:GROUP]`, by name or number; root is `0`, found \"a:b:c\"",
        ),
        (
            "stop-signal = 'x'",
            "stop-signal",
            "expected a signal such as `SIGTERM`, or a number from 1 to 64, found \"x\"",
        ),
        (
            "stop-signal = 65",
            "stop-signal",
            "expected a signal such as `SIGTERM`, or a number from 1 to 64, found `65`",
        ),
        (
            "fold = 'yes'",
            "fold",
            "expected `true` or `false`, found \"yes\"",
        ),
        (
            "volumes = ['data']",
            "volumes[0]",
            "expected an absolute path in the image, without `.` and `..`, found \"data\"",
        ),
        (
            "bin-path = '/a/../b'",
            "bin-path",
            "expected an absolute path in the image, without `.` and `..`, found \"/a/../b\"",
        ),
        (
            "compression = 'bzip2'",
            "compression",
            "expected `gzip`, `zstd` or `none`, perhaps with a level: `gzip:9`, found \"bzip2\"",
        ),
        (
            "created = 'today'",
            "created",
            "expected a time such as `2026-01-31T12:00:00Z`, found \"today\"",
        ),
        (
            "created = '2026-02-30T00:00:00'",
            "created",
            "expected a time such as `2026-01-31T12:00:00Z`, found \"2026-02-30T00:00:00\"",
        ),
        (
            "mtime = 'now'",
            "mtime",
            "expected `epoch`, `source-date-epoch` or seconds since the epoch, found \"now\"",
        ),
        (
            "media-types = 'v1'",
            "media-types",
            "expected `oci` or `docker`, found \"v1\"",
        ),
        (
            "files = [{ from = 'a', to = '/b', mode = '999' }]",
            "files[0].mode",
            "expected a mode in octal, such as `0644`, found \"999\"",
        ),
        (
            "files = [{ from = 'a', to = '/b', uid = -1 }]",
            "files[0].uid",
            "expected a whole number from 0 to 4294967295, found `-1`",
        ),
        (
            "healthcheck = { cmd = ['a'], interval = '5' }",
            "healthcheck.interval",
            "expected a duration such as `500ms`, `30s` or `1m30s`, found \"5\"",
        ),
        (
            "healthcheck = 'a'",
            "healthcheck",
            "expected an array with the command, or a table with the key `cmd`, found \"a\"",
        ),
        (
            "args = []\ncmd = []",
            "cmd",
            "expected either `args` or `cmd`, which mean the same, found an array of 0",
        ),
        (
            "user = '1'\nunset = ['user']",
            "unset",
            "expected no part that is also given here, found an array of 1",
        ),
        (
            "inherit = ['user']\nunset = ['user']",
            "unset",
            "expected a part either in `unset` or in `inherit`, found an array of 1",
        ),
    ];
    for (text, key, expect) in cases {
        refused(text, &place(key, expect));
    }
    let error = parse("unset = ['path']", Scope::Package).expect_err("there is no such part");
    assert!(
        error.contains("unset[0]`: expected one of `author`, `user`, `entrypoint`, `args`"),
        "{error}"
    );
    let error = parse("compression = 'gzip:99'", Scope::Package).expect_err("there is no level 99");
    assert!(error.contains("compression"), "{error}");
}

#[test]
fn a_workspace_may_name_its_package() {
    let settings = parse("package = 'hello'", Scope::Workspace).expect("it may");
    assert_eq!(settings.package.as_deref(), Some("hello"));
    let error = parse("pakage = 'hello'", Scope::Workspace).expect_err("a slip");
    assert!(error.ends_with("did you mean `package`?"), "{error}");
}

#[test]
fn a_manifest_without_the_table_says_nothing() {
    let manifest = Path::new("Cargo.toml");
    for metadata in [Value::Null, serde_json::json!({"docs": {}})] {
        let settings = read(&metadata, manifest, Scope::Package).expect("nothing to refuse");
        assert_eq!(settings, Settings::default());
    }
}
