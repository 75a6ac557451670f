//! Flags over a package's metadata over its workspace's.

use std::path::Path;

use clap::Parser;
use cooperage_cargo::ImageArgs;
use cooperage_cargo::metadata::{Scope, read};
use cooperage_cargo::settings::{Part, Settings};
use serde_json::{Value, json};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    args: ImageArgs,
}

fn flags(words: &[&str]) -> Settings {
    let words = std::iter::once("image").chain(words.iter().copied());
    Flags::try_parse_from(words)
        .unwrap_or_else(|error| panic!("{error}"))
        .args
        .settings()
}

fn metadata(image: &str) -> Settings {
    let image: Value = toml::from_str(image).expect("the test is TOML");
    read(
        &json!({ "image": image }),
        Path::new("/w/Cargo.toml"),
        Scope::Package,
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_flag_wins_and_collections_are_joined() {
    let settings = metadata(
        "user = '1'\nentrypoint = ['/a']\nargs = ['x']\nports = [80]\n\
         env = { A = '1', B = '1' }\ncompression = 'zstd'\ntags = ['m']\nfold = true",
    )
    .overlay(flags(&[
        "--user=2",
        "--arg=-y",
        "--arg",
        "z",
        "--port=81",
        "--env",
        "B=2",
        "-e",
        "C=2",
        "--compression",
        "none",
        "-t",
        "f",
        "--fold=false",
    ]));
    assert_eq!(settings.user.as_deref(), Some("2"));
    assert_eq!(settings.entrypoint, Some(vec!["/a".to_owned()]));
    assert_eq!(settings.args, Some(vec!["-y".to_owned(), "z".to_owned()]));
    assert!(settings.ports.iter().eq(["80/tcp", "81/tcp"]));
    let env: Vec<_> = settings
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["A=1", "B=2", "C=2"]);
    assert_eq!(
        settings.compression.expect("a flag").codec().as_str(),
        "none"
    );
    assert_eq!(settings.tags, Some(vec!["f".to_owned()]));
    assert_eq!(settings.fold, Some(false));
}

#[test]
fn what_is_unset_above_is_gone_and_can_come_back() {
    let under = || metadata("user = '1'\nenv = { A = '1', B = '1' }\nargs = ['x']");
    let settings = under().overlay(flags(&["--unset=args", "--unset", "env.A"]));
    assert_eq!(settings.args, None);
    assert!(settings.env.keys().eq(["B"]));
    assert!(settings.unset.contains(&Part::Value("args")));
    let settings = settings.overlay(flags(&["--arg=again", "--env=A=2"]));
    assert_eq!(settings.args, Some(vec!["again".to_owned()]));
    assert!(settings.unset.is_empty(), "{:?}", settings.unset);
    let settings = under().overlay(flags(&["--inherit=user"]));
    assert_eq!((settings.user, settings.inherit.len()), (None, 1));
    let author = metadata("author = 'a'").overlay(flags(&["--unset=author"]));
    assert_eq!((author.author, author.unset.len()), (None, 1));
}

#[test]
fn times_of_a_check_can_be_given_alone() {
    let under = metadata("healthcheck = { cmd = ['/a'], interval = '5s', retries = 2 }");
    let check = under
        .overlay(flags(&["--healthcheck-interval=7s"]))
        .healthcheck
        .expect("a check");
    assert_eq!(check.test, ["CMD", "/a"]);
    assert_eq!(
        (check.interval, check.retries),
        (Some(7_000_000_000), Some(2))
    );
}

#[test]
fn a_base_brings_its_own_pin() {
    let under = metadata("base = 'oci:/a'\nbase-digest = 'sha256:aa'");
    let settings = under.overlay(flags(&["--base=oci:/b"]));
    assert_eq!(
        (settings.base.as_deref(), settings.base_digest),
        (Some("oci:/b"), None)
    );
}

#[test]
fn flags_are_checked_like_keys() {
    let cases = [
        (["--port=http"], "expected a port"),
        (["--env=A"], "expected `NAME=VALUE`"),
        (["--file=a"], "expected `FROM:TO[:MODE]`"),
        (["--file=a:b"], "expected an absolute path"),
        (["--file=from=a,too=/b"], "there is no option `too`"),
        (["--add-user=app"], "expected `NAME:UID"),
        (["--healthcheck=[1]"], "expected an array of strings"),
        (["--unset=path"], "expected one of `author`"),
        (["--user="], "expected `USER[:GROUP]`"),
        (["--stop-signal=x"], "expected a signal"),
        (["--mtime=now"], "expected `epoch`"),
        (["--compression=gzip:99"], "99"),
    ];
    for (words, expect) in cases {
        let words = std::iter::once("image").chain(words);
        let error = Flags::try_parse_from(words.clone())
            .err()
            .map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{words:?} was taken"));
        assert!(error.contains(expect), "{error}");
    }
    let rule = &flags(&["--file=from=a,to=/b,mode=600,uid=7,layer=l,exclude=*.x"]).files[0];
    assert_eq!(
        (rule.mode, rule.uid, rule.exclude.len()),
        (Some(0o600), Some(7), 1)
    );
    let user = &flags(&["--add-user=app:7::/srv"]).users[0];
    assert_eq!(
        (user.uid, user.gid, user.home.as_deref()),
        (7, 7, Some("/srv"))
    );
}
