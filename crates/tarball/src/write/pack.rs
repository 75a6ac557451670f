//! The bytes of a resolved tree's tar.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::blocks::{Block, BlockRules, Part, has_own_blocks, plan_blocks};
use super::header::pad;
use super::order::{Form, Index};
use super::resolved::{END, Resolved};
use crate::host::neighbours::Neighbours;
use crate::{Content, host};

impl Resolved {
    /// Puts the bytes of a block of this tree's plan into `out`, in place of what is there.
    ///
    /// Blocks can be read in any order and by several threads. Reading one takes time and memory by
    /// its own length alone.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is not as long as it was, or, if it was compared with others
    /// while folding, has changed since.
    pub fn read_block(&self, block: &Block, out: &mut Vec<u8>) -> Result<(), PackError> {
        out.clear();
        match block.part {
            Part::Items {
                first,
                end,
                is_last,
            } => {
                if end > self.items.len() {
                    return Err(PackError::ForeignBlock {
                        offset: block.offset,
                    });
                }
                let mut neighbours = Neighbours::default();
                for index in first..end {
                    self.write_head(index, out);
                    self.check_link(index)?;
                    if let Some(len) = self.body(index).filter(|len| !has_own_blocks(Some(*len))) {
                        self.append(index, 0, len, &mut neighbours, out)?;
                        pad(out, len);
                    }
                }
                if is_last {
                    out.resize(out.len() + END as usize, 0);
                }
            }
            Part::Body {
                index,
                start,
                bytes,
            } => {
                let foreign = || PackError::ForeignBlock {
                    offset: block.offset,
                };
                let in_range = self.items.get(index).is_some();
                let len = if in_range { self.body(index) } else { None };
                let len = len
                    .filter(|len| start + bytes <= *len)
                    .ok_or_else(foreign)?;
                self.append(index, start, bytes, &mut Neighbours::default(), out)?;
                if start + bytes == len {
                    pad(out, len);
                }
            }
        }
        if out.len() as u64 == block.len {
            Ok(())
        } else {
            Err(PackError::ForeignBlock {
                offset: block.offset,
            })
        }
    }

    /// Writes the whole tar.
    ///
    /// # Errors
    ///
    /// As for [`Self::read_block`], and when `writer` fails.
    pub fn write_to(&self, writer: &mut dyn Write) -> Result<(), PackError> {
        let mut buffer = Vec::new();
        for block in plan_blocks(
            self,
            BlockRules {
                block_size: 1 << 20,
            },
        ) {
            self.read_block(&block, &mut buffer)?;
            writer
                .write_all(&buffer)
                .map_err(|source| PackError::Write { source })?;
        }
        Ok(())
    }

    /// Appends `bytes` bytes of the body of an item.
    fn append(
        &self,
        index: usize,
        start: u64,
        bytes: u64,
        neighbours: &mut Neighbours,
        out: &mut Vec<u8>,
    ) -> Result<(), PackError> {
        let Some(content) = self.content(index) else {
            return Ok(());
        };
        let (path, offset) = match &content {
            Content::Bytes(content) => {
                out.extend_from_slice(&content[start as usize..(start + bytes) as usize]);
                return Ok(());
            }
            Content::File { path, .. } => (path.as_path(), 0),
            Content::Slice { path, offset, .. } => (&**path, *offset),
        };
        let failed = |source| self.read_error(index, path, source);
        let file = neighbours.open(path).map_err(failed)?;
        self.check(index, &content, path, &file)?;
        let filled = out.len();
        out.resize(filled + bytes as usize, 0);
        match host::read_exact_at(&file, &mut out[filled..], offset + start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let end = file.metadata().map_err(failed)?.len();
                Err(self.resized(index, path, content.len(), end.saturating_sub(offset)))
            }
            result => result.map_err(failed),
        }
    }

    /// Checks that a file which became a link to its twin is still its twin.
    fn check_link(&self, index: usize) -> Result<(), PackError> {
        let Form::Link(_) = self.items[index].form else {
            return Ok(());
        };
        if !self.proofs.contains_key(&(index as Index)) {
            return Ok(());
        }
        let Some(content) = self.tree.store().content(self.items[index].entry) else {
            return Ok(());
        };
        let Some(path) = content.path() else {
            return Ok(());
        };
        let metadata =
            std::fs::metadata(path).map_err(|source| self.read_error(index, path, source))?;
        self.check_state(index, path, &metadata)
    }

    fn check(
        &self,
        index: usize,
        content: &Content,
        path: &Path,
        file: &File,
    ) -> Result<(), PackError> {
        let metadata = file
            .metadata()
            .map_err(|source| self.read_error(index, path, source))?;
        host::expect_file(&metadata).map_err(|source| self.read_error(index, path, source))?;
        if matches!(content, Content::File { .. }) && metadata.len() != content.len() {
            return Err(self.resized(index, path, content.len(), metadata.len()));
        }
        self.check_state(index, path, &metadata)
    }

    fn check_state(
        &self,
        index: usize,
        path: &Path,
        metadata: &std::fs::Metadata,
    ) -> Result<(), PackError> {
        let known = self
            .proofs
            .get(&(index as Index))
            .and_then(|proof| proof.identity);
        if known.is_some_and(|known| known != host::identity(metadata)) {
            let entry = self.path(index).display();
            return Err(PackError::Changed {
                path: path.to_owned(),
                entry,
            });
        }
        Ok(())
    }

    fn read_error(&self, index: usize, path: &Path, source: io::Error) -> PackError {
        let entry = self.path(index).display();
        PackError::Read {
            path: path.to_owned(),
            entry,
            source,
        }
    }

    fn resized(&self, index: usize, path: &Path, planned: u64, actual: u64) -> PackError {
        let entry = self.path(index).display();
        PackError::Resized {
            path: path.to_owned(),
            entry,
            planned,
            actual,
        }
    }
}

/// Why a tree could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file cannot be read.
    #[error("cannot read `{}` for layer entry `{entry}`", path.display())]
    Read {
        /// The file on the machine that packs.
        path: PathBuf,
        /// Its path in the layer.
        entry: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file changed its length since it was planned, so its head is wrong.
    #[error(
        "`{}` for layer entry `{entry}` is {actual} bytes long, planned as {planned}; was it written to meanwhile?",
        path.display()
    )]
    Resized {
        /// The file on the machine that packs.
        path: PathBuf,
        /// Its path in the layer.
        entry: String,
        /// Its length in bytes when planned.
        planned: u64,
        /// Its length in bytes when packed.
        actual: u64,
    },
    /// A file that was compared with others has been touched since, so that it may differ from them.
    #[error(
        "`{}` for layer entry `{entry}` was touched after it was compared with others; was it written to meanwhile?",
        path.display()
    )]
    Changed {
        /// The file on the machine that packs.
        path: PathBuf,
        /// Its path in the layer.
        entry: String,
    },
    /// The tar could not be written.
    #[error("cannot write the layer")]
    Write {
        /// What the writer said.
        source: io::Error,
    },
    /// The block is of another tree's plan.
    #[error("the block at {offset} is not of this tree's plan")]
    ForeignBlock {
        /// Where the block begins, in bytes.
        offset: u64,
    },
}
