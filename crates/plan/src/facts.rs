//! What a base offers to programs, as a document: computed once, and then enough to check plans
//! without the base's layers.

use std::collections::{BTreeMap, BTreeSet};

use cooperage_blob::Source;
use cooperage_commit::{Base, LoadedLayer};
use cooperage_image_spec::Platform;
use cooperage_runtime::{
    BaseFacts, BinaryInfo, Format, Group, Machine, Missing, User, check_against,
};
use cooperage_tarball::{Kind, Tree, TreePath, overlay};
use serde::{Deserialize, Serialize};

use crate::check::{load_layers, own_trees, programs};
use crate::open_base;
use crate::{BasePlan, BuildOptions, CheckError, ImagePlan};

/// Which facts these documents hold, and in which form: another form is another name.
pub const FACTS_KIND: &str = "base-1";

/// How long such a document may be, in bytes.
pub const MAX_FACTS: usize = 8 << 20;

/// Why a document holds no facts of a base.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseFactsError {
    /// It is too long.
    #[error("the facts of a base have {found} bytes: at most {MAX_FACTS} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// It is something else.
    #[error("this is no document of facts of a base")]
    Malformed(#[from] serde_json::Error),
}

/// Reads all layers of a base and gives what it offers to programs.
///
/// # Errors
///
/// What [`check_base`](crate::check_base) gives for the base.
pub fn base_facts(
    base: &BasePlan,
    platform: Option<&Platform>,
    options: &BuildOptions<'_>,
) -> Result<BaseFacts, CheckError> {
    let (source, base) = open_base(base, platform, options)?;
    image_facts(&*source, &base)
}

/// The same of an image whose documents are read already.
///
/// # Errors
///
/// Those for the image's layers.
pub fn image_facts(source: &dyn Source, image: &Base) -> Result<BaseFacts, CheckError> {
    let loaded = load_layers(source, image)?;
    let whole: Tree = overlay(loaded.iter().map(LoadedLayer::tree))?;
    Ok(BaseFacts::of(&whole)?)
}

/// As [`check_base`](crate::check_base), by what is known of the base, of which nothing is read.
///
/// `None` where the plan's own layers remove files or replace directories, so that what was found
/// out about the base alone does not tell.
///
/// # Errors
///
/// Those for the plan's own files.
pub fn check_facts(
    image: &ImagePlan,
    base: &BaseFacts,
    options: &BuildOptions<'_>,
) -> Result<Option<Vec<Missing>>, CheckError> {
    let own = own_trees(image, options)?;
    let programs = programs(&own)?;
    let whole = overlay(own.iter())?;
    if own.iter().any(removes) || hides(&whole, base) {
        return Ok(None);
    }
    let mut facts = base.clone();
    let added = BaseFacts::of(&whole)?;
    for (path, _) in whole.iter() {
        // What lies there now is the plan's.
        if let Ok(path) = std::str::from_utf8(path.as_bytes()) {
            facts.libraries.remove(path);
            facts.links.remove(path);
            facts.interpreters.remove(path);
        }
    }
    facts.libraries.extend(added.libraries);
    facts.links.extend(added.links);
    facts.interpreters.extend(added.interpreters);
    if has(&whole, "etc/ld.so.cache") {
        facts.cache = added.cache;
    }
    if has(&whole, "etc/passwd") {
        facts.users = added.users;
    }
    if has(&whole, "etc/group") {
        facts.groups = added.groups;
    }
    Ok(Some(check_against(&programs, &facts)?))
}

fn has(tree: &Tree, path: &str) -> bool {
    TreePath::parse(path).is_ok_and(|path| tree.get(&path).is_some())
}

/// Whether a layer takes something of the base away.
fn removes(tree: &Tree) -> bool {
    let mut entries = tree.iter();
    tree.opaque().next().is_some() || entries.any(|(_, entry)| matches!(entry.kind, Kind::Whiteout))
}

/// Whether something that is no directory lies where the base has one with libraries below it, or
/// a directory where it has a link.
fn hides(own: &Tree, base: &BaseFacts) -> bool {
    own.iter().any(|(path, entry)| {
        let Ok(path) = std::str::from_utf8(path.as_bytes()) else {
            return false;
        };
        if matches!(entry.kind, Kind::Directory) {
            return base.links.contains_key(path);
        }
        let below = format!("{path}/");
        let is_below = |at: Option<&String>| at.is_some_and(|at| at.starts_with(&below));
        let next = |map: &BTreeMap<String, BinaryInfo>| {
            is_below(map.range(below.clone()..).next().map(|(at, _)| at))
        };
        next(&base.libraries)
    })
}

