//! The items that an image from scratch can have, by name, and how each is added to a tree.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use cooperage_tarball::{Attributes, Content, Entry, PathError, Tree, TreeError, TreePath};

use crate::certificates::{CA_BUNDLE, CA_BUNDLE_LINKS, ca_bundle};
use crate::closure::{Closure, ClosureKind};
use crate::users::{User, UserError, all_users, group, passwd};
use crate::zoneinfo::{ZONEINFO, zones};

/// Something that an image from scratch can have besides its program. A plan names it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RuntimeItem {
    /// `users`: `/etc/passwd`, `/etc/group`, and the homes of their users.
    Users,
    /// `nsswitch`: `/etc/nsswitch.conf`, so that names are looked up in files, then in DNS.
    Nsswitch,
    /// `tmp`: `/tmp`, writable by everyone (mode 1777).
    Tmp,
    /// `ca-certificates`: the certificate authorities that Mozilla trusts.
    CaCertificates,
    /// `zoneinfo`: the time zone database.
    Zoneinfo,
}

impl RuntimeItem {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Users,
        Self::Nsswitch,
        Self::Tmp,
        Self::CaCertificates,
        Self::Zoneinfo,
    ];

    /// Its name in a plan.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Nsswitch => "nsswitch",
            Self::Tmp => "tmp",
            Self::CaCertificates => "ca-certificates",
            Self::Zoneinfo => "zoneinfo",
        }
    }
}

impl fmt::Display for RuntimeItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no run-time item.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown run-time item `{name}`, expected one of {}", known())]
pub struct UnknownItemError {
    /// The name.
    pub name: String,
}

fn known() -> String {
    RuntimeItem::ALL.map(|item| format!("`{item}`")).join(", ")
}

impl FromStr for RuntimeItem {
    type Err = UnknownItemError;

    fn from_str(name: &str) -> Result<Self, UnknownItemError> {
        let named = Self::ALL.into_iter().find(|item| item.as_str() == name);
        named.ok_or_else(|| UnknownItemError {
            name: name.to_owned(),
        })
    }
}

/// Which items an image gets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Features {
    /// The items.
    pub items: BTreeSet<RuntimeItem>,
    /// Users besides the standard ones, in the order of `/etc/passwd`; without the item `users`
    /// they are not used.
    pub users: Vec<User>,
}

impl Features {
    /// Every item, and the standard users.
    #[must_use]
    pub fn all() -> Self {
        Self {
            items: RuntimeItem::ALL.into(),
            users: Vec::new(),
        }
    }

    /// Adds the items to a tree.
    pub fn add_to(&self, tree: &mut Tree) -> Result<(), AddError> {
        for item in &self.items {
            match item {
                RuntimeItem::Users => add_users(tree, &self.users)?,
                RuntimeItem::Nsswitch => add_nsswitch(tree)?,
                RuntimeItem::Tmp => add_tmp(tree)?,
                RuntimeItem::CaCertificates => add_ca_certificates(tree)?,
                RuntimeItem::Zoneinfo => add_zoneinfo(tree)?,
            }
        }
        Ok(())
    }
}

