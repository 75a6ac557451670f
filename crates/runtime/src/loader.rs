//! What a loader does with a program: find each library it needs, by name, breadth first.
//!
//! One engine serves three worlds: the sysroot that libraries are taken from, the image they are
//! put into, and a base that is to have them already.
//!
//! glibc: `DT_RPATH` of the object that needs and of those that brought it (unless the object has
//! a `DT_RUNPATH`), the library path, its own `DT_RUNPATH`, the cache, the default directories.
//! musl: the library path, run paths of either kind up the chain, the directories of its path file.

mod paths;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::elf::{BinaryInfo, ElfError, Machine};
use crate::files::normal;

use paths::{expand, plain};

/// A file that a search found.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// Its path in the image, in normal form.
    pub(crate) at: String,
    /// Two paths with the same identity are one file.
    pub(crate) identity: PathBuf,
    /// What it says of itself.
    pub(crate) info: Rc<BinaryInfo>,
    /// The directories of the build machine that its `$ORIGIN` may mean, best first; none where it
    /// is the one of `at` in the world.
    pub(crate) host_directories: Vec<PathBuf>,
}

/// A directory to search.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// As the loader in the image will know it; absolute, in normal form but for the first slash.
    pub(crate) image: String,
    /// Where to look instead of there, on the build machine, if anywhere.
    pub(crate) hosts: Vec<PathBuf>,
}

/// Why a world could not be searched.
#[derive(Debug)]
pub(crate) enum WorldError {
    Io { path: PathBuf, source: io::Error },
    Elf(ElfError),
}

impl From<ElfError> for WorldError {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

/// Where libraries are looked for.
pub(crate) trait World {
    /// The ELF file of this name in a directory; `None` where there is none.
    fn find(&self, directory: &Directory, name: &str) -> Result<Option<Hit>, WorldError>;
    /// The paths that the loader's cache has for a name, baseline only.
    fn cached(&self, name: &str) -> &[String];
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flavour {
    Glibc,
    Musl,
}

impl Flavour {
    pub(crate) fn of(interpreter: Option<&str>) -> Self {
        match interpreter.and_then(|path| path.rsplit('/').next()) {
            Some(name) if name.starts_with("ld-musl-") => Self::Musl,
            _ => Self::Glibc,
        }
    }
}

/// A loader and its settings. Directories are absolute.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pub(crate) flavour: Flavour,
    /// What it looks through last.
    pub(crate) defaults: Vec<String>,
    /// Looked through after the cache and before the defaults, when there is no cache.
    pub(crate) configured: Vec<String>,
    /// Looked through after the defaults: the places other distributions' loaders know.
    pub(crate) fallback: Vec<String>,
    /// `LD_LIBRARY_PATH`.
    pub(crate) library_path: Vec<String>,
    /// Only files for this machine are taken.
    pub(crate) machine: Machine,
}

/// An object of the process.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) hit: Hit,
    /// The names it was found by.
    names: Vec<String>,
    /// Who brought it: an index into the objects; 0, the program, brought itself.
    pub(crate) brought_by: usize,
    pub(crate) role: Role,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Role {
    Program,
    Interpreter,
    Library,
    Extra,
}

impl Object {
    fn answers_to(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
            || (self.role != Role::Program && self.hit.info.soname.as_deref() == Some(name))
    }
}

/// A library that was found nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    pub(crate) name: String,
    pub(crate) needed_by: usize,
    /// Where was looked, in order.
    pub(crate) searched: Vec<String>,
}

/// A process, as far as loading gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pub(crate) objects: Vec<Object>,
    /// Which object answers which need: (who, name) → index.
    pub(crate) answers: BTreeMap<(usize, String), usize>,
    pub(crate) absent: Vec<Absent>,
    /// What it was asked to open later.
    pub(crate) extras: Vec<String>,
}

/// Most objects in one process: no real program has a tenth of that.
const MAX_OBJECTS: usize = 20_000;

/// Loads a program: `extras` are what it opens later, by name or by absolute path.
pub(crate) fn load(
    world: &dyn World,
    loader: &Loader,
    program: Hit,
    interpreter: Option<(String, Hit)>,
    extras: &[String],
) -> Result<Process, WorldError> {
    let mut process = Process {
        extras: extras.to_vec(),
        ..Process::default()
    };
    let own = Object {
        hit: program,
        names: Vec::new(),
        brought_by: 0,
        role: Role::Program,
    };
    process.objects.push(own);
    if let Some((path, hit)) = interpreter {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let names = vec![path, name];
        process.objects.push(Object {
            hit,
            names,
            brought_by: 0,
            role: Role::Interpreter,
        });
    }
    let mut next = 0;
    // The interpreter comes with the program and is what the C library needs: its turn in the
    // queue changes nothing, as it needs nothing itself.
    let mut extras = extras.iter();
    loop {
        while next < process.objects.len().min(MAX_OBJECTS) {
            let info = Rc::clone(&process.objects[next].hit.info);
            for name in &info.needed {
                need(world, loader, &mut process, next, name, Role::Library)?;
            }
            next += 1;
        }
        let Some(extra) = extras.next() else { break };
        need(world, loader, &mut process, 0, extra, Role::Extra)?;
    }
    Ok(process)
}

