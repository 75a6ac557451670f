//! What a program needs around it, as lines of a plan.

use std::path::{Path, PathBuf};

use cooperage_plan::{EntryAttributes, EntryKind, EntryPlan};
use cooperage_runtime::{
    AddError, CA_BUNDLE, Closure, ClosureError, ClosureKind, PlatformError, RuntimeItem, Sysroot,
    User,
};
use cooperage_tarball::{Content, Kind, PathError, Tree, TreePath};

use crate::build::Binary;
use crate::settings::{Settings, UserRule};

/// Where the bundle of certificates lies in an image.
pub const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why a program's surroundings could not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurroundingsError {
    /// The binary is for another platform than its target's.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Libraries are missing.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// Users cannot be written.
    #[error("key `users`")]
    Users(#[from] AddError),
    /// A library lies at a path that no image can have.
    #[error("library `{path}` cannot lie in an image")]
    Path {
        /// Its path.
        path: String,
        /// Why not.
        source: PathError,
    },
    /// The directory that libraries are to come from is not there.
    #[error("cannot read the sysroot `{}`", path.display())]
    Sysroot {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Users on a base would take the place of the base's.
    #[error("key `users` is for images from scratch: `/etc/passwd` would hide that of the base")]
    UsersOnBase,
    /// Libraries on a base would mix two systems.
    #[error(
        "key `libraries` is for images from scratch: libraries of this machine do not fit those of the base"
    )]
    LibrariesOnBase,
}

/// The lines of the run-time layer.
///
/// From scratch: the libraries that the program needs to start, those it opens at run time, users,
/// `/etc/nsswitch.conf`, `/tmp`, certificates and time zones. On a base: certificates and time
/// zones, if the settings ask for them.
///
/// # Errors
///
/// See [`SurroundingsError`]; a binary for another platform is one.
pub fn entries(
    settings: &Settings,
    binary: &Binary,
    bin_path: &str,
) -> Result<Vec<EntryPlan>, SurroundingsError> {
    let platform = &binary.platform;
    cooperage_runtime::check_platform(
        &binary.file,
        &platform.os,
        &platform.architecture,
        platform.variant.as_deref(),
    )?;
    let scratch = settings.base.is_none();
    let mut entries = Vec::new();
    if scratch {
        entries.extend(library_entries(settings, binary, bin_path)?);
        entries.extend(user_entries(&settings.users)?);
        entries.extend([RuntimeItem::Nsswitch, RuntimeItem::Tmp].map(item));
    } else if !settings.users.is_empty() {
        return Err(SurroundingsError::UsersOnBase);
    } else if !settings.libraries.is_empty() {
        return Err(SurroundingsError::LibrariesOnBase);
    }
    if settings.certificates.unwrap_or(scratch) {
        entries.push(item(RuntimeItem::CaCertificates));
    }
    if settings.time_zones.unwrap_or(scratch) {
        entries.push(item(RuntimeItem::Zoneinfo));
    }
    Ok(entries)
}

fn item(item: RuntimeItem) -> EntryPlan {
    entry(
        EntryKind::Runtime(item),
        EntryAttributes::default(),
        format!("run-time item `{item}`"),
    )
}

fn entry(what: EntryKind, attributes: EntryAttributes, origin: String) -> EntryPlan {
    EntryPlan {
        what,
        attributes,
        line: 0,
        origin: Some(origin),
    }
}

fn mode(mode: u32) -> EntryAttributes {
    EntryAttributes {
        mode: Some(mode),
        ..EntryAttributes::default()
    }
}

fn library_entries(
    settings: &Settings,
    binary: &Binary,
    bin_path: &str,
) -> Result<Vec<EntryPlan>, SurroundingsError> {
    let root = settings
        .sysroot
        .clone()
        .unwrap_or_else(|| default_sysroot(binary));
    let sysroot =
        Sysroot::new(&root).map_err(|source| SurroundingsError::Sysroot { path: root, source })?;
    let program = cooperage_runtime::Binary {
        file: binary.file.clone(),
        image_path: bin_path.to_owned(),
    };
    let extras: Vec<String> = settings.libraries.iter().cloned().collect();
    closure_entries(&cooperage_runtime::closure(&[program], &sysroot, &extras)?)
}

/// This machine's own root, or the place where Debian's cross compilers keep their libraries.
fn default_sysroot(binary: &Binary) -> PathBuf {
    let cross = Path::new("/usr").join(binary.triple.replacen("-unknown-", "-", 1));
    if !binary.is_native && cross.join("lib").is_dir() {
        cross
    } else {
        "/".into()
    }
}

fn closure_entries(closure: &Closure) -> Result<Vec<EntryPlan>, SurroundingsError> {
    let path = |path: &str| {
        TreePath::parse(path).map_err(|source| SurroundingsError::Path {
            path: path.to_owned(),
            source,
        })
    };
    let origin = || "the program's libraries".to_owned();
    let mut entries = Vec::new();
    for file in &closure.files {
        let executable = file.kind == ClosureKind::Interpreter;
        let what = EntryKind::File {
            path: path(&file.image_path)?,
            file: file.file.clone(),
            fold: true,
        };
        let origin = format!("a library that `/{}` needs", file.needed_by);
        entries.push(entry(
            what,
            mode(if executable { 0o755 } else { 0o644 }),
            origin,
        ));
    }
    for link in &closure.links {
        let target = link.target.clone().into_bytes();
        let what = EntryKind::Symlink {
            path: path(&link.image_path)?,
            target,
        };
        entries.push(entry(what, mode(0o777), origin()));
    }
    if let Some(config) = &closure.loader_config {
        let what = EntryKind::Bytes {
            path: path(&config.image_path)?,
            bytes: config.bytes.clone(),
        };
        entries.push(entry(what, mode(0o644), origin()));
    }
    Ok(entries)
}

/// The standard users alone are an item that a plan can name; more of them are written out.
fn user_entries(more: &[UserRule]) -> Result<Vec<EntryPlan>, SurroundingsError> {
    if more.is_empty() {
        return Ok(vec![item(RuntimeItem::Users)]);
    }
    let user = |rule: &UserRule| {
        let plain = User::new(&rule.name, rule.uid);
        User {
            gid: rule.gid,
            home: rule.home.clone().unwrap_or(plain.home.clone()),
            shell: rule.shell.clone().unwrap_or(plain.shell.clone()),
            ..plain
        }
    };
    let mut tree = Tree::new();
    let users: Vec<User> = more.iter().map(user).collect();
    cooperage_runtime::add_users(&mut tree, &users)?;
    let written = tree.iter().filter_map(|(path, of)| {
        let what = match &of.kind {
            Kind::File {
                content: Content::Bytes(bytes),
                ..
            } => EntryKind::Bytes {
                path,
                bytes: bytes.to_vec(),
            },
            Kind::Directory => EntryKind::Directory { path },
            _ => return None,
        };
        let attributes = EntryAttributes {
            mode: Some(of.attributes.mode),
            uid: Some(of.attributes.uid),
            gid: Some(of.attributes.gid),
            ..EntryAttributes::default()
        };
        Some(entry(what, attributes, "key `users`".to_owned()))
    });
    Ok(written.collect())
}

const _: () = {
    // The variable that the image sets must name the file that it holds.
    let (absolute, relative) = (CERTIFICATES.as_bytes(), CA_BUNDLE.as_bytes());
    assert!(absolute.len() == relative.len() + 1);
};
