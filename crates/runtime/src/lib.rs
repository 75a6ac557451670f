//! What a program needs around it to run from scratch: its shared libraries, users, certificates and time zones.
//!
//! - [`BinaryInfo`] reads a binary, and [`check_platform`] refuses one for another platform.
//! - [`closure()`] finds the libraries a dynamic program needs, without running anything, and gives
//!   each its place in the image; [`add_closure`] puts them into a tree.
//! - [`check_against`] says what a base image lacks of them: loaders, libraries, symbol versions.
//! - [`Features`] adds users, certificates, time zones and `/tmp`, from pinned data, nothing of it
//!   from the machine.
//!
//! Same inputs, same bytes: no clock, no environment, no directory order. The libraries
//! themselves are the sysroot's, and so is the digest of an image that holds them.
//!
//! # Examples
//!
//! ```
//! use cooperage_runtime::{Binary, Features, Sysroot, add_closure, closure};
//! use cooperage_tarball::{Tree, TreePath};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut tree = Tree::new();
//! Features::all().add_to(&mut tree)?;
//! # if std::path::Path::new("/bin/ls").exists() {
//! let program = Binary { file: "/bin/ls".into(), image_path: "/usr/bin/ls".to_owned() };
//! add_closure(&mut tree, &closure(&[program], &Sysroot::default(), &[])?)?;
//! # }
//! assert!(tree.get(&TreePath::parse("etc/ssl/certs/ca-certificates.crt")?).is_some());
//! # Ok(())
//! # }
//! ```

mod elf;

mod platform;

mod files;
mod sysroot;

mod defaults;
mod ld_cache;
mod ld_conf;

mod loader;
mod versions;

mod closure;

mod base;

mod users;

mod certificates;
mod zoneinfo;

mod features;

pub use base::{BaseError, BaseFacts, Missing, check_against};
pub use certificates::{CA_BUNDLE, CA_BUNDLE_LINKS, ca_bundle};
pub use closure::{
    Binary, Closure, ClosureError, ClosureFile, ClosureKind, ClosureLink, LoaderConfig, closure,
};
pub use elf::{BinaryInfo, ElfError, FileSource, Format, Machine, ReadAt};
pub use features::{
    AddError, Features, NSSWITCH, RuntimeItem, UnknownItemError, add_ca_certificates, add_closure,
    add_nsswitch, add_tmp, add_users, add_zoneinfo,
};
pub use ld_cache::{
    CacheEntry, CacheError, Float, cache_flags, ld_so_cache, parse as parse_ld_so_cache,
};
pub use platform::{PlatformError, check_platform};
pub use sysroot::Sysroot;
pub use users::{
    Group, NONROOT, NONROOT_ID, USER, User, UserError, group, parse_group, parse_passwd, passwd,
    standard_users,
};
pub use zoneinfo::{ZONEINFO, zoneinfo_version, zones};