/// Why something could not be added to a tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The tree has something else there.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A path that no tree can hold.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A user that no `/etc/passwd` can hold.
    #[error(transparent)]
    User(#[from] UserError),
    /// A library that is no longer there.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file on the build machine.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// `/etc/nsswitch.conf`: what has no sensible source in an image is looked up in files alone.
pub const NSSWITCH: &str = "\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
netgroup: files
";

/// Adds `/etc/passwd` and `/etc/group` with the standard users and `more`, and the homes of those
/// whose home lies below `/home` or is `/root`: mode 0700, owned by the user.
pub fn add_users(tree: &mut Tree, more: &[User]) -> Result<(), AddError> {
    let item = RuntimeItem::Users;
    let users = all_users(more)?;
    add_file(tree, item, "etc/passwd", passwd(&users).into_bytes())?;
    add_file(tree, item, "etc/group", group(&users).into_bytes())?;
    for user in &users {
        let home = user.home.trim_start_matches('/');
        if home == "root" || home.starts_with("home/") {
            let (uid, gid) = (u64::from(user.uid), u64::from(user.gid));
            let attributes = Attributes {
                uid,
                gid,
                ..Attributes::with_mode(0o700)
            };
            add(tree, item, home, Entry::directory(attributes))?;
        }
    }
    Ok(())
}

/// Adds `/etc/nsswitch.conf` ([`NSSWITCH`]).
pub fn add_nsswitch(tree: &mut Tree) -> Result<(), AddError> {
    add_file(
        tree,
        RuntimeItem::Nsswitch,
        "etc/nsswitch.conf",
        NSSWITCH.into(),
    )
}

/// Adds `/tmp` with mode 1777.
pub fn add_tmp(tree: &mut Tree) -> Result<(), AddError> {
    let entry = Entry::directory(Attributes::with_mode(0o1777));
    add(tree, RuntimeItem::Tmp, "tmp", entry)
}

/// Adds the bundle of certificate authorities ([`CA_BUNDLE`]), and its links.
pub fn add_ca_certificates(tree: &mut Tree) -> Result<(), AddError> {
    let item = RuntimeItem::CaCertificates;
    add_file(tree, item, CA_BUNDLE, ca_bundle().into_bytes())?;
    for (path, target) in CA_BUNDLE_LINKS {
        add(tree, item, path, Entry::symlink(target))?;
    }
    Ok(())
}

/// Adds every time zone below [`ZONEINFO`].
pub fn add_zoneinfo(tree: &mut Tree) -> Result<(), AddError> {
    for (name, data) in zones() {
        add_file(
            tree,
            RuntimeItem::Zoneinfo,
            &format!("{ZONEINFO}/{name}"),
            data.to_vec(),
        )?;
    }
    Ok(())
}

/// Adds a closure: libraries 0644, loaders 0755, all root's. The files are read when the tree is
/// packed.
pub fn add_closure(tree: &mut Tree, closure: &Closure) -> Result<(), AddError> {
    for file in &closure.files {
        let content = Content::file(&file.file).map_err(|source| AddError::Read {
            path: file.file.clone(),
            source,
        })?;
        let attributes = match file.kind {
            ClosureKind::Interpreter => Attributes::executable(),
            ClosureKind::Library | ClosureKind::Extra => Attributes::file(),
        };
        let origin = format!("the run-time closure of `/{}`", file.needed_by);
        let path = TreePath::parse(&file.image_path)?;
        tree.insert(path, Entry::file(content, attributes).with_origin(origin))?;
    }
    for link in &closure.links {
        let entry = Entry::symlink(link.target.as_str()).with_origin("the run-time closure");
        tree.insert(TreePath::parse(&link.image_path)?, entry)?;
    }
    if let Some(config) = &closure.loader_config {
        let content = Content::bytes(config.bytes.as_slice());
        let entry = Entry::file(content, Attributes::file()).with_origin("the run-time closure");
        tree.insert(TreePath::parse(&config.image_path)?, entry)?;
    }
    Ok(())
}

fn add_file(
    tree: &mut Tree,
    item: RuntimeItem,
    path: &str,
    bytes: Vec<u8>,
) -> Result<(), AddError> {
    add(
        tree,
        item,
        path,
        Entry::file(Content::bytes(bytes), Attributes::file()),
    )
}

fn add(tree: &mut Tree, item: RuntimeItem, path: &str, entry: Entry) -> Result<(), AddError> {
    let entry = entry.with_origin(format!("run-time item `{item}`"));
    tree.insert(TreePath::parse(path)?, entry)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for item in RuntimeItem::ALL {
            assert_eq!(item.as_str().parse(), Ok(item));
        }
        assert_eq!(
            "certs".parse::<RuntimeItem>().unwrap_err().to_string(),
            "unknown run-time item `certs`, expected one of `users`, `nsswitch`, `tmp`, \
             `ca-certificates`, `zoneinfo`"
        );
    }
}
