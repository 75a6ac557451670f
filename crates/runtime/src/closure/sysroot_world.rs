//! The world that libraries are taken from: the sysroot, and what lies beside the programs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Binary, ClosureError, host_file};
use crate::elf::BinaryInfo;
use crate::files::{join, normal};
use crate::loader::{Directory, Hit, World, WorldError};
use crate::sysroot::{Sysroot, is_absent};

#[derive(Debug)]
pub(super) struct SysrootWorld<'a> {
    pub(super) sysroot: &'a Sysroot,
    /// The binaries, by image path: the file, and the directories that `$ORIGIN` may mean.
    given: BTreeMap<String, (PathBuf, Vec<PathBuf>)>,
    cache: BTreeMap<String, Vec<String>>,
    /// What was read, by file.
    infos: RefCell<BTreeMap<PathBuf, Rc<BinaryInfo>>>,
}

impl<'a> SysrootWorld<'a> {
    pub(super) fn new(sysroot: &'a Sysroot, binaries: &[Binary]) -> Result<Self, ClosureError> {
        let mut given = BTreeMap::new();
        for binary in binaries {
            let image_path = normal(&binary.image_path);
            let file = host_file(&binary.file)?;
            let present: &(PathBuf, Vec<PathBuf>) = given
                .entry(image_path.clone())
                .or_insert_with(|| file.clone());
            if present.0 != file.0 {
                let (first, second) = (present.0.clone(), file.0);
                return Err(ClosureError::Conflict {
                    image_path,
                    first,
                    second,
                });
            }
        }
        let mut cache: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let entries = sysroot.ld_cache().map_err(|source| ClosureError::Search {
            path: sysroot.path().to_owned(),
            source,
        })?;
        for entry in entries
            .into_iter()
            .flatten()
            .filter(|entry| !entry.is_variant)
        {
            cache.entry(entry.name).or_default().push(entry.path);
        }
        Ok(Self {
            sysroot,
            given,
            cache,
            infos: RefCell::default(),
        })
    }

    pub(super) fn is_given(&self, at: &str) -> bool {
        self.given.contains_key(at)
    }

    /// One of the binaries, by its image path.
    pub(super) fn given(&self, at: &str) -> Result<Option<Hit>, WorldError> {
        let Some((file, directories)) = self.given.get(at) else {
            return Ok(None);
        };
        let info = self.info(file)?;
        let (at, identity) = (at.to_owned(), file.clone());
        Ok(Some(Hit {
            at,
            identity,
            info,
            host_directories: directories.clone(),
        }))
    }

    /// The loader that a program names, at the very path it names.
    pub(super) fn interpreter(&self, path: &str, binary: &Path) -> Result<Hit, ClosureError> {
        let located = self
            .sysroot
            .locate(path)
            .map_err(|source| ClosureError::Search {
                path: self.sysroot.file(&normal(path)),
                source,
            })?;
        let Some(located) = located else {
            return Err(ClosureError::Interpreter {
                binary: binary.to_owned(),
                interpreter: path.to_owned(),
                sysroot: self.sysroot.path().to_owned(),
            });
        };
        let identity = self.sysroot.file(&located.real);
        let info = self.info(&identity)?;
        Ok(Hit {
            at: normal(path),
            identity,
            info,
            host_directories: Vec::new(),
        })
    }

    fn info(&self, file: &Path) -> Result<Rc<BinaryInfo>, WorldError> {
        if let Some(info) = self.infos.borrow().get(file) {
            return Ok(Rc::clone(info));
        }
        let info = Rc::new(BinaryInfo::read(file)?);
        self.infos
            .borrow_mut()
            .insert(file.to_owned(), Rc::clone(&info));
        Ok(info)
    }

    /// A file beside a program. Inside a sysroot of its own, links are the sysroot's.
    fn beside(&self, directory: &Path, name: &str) -> Result<Option<PathBuf>, WorldError> {
        let path = directory.join(name);
        let root = self.sysroot.path();
        if root.parent().is_some() {
            let text = path.to_str().and_then(|text| Some((text, root.to_str()?)));
            let inside = text.and_then(|(text, root)| {
                format!("/{}", normal(text))
                    .strip_prefix(root)
                    .map(str::to_owned)
            });
            if let Some(inside) = inside.filter(|inside| inside.starts_with('/')) {
                let located = self.sysroot.locate(&inside);
                let located = located.map_err(|source| WorldError::Io { path, source })?;
                return Ok(located.map(|located| self.sysroot.file(&located.real)));
            }
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(None),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(WorldError::Io { path, source }),
        }
        std::fs::canonicalize(&path)
            .map(Some)
            .map_err(|source| WorldError::Io { path, source })
    }
}

impl World for SysrootWorld<'_> {
    fn find(&self, directory: &Directory, name: &str) -> Result<Option<Hit>, WorldError> {
        let at = join(&directory.image, name);
        if let Some(hit) = self.given(&at)? {
            return Ok(Some(hit));
        }
        for host in &directory.hosts {
            let Some(identity) = self.beside(host, name)? else {
                continue;
            };
            let info = self.info(&identity)?;
            let host_directories = vec![host.clone()];
            return Ok(Some(Hit {
                at,
                identity,
                info,
                host_directories,
            }));
        }
        if !directory.hosts.is_empty() {
            return Ok(None);
        }
        let located = self.sysroot.locate(&at);
        let located = located.map_err(|source| WorldError::Io {
            path: self.sysroot.file(&at),
            source,
        })?;
        let Some(located) = located else {
            return Ok(None);
        };
        let identity = self.sysroot.file(&located.real);
        let info = self.info(&identity)?;
        Ok(Some(Hit {
            at: located.at,
            identity,
            info,
            host_directories: Vec::new(),
        }))
    }

    fn cached(&self, name: &str) -> &[String] {
        self.cache.get(name).map_or(&[], Vec::as_slice)
    }
}
