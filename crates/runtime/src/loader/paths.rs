//! Run paths, with what stands for something in them replaced.

use super::{Directory, Loader, Object};
use crate::elf::Machine;
use crate::files::{normal, parent};

pub(super) fn plain(path: &str) -> Option<Directory> {
    path.starts_with('/').then(|| Directory {
        image: normal(path),
        hosts: Vec::new(),
    })
}

/// A run path with `$ORIGIN`, `$LIB` and `$PLATFORM` replaced; `None` for one that depends on the
/// working directory or on the processor.
pub(super) fn expand(loader: &Loader, object: &Object, path: &str) -> Option<Directory> {
    let mut text = path.to_owned();
    for (token, value) in [
        ("LIB", Some(lib(loader))),
        ("PLATFORM", platform(loader.machine)),
    ] {
        for form in [format!("${{{token}}}"), format!("${token}")] {
            if text.contains(&form) {
                text = text.replace(&form, value.as_deref()?);
            }
        }
    }
    let after = ["${ORIGIN}", "$ORIGIN"]
        .into_iter()
        .find_map(|token| text.strip_prefix(token));
    let Some(rest) = after else {
        return if text.contains('$') {
            None
        } else {
            plain(&text)
        };
    };
    if !(rest.is_empty() || rest.starts_with('/')) || rest.contains('$') {
        return None;
    }
    let image = normal(&format!("{}{rest}", parent(&object.hit.at)));
    let hosts = object.hit.host_directories.iter();
    let hosts = hosts
        .map(|directory| directory.join(rest.trim_start_matches('/')))
        .collect();
    Some(Directory { image, hosts })
}

/// `$LIB` is where the loader's distribution keeps libraries: the last parts of its first default.
fn lib(loader: &Loader) -> String {
    let first = loader.defaults.first().map_or("lib", String::as_str);
    normal(first.strip_prefix("/usr").unwrap_or(first))
}

/// `$PLATFORM`, where every processor of the machine gives the same.
fn platform(machine: Machine) -> Option<String> {
    use object::elf::{EM_386, EM_AARCH64, EM_X86_64, Machine as Number};
    Some(
        match Number(machine.number) {
            EM_X86_64 => "x86_64",
            EM_AARCH64 => "aarch64",
            EM_386 => "i686",
            _ => return None,
        }
        .to_owned(),
    )
}
