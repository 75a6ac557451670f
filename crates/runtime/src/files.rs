//! Paths inside a root: every symlink is resolved there, and none leads out.

use std::collections::VecDeque;
use std::io;

/// What lies at a path, without following it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Node {
    File,
    Directory,
    Symlink(String),
    Other,
}

/// A tree of files, asked one path at a time. Paths are relative to its root, in normal form.
pub(crate) trait Files {
    /// What lies there; `None` where nothing does.
    fn node(&self, path: &str) -> io::Result<Option<Node>>;
}

/// Where a file was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Located {
    /// Its path with the directories resolved and its own name kept.
    pub(crate) at: String,
    /// Its path with everything resolved.
    pub(crate) real: String,
}

/// What Linux allows in one path.
const MAX_LINKS: usize = 40;

/// Finds the regular file at `path`; `None` where there is none, or where links go in a circle.
pub(crate) fn locate(files: &dyn Files, path: &str) -> io::Result<Option<Located>> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    if matches!(name, "" | "." | "..") {
        return Ok(None);
    }
    let Some((directory, Node::Directory)) = resolve(files, directory)? else {
        return Ok(None);
    };
    let at = join(&directory, name);
    let Some((real, Node::File)) = resolve(files, &at)? else {
        return Ok(None);
    };
    Ok(Some(Located { at, real }))
}

/// Follows every link of `path`, and says what lies at its end.
pub(crate) fn resolve(files: &dyn Files, path: &str) -> io::Result<Option<(String, Node)>> {
    let mut real: Vec<String> = Vec::new();
    let mut kind = Node::Directory;
    let mut links = 0;
    let mut rest: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    while let Some(part) = rest.pop_front() {
        if kind != Node::Directory {
            // `file/..` is no directory, whatever follows.
            return Ok(None);
        }
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                real.pop();
                continue;
            }
            _ => real.push(part),
        }
        match files.node(&real.join("/"))? {
            None => return Ok(None),
            Some(Node::Symlink(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    return Ok(None);
                }
                real.pop();
                if target.starts_with('/') {
                    real.clear();
                }
                for part in target.split('/').rev() {
                    rest.push_front(part.to_owned());
                }
            }
            Some(node) => kind = node,
        }
    }
    Ok(Some((real.join("/"), kind)))
}

/// `directory/name`, where the root is the empty path.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// The directory of a path in normal form.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// A path in normal form: no leading slash, no `.`, and `..` taken back by the letter; one that
/// leads out of the root stays in it, as `/..` is `/`.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The target of a relative symlink at `from` that leads to `to`, both in normal form.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = parent(from)
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let to: Vec<&str> = to.split('/').collect();
    let common = from
        .iter()
        .zip(&to[..to.len() - 1])
        .take_while(|(a, b)| a == b)
        .count();
    let up = std::iter::repeat_n("..", from.len() - common);
    up.chain(to[common..].iter().copied())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Fixture(BTreeMap<&'static str, Node>);

    impl Files for Fixture {
        fn node(&self, path: &str) -> io::Result<Option<Node>> {
            assert!(
                !path.contains("..") && !path.starts_with('/'),
                "asked for {path}"
            );
            Ok(self.0.get(path).cloned())
        }
    }

    fn check(path: &str, expect: Option<(&str, &str)>) {
        let link = |target: &str| Node::Symlink(target.to_owned());
        let files = Fixture(BTreeMap::from([
            ("lib", link("usr/lib")),
            ("usr", Node::Directory),
            ("usr/lib", Node::Directory),
            ("usr/lib/liba.so.1", link("liba.so.1.2")),
            ("usr/lib/liba.so.1.2", Node::File),
            ("usr/lib/out.so", link("../../../../usr/lib/liba.so.1.2")),
            ("usr/lib/absolute.so", link("/lib/liba.so.1")),
            ("usr/lib/loop.so", link("loop.so")),
            ("usr/lib/ping.so", link("pong.so")),
            ("usr/lib/pong.so", link("/lib/ping.so")),
            ("usr/lib/dangling.so", link("gone")),
            ("usr/lib/directory.so", Node::Directory),
        ]));
        let found = locate(&files, path).expect("the fixture has no errors");
        let expect = expect.map(|(at, real)| Located {
            at: at.to_owned(),
            real: real.to_owned(),
        });
        assert_eq!(found, expect, "{path}");
    }

    #[test]
    fn links_stay_inside() {
        let real = "usr/lib/liba.so.1.2";
        check("/lib/liba.so.1", Some(("usr/lib/liba.so.1", real)));
        check("lib/../lib/./liba.so.1", Some(("usr/lib/liba.so.1", real)));
        check("/lib/out.so", Some(("usr/lib/out.so", real)));
        check(
            "/../../lib/absolute.so",
            Some(("usr/lib/absolute.so", real)),
        );
        for none in [
            "loop.so",
            "ping.so",
            "dangling.so",
            "directory.so",
            "none.so",
            "..",
            "",
        ] {
            check(&format!("/lib/{none}"), None);
        }
        check("/lib/liba.so.1/../liba.so.1", None);
        check("/none/liba.so.1", None);
    }

    #[test]
    fn relative_targets() {
        let check = |from, to, expect| assert_eq!(relative(from, to), expect, "{from} to {to}");
        check("lib/a", "lib/b", "b");
        check("lib64/ld", "usr/lib/x/ld", "../usr/lib/x/ld");
        check("usr/lib/a", "usr/libexec/a", "../libexec/a");
        check("a", "b/c", "b/c");
        check("b/c/d", "b", "../../b");
    }
}
