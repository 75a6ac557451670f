//! References, against the test cases of `distribution/reference`.

use cooperage_digest::Digest;
use cooperage_image_spec::Reference;
use proptest::prelude::*;

const HEX: &str = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

#[track_caller]
fn parse(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// `normalize_test.go`: text, domain, path, familiar form.
const NORMALISED: &[[&str; 4]] = &[
    ["fooo/bar", "docker.io", "fooo/bar", "fooo/bar"],
    [
        "index.docker.io/fooo/bar",
        "docker.io",
        "fooo/bar",
        "fooo/bar",
    ],
    ["library/ubuntu", "docker.io", "library/ubuntu", "ubuntu"],
    ["ubuntu", "docker.io", "library/ubuntu", "ubuntu"],
    ["docker.io/ubuntu", "docker.io", "library/ubuntu", "ubuntu"],
    [
        "index.docker.io/ubuntu",
        "docker.io",
        "library/ubuntu",
        "ubuntu",
    ],
    [
        "docker.io/library/foo/bar",
        "docker.io",
        "library/foo/bar",
        "library/foo/bar",
    ],
    [
        "store/foo/bar",
        "docker.io",
        "store/foo/bar",
        "store/foo/bar",
    ],
    [
        "127.0.0.1:8000/a/b",
        "127.0.0.1:8000",
        "a/b",
        "127.0.0.1:8000/a/b",
    ],
    [
        "127.0.0.1:8000/a",
        "127.0.0.1:8000",
        "a",
        "127.0.0.1:8000/a",
    ],
    [
        "example.com/library/a",
        "example.com",
        "library/a",
        "example.com/library/a",
    ],
    [
        "library/ubuntu-12.04-base",
        "docker.io",
        "library/ubuntu-12.04-base",
        "ubuntu-12.04-base",
    ],
    ["Foo/bar", "Foo", "bar", "Foo/bar"],
    ["FOO/bar", "FOO", "bar", "FOO/bar"],
    ["test_com/foo", "docker.io", "test_com/foo", "test_com/foo"],
    [
        "test-com:8080/foo",
        "test-com:8080",
        "foo",
        "test-com:8080/foo",
    ],
    [
        "xn--n3h.com:18080/foo",
        "xn--n3h.com:18080",
        "foo",
        "xn--n3h.com:18080/foo",
    ],
    ["localhost/foo", "localhost", "foo", "localhost/foo"],
    ["localhost", "docker.io", "library/localhost", "localhost"],
    [
        "docker---rules/docker",
        "docker.io",
        "docker---rules/docker",
        "docker---rules/docker",
    ],
    [
        "dock__er/docker",
        "docker.io",
        "dock__er/docker",
        "dock__er/docker",
    ],
    [
        "192.168.0.1",
        "docker.io",
        "library/192.168.0.1",
        "192.168.0.1",
    ],
    [
        "[fc00::1]:5000/docker",
        "[fc00::1]:5000",
        "docker",
        "[fc00::1]:5000/docker",
    ],
    [
        "[2001:db8::1]/repo",
        "[2001:db8::1]",
        "repo",
        "[2001:db8::1]/repo",
    ],
    ["d/docker", "docker.io", "d/docker", "d/docker"],
];

#[test]
fn normalised() {
    for &[text, domain, path, familiar] in NORMALISED {
        let reference = parse(text);
        assert_eq!(
            (reference.domain(), reference.path()),
            (domain, path),
            "{text}"
        );
        assert_eq!(reference.familiar(), familiar, "{text}");
        assert_eq!(reference.repository(), format!("{domain}/{path}"));
        assert_eq!((reference.tag(), reference.digest()), (None, None));
        assert_eq!(parse(&reference.to_string()), reference, "{text}");
    }
    // 64 hex digits are a name behind a domain, and 63 are one anywhere.
    assert_eq!(
        parse(&format!("docker.io/{HEX}")).path(),
        format!("library/{HEX}")
    );
    assert_eq!(parse(&HEX[1..]).path(), format!("library/{}", &HEX[1..]));
    // Docker's familiar form of these would read as something else.
    for text in [format!("docker.io/library/{HEX}"), "docker.io/a.b/c".into()] {
        assert_eq!(parse(&text).familiar(), text);
    }
}

#[test]
fn tags_and_digests() {
    let digest = format!("sha256:{}", "f".repeat(64));
    for (text, tag, has_digest, full) in [
        ("app", None, false, "docker.io/library/app"),
        (
            "app:latest",
            Some("latest"),
            false,
            "docker.io/library/app:latest",
        ),
        (
            "test.com:tag",
            Some("tag"),
            false,
            "docker.io/library/test.com:tag",
        ),
        (
            "test.com:5000",
            Some("5000"),
            false,
            "docker.io/library/test.com:5000",
        ),
        (
            "test:5000/repo:tag",
            Some("tag"),
            false,
            "test:5000/repo:tag",
        ),
        ("test:5000/repo@$D", None, true, "test:5000/repo@$D"),
        (
            "test:5000/repo:tag@$D",
            Some("tag"),
            true,
            "test:5000/repo:tag@$D",
        ),
        (
            "lowercase:Uppercase",
            Some("Uppercase"),
            false,
            "docker.io/library/lowercase:Uppercase",
        ),
        (
            "foo_bar.com:8080",
            Some("8080"),
            false,
            "docker.io/library/foo_bar.com:8080",
        ),
        ("a.io/b:_x.y-z", Some("_x.y-z"), false, "a.io/b:_x.y-z"),
        (
            "[::1]:5000/repo:tag@$D",
            Some("tag"),
            true,
            "[::1]:5000/repo:tag@$D",
        ),
    ] {
        let reference = parse(&text.replace("$D", &digest));
        assert_eq!(reference.tag(), tag, "{text}");
        assert_eq!(
            reference.digest().map(Digest::as_str),
            has_digest.then_some(&*digest)
        );
        assert_eq!(reference.to_string(), full.replace("$D", &digest));
    }
    let app = parse("app");
    assert_eq!(app.clone().with_default_tag().familiar(), "app:latest");
    let with_digest = app.clone().with_digest(digest.parse().unwrap());
    assert_eq!(with_digest.clone().with_default_tag(), with_digest);
    assert_eq!(with_digest.familiar(), format!("app@{digest}"));
    assert_eq!(
        with_digest.with_tag("v1").unwrap().without_tag_and_digest(),
        app
    );
    assert_eq!(
        app.with_tag("-foo").unwrap_err().to_string(),
        "`docker.io/library/app` is not an image reference: `-foo` is not a tag: expected at \
         most 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`"
    );
}

#[test]
fn bad_names_are_refused_with_the_reason() {
    const COMPONENT: &str = "is not a part of a path: expected lower-case letters and digits, \
                             joined by `.`, `_`, `__` or any number of `-`";
    const DOMAIN: &str = "is not a domain: expected a host name, an IPv4 address or an IPv6 \
                          address in brackets, and a port if need be";
    const TAG: &str = "is not a tag: expected at most 128 letters, digits, `_`, `.` and `-`, \
                       not beginning with `.` or `-`";
    let long = format!("{}a", "a/".repeat(128));
    let long_tag = format!("a:{}", "t".repeat(129));
    for (text, reason) in [
        ("", "it has no repository name".into()),
        (":justtag", "it has no repository name".into()),
        ("docker.io/", "it has no repository name".into()),
        (
            "https://github.com/docker/docker",
            "leave out `https://`".into(),
        ),
        (
            "docker/Docker",
            "`D` in its path is upper case, write `docker`".into(),
        ),
        (
            "Uppercase:tag",
            "`U` in its path is upper case, write `uppercase`".into(),
        ),
        (
            "test:5000/Up/low:t",
            "`U` in its path is upper case, write `up`".into(),
        ),
        ("-docker", format!("`-docker` {COMPONENT}")),
        ("docker-/docker", format!("`docker-` {COMPONENT}")),
        ("____/____", format!("`____` {COMPONENT}")),
        ("dock___er/docker", format!("`dock___er` {COMPONENT}")),
        ("a/dock..er", format!("`dock..er` {COMPONENT}")),
        ("dock_.er", format!("`dock_.er` {COMPONENT}")),
        ("aa/asdf$$^/aa", format!("`asdf$$^` {COMPONENT}")),
        ("a b", format!("`a b` {COMPONENT}")),
        ("caf\u{e9}", format!("`café` {COMPONENT}")),
        ("..", format!("`..` {COMPONENT}")),
        ("../etc/passwd", format!("`..` {DOMAIN}")),
        ("a.io/../x", format!("`..` {COMPONENT}")),
        ("/abs", "a part of its path is empty".into()),
        ("docker///docker", "a part of its path is empty".into()),
        ("docker.io/docker/", "a part of its path is empty".into()),
        ("[fc00::1]", format!("`[fc00` {COMPONENT}")),
        ("fc00::1:5000/debian", format!("`fc00::1:5000` {DOMAIN}")),
        (
            "[fe80::1%eth0]:5000/debian",
            format!("`[fe80::1%eth0]:5000` {DOMAIN}"),
        ),
        (
            "[2001:db8::192.0.2.33]/x",
            format!("`[2001:db8::192.0.2.33]` {DOMAIN}"),
        ),
        ("-docker.io/docker", format!("`-docker.io` {DOMAIN}")),
        ("a..io/docker", format!("`a..io` {DOMAIN}")),
        ("a.io:port/docker", format!("`a.io:port` {DOMAIN}")),
        ("a.io:/docker", format!("`a.io:` {DOMAIN}")),
        ("Dock_er/docker", format!("`Dock_er` {DOMAIN}")),
        (
            HEX,
            "64 hex digits alone are an image ID; put a domain or a user before them".into(),
        ),
        (
            &long,
            "its path has 257 bytes, at most 255 are taken".into(),
        ),
        ("app:", format!("`` {TAG}")),
        ("app:-x", format!("`-x` {TAG}")),
        ("app:a/b", format!("`app:a` {DOMAIN}")),
        ("a.io/app:a:b", format!("`a:b` {TAG}")),
        (&long_tag, format!("`{}…` {TAG}", "t".repeat(64))),
    ] {
        match text.parse::<Reference>() {
            Err(error) => assert_eq!(error.reason.to_string(), reason, "{text}"),
            Ok(reference) => panic!("{text} taken as {reference:?}"),
        }
    }
    for digest in ["sha256:ffff", "sha256", "", "sha256:x", "SHA256:ff"] {
        let text = format!("repo@{digest}");
        let error = text.parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains("is not a digest"), "{error}");
    }
    // The longest that are taken.
    assert!(
        format!("a.io/{}a:{}", "a/".repeat(127), "t".repeat(128))
            .parse::<Reference>()
            .is_ok()
    );
}