/// The document; the same facts give the same bytes.
///
/// # Errors
///
/// [`BaseFactsError::TooLarge`] for a base that offers more than a document may hold.
pub fn facts_to_bytes(facts: &BaseFacts) -> Result<Vec<u8>, BaseFactsError> {
    let bytes = serde_json::to_vec(&Document::from(facts))?;
    within(&bytes)?;
    Ok(bytes)
}

/// What a document says; nothing of it is believed but that it has the form.
///
/// # Errors
///
/// [`BaseFactsError`]
pub fn facts_from_bytes(bytes: &[u8]) -> Result<BaseFacts, BaseFactsError> {
    within(bytes)?;
    let document: Document = serde_json::from_slice(bytes)?;
    Ok(document.into())
}

fn within(bytes: &[u8]) -> Result<(), BaseFactsError> {
    match bytes.len() {
        found if found > MAX_FACTS => Err(BaseFactsError::TooLarge { found }),
        _ => Ok(()),
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    libraries: BTreeMap<String, Library>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    interpreters: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    cache: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    library_path: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<Account>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupEntry>,
}

/// What a library of ELF says of itself.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Library {
    machine: (u16, u8, bool),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    executable: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pie: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interpreter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    soname: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    needed: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rpath: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runpath: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    no_default_paths: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions_needed: BTreeMap<String, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    versions_defined: BTreeSet<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    comment: String,
    home: String,
    shell: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    name: String,
    gid: u32,
    members: Vec<String>,
}

impl From<&BaseFacts> for Document {
    fn from(facts: &BaseFacts) -> Self {
        let facts = facts.clone();
        let libraries = facts.libraries.into_iter();
        let users = facts.users.into_iter();
        let groups = facts.groups.into_iter();
        Self {
            libraries: libraries.map(|(path, info)| (path, info.into())).collect(),
            links: facts.links,
            interpreters: facts.interpreters,
            cache: facts.cache,
            library_path: facts.library_path,
            users: users.map(Account::from).collect(),
            groups: groups.map(GroupEntry::from).collect(),
        }
    }
}

impl From<Document> for BaseFacts {
    fn from(document: Document) -> Self {
        let libraries = document.libraries.into_iter();
        let users = document.users.into_iter();
        let groups = document.groups.into_iter();
        Self {
            libraries: libraries.map(|(path, it)| (path, it.into())).collect(),
            links: document.links,
            interpreters: document.interpreters,
            cache: document.cache,
            library_path: document.library_path,
            users: users.map(User::from).collect(),
            groups: groups.map(Group::from).collect(),
        }
    }
}

impl From<BinaryInfo> for Library {
    fn from(info: BinaryInfo) -> Self {
        let machine = info.machine;
        Self {
            machine: (machine.number, machine.bits, machine.big_endian),
            os: info.os,
            architecture: info.architecture,
            variant: info.variant,
            executable: info.is_executable,
            pie: info.is_pie,
            interpreter: info.interpreter,
            soname: info.soname,
            needed: info.needed,
            rpath: info.rpath,
            runpath: info.runpath,
            no_default_paths: info.no_default_paths,
            versions_needed: info.versions_needed,
            versions_defined: info.versions_defined,
        }
    }
}

impl From<Library> for BinaryInfo {
    fn from(library: Library) -> Self {
        let (number, bits, big_endian) = library.machine;
        Self {
            format: Format::Elf,
            os: library.os,
            architecture: library.architecture,
            variant: library.variant,
            machine: Machine {
                number,
                bits,
                big_endian,
            },
            is_executable: library.executable,
            is_pie: library.pie,
            interpreter: library.interpreter,
            soname: library.soname,
            needed: library.needed,
            rpath: library.rpath,
            runpath: library.runpath,
            no_default_paths: library.no_default_paths,
            versions_needed: library.versions_needed,
            versions_defined: library.versions_defined,
        }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            comment: user.comment,
            home: user.home,
            shell: user.shell,
        }
    }
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            name: account.name,
            uid: account.uid,
            gid: account.gid,
            comment: account.comment,
            home: account.home,
            shell: account.shell,
        }
    }
}

impl From<Group> for GroupEntry {
    fn from(group: Group) -> Self {
        Self {
            name: group.name,
            gid: group.gid,
            members: group.members,
        }
    }
}

impl From<GroupEntry> for Group {
    fn from(entry: GroupEntry) -> Self {
        Self {
            name: entry.name,
            gid: entry.gid,
            members: entry.members,
        }
    }
}
