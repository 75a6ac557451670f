//! Which entry of a file is meant, and what stands in it.

use cooperage_credentials::{AuthFile, Credentials, Format, Helpers, Origin};

use crate::{AUTH, Place, shown, warnings};

#[test]
fn what_an_entry_says() {
    for (entry, expected) in [
        (r#"{"auth": "dTpodW50ZXIy"}"#, "u:hunter2"),
        // Without padding, and with the zero bytes that docker once padded with.
        (r#"{"auth": "dTpw"}"#, "u:p"),
        (r#"{"auth": "dTpwMQ"}"#, "u:p1"),
        (r#"{"auth": "dTpwMQ=="}"#, "u:p1"),
        (r#"{"auth": "dTpwAAA="}"#, "u:p"),
        (r#"{"auth": "dTpwOnE="}"#, "u:p:q"),
        (r#"{"username": "u", "password": "p"}"#, "u:p"),
        (r#"{"auth": "", "username": "u", "password": "p"}"#, "u:p"),
        // As docker has it, `auth` is what counts.
        (
            r#"{"auth": "dTpw", "username": "x", "password": "y"}"#,
            "u:p",
        ),
        (r#"{"auth": "dTpw", "identitytoken": "t"}"#, "identity t"),
        (
            r#"{"identitytoken": "t", "registrytoken": "r"}"#,
            "registry r",
        ),
        (r#"{"auth": "dTpw", "identitytoken": ""}"#, "u:p"),
        (
            r#"{"auth": "dTpw", "email": "e", "serveraddress": 5}"#,
            "u:p",
        ),
        (r#"{"username": "\u00fc", "password": "\u0070"}"#, "ü:p"),
        ("{}", "-"),
        ("null", "-"),
        (r#"{"auth": null}"#, "-"),
    ] {
        let place = Place::new(&format!(r#"{{"auths": {{"q.io": {entry}}}}}"#));
        let found = place.find("q.io", "app");
        assert_eq!(shown(&found), expected, "{entry}");
        assert!(found.warnings.is_empty(), "{entry}: {found:?}");
    }
}

/// A malformed entry is passed over with a warning that names it, and harms no other.
#[test]
fn what_an_entry_must_not_say() {
    for (entry, expected) in [
        ("5", "not an object"),
        (r#""dTpw""#, "not an object"),
        (r#"["dTpw"]"#, "not an object"),
        (r#"["dTpw", "u", "p", "t", "r"]"#, "not an object"),
        (r#"{"auth": 5}"#, "not an object"),
        (r#"{"auth": "?"}"#, "not text in base64"),
        (r#"{"auth": "gDr/"}"#, "not text in base64"),
        (r#"{"auth": "dXA="}"#, "a colon between them"),
        (r#"{"auth": "dTo="}"#, "a name or a password, and not both"),
        (r#"{"auth": "OnA="}"#, "a name or a password, and not both"),
        (r#"{"username": "u"}"#, "a name or a password, and not both"),
        (r#"{"password": "p"}"#, "a name or a password, and not both"),
    ] {
        let config =
            format!(r#"{{"auths": {{"q.io/team": {entry}, "q.io": {{"auth": "{AUTH}"}}}}}}"#);
        let place = Place::new(&config);
        let found = place.find("q.io", "team/app");
        assert_eq!(shown(&found), "u:hunter2", "{entry}");
        let warnings = warnings(&found).join("\n");
        let file = place.file();
        let named = format!("the login for `q.io/team` in `{}`", file.display());
        assert!(warnings.contains(&named), "{entry}: {warnings}");
        assert!(warnings.contains(expected), "{entry}: {warnings}");
        assert!(place.find("q.io", "other").warnings.is_empty(), "{entry}");
    }
}

fn entry(user: &str) -> String {
    format!(r#"{{"username": "{user}", "password": "p"}}"#)
}

fn config(keys: &[(&str, &str)]) -> String {
    let entries: Vec<_> = keys
        .iter()
        .map(|(key, user)| format!(r#""{key}": {}"#, entry(user)))
        .collect();
    format!(r#"{{"auths": {{{}}}}}"#, entries.join(","))
}

#[test]
fn which_entry_is_meant() {
    const HUB: &str = "https://index.docker.io/v1/";
    let nested = [
        ("q.io", "registry"),
        ("q.io/team", "team"),
        ("q.io/team/app", "app"),
    ];
    for (keys, registry, repository, expected) in [
        (&nested[..], "q.io", "team/app", "app:p"),
        (&nested, "q.io", "team/app2", "team:p"),
        (&nested, "q.io", "team", "team:p"),
        (&nested, "q.io", "team2/app", "registry:p"),
        (&nested, "q.io", "", "registry:p"),
        (&nested, "q.io:5000", "team/app", "-"),
        (&nested, "r.io", "team/app", "-"),
        (&nested, "io", "", "-"),
        // URLs, of which only the host counts; what is written exactly so comes first.
        (&[("https://q.io/v2/", "url")], "q.io", "app", "url:p"),
        (&[("http://q.io", "url")], "q.io", "app", "url:p"),
        (
            &[("https://q.io", "url"), ("q.io", "exact")],
            "q.io",
            "app",
            "exact:p",
        ),
        (&[("https://q.io:5000/v1/", "url")], "q.io", "app", "-"),
        (
            &[("https://q.io:5000/v1/", "url")],
            "q.io:5000",
            "app",
            "url:p",
        ),
        (&[("q.io/v1/", "path")], "q.io", "app", "-"),
        // Docker's own registry under all its names.
        (&[(HUB, "hub")], "docker.io", "library/app", "hub:p"),
        (&[("docker.io", "hub")], "docker.io", "library/app", "hub:p"),
        (
            &[("docker.io", "hub")],
            "registry-1.docker.io",
            "x",
            "hub:p",
        ),
        (&[("index.docker.io", "hub")], "docker.io", "x", "hub:p"),
        (
            &[(HUB, "hub"), ("docker.io/library", "library")],
            "docker.io",
            "library/app",
            "library:p",
        ),
        (
            &[
                ("https://index.docker.io/v1/access-token", "access"),
                (HUB, "hub"),
                ("https://index.docker.io/v1/refresh-token", "refresh"),
            ],
            "docker.io",
            "library/app",
            "hub:p",
        ),
        (&[(HUB, "hub")], "q.io", "library/app", "-"),
    ] {
        let found = Place::new(&config(keys)).find(registry, repository);
        let what = format!("{keys:?} for {registry}/{repository}");
        assert_eq!(shown(&found), expected, "{what}");
        assert!(found.warnings.is_empty(), "{what}");
    }
}

/// It says where a login came from, so that one that is refused can be found.
#[test]
fn a_login_has_an_origin() {
    let place = Place::new(&config(&[("q.io/team", "team")]));
    let origin = place.find("q.io", "team/app").origin.unwrap();
    let expected = Origin::File {
        path: place.file(),
        key: "q.io/team".into(),
    };
    assert_eq!(origin, expected);
    let file = place.file();
    assert_eq!(
        origin.to_string(),
        format!("`q.io/team` in `{}`", file.display())
    );
}

#[test]
fn files_of_the_oldest_form() {
    for (key, registry, expected) in [
        ("https://index.docker.io/v1/", "docker.io", "old:p"),
        ("q.io", "q.io", "old:p"),
        ("q.io/v1/", "q.io", "old:p"),
        ("http://q.io/v1/", "q.io", "old:p"),
        ("q.io", "r.io", "-"),
    ] {
        let place = Place::new(&format!(r#"{{"{key}": {}}}"#, entry("old")));
        let file = AuthFile {
            format: Format::Legacy,
            ..AuthFile::required(place.file())
        };
        let credentials = Credentials::new(vec![file], Helpers::default());
        let found = credentials.find(registry, "app");
        assert_eq!(shown(&found), expected, "{key} for {registry}");
    }
}

/// The next file is asked where the first has nothing, or nothing that can be used.
#[test]
fn the_first_login_is_taken() {
    let last = Place::new(&config(&[("q.io", "last")]));
    for (first, expected, warned) in [
        (config(&[("q.io", "first")]), "first:p", 0),
        (config(&[("r.io", "first")]), "last:p", 0),
        ("{}".into(), "last:p", 0),
        (
            r#"{"auths": null, "credHelpers": null, "credsStore": ""}"#.into(),
            "last:p",
            0,
        ),
        (r#"{"auths": {"q.io": {}}}"#.into(), "last:p", 0),
        (r#"{"auths": {"q.io": {"auth": 5}}}"#.into(), "last:p", 1),
        (String::new(), "last:p", 1),
        ("[]".into(), "last:p", 1),
        (
            r#"[{"q.io": {"auth": "dTpw"}}, null, null]"#.into(),
            "last:p",
            1,
        ),
        (r#"{"auths": 5}"#.into(), "last:p", 1),
        (r#"{"auths": {}"#.into(), "last:p", 1),
        (r#"{"auths": {}} trailing"#.into(), "last:p", 1),
        ("[".repeat(100_000), "last:p", 1),
        (format!(r#"{{"x": {}"#, "[".repeat(100_000)), "last:p", 1),
        (" ".repeat(1 << 20) + "{}", "last:p", 1),
    ] {
        let place = Place::new(&first);
        let files = [&place, &last].map(|place| AuthFile::required(place.file()));
        let credentials = Credentials::new(files.to_vec(), Helpers::default());
        let found = credentials.find("q.io", "app");
        let start = first.get(..40).unwrap_or(&first);
        assert_eq!(shown(&found), expected, "{start}");
        assert_eq!(
            found.warnings.len(),
            warned,
            "{start}: {:?}",
            found.warnings
        );
    }
}
