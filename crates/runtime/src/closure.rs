//! The shared libraries a program needs, each with its place in the image.

mod error;
mod image;
mod place;
mod sysroot_world;

use std::path::{Path, PathBuf};

use crate::defaults;
use crate::elf::{ElfError, FileSource, Format, Machine};
use crate::files::normal;
use crate::loader::{self, Flavour, Hit, Loader, Process};
use crate::sysroot::Sysroot;
use crate::versions;

pub(crate) use error::offer;
pub(crate) use image::musl_path_file;

pub use error::ClosureError;

use place::{Placed, Places, finish, place};
use sysroot_world::SysrootWorld;

/// A program, or a library of its own, that the image will hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Binary {
    /// The file on the build machine.
    pub file: PathBuf,
    /// Where it will lie in the image; a leading slash makes no difference.
    pub image_path: String,
}

/// What a program needs around it, and where. Everything is sorted by image path.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Closure {
    /// Libraries and loaders.
    pub files: Vec<ClosureFile>,
    /// Further names of the same files, which must stay one file: a loader that finds a library
    /// twice loads it twice.
    pub links: Vec<ClosureLink>,
    /// What the loader must be told to find them, when they lie where it does not look by itself.
    pub loader_config: Option<LoaderConfig>,
}

/// A file of the closure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosureFile {
    /// Its place in the image, without a leading slash.
    pub image_path: String,
    /// The file on the build machine, without symlinks.
    pub file: PathBuf,
    /// The image path of what needs it.
    pub needed_by: String,
    /// What it is.
    pub kind: ClosureKind,
}

/// What a file of the closure is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ClosureKind {
    /// The loader that the kernel starts.
    Interpreter,
    /// A library that is needed to start.
    Library,
    /// A library that is opened at run time, asked for by name.
    Extra,
}

/// A symbolic link of the closure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosureLink {
    /// Its place in the image, without a leading slash.
    pub image_path: String,
    /// Where it leads, relative to its directory.
    pub target: String,
}

/// A file that the loader reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoaderConfig {
    /// `etc/ld.so.cache` for glibc, `etc/ld-musl-….path` for musl.
    pub image_path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Finds everything that `binaries` need to start, and `extras`, which they open at run time.
///
/// ELF is read as the loader reads it; `ldd`, which runs the program, is never asked. The loader
/// that the programs name decides how: glibc's or musl's. Libraries come from `sysroot`, or from
/// beside the program where its `$ORIGIN` says so, and only in their baseline form: never a
/// `glibc-hwcaps` variant that suits this machine's processor. Each gets the image path at which
/// it was found, its directory's symlinks resolved; then the search is done again as the loader in
/// the image will do it, without a cache, and what that does not find goes into one.
///
/// An extra is a name (`libnss_dns.so.2`) or an absolute path. A static program needs nothing, and
/// neither does a file that is no ELF file.
///
/// # Examples
///
/// ```
/// use cooperage_runtime::{Binary, Sysroot, closure};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ls = Binary { file: "/bin/ls".into(), image_path: "/bin/ls".to_owned() };
/// # if !ls.file.exists() { return Ok(()) }
/// let closure = closure(&[ls], &Sysroot::default(), &[])?;
/// for file in &closure.files {
///     println!("{} from {}", file.image_path, file.file.display());
/// }
/// # Ok(())
/// # }
/// ```
pub fn closure(
    binaries: &[Binary],
    sysroot: &Sysroot,
    extras: &[String],
) -> Result<Closure, ClosureError> {
    let world = SysrootWorld::new(sysroot, binaries)?;
    let programs = programs(&world, binaries)?;
    let mut loaded = Vec::new();
    for program in &programs {
        if !program.hit.info.is_dynamic() && extras.is_empty() {
            continue;
        }
        let interpreter = program.interpreter.clone();
        let process = loader::load(
            &world,
            &program.loader,
            program.hit.clone(),
            interpreter,
            extras,
        )?;
        check(&process)?;
        loaded.push((program, process));
    }
    let mut placed = place(&world, &loaded)?;
    let loader_config = image::settle(&mut placed, &loaded)?;
    Ok(finish(&placed, loader_config))
}

/// A dynamic ELF file, with the loader that will load it.
#[derive(Debug)]
struct Program {
    hit: Hit,
    interpreter: Option<(String, Hit)>,
    loader: Loader,
}

