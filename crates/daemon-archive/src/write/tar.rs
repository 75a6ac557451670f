//! The tar stream: canonical headers, contents of known length.

use std::io::{self, Read, Write};

use cooperage_image_spec::Descriptor;

use super::WriteError;

const BLOCK: usize = 512;

/// Writes entries one behind the other.
pub(super) struct TarWriter<'a> {
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> TarWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, written: 0 }
    }

    pub(super) fn directory(&mut self, path: &str) -> Result<(), WriteError> {
        let header = header(path, None);
        self.put(&header)
    }

    pub(super) fn bytes(&mut self, path: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let header = header(path, Some(bytes.len() as u64));
        self.put(&header)?;
        self.put(bytes)?;
        self.pad()
    }

    /// A file of the descriptor's size, from a reader that fails unless it gives just that blob.
    pub(super) fn stream(
        &mut self,
        path: &str,
        blob: &Descriptor,
        reader: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let header = header(path, Some(blob.size));
        self.put(&header)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return self.pad(),
                Ok(n) => self.put(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cooperage_blob::Error::read(blob, error).into()),
            }
        }
    }

    /// Ends the archive; gives its length in bytes.
    pub(super) fn finish(mut self) -> Result<u64, WriteError> {
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush().map_err(WriteError::Output)?;
        Ok(self.written)
    }

    fn pad(&mut self) -> Result<(), WriteError> {
        let over = (self.written % BLOCK as u64) as usize;
        self.put(&[0; BLOCK][..(BLOCK - over) % BLOCK])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes).map_err(WriteError::Output)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The largest size that ustar's eleven octal digits hold: 8 GiB less one byte.
const ELEVEN_DIGITS: u64 = 0o77_777_777_777;
/// The longest path that ustar's name field holds; the prefix field is never used.
const NAME: usize = 100;

/// The canonical header of a file of `size` bytes, or of a directory: the bytes that
/// `cooperage-tarball` writes for such an entry of root's with modification time 0. A test compares
/// them.
fn header(path: &str, size: Option<u64>) -> Vec<u8> {
    let (name, typeflag, mode) = match size {
        Some(_) => (path.to_owned(), b'0', 0o644),
        None => (format!("{path}/"), b'5', 0o755),
    };
    let size = size.unwrap_or(0);
    let mut records = String::new();
    if name.len() > NAME {
        records += &record("path", &name);
    }
    if size > ELEVEN_DIGITS {
        records += &record("size", &size.to_string());
    }
    let mut out = Vec::new();
    if !records.is_empty() {
        out.extend(ustar("././@PaxHeader", b'x', 0o644, records.len() as u64));
        out.extend(records.bytes());
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // What a record says, the field does not.
    let size = if size > ELEVEN_DIGITS { 0 } else { size };
    out.extend(ustar(&name, typeflag, mode, size));
    out
}

fn ustar(name: &str, typeflag: u8, mode: u32, size: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, &name.as_bytes()[..name.len().min(NAME)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[typeflag]);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// One PAX record, `LENGTH KEY=VALUE\n`, whose length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    format!("{len} {key}={value}\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use cooperage_tarball::{
        Attributes, BlockRules, Content, Entry, FoldOptions, Tree, TreePath, fold, plan_blocks,
    };

    use super::header;

    /// The headers up to the body of the entry at `path`, as the tarball crate writes them.
    fn expected(path: &str, size: Option<u64>) -> Vec<u8> {
        let mut tree = Tree::new();
        let entry = match size {
            None => Entry::directory(Attributes::directory()),
            // Nothing reads the body: the block with the headers is all that is asked for.
            Some(len) => Entry::file(
                Content::File {
                    path: PathBuf::from("/nowhere"),
                    len,
                },
                Attributes::file(),
            ),
        };
        tree.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        let options = FoldOptions {
            fold: false,
            ..FoldOptions::default()
        };
        let resolved = fold(&tree, &options).unwrap();
        let member = resolved
            .members()
            .find(|member| member.path.to_string() == path)
            .unwrap();
        let range = member.offset as usize..member.data_offset as usize;
        let block = plan_blocks(
            &resolved,
            BlockRules {
                block_size: 1 << 20,
            },
        )
        .remove(0);
        let mut bytes = Vec::new();
        resolved.read_block(&block, &mut bytes).unwrap();
        bytes[range].to_vec()
    }

    #[test]
    fn headers_are_those_of_the_tarball_crate() {
        let long = format!("blobs/sha512/{}", "a".repeat(128));
        for path in ["manifest.json", "blobs/sha256/0123", &long] {
            for size in [None, Some(1 << 20), Some((8 << 30) - 1), Some(8 << 30)] {
                let (actual, expected) = (header(path, size), expected(path, size));
                assert_eq!(
                    String::from_utf8_lossy(&actual),
                    String::from_utf8_lossy(&expected),
                    "{path} {size:?}"
                );
            }
        }
    }
}
