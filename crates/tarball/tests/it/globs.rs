//! Globs of paths.

use cooperage_tarball::{PathGlob, TreePath};

#[track_caller]
fn check(glob: &str, fits: &[&[u8]], others: &[&[u8]]) {
    let glob = PathGlob::new(glob).expect("a glob");
    for (paths, expected) in [(fits, true), (others, false)] {
        for path in paths {
            let path = TreePath::new(path).expect("a path");
            assert_eq!(glob.matches(&path), expected, "{glob}: {}", path.display());
        }
    }
}

#[test]
fn stars_stop_at_slashes_unless_there_are_two() {
    check(
        "etc/*",
        &[b"etc/motd"],
        &[b"etc", b"etc/ssl/x", b"usr/etc/x"],
    );
    check("/etc/*", &[b"etc/motd"], &[b"etc/ssl/x"]);
    check("**/*.pem", &[b"a.pem", b"etc/ssl/a.pem"], &[b"a.pem/x"]);
    check("usr/**", &[b"usr/bin", b"usr/bin/x"], &[b"usr", b"usrx"]);
    check("x/{a,b}?", &[b"x/a1", b"x/b2"], &[b"x/a", b"x/c1"]);
    check("x[0-9]", &[b"x7"], &[b"x77", b"xa"]);
    check("**", &[b"a", b"a/b"], &[]);
}

#[test]
fn bytes_that_are_no_text_are_matched_by_stars_alone() {
    check("a*", &[b"a\xff"], &[]);
    check("a\u{fffd}", &[], &[b"ab"]);
}

#[test]
fn what_is_no_glob_is_refused_with_its_text() {
    for text in ["[", "{a", "[z-a]"] {
        let error = PathGlob::new(text).unwrap_err();
        assert_eq!(error.to_string(), format!("`{text}` is no glob"));
        assert_eq!(error.glob, text);
    }
}