fn programs(world: &SysrootWorld<'_>, binaries: &[Binary]) -> Result<Vec<Program>, ClosureError> {
    let mut found = Vec::new();
    for binary in binaries {
        let hit = world.given(&normal(&binary.image_path))?;
        if let Some(hit) = hit.filter(|hit| hit.info.format == Format::Elf) {
            let interpreter = match &hit.info.interpreter {
                Some(path) => Some((path.clone(), world.interpreter(path, &binary.file)?)),
                None => None,
            };
            found.push((hit, interpreter));
        }
    }
    // A library among the binaries is loaded by the loader of a program for the same machine.
    let known = found.clone();
    let lend = |machine: Machine| {
        let same = known.iter().filter(|(hit, _)| hit.info.machine == machine);
        same.flat_map(|(_, interpreter)| interpreter)
            .next()
            .cloned()
    };
    found
        .into_iter()
        .map(|(hit, interpreter)| {
            let interpreter =
                interpreter.or_else(|| hit.info.is_dynamic().then(|| lend(hit.info.machine))?);
            let loader = settings(world.sysroot, hit.info.machine, interpreter.as_ref())?;
            Ok(Program {
                hit,
                interpreter,
                loader,
            })
        })
        .collect()
}

/// How the loader of the sysroot searches.
fn settings(
    sysroot: &Sysroot,
    machine: Machine,
    interpreter: Option<&(String, Hit)>,
) -> Result<Loader, ClosureError> {
    let failed = |source| ClosureError::Search {
        path: sysroot.path().to_owned(),
        source,
    };
    let mut loader = Loader {
        flavour: Flavour::of(interpreter.map(|(path, _)| path.as_str())),
        defaults: Vec::new(),
        configured: Vec::new(),
        fallback: Vec::new(),
        library_path: Vec::new(),
        machine,
    };
    if let (Flavour::Musl, Some((path, _))) = (loader.flavour, interpreter) {
        let text = sysroot
            .read(&musl_path_file(path), 1 << 20)
            .map_err(failed)?;
        loader.configured = text
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .iter()
            .flat_map(|text| text.split([':', '\n']))
            .filter(|path| path.starts_with('/'))
            .map(str::to_owned)
            .collect();
        loader.defaults = defaults::MUSL.map(str::to_owned).to_vec();
        return Ok(loader);
    }
    loader.fallback = defaults::candidates(machine);
    if sysroot.ld_cache().map_err(failed)?.is_none() {
        loader.configured = sysroot.ld_conf().map_err(failed)?;
    }
    if let Some((_, hit)) = interpreter {
        let source = FileSource::open(&hit.identity).map_err(|source| ElfError::Read {
            path: hit.identity.clone(),
            source,
        })?;
        let named =
            defaults::named_by(&source, &loader.fallback).map_err(|source| ElfError::Read {
                path: hit.identity.clone(),
                source,
            })?;
        loader.defaults = named.unwrap_or_default();
    }
    Ok(loader)
}

fn check(process: &Process) -> Result<(), ClosureError> {
    let file = |index: usize| process.objects[index].hit.identity.clone();
    if let Some(absent) = process.absent.first() {
        return Err(ClosureError::Missing {
            library: absent.name.clone(),
            needed_by: file(absent.needed_by),
            searched: absent.searched.clone(),
        });
    }
    match versions::lacking(process).into_iter().next() {
        None => Ok(()),
        Some(lacking) => Err(ClosureError::Version {
            library: lacking.name,
            version: lacking.version,
            needed_by: file(lacking.needed_by),
            file: file(lacking.library),
            offered: lacking.offered,
        }),
    }
}

/// The canonical file, and the directories that its `$ORIGIN` may mean: its own, as the loader has
/// it, then the one it was named in, where a build system keeps links to files that lie elsewhere.
fn host_file(path: &Path) -> Result<(PathBuf, Vec<PathBuf>), ClosureError> {
    let canonical = std::fs::canonicalize(path).map_err(|source| ElfError::Read {
        path: path.to_owned(),
        source,
    })?;
    let named = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directories = [canonical.parent(), Some(named.unwrap_or(Path::new(".")))];
    let directories = directories
        .into_iter()
        .flatten()
        .map(Path::to_owned)
        .collect();
    Ok((canonical, directories))
}
