//! The loader's search, done on a base before anything is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use super::BaseFacts;
use crate::closure::{Binary, offer};
use crate::defaults;
use crate::elf::{BinaryInfo, ElfError, Format};
use crate::files::{join, locate, normal};
use crate::loader::{self, Directory, Flavour, Hit, Loader, World, WorldError};
use crate::versions;

/// Something a program needs and the base lacks. Paths are absolute paths in the image.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Missing {
    /// The loader that the program names.
    Interpreter {
        /// The program.
        needed_by: String,
        /// The path it names.
        interpreter: String,
        /// The loaders that the base has.
        offered: Vec<String>,
    },
    /// A library.
    Library {
        /// The file that needs it.
        needed_by: String,
        /// Its name.
        library: String,
        /// Where the loader would look, in order.
        searched: Vec<String>,
    },
    /// A symbol version of a library that is there.
    Version {
        /// The file that needs it.
        needed_by: String,
        /// The library's name.
        library: String,
        /// The version, such as `GLIBC_2.38`.
        version: String,
        /// Where the library lies.
        path: String,
        /// The newest version of the same family that it has.
        offered: Option<String>,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter {
                needed_by,
                interpreter,
                offered,
            } => {
                write!(
                    f,
                    "`{needed_by}` needs the loader `{interpreter}`, and the base has "
                )?;
                match offered.as_slice() {
                    [] => f.write_str("none: a static program would run on it"),
                    offered => write!(f, "`{}`", offered.join("`, `")),
                }
            }
            Self::Library {
                needed_by,
                library,
                searched,
            } => write!(
                f,
                "`{needed_by}` needs `{library}`, which the base does not have in `{}`",
                searched.join("`, `")
            ),
            Self::Version {
                needed_by,
                library,
                version,
                path,
                offered,
            } => write!(
                f,
                "`{needed_by}` needs `{version}` of `{library}`, and the base's `{path}` offers {}",
                offer(offered.as_deref())
            ),
        }
    }
}

/// Finds what `binaries` need and a base lacks: loaders, libraries, symbol versions.
///
/// The binaries are what the image adds to the base, libraries of its own included. Files that are
/// no ELF files need nothing. The result is sorted, each fault once; empty means that every loader
/// will find everything.
pub fn check_against(binaries: &[Binary], base: &BaseFacts) -> Result<Vec<Missing>, ElfError> {
    let mut given = BTreeMap::new();
    for binary in binaries {
        let info = BinaryInfo::read(&binary.file)?;
        if info.format == Format::Elf {
            given.insert(normal(&binary.image_path), Rc::new(info));
        }
    }
    let world = BaseWorld { given, base };
    let mut missing = Vec::new();
    for (at, info) in world.given.iter().filter(|(_, info)| info.is_dynamic()) {
        match world.interpreter(info) {
            Ok(found) => world.check(at, info, found, &mut missing)?,
            Err(interpreter) => missing.push(Missing::Interpreter {
                needed_by: format!("/{at}"),
                interpreter,
                offered: base.loaders().into_iter().collect(),
            }),
        }
    }
    missing.sort();
    missing.dedup();
    Ok(missing)
}

struct BaseWorld<'a> {
    given: BTreeMap<String, Rc<BinaryInfo>>,
    base: &'a BaseFacts,
}

/// A loader: the path it is asked for by, the file, and where it looks by itself.
type Interpreter = (String, Hit, Vec<String>);

impl BaseWorld<'_> {
    /// The loader of a file; for a library, that of a program for the same machine, here or in the
    /// base. The error is the path that is not there.
    fn interpreter(&self, info: &BinaryInfo) -> Result<Option<Interpreter>, String> {
        if let Some(path) = &info.interpreter {
            return self.loader_at(path).map(Some).ok_or_else(|| path.clone());
        }
        let same = self
            .given
            .values()
            .filter(|other| other.machine == info.machine);
        let lent = same.filter_map(|other| other.interpreter.clone());
        let own = self.base.interpreters.keys().filter(|path| {
            let library = self.base.libraries.get(*path);
            library.is_some_and(|library| library.machine == info.machine)
        });
        let mut paths = lent.chain(own.map(|path| format!("/{path}")));
        Ok(paths.find_map(|path| self.loader_at(&path)))
    }

    fn loader_at(&self, path: &str) -> Option<Interpreter> {
        let at = normal(path);
        if let Some(info) = self.given.get(&at) {
            let hit = hit(at, format!("given {path}"), Rc::clone(info));
            let defaults = defaults::candidates(hit.info.machine);
            return Some((path.to_owned(), hit, defaults));
        }
        let (real, info) = self.base.library(path)?;
        let defaults = self.base.interpreters.get(real).cloned();
        let defaults = defaults.unwrap_or_else(|| defaults::candidates(info.machine));
        let hit = hit(at, real.to_owned(), Rc::new(info.clone()));
        Some((path.to_owned(), hit, defaults))
    }

    fn check(
        &self,
        at: &str,
        info: &Rc<BinaryInfo>,
        interpreter: Option<Interpreter>,
        missing: &mut Vec<Missing>,
    ) -> Result<(), ElfError> {
        let (interpreter, defaults) = match interpreter {
            Some((path, hit, defaults)) => (Some((path, hit)), defaults),
            None => (None, defaults::candidates(info.machine)),
        };
        let loader = Loader {
            flavour: Flavour::of(interpreter.as_ref().map(|(path, _)| path.as_str())),
            defaults,
            configured: Vec::new(),
            fallback: Vec::new(),
            library_path: self.base.library_path.clone(),
            machine: info.machine,
        };
        let program = hit(at.to_owned(), format!("given {at}"), Rc::clone(info));
        let process =
            loader::load(self, &loader, program, interpreter, &[]).map_err(
                |error| match error {
                    WorldError::Elf(error) => error,
                    WorldError::Io { path, source } => ElfError::Read { path, source },
                },
            )?;
        let path = |index: usize| format!("/{}", process.objects[index].hit.at);
        for absent in &process.absent {
            missing.push(Missing::Library {
                needed_by: path(absent.needed_by),
                library: absent.name.clone(),
                searched: absent.searched.clone(),
            });
        }
        for lacking in versions::lacking(&process) {
            missing.push(Missing::Version {
                needed_by: path(lacking.needed_by),
                library: lacking.name,
                version: lacking.version,
                path: path(lacking.library),
                offered: lacking.offered,
            });
        }
        Ok(())
    }
}

fn hit(at: String, identity: String, info: Rc<BinaryInfo>) -> Hit {
    Hit {
        at,
        identity: PathBuf::from(identity),
        info,
        host_directories: Vec::new(),
    }
}

impl World for BaseWorld<'_> {
    fn find(&self, directory: &Directory, name: &str) -> Result<Option<Hit>, WorldError> {
        let at = join(&directory.image, name);
        if let Some(info) = self.given.get(&at) {
            let identity = format!("given {at}");
            return Ok(Some(hit(at, identity, Rc::clone(info))));
        }
        let located = locate(self.base, &at).map_err(|source| WorldError::Io {
            path: PathBuf::from(&at),
            source,
        })?;
        let Some(located) = located else {
            return Ok(None);
        };
        let info = self.base.libraries.get(&located.real);
        Ok(info.map(|info| hit(located.at, located.real.clone(), Rc::new(info.clone()))))
    }

    fn cached(&self, name: &str) -> &[String] {
        self.base.cache.get(name).map_or(&[], Vec::as_slice)
    }
}
