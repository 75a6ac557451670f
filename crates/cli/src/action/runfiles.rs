//! The files that a program started by a build system brings along.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use cooperage_cargo::env;

/// Where runfiles are looked for, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runfiles(Vec<Place>);

#[derive(Clone, Debug)]
enum Place {
    /// A directory that holds them under their names.
    Tree(PathBuf),
    /// A file that says where each lies.
    Manifest {
        file: PathBuf,
        lies: BTreeMap<String, PathBuf>,
    },
}

/// What the environment says of runfiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `RUNFILES_DIR`
    pub(crate) directory: Option<PathBuf>,
    /// `RUNFILES_MANIFEST_FILE`
    pub(crate) manifest: Option<PathBuf>,
}

impl Surroundings {
    pub(crate) fn from_environment() -> Self {
        Self {
            directory: env::path("RUNFILES_DIR"),
            manifest: env::path("RUNFILES_MANIFEST_FILE"),
        }
    }
}

impl Runfiles {
    /// Those of the program that was started as `program`: of the environment, beside it, and of
    /// the tree that it lies in. All names are made absolute.
    pub(crate) fn of(program: &Path, surroundings: &Surroundings) -> Self {
        let beside = |suffix: &str| {
            let mut name = program.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let tree = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            path.is_dir().then_some(Place::Tree(path))
        };
        let manifest = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            let text = fs::read_to_string(&path).ok()?;
            let lies = text.lines().filter_map(entry).collect();
            Some(Place::Manifest { file: path, lies })
        };
        let places = [
            surroundings.directory.as_deref().and_then(tree),
            surroundings.manifest.as_deref().and_then(manifest),
            tree(&beside(".runfiles")),
            manifest(&beside(".runfiles_manifest")),
            around(program).and_then(|(path, _)| tree(&path)),
        ];
        Self(places.into_iter().flatten().collect())
    }

    /// Where the file of that name lies: `_main/app/app.blob`.
    pub(crate) fn find(&self, name: &Path) -> Result<PathBuf> {
        if name.is_absolute() {
            return Ok(name.to_owned());
        }
        for place in &self.0 {
            let found = match place {
                Place::Tree(tree) => Some(tree.join(name)).filter(|path| path.exists()),
                Place::Manifest { lies, .. } => name.to_str().and_then(|name| below(lies, name)),
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        let places: Vec<_> = self.0.iter().map(Place::name).collect();
        match &places[..] {
            [] => bail!(
                "the runfile `{}` cannot be found: no runfiles directory or manifest is there",
                name.display()
            ),
            _ => bail!(
                "the runfile `{}` is not there: looked in {}",
                name.display(),
                places.join(" and ")
            ),
        }
    }
}

impl Place {
    fn name(&self) -> String {
        let (Self::Tree(path) | Self::Manifest { file: path, .. }) = self;
        format!("`{}`", path.display())
    }
}

/// The runfiles tree that a path lies in, and what follows it.
pub(crate) fn around(path: &Path) -> Option<(PathBuf, PathBuf)> {
    path.ancestors().find_map(|ancestor| {
        let is_tree = ancestor.extension().is_some_and(|end| end == "runfiles");
        let below = path.strip_prefix(ancestor).ok()?;
        (is_tree && ancestor != path).then(|| (ancestor.to_owned(), below.to_owned()))
    })
}

/// A line of a manifest: a name, a space, and where it lies. A line that begins with a space has
/// spaces, line breaks and backslashes of the name, and those but spaces of the place, escaped.
fn entry(line: &str) -> Option<(String, PathBuf)> {
    let Some(escaped) = line.strip_prefix(' ') else {
        let (name, place) = line.split_once(' ')?;
        return Some((name.to_owned(), place.into()));
    };
    let (name, place) = escaped.split_once(' ')?;
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\b", "\\");
    Some((plain(&name.replace("\\s", " ")), plain(place).into()))
}

/// The place of a file, or of a directory that it lies in.
fn below(lies: &BTreeMap<String, PathBuf>, name: &str) -> Option<PathBuf> {
    if let Some(place) = lies.get(name) {
        return Some(place.clone());
    }
    let ends = name.rmatch_indices('/').map(|(at, _)| at);
    let found = ends.filter_map(|at| Some(lies.get(&name[..at])?.join(&name[at + 1..])));
    found.into_iter().find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_manifests_are_read() {
        for (line, name, place) in [
            ("_main/a /x/a b", "_main/a", "/x/a b"),
            (" _main/a\\sb /x/a b\\nc", "_main/a b", "/x/a b\nc"),
            (" _main/a\\bsb /x\\by", "_main/a\\sb", "/x\\y"),
            ("_main/__init__.py ", "_main/__init__.py", ""),
        ] {
            let read = entry(line).expect("an entry");
            assert_eq!(read, (name.to_owned(), PathBuf::from(place)), "{line:?}");
        }
        assert_eq!(entry("_main/nothing"), None);
    }

    #[test]
    fn files_are_found_in_the_order_of_places() {
        let top = tempfile::tempdir().expect("a directory");
        let path = |name: &str| top.path().join(name);
        let write = |name: &str, text: &str| {
            fs::create_dir_all(path(name).parent().expect("a parent")).expect("directories");
            fs::write(path(name), text).expect("written");
        };
        write("env/_main/a", "");
        write("elsewhere/b", "");
        write("dir/below/c", "");
        let lines = format!(
            "_main/a {0}\n_main/b {0}\n_main/dir {1}\n",
            path("elsewhere/b").display(),
            path("dir").display()
        );
        write("MANIFEST", &lines);
        write("app.runfiles/_main/d", "");
        write("other.runfiles/_main/app", "");
        write("other.runfiles/_main/e", "");
        let surroundings = Surroundings {
            directory: Some(path("env")),
            manifest: Some(path("MANIFEST")),
        };
        let runfiles = Runfiles::of(&path("app"), &surroundings);
        for (name, place) in [
            ("_main/a", "env/_main/a"),
            ("_main/b", "elsewhere/b"),
            ("_main/dir/below/c", "dir/below/c"),
            ("_main/d", "app.runfiles/_main/d"),
        ] {
            let found = runfiles.find(Path::new(name)).expect(name);
            assert_eq!(found, path(place), "{name}");
        }
        let error = runfiles.find(Path::new("_main/x")).expect_err("not there");
        let text = error.to_string();
        assert!(text.contains("`_main/x` is not there: looked in"), "{text}");

        let inside = Runfiles::of(&path("other.runfiles/_main/app"), &Surroundings::default());
        let found = inside.find(Path::new("_main/e")).expect("it is there");
        assert_eq!(found, path("other.runfiles/_main/e"));
        let none = Runfiles::of(&path("nowhere/app"), &Surroundings::default());
        let error = none.find(Path::new("_main/e")).expect_err("nothing there");
        assert!(
            error
                .to_string()
                .contains("no runfiles directory or manifest"),
            "{error}"
        );
    }
}
