//! Attributes by glob.

use std::path::Path;

use cooperage_plan::{LayerContent, LoadError, Modes, PlanFile, apply_matches, layer_tree};
use cooperage_tarball::{Tree, TreePath};

const ENTRIES: &str = r#"
{"path":"app/run.sh","text":"x","mode":"0644"}
{"path":"app/lib/a.sh","text":"x","mode":"0600","uid":7,"xattrs":{"user.a":"AA==","user.b":"AA=="}}
{"path":"app/lib/b.txt","text":"x","mode":"0644"}
{"path":"app/lib","dir":true,"mode":"0755"}
{"path":"app/lib/link","symlink":"a.sh"}
{"path":"app/lib/twin","hardlink":"app/lib/b.txt"}
{"path":"app/[x]","text":"x","mode":"0644"}
{"path":"old","whiteout":true}
"#;

fn load(lines: &str) -> Result<Tree, String> {
    let text = format!("{{\"plan\":\"layer\",\"version\":1}}{ENTRIES}{lines}\n");
    let loaded = PlanFile::load(text.as_bytes(), Path::new(""), Modes::Required);
    let layer = match loaded {
        Ok(PlanFile::Layer(layer)) => layer,
        Ok(PlanFile::Plan(_)) => panic!("a plan of a layer"),
        Err(LoadError::Tree { source, .. }) => return Err(source.to_string()),
        Err(error) => return Err(error.to_string()),
    };
    let LayerContent::Tree { tree, .. } = layer.content else {
        panic!("its tree is made");
    };
    // The other way from lines to a tree ends at the same one.
    let Ok(PlanFile::Layer(parsed)) = PlanFile::parse(text.as_bytes()) else {
        panic!("it was read above");
    };
    let LayerContent::Entries { entries, .. } = &parsed.content else {
        panic!("its entries");
    };
    let mut again = layer_tree(entries, Path::new(""), Modes::Required).expect("a tree");
    apply_matches(&mut again, &parsed.matches).expect("as above");
    assert_eq!(again, tree);
    Ok(tree)
}

/// Of each path that a line changes: mode, owner, group, time and the names of xattrs.
fn check(lines: &str, expected: &[(&str, &str)]) {
    let (before, after) = (load("").expect("a tree"), load(lines).expect(lines));
    let changed: Vec<(String, String)> = after
        .iter()
        .filter(|(path, entry)| before.get(path).as_ref() != Some(entry))
        .map(|(path, entry)| {
            let a = entry.attributes;
            let names = a
                .xattrs
                .keys()
                .map(|name| String::from_utf8_lossy(name).into_owned());
            let names: Vec<String> = names.collect();
            let text = format!(
                "{:04o} {} {} {} {}",
                a.mode,
                a.uid,
                a.gid,
                a.mtime.seconds,
                names.join(",")
            );
            (path.display(), text.trim_end().to_owned())
        })
        .collect();
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(changed, expected, "{lines}");
}

#[test]
fn globs_give_attributes() {
    check(
        r#"{"match":"app/*.sh","mode":"0755"}"#,
        &[("app/run.sh", "0755 0 0 0")],
    );
    check(
        r#"{"match":"/app/**/*.sh","mode":"0755","gid":3}"#,
        &[
            ("app/lib/a.sh", "0755 7 3 0 user.a,user.b"),
            ("app/run.sh", "0755 0 3 0"),
        ],
    );
    // `mode` is no directory's, and none of both is a symlink's; a parent without a line, a
    // removal and a hard link have nothing of their own.
    check(
        r#"{"match":"**","mode":"0400","mtime":5}"#,
        &[
            ("app/[x]", "0400 0 0 5"),
            ("app/lib", "0755 0 0 5"),
            ("app/lib/a.sh", "0400 7 0 5 user.a,user.b"),
            ("app/lib/b.txt", "0400 0 0 5"),
            ("app/lib/link", "0777 0 0 5"),
            ("app/run.sh", "0400 0 0 5"),
        ],
    );
    check(
        r#"{"match":"app/lib","mode":"0600","dir_mode":"0700"}"#,
        &[("app/lib", "0700 0 0 0")],
    );
    check(
        r#"{"match":"app/\\[x]","uid":1}"#,
        &[("app/[x]", "0644 1 0 0")],
    );
    check(
        r#"{"match":"app/lib/{a,c}.sh","xattrs":{"user.b":"AQ==","user.c":"AQ=="}}"#,
        &[("app/lib/a.sh", "0600 7 0 0 user.a,user.b,user.c")],
    );
}

#[test]
fn later_lines_win_member_by_member() {
    let (wide, narrow) = (
        r#"{"match":"app/**","mode":"0700","uid":1}"#,
        r#"{"match":"app/run.sh","mode":"0755"}"#,
    );
    let mode = |lines: &str| {
        let tree = load(lines).expect(lines);
        let entry = tree.get(&TreePath::parse("app/run.sh").expect("a path"));
        let attributes = entry.expect("it is there").attributes;
        (attributes.mode, attributes.uid)
    };
    assert_eq!(mode(&format!("{wide}\n{narrow}")), (0o755, 1));
    assert_eq!(mode(&format!("{narrow}\n{wide}")), (0o700, 1));
}

#[test]
fn what_matches_nothing_is_named() {
    for glob in ["app/*.txt", "app/lib/twin", "old", "app", "nowhere/**"] {
        let line = format!(r#"{{"match":"{glob}","mode":"0755"}}"#);
        let error = load(&format!("{{\"match\":\"app/**\",\"uid\":1}}\n{line}")).expect_err(glob);
        let expected = format!("`match` `{glob}` (plan line 11) matches no entry of the layer");
        assert_eq!(error, expected);
    }
    let error = load(r#"{"match":"x","uid":1,"origin":"//app:image"}"#).expect_err("nothing");
    assert!(
        error.contains("`match` `x` (//app:image) matches no"),
        "{error}"
    );
}

#[test]
fn entries_say_their_mode_whatever_matches() {
    let lines = "{\"path\":\"n\",\"text\":\"\"}\n{\"match\":\"n\",\"mode\":\"0755\"}";
    let error = load(lines).expect_err("no mode");
    assert!(error.contains("`n` (plan line 10) has no mode"), "{error}");
}

#[test]
fn the_same_line_twice_is_one_entry() {
    let line = r#"{"path":"app/run.sh","text":"x","mode":"0644"}"#;
    check(line, &[]);
    let error = load(&line.replace("0644", "0755")).expect_err("another mode");
    assert_eq!(error, "the layer's entries contradict each other");
}
