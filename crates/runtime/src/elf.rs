//! What a binary says of itself: for which machine it is, and what it needs to run.
//!
//! An ELF file is read as the loader reads it, by its program headers and its dynamic section;
//! section headers, which `strip` may take away, are asked for one thing only (which ARM it is).
//! Every read is bounded: a file that claims much costs little, and no file can make the reader
//! panic, loop or fill the memory.

mod dynamic;
mod foreign;
mod header;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use source::{FileSource, ReadAt};

use source::Fault;

/// Why a binary could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The operating system would not let it be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It begins as an executable file does, and goes on as none can.
    #[error("`{}` is not a well-formed binary: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which part of it is wrong, and how.
        what: String,
    },
}

/// The container format of a file.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Format {
    /// ELF: Linux, the BSDs, Android.
    Elf,
    /// Mach-O: macOS and its relatives; thin or universal.
    MachO,
    /// PE: Windows.
    Pe,
    /// Anything else: a script, data, an empty file.
    #[default]
    Other,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::Pe => "PE",
            Self::Other => "not a binary",
        })
    }
}

/// The parts of an ELF header that two files must share to be loaded into one process.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Machine {
    /// `e_machine`, for example 62 for x86-64.
    pub number: u16,
    /// Bits of a word: 32 or 64.
    pub bits: u8,
    /// Whether numbers are stored most significant byte first.
    pub big_endian: bool,
}

/// What a binary says of itself.
///
/// Plain data with public fields, so that facts about a base can be kept and read back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BinaryInfo {
    /// The container format; everything below is empty for [`Format::Other`].
    pub format: Format,
    /// The operating system, in OCI's words (`linux`, `darwin`, `windows`, …), where it can be told.
    pub os: Option<String>,
    /// The processor, in OCI's words (`amd64`, `arm64`, `arm`, …), where OCI has one.
    pub architecture: Option<String>,
    /// The variant of an ARM processor: `v5`, `v6`, `v7`, or `v8` for 64 bits.
    pub variant: Option<String>,
    /// What must agree between the objects of one process (ELF).
    pub machine: Machine,
    /// Whether it is meant to be started: an ELF file of type `EXEC`, or a position-independent
    /// one that has an interpreter or is marked as an executable.
    pub is_executable: bool,
    /// Whether it is a position-independent executable.
    pub is_pie: bool,
    /// `PT_INTERP`: the loader the kernel starts in its place.
    pub interpreter: Option<String>,
    /// `DT_SONAME`: the name by which others need it.
    pub soname: Option<String>,
    /// `DT_NEEDED`: the libraries it needs, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`, split at colons; empty where there is a `DT_RUNPATH`, which the loader prefers.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, split at colons.
    pub runpath: Vec<String>,
    /// `DF_1_NODEFLIB`: the loader must not look in its default directories.
    pub no_default_paths: bool,
    /// Symbol versions needed, by the library they are to come from (`verneed`), without weak ones.
    pub versions_needed: BTreeMap<String, BTreeSet<String>>,
    /// Symbol versions offered (`verdef`).
    pub versions_defined: BTreeSet<String>,
}

impl BinaryInfo {
    /// Reads a file of the build machine.
    ///
    /// A file that is no binary is no error: its format is [`Format::Other`].
    pub fn read(path: &Path) -> Result<Self, ElfError> {
        let source = FileSource::open(path).map_err(|source| ElfError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::read_from(&source, path)
    }

    /// Reads any bytes; `name` is what an error calls them.
    pub fn read_from(source: &dyn ReadAt, name: &Path) -> Result<Self, ElfError> {
        parse(source).map_err(|fault| match fault {
            Fault::Io(source) => ElfError::Read {
                path: name.to_owned(),
                source,
            },
            Fault::Malformed(what) => ElfError::Malformed {
                path: name.to_owned(),
                what: what.into_owned(),
            },
        })
    }

    /// Whether a loader has work to do: an ELF file with an interpreter or with needs.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.interpreter.is_some() || !self.needed.is_empty()
    }

    /// The platform in one word, as `linux/arm/v7`; unknown parts are `?`.
    #[must_use]
    pub fn platform(&self) -> String {
        let os = self.os.as_deref().unwrap_or("?");
        let architecture = self.architecture.as_deref().unwrap_or("?");
        match &self.variant {
            Some(variant) => format!("{os}/{architecture}/{variant}"),
            None => format!("{os}/{architecture}"),
        }
    }
}

fn parse(source: &dyn ReadAt) -> Result<BinaryInfo, Fault> {
    let mut start = [0; 4096];
    let got = source::read_up_to(source, 0, &mut start)?;
    let start = &start[..got];
    if start.starts_with(b"\x7fELF") {
        return header::parse(source, start);
    }
    Ok(foreign::parse(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_binary_is_other() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fEL", b"MZ", &[0xff; 5000]] {
            let info = BinaryInfo::read_from(&bytes, Path::new("x")).expect("no error");
            assert_eq!(info.format, Format::Other, "{bytes:?}");
        }
    }

    #[test]
    fn a_cut_header_is_named() {
        let error = BinaryInfo::read_from(&&b"\x7fELF\x02\x01"[..], Path::new("app")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`app` is not a well-formed binary: the file ends inside its ELF header"
        );
    }

    #[test]
    fn this_test_is_read() {
        let path = std::env::current_exe().expect("a test has a path");
        let info = BinaryInfo::read(&path).expect("it runs, so it is readable");
        if cfg!(target_os = "linux") {
            assert_eq!(info.format, Format::Elf);
            assert_eq!(info.os.as_deref(), Some("linux"));
            assert!(info.is_executable);
        }
    }
}