fn need(
    world: &dyn World,
    loader: &Loader,
    process: &mut Process,
    by: usize,
    name: &str,
    role: Role,
) -> Result<(), WorldError> {
    let key = (by, name.to_owned());
    if process.answers.contains_key(&key) {
        return Ok(());
    }
    let own = |object: &Object| {
        object.answers_to(name) || (object.role == Role::Interpreter && is_own(loader, name))
    };
    if let Some(found) = process.objects.iter().position(own) {
        process.answers.insert(key, found);
        return Ok(());
    }
    let mut searched = Vec::new();
    let Some(hit) = search(world, loader, process, by, name, &mut searched)? else {
        process.absent.push(Absent {
            name: name.to_owned(),
            needed_by: by,
            searched,
        });
        return Ok(());
    };
    // The same file by another name is the same object.
    let same = process
        .objects
        .iter()
        .position(|object| object.hit.at == hit.at);
    let index = same.unwrap_or(process.objects.len());
    if same.is_none() {
        process.objects.push(Object {
            hit,
            names: Vec::new(),
            brought_by: by,
            role,
        });
    }
    process.objects[index].names.push(name.to_owned());
    process.answers.insert(key, index);
    Ok(())
}

/// musl is one file: the C library, the loader, and everything that other systems split off.
fn is_own(loader: &Loader, name: &str) -> bool {
    const RESERVED: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
    let stem = name
        .strip_prefix("lib")
        .and_then(|rest| rest.split_once('.'));
    loader.flavour == Flavour::Musl && stem.is_some_and(|(stem, _)| RESERVED.contains(&stem))
}

fn search(
    world: &dyn World,
    loader: &Loader,
    process: &Process,
    by: usize,
    name: &str,
    searched: &mut Vec<String>,
) -> Result<Option<Hit>, WorldError> {
    if name.contains('/') {
        return by_path(world, loader, process, by, name, searched);
    }
    let run_paths = run_paths(loader, process, by);
    if let Some(hit) = through(world, loader, &run_paths, name, searched)? {
        return Ok(Some(hit));
    }
    let no_defaults = process.objects[by].hit.info.no_default_paths;
    if loader.flavour == Flavour::Glibc {
        for path in world.cached(name) {
            let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
            let directory = normal(directory);
            let is_default = || {
                loader
                    .defaults
                    .iter()
                    .any(|known| normal(known) == directory)
            };
            if no_defaults && is_default() {
                continue;
            }
            let directory = Directory {
                image: directory,
                hosts: Vec::new(),
            };
            if let Some(hit) = through(world, loader, &[directory], file, searched)? {
                return Ok(Some(hit));
            }
        }
    }
    if no_defaults {
        return Ok(None);
    }
    let last = [&loader.configured, &loader.defaults, &loader.fallback];
    let last: Vec<_> = last
        .into_iter()
        .flatten()
        .filter_map(|path| plain(path))
        .collect();
    through(world, loader, &last, name, searched)
}

/// What comes before the cache: run paths and the library path.
fn run_paths(loader: &Loader, process: &Process, by: usize) -> Vec<Directory> {
    let needer = &process.objects[by];
    let mut directories = Vec::new();
    let library_path = loader.library_path.iter().filter_map(|path| plain(path));
    if loader.flavour == Flavour::Musl {
        directories.extend(library_path);
        for object in chain(process, by) {
            let info = &object.hit.info;
            let paths = if info.runpath.is_empty() {
                &info.rpath
            } else {
                &info.runpath
            };
            directories.extend(paths.iter().filter_map(|path| expand(loader, object, path)));
        }
        return directories;
    }
    if needer.hit.info.runpath.is_empty() {
        for object in chain(process, by) {
            let paths = object.hit.info.rpath.iter();
            directories.extend(paths.filter_map(|path| expand(loader, object, path)));
        }
    }
    directories.extend(library_path);
    let paths = needer.hit.info.runpath.iter();
    directories.extend(paths.filter_map(|path| expand(loader, needer, path)));
    directories
}

/// A need with a slash is a path; one relative to the working directory cannot be relied on.
fn by_path(
    world: &dyn World,
    loader: &Loader,
    process: &Process,
    by: usize,
    name: &str,
    searched: &mut Vec<String>,
) -> Result<Option<Hit>, WorldError> {
    let (directory, file) = name.rsplit_once('/').unwrap_or(("", name));
    let directory = if directory.is_empty() { "/" } else { directory };
    match expand(loader, &process.objects[by], directory) {
        Some(directory) => through(world, loader, &[directory], file, searched),
        None => Ok(None),
    }
}

/// The object itself, then who brought it, up to the program.
fn chain(process: &Process, from: usize) -> impl Iterator<Item = &Object> {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let index = next?;
        let object = process.objects.get(index)?;
        // Who brings an object comes before it, so this ends.
        next = Some(object.brought_by).filter(|by| *by < index);
        Some(object)
    })
    // An object with a run path has no old one: `BinaryInfo` leaves it out.
}

fn through(
    world: &dyn World,
    loader: &Loader,
    directories: &[Directory],
    name: &str,
    searched: &mut Vec<String>,
) -> Result<Option<Hit>, WorldError> {
    for directory in directories {
        let mut shown: Vec<_> = directory
            .hosts
            .iter()
            .map(|host| host.display().to_string())
            .collect();
        if shown.is_empty() {
            shown.push(format!("/{}", directory.image));
        }
        shown.retain(|path| !searched.contains(path));
        searched.append(&mut shown);
        // A file for another machine is passed over, as the loader does.
        if let Some(hit) = world.find(directory, name)?
            && hit.info.machine == loader.machine
        {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}
