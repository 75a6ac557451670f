//! Where each file lies in the image, and which of its names is the file itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::sysroot_world::SysrootWorld;
use super::{Closure, ClosureError, ClosureFile, ClosureKind, ClosureLink, LoaderConfig, Program};
use crate::elf::BinaryInfo;
use crate::files::relative;
use crate::loader::{Process, Role};

/// A file with its place, before it is settled which of several names is the file itself.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) identity: PathBuf,
    pub(super) info: Rc<BinaryInfo>,
    pub(super) needed_by: String,
    pub(super) kind: ClosureKind,
    /// It is one of the binaries: whoever asked puts it into the image.
    pub(super) is_given: bool,
}

pub(super) type Places = BTreeMap<String, Placed>;

pub(super) fn place(
    world: &SysrootWorld<'_>,
    loaded: &[(&Program, Process)],
) -> Result<Places, ClosureError> {
    let mut places = Places::new();
    for (_, process) in loaded {
        for object in &process.objects {
            let kind = match object.role {
                Role::Interpreter => ClosureKind::Interpreter,
                Role::Extra => ClosureKind::Extra,
                Role::Program | Role::Library => ClosureKind::Library,
            };
            let file = Placed {
                identity: object.hit.identity.clone(),
                info: Rc::clone(&object.hit.info),
                needed_by: process.objects[object.brought_by].hit.at.clone(),
                kind,
                is_given: world.is_given(&object.hit.at),
            };
            let at = object.hit.at.clone();
            let present = places.entry(at.clone()).or_insert_with(|| file.clone());
            if present.identity != file.identity {
                let (first, second) = (present.identity.clone(), file.identity);
                return Err(ClosureError::Conflict {
                    image_path: at,
                    first,
                    second,
                });
            }
            // A loader is executable, whoever else needs it; what starts is more than an extra.
            present.kind = present.kind.min(file.kind);
        }
    }
    Ok(places)
}

/// Of several names of one file, the loader's own or else the first is the file.
pub(super) fn finish(places: &Places, loader_config: Option<LoaderConfig>) -> Closure {
    let mut files: BTreeMap<PathBuf, (&String, &Placed)> = BTreeMap::new();
    for (at, placed) in places {
        let rank = |placed: &Placed| (!placed.is_given, placed.kind != ClosureKind::Interpreter);
        let chosen = files.entry(placed.identity.clone()).or_insert((at, placed));
        if rank(placed) < rank(chosen.1) {
            *chosen = (at, placed);
        }
    }
    let mut closure = Closure {
        loader_config,
        ..Closure::default()
    };
    for (at, placed) in places.iter().filter(|(_, placed)| !placed.is_given) {
        let (chosen, _) = files[&placed.identity];
        let image_path = at.clone();
        if chosen == at {
            closure.files.push(ClosureFile {
                image_path,
                file: placed.identity.clone(),
                needed_by: placed.needed_by.clone(),
                kind: placed.kind,
            });
        } else {
            closure.links.push(ClosureLink {
                target: relative(at, chosen),
                image_path,
            });
        }
    }
    closure
}
