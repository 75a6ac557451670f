//! Makes what a tree holds, beneath the handle of a directory.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::{LeftOut, Omission, Refused, UnpackError, Unpacked};
use crate::content::CHUNK;
use crate::host::Special;
use crate::host::directory::{Directory, Failure, Node, Root, failure};
use crate::{Attributes, Content, Member, MemberKind, Resolved, TreePath};

/// Setuid and setgid.
const SET_ID: u32 = 0o6000;

pub(super) struct Writer<'a> {
    root: &'a Root,
    refused: Refused,
    written: &'a mut dyn FnMut(u64),
    /// The directory that was last made something in: most often it is the next one too.
    current: Option<(TreePath, Directory)>,
    /// Devices that were left out.
    absent: BTreeSet<TreePath>,
    buffer: Vec<u8>,
    report: Unpacked,
}

impl<'a> Writer<'a> {
    pub(super) fn new(root: &'a Root, refused: Refused, written: &'a mut dyn FnMut(u64)) -> Self {
        Self {
            root,
            refused,
            written,
            current: None,
            absent: BTreeSet::new(),
            buffer: vec![0; CHUNK],
            report: Unpacked::default(),
        }
    }

    /// Makes everything; directories get their attributes when all else is done, the deepest first.
    pub(super) fn write(mut self, resolved: &Resolved) -> Result<Unpacked, UnpackError> {
        let mut directories = Vec::new();
        for member in resolved.members() {
            self.member(&member)?;
            if member.kind == MemberKind::Directory {
                directories.push((member.path, member.attributes, member.is_synthesised));
            }
        }
        for (path, attributes, is_synthesised) in directories.iter().rev() {
            let node = self.open(path)?.into_node();
            if *is_synthesised {
                synthesised(path, &node, attributes)?;
            } else {
                self.attributes(path, &node, attributes)?;
            }
        }
        if directories.first().is_none_or(|(path, ..)| !path.is_root()) {
            let root = TreePath::root();
            let node = self.open(&root)?.into_node();
            node.set_mode(Attributes::directory().mode)
                .map_err(|source| entry_error("set the mode of", &root, source))?;
        }
        self.report.left_out.sort();
        Ok(self.report)
    }

    fn member(&mut self, member: &Member<'_>) -> Result<(), UnpackError> {
        let (path, attributes) = (&member.path, &member.attributes);
        match &member.kind {
            // Nothing lies below them here.
            MemberKind::Whiteout | MemberKind::Opaque => return Ok(()),
            MemberKind::Directory if path.is_root() => return Ok(()),
            MemberKind::Directory => self.make(path, Directory::make_directory)?,
            MemberKind::File { content } => {
                let mut node = self.make(path, Directory::make_file)?;
                self.copy(path, content, &mut node)?;
                self.attributes(path, &node, attributes)?;
            }
            MemberKind::Symlink { target } => {
                let node = self.make(path, |at, name| at.make_symlink(name, target))?;
                self.attributes(path, &node, attributes)?;
            }
            MemberKind::HardLink { to } => return self.link(path, to),
            MemberKind::Fifo => {
                let node = self.make(path, |at, name| at.make_special(name, Special::Fifo))?;
                self.attributes(path, &node, attributes)?;
            }
            MemberKind::CharDevice { major, minor } => {
                let (major, minor) = (*major, *minor);
                return self.device(path, Special::CharDevice { major, minor }, attributes);
            }
            MemberKind::BlockDevice { major, minor } => {
                let (major, minor) = (*major, *minor);
                return self.device(path, Special::BlockDevice { major, minor }, attributes);
            }
        }
        self.report.entries += 1;
        Ok(())
    }

    fn device(
        &mut self,
        path: &TreePath,
        device: Special,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        match self.parent(path)?.make_special(path.file_name(), device) {
            Ok(node) => self.attributes(path, &node, attributes)?,
            Err(source) if failure(&source) == Failure::Refused => {
                self.absent.insert(path.clone());
                return self.leave_out(path, Omission::Device, source);
            }
            Err(source) => return Err(entry_error("make", path, source)),
        }
        self.report.entries += 1;
        Ok(())
    }

    fn link(&mut self, path: &TreePath, to: &TreePath) -> Result<(), UnpackError> {
        if self.absent.contains(to) {
            self.report.left_out.push(LeftOut {
                path: path.clone(),
                what: Omission::Device,
            });
            return Ok(());
        }
        let failed = |source| entry_error("make the hard link", path, source);
        let from = self.open(&to.parent().unwrap_or_else(TreePath::root))?;
        let parent = self.parent(path)?;
        parent
            .link(&from, to.file_name(), path.file_name())
            .map_err(failed)?;
        self.report.entries += 1;
        Ok(())
    }

