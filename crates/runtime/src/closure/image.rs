//! The search done again inside the image, and what the loader there must be told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use super::{ClosureError, LoaderConfig, Placed, Places, Program};
use crate::defaults;
use crate::files::{join, normal, parent};
use crate::ld_cache::{CacheEntry, Float, cache_flags, ld_so_cache};
use crate::loader::{self, Directory, Flavour, Hit, Loader, Process, World, WorldError};

/// What the image holds, and the settings found so far.
#[derive(Debug)]
struct ImageWorld {
    places: Places,
    cache: BTreeMap<String, Vec<String>>,
    musl_directories: BTreeSet<String>,
}

impl World for ImageWorld {
    fn find(&self, directory: &Directory, name: &str) -> Result<Option<Hit>, WorldError> {
        let at = join(&directory.image, name);
        Ok(self.places.get(&at).map(|placed| Hit {
            identity: placed.identity.clone(),
            info: Rc::clone(&placed.info),
            host_directories: Vec::new(),
            at,
        }))
    }

    fn cached(&self, name: &str) -> &[String] {
        self.cache.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Settles how the loader in the image finds everything, and gives the file that tells it.
///
/// May add names to `places`, for libraries that are asked for by a path with symlinks in it.
pub(super) fn settle(
    places: &mut Places,
    loaded: &[(&Program, Process)],
) -> Result<Option<LoaderConfig>, ClosureError> {
    let mut world = ImageWorld {
        places: places.clone(),
        cache: BTreeMap::new(),
        musl_directories: BTreeSet::new(),
    };
    // Every round adds a setting or is the last.
    loop {
        let mut settled = true;
        for (program, process) in loaded {
            while let Some(need) = unmet(&world, program, process)? {
                settled = false;
                if !teach(&mut world, program, &need) {
                    return Err(ClosureError::Unreachable {
                        library: need.name,
                        image_path: need.at,
                        needed_by: need.needed_by,
                    });
                }
            }
        }
        if settled {
            break;
        }
    }
    let config = config(&world, loaded)?;
    *places = world.places;
    Ok(config)
}

/// A need that the loader in the image meets with nothing, or with another file.
struct Need {
    name: String,
    needed_by: String,
    at: String,
    placed: Placed,
}

fn unmet(
    world: &ImageWorld,
    program: &Program,
    process: &Process,
) -> Result<Option<Need>, ClosureError> {
    let here = |hit: &Hit| Hit {
        host_directories: Vec::new(),
        ..hit.clone()
    };
    let loader = Loader {
        configured: world.musl_directories.iter().cloned().collect(),
        fallback: Vec::new(),
        ..program.loader.clone()
    };
    let interpreter = program
        .interpreter
        .as_ref()
        .map(|(path, hit)| (path.clone(), here(hit)));
    let there = loader::load(
        world,
        &loader,
        here(&program.hit),
        interpreter,
        &process.extras,
    )?;
    let found = answers(&there);
    for ((needed_by, name), (at, identity)) in answers(process) {
        if found.get(&(needed_by, name)).map(|(_, found)| found) != Some(&identity) {
            let (needed_by, name) = (needed_by.to_owned(), name.to_owned());
            let placed = world.places[at].clone();
            return Ok(Some(Need {
                name,
                needed_by,
                at: at.to_owned(),
                placed,
            }));
        }
    }
    Ok(None)
}

type Answers<'a> = BTreeMap<(&'a str, &'a str), (&'a str, PathBuf)>;

fn answers(process: &Process) -> Answers<'_> {
    process
        .answers
        .iter()
        .map(|((needed_by, name), found)| {
            let needed_by = process.objects[*needed_by].hit.at.as_str();
            let found = &process.objects[*found].hit;
            (
                (needed_by, name.as_str()),
                (found.at.as_str(), found.identity.clone()),
            )
        })
        .collect()
}

/// Adds a setting that meets the need; `false` when there is none that is new.
fn teach(world: &mut ImageWorld, program: &Program, need: &Need) -> bool {
    if need.name.contains('/') {
        let at = normal(&need.name);
        if need.name.contains('$') || world.places.contains_key(&at) {
            return false;
        }
        world.places.insert(at, need.placed.clone());
        return true;
    }
    match program.loader.flavour {
        Flavour::Musl => world
            .musl_directories
            .insert(format!("/{}", parent(&need.at))),
        Flavour::Glibc => {
            let path = format!("/{}", need.at);
            let paths = world.cache.entry(need.name.clone()).or_default();
            let is_new = paths.is_empty();
            if is_new {
                paths.push(path);
            }
            is_new
        }
    }
}

fn config(
    world: &ImageWorld,
    loaded: &[(&Program, Process)],
) -> Result<Option<LoaderConfig>, ClosureError> {
    if !world.musl_directories.is_empty() {
        let musl = |(program, _): &(&Program, Process)| {
            let (path, _) = program.interpreter.as_ref()?;
            (program.loader.flavour == Flavour::Musl).then(|| musl_path_file(path))
        };
        let directories = world.musl_directories.iter().map(String::as_str);
        let lines: Vec<_> = directories.chain(defaults::MUSL).collect();
        let bytes = (lines.join("\n") + "\n").into_bytes();
        return Ok(loaded
            .iter()
            .find_map(musl)
            .map(|image_path| LoaderConfig { image_path, bytes }));
    }
    let mut entries = Vec::new();
    for (name, paths) in &world.cache {
        for path in paths {
            let unreachable = || ClosureError::Unreachable {
                library: name.clone(),
                image_path: normal(path),
                needed_by: world.places[&normal(path)].needed_by.clone(),
            };
            let machine = world.places[&normal(path)].info.machine;
            let flags = cache_flags(machine, float(loaded)).ok_or_else(unreachable)?;
            let (name, path) = (name.clone(), path.clone());
            entries.push(CacheEntry {
                name,
                path,
                flags,
                is_variant: false,
            });
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let bytes = ld_so_cache(&entries)?;
    Ok(Some(LoaderConfig {
        image_path: "etc/ld.so.cache".to_owned(),
        bytes,
    }))
}

/// The two conventions of 32-bit ARM have loaders of two names.
fn float(loaded: &[(&Program, Process)]) -> Float {
    let soft = |(program, _): &(&Program, Process)| {
        program
            .interpreter
            .as_ref()
            .is_some_and(|(path, _)| path.ends_with("/ld-linux.so.3"))
    };
    if loaded.iter().any(soft) {
        Float::Soft
    } else {
        Float::Hard
    }
}

/// Where musl's loader reads its directories: `/lib/ld-musl-x86_64.so.1` reads
/// `/etc/ld-musl-x86_64.path`; with another prefix, the file lies below that.
pub(crate) fn musl_path_file(interpreter: &str) -> String {
    let interpreter = normal(interpreter);
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    let stem = name.split_once(".so").map_or(name, |(stem, _)| stem);
    let prefix = parent(parent(&interpreter));
    join(prefix, &format!("etc/{stem}.path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn musl_reads_its_directories_below_its_prefix() {
        assert_eq!(
            musl_path_file("/lib/ld-musl-x86_64.so.1"),
            "etc/ld-musl-x86_64.path"
        );
        assert_eq!(
            musl_path_file("/opt/lib/ld-musl-armhf.so.1"),
            "opt/etc/ld-musl-armhf.path"
        );
    }
}
