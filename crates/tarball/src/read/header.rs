//! One header block.

use super::{TarError, TarKind, field, names};
use crate::path::lossy;
use crate::write::header::BLOCK;
use crate::{Attributes, Mtime};

/// The longest body, in bytes.
const MAX_SIZE: u64 = 1 << 62;

/// A header whose checksum is right.
pub(super) struct RawHeader<'a> {
    block: &'a [u8; BLOCK],
    /// Where it begins, in bytes from the start of the tar.
    pub(super) offset: u64,
    pub(super) typeflag: u8,
    format: Format,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Format {
    V7,
    Ustar,
    /// ustar with a shorter prefix and times behind it.
    Star,
    /// No prefix: times stand there.
    Gnu,
}

impl<'a> RawHeader<'a> {
    pub(super) fn parse(block: &'a [u8; BLOCK], offset: u64) -> Result<Self, TarError> {
        let expected: i64 = field::get(block, 148..156, "checksum", offset)?;
        // Old programs added bytes up as signed ones.
        let (mut unsigned, mut signed) = (0, 0);
        for (at, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            };
            unsigned += i64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        if expected != unsigned && expected != signed {
            return Err(TarError::Checksum {
                offset,
                expected,
                actual: unsigned,
            });
        }
        let format = match &block[257..265] {
            b"ustar  \0" => Format::Gnu,
            magic if !magic.starts_with(b"ustar") => Format::V7,
            // Some readers take its prefix for a part of the name.
            magic if magic[5] != 0 => {
                return Err(TarError::Unsupported {
                    offset,
                    entry: lossy(field::text(&block[..100])),
                    what: "an entry with a header of an unknown form",
                });
            }
            _ if &block[508..512] == b"tar\0" => Format::Star,
            _ => Format::Ustar,
        };
        let header = Self {
            block,
            offset,
            typeflag: block[156],
            format,
        };
        header.check_numbers()?;
        Ok(header)
    }

    /// A field that is no number makes the header none to other readers, whether or not the entry
    /// has a use for it.
    fn check_numbers(&self) -> Result<(), TarError> {
        let fields = [
            (100..108, "mode"),
            (108..116, "uid"),
            (116..124, "gid"),
            (124..136, "size"),
            (136..148, "mtime"),
            (329..337, "devmajor"),
            (337..345, "devminor"),
        ];
        for (range, name) in fields {
            field::get::<i128>(self.block, range, name, self.offset)?;
        }
        Ok(())
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let name = field::text(&self.block[..100]);
        let prefix = match self.format {
            Format::V7 | Format::Gnu => b"",
            Format::Ustar => field::text(&self.block[345..500]),
            Format::Star => field::text(&self.block[345..476]),
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        field::text(&self.block[157..257]).to_vec()
    }

    pub(super) fn size(&self) -> Result<u64, TarError> {
        field::get(self.block, 124..136, "size", self.offset)
    }

    /// Permissions alone: old programs put the kind of the file into the mode as well.
    pub(super) fn mode(&self) -> Result<u32, TarError> {
        let mode: u32 = field::get(self.block, 100..108, "mode", self.offset)?;
        Ok(mode & Attributes::MODE_MAX)
    }

    pub(super) fn uid(&self) -> Result<u64, TarError> {
        field::get(self.block, 108..116, "uid", self.offset)
    }

    pub(super) fn gid(&self) -> Result<u64, TarError> {
        field::get(self.block, 116..124, "gid", self.offset)
    }

    pub(super) fn mtime(&self) -> Result<Mtime, TarError> {
        field::get(self.block, 136..148, "mtime", self.offset).map(Mtime::from_seconds)
    }

    /// The owner's and the group's name.
    pub(super) fn owner(&self) -> (&'a [u8], &'a [u8]) {
        if self.format == Format::V7 {
            return (b"", b"");
        }
        (
            field::text(&self.block[265..297]),
            field::text(&self.block[297..329]),
        )
    }

    fn device(&self) -> Result<(u32, u32), TarError> {
        let major = field::get(self.block, 329..337, "devmajor", self.offset)?;
        Ok((
            major,
            field::get(self.block, 337..345, "devminor", self.offset)?,
        ))
    }

    /// What the entry is, given its whole name, size and link target.
    pub(super) fn kind(&self, name: &[u8], size: u64, link: Vec<u8>) -> Result<TarKind, TarError> {
        let refuse = |what| {
            Err(TarError::Unsupported {
                offset: self.offset,
                entry: lossy(name),
                what,
            })
        };
        // libarchive goes by the map of holes and the size with them, whatever the type.
        let is_partly_sparse = self.block[386] != 0 || self.block[483] != 0;
        if self.format == Format::Gnu && is_partly_sparse && self.typeflag != b'S' {
            return refuse("an entry with the map of a sparse file, but not called one (GNU)");
        }
        let kind = match self.typeflag {
            // The way of the oldest tars to say that it is a directory.
            0 if name.ends_with(b"/") => TarKind::Directory,
            b'0' | b'7' if name.ends_with(b"/") => {
                return refuse(
                    "a regular file whose name ends in `/`, a directory to some readers",
                );
            }
            0 | b'0' | b'7' => TarKind::File,
            b'1' => {
                let to = names::target(&link, self.offset)?;
                TarKind::HardLink { to }
            }
            b'2' if link.is_empty() || link.contains(&0) => {
                return refuse("a symbolic link to nothing");
            }
            b'2' => TarKind::Symlink { target: link },
            b'3' => {
                let (major, minor) = self.device()?;
                TarKind::CharDevice { major, minor }
            }
            b'4' => {
                let (major, minor) = self.device()?;
                TarKind::BlockDevice { major, minor }
            }
            b'5' => TarKind::Directory,
            b'6' => TarKind::Fifo,
            b'S' => return refuse("a sparse file (GNU)"),
            b'D' => return refuse("a directory of an incremental dump (GNU)"),
            b'M' => return refuse("the continuation of another volume (GNU)"),
            b'V' => return refuse("the label of a volume (GNU)"),
            b'N' => return refuse("a list of renamed files (GNU)"),
            _ => {
                let (offset, entry) = (self.offset, lossy(name));
                let found = self.typeflag.escape_ascii().to_string();
                return Err(TarError::UnknownType {
                    offset,
                    entry,
                    found,
                });
            }
        };
        match kind {
            TarKind::File if size > MAX_SIZE => refuse("a file of more than 2^62 bytes"),
            // What the size of a directory says, no reader takes for a body.
            TarKind::File | TarKind::Directory => Ok(kind),
            _ if size != 0 => refuse("a link, fifo or device with a body"),
            _ => Ok(kind),
        }
    }
}