    /// Makes something new at `path`.
    fn make<T>(
        &mut self,
        path: &TreePath,
        make: impl FnOnce(&Directory, &[u8]) -> io::Result<T>,
    ) -> Result<T, UnpackError> {
        let name = path.file_name();
        make(self.parent(path)?, name).map_err(|source| entry_error("make", path, source))
    }

    /// The directory that `path` lies in.
    fn parent(&mut self, path: &TreePath) -> Result<&Directory, UnpackError> {
        let parent = path.parent().unwrap_or_else(TreePath::root);
        let opened = match self.current.take() {
            Some((current, opened)) if current == parent => opened,
            _ => self.open(&parent)?,
        };
        Ok(&self.current.insert((parent, opened)).1)
    }

    fn open(&self, path: &TreePath) -> Result<Directory, UnpackError> {
        self.root
            .directory(path)
            .map_err(|source| entry_error("enter", path, source))
    }

    fn copy(
        &mut self,
        path: &TreePath,
        content: &Content,
        node: &mut Node,
    ) -> Result<(), UnpackError> {
        if content.is_empty() {
            return Ok(());
        }
        let unreadable = |source| UnpackError::Read {
            path: content.path().unwrap_or(Path::new("")).to_owned(),
            entry: path.display(),
            source,
        };
        let mut reader = content.open().map_err(unreadable)?;
        let mut actual = 0;
        loop {
            let count = match reader.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(error)),
            };
            node.write_all(&self.buffer[..count])
                .map_err(|source| entry_error("write", path, source))?;
            actual += count as u64;
            (self.written)(count as u64);
        }
        self.report.bytes += actual;
        if actual != content.len() {
            return Err(UnpackError::Short {
                entry: path.display(),
                expected: content.len(),
                actual,
            });
        }
        Ok(())
    }

    /// Gives all attributes, in this order: a change of owner takes setuid and capabilities away,
    /// and some extended attributes can only be set while the mode lets their owner write.
    fn attributes(
        &mut self,
        path: &TreePath,
        node: &Node,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        // A link has none, whatever the tree says.
        let mut mode = if node.is_link() { 0 } else { attributes.mode };
        if let Err(source) = node.set_owner(attributes.uid, attributes.gid) {
            self.refused("set the owner of", path, Omission::Owner, source)?;
            if mode & SET_ID != 0 {
                mode &= !SET_ID;
                self.report.left_out.push(LeftOut {
                    path: path.clone(),
                    what: Omission::SetId,
                });
            }
        }
        for (name, value) in &attributes.xattrs {
            if let Err(source) = node.set_xattr(name, value) {
                let what = Omission::Xattr { name: name.clone() };
                self.refused("set an extended attribute of", path, what, source)?;
            }
        }
        let failed = |source| entry_error("set the mode of", path, source);
        node.set_mode(mode).map_err(failed)?;
        // For those who are not of the group it is taken away without a word.
        if mode & SET_ID != 0 && node.mode().map_err(failed)? & SET_ID != mode & SET_ID {
            let source = io::ErrorKind::PermissionDenied.into();
            self.leave_out(path, Omission::SetId, source)?;
        }
        node.set_mtime(attributes.mtime)
            .map_err(|source| entry_error("set the time of", path, source))
    }

    /// Leaves out what the system refuses; any other failure is one.
    fn refused(
        &mut self,
        action: &'static str,
        path: &TreePath,
        what: Omission,
        source: io::Error,
    ) -> Result<(), UnpackError> {
        match failure(&source) {
            Failure::Refused => self.leave_out(path, what, source),
            _ => Err(entry_error(action, path, source)),
        }
    }

    fn leave_out(
        &mut self,
        path: &TreePath,
        what: Omission,
        source: io::Error,
    ) -> Result<(), UnpackError> {
        let entry = path.display();
        match self.refused {
            Refused::Fail => Err(UnpackError::Refused {
                entry,
                what,
                source,
            }),
            Refused::LeaveOut => {
                let path = path.clone();
                self.report.left_out.push(LeftOut { path, what });
                Ok(())
            }
        }
    }
}

fn entry_error(action: &'static str, path: &TreePath, source: io::Error) -> UnpackError {
    UnpackError::Entry {
        action,
        entry: path.display(),
        source,
    }
}

/// Gives attributes that nobody asked for: they need not be had.
fn synthesised(path: &TreePath, node: &Node, attributes: &Attributes) -> Result<(), UnpackError> {
    match node.set_owner(attributes.uid, attributes.gid) {
        Err(error) if failure(&error) != Failure::Refused => {
            return Err(entry_error("set the owner of", path, error));
        }
        _ => {}
    }
    node.set_mode(attributes.mode)
        .and_then(|()| node.set_mtime(attributes.mtime))
        .map_err(|source| entry_error("set the mode of", path, source))
}