#[test]
fn an_error_is_short_and_prints_no_control_characters() {
    let text = format!("\x1b[31m{}", "a\n".repeat(100_000));
    let error = text.parse::<Reference>().unwrap_err().to_string();
    assert!(
        error.len() < 500 && !error.contains(['\n', '\x1b']),
        "{error}"
    );
}

#[test]
fn serde_reads_and_writes_it_in_full() {
    let reference: Reference = serde_json::from_str("\"app:1\"").unwrap();
    assert_eq!(
        serde_json::to_string(&reference).unwrap(),
        "\"docker.io/library/app:1\""
    );
    assert!(serde_json::from_str::<Reference>("\"App\"").is_err());
}

proptest! {
    /// What is printed is read again, in either form.
    #[test]
    fn round_trip(
        text in "([a-z]{1,3}(\\.[a-z]{1,3}|:[0-9]{1,3})/)?[a-z0-9]{1,3}([_-][a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,3}([._-][a-z0-9]{1,3}){0,2}){0,2}(:[A-Za-z0-9_][a-z.-]{0,5})?"
    ) {
        let reference = text.parse::<Reference>().unwrap();
        prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
        prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
    }

    #[test]
    fn whatever_is_taken_is_safe(text in "[a-cA-C0-9./:@_\\[\\]-]{0,20}|\\PC{0,10}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert!(reference.path().split('/').all(|part| {
                !part.is_empty() && part != "." && part != ".." && part.is_ascii()
            }), "{:?}", reference);
            prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
        }
    }
}
