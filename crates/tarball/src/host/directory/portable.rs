//! Hosts without such handles: there is nothing to begin with, and so nothing more.

use std::io::{self, Write};
use std::path::Path;

use super::Failure;
use crate::host::Special;
use crate::{Mtime, TreePath};

pub(super) fn failure(_: &io::Error) -> Failure {
    Failure::Other
}

fn unsupported() -> io::Error {
    let why = "unpacking is only possible on Linux";
    io::Error::new(io::ErrorKind::Unsupported, why)
}

#[derive(Debug)]
pub(crate) enum Parent {}

impl Parent {
    pub(crate) fn open(_: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn make_root(&self, _: &str) -> io::Result<Root> {
        match *self {}
    }

    pub(crate) fn rename(&self, _: &str, _: &Path) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn exchange(&self, _: &str, _: &Path) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn remove_all(&self, _: &str) -> io::Result<()> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Root {}

impl Root {
    pub(crate) fn directory(&self, _: &TreePath) -> io::Result<Directory> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) struct Directory(());

impl Directory {
    pub(crate) fn make_directory(&self, _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn make_file(&self, _: &[u8]) -> io::Result<Node> {
        Err(unsupported())
    }

    pub(crate) fn make_symlink(&self, _: &[u8], _: &[u8]) -> io::Result<Node> {
        Err(unsupported())
    }

    pub(crate) fn make_special(&self, _: &[u8], _: Special) -> io::Result<Node> {
        Err(unsupported())
    }

    pub(crate) fn link(&self, _: &Self, _: &[u8], _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn into_node(self) -> Node {
        Node(self.0)
    }
}

#[derive(Debug)]
pub(crate) struct Node(());

impl Node {
    pub(crate) fn is_link(&self) -> bool {
        false
    }

    pub(crate) fn set_owner(&self, _: u64, _: u64) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn set_xattr(&self, _: &[u8], _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn set_mode(&self, _: u32) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn mode(&self) -> io::Result<u32> {
        Err(unsupported())
    }

    pub(crate) fn set_mtime(&self, _: Mtime) -> io::Result<()> {
        Err(unsupported())
    }
}

impl Write for Node {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(unsupported())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(unsupported())
    }
}
