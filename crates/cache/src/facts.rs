//! Small documents on what was found out about a blob.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use cooperage_blob::Error;
use cooperage_digest::Digest;

use crate::Cache;
use crate::cache::{FACTS, make_directory, open_if_there};
use crate::fetch::{Claim, blob_name};
use crate::host::{self, Patience};

/// How large a document of facts may be, in bytes.
pub const MAX_FACTS_SIZE: u64 = 16 << 20;

impl Cache {
    /// What is known of a blob, as [`Cache::put_facts`] was told; `None` also if that is damaged.
    ///
    /// `kind` says which facts, and in which version of theirs: `base-1`.
    ///
    /// # Errors
    ///
    /// When the cache cannot be read, and for a `kind` that is not made of lower-case letters,
    /// digits and `-`.
    pub fn facts(&self, kind: &str, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let path = self.facts_path(kind, digest)?;
        let read = || -> io::Result<Option<Vec<u8>>> {
            let Some(file) = open_if_there(&path)? else {
                return Ok(None);
            };
            host::mark_used(&file);
            let mut bytes = Vec::new();
            let most = MAX_FACTS_SIZE + MAX_HEAD;
            file.take(most).read_to_end(&mut bytes)?;
            Ok(undamaged(&bytes))
        };
        read().map_err(|error| self.unusable(error))
    }

    /// Keeps what is known of a blob, in place of what was known before. Readers see all of it, or
    /// what was there.
    ///
    /// # Errors
    ///
    /// When the cache cannot be written, for a `kind` as with [`Cache::facts`], and for more than
    /// [`MAX_FACTS_SIZE`] bytes.
    pub fn put_facts(&self, kind: &str, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let path = self.facts_path(kind, digest)?;
        if bytes.len() as u64 > MAX_FACTS_SIZE {
            return Err(Error::unsupported(format!(
                "facts of {} bytes are not kept: at most {MAX_FACTS_SIZE}",
                bytes.len()
            )));
        }
        let write = || -> io::Result<()> {
            let name = format!("{kind}-{}", blob_name(digest));
            let Some(claim) = Claim::take(self, &name, Patience::Wait)? else {
                return Err(io::ErrorKind::WouldBlock.into());
            };
            let mut file = claim.create()?;
            writeln!(file, "{}", Digest::of(bytes))?;
            file.write_all(bytes)?;
            path.parent().map_or(Ok(()), make_directory)?;
            fs::rename(&claim.data, &path)
        };
        write().map_err(|error| self.unusable(error))
    }

    fn facts_path(&self, kind: &str, digest: &Digest) -> Result<PathBuf, Error> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if kind.is_empty() || !kind.bytes().all(is_plain) {
            return Err(Error::unsupported(format!(
                "`{kind}` is no kind of facts: expected lower-case letters, digits and `-`"
            )));
        }
        Ok(self.in_its_place(&format!("{FACTS}/{kind}"), digest))
    }
}

/// The digest and the end of its line.
const MAX_HEAD: u64 = "sha256:".len() as u64 + 64 + 1;

/// The document behind its own digest.
fn undamaged(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, document) = (bytes.get(..end)?, bytes.get(end + 1..)?);
    (Digest::of(document).as_str().as_bytes() == head).then(|| document.to_vec())
}
