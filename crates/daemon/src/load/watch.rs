//! Telling of layers as they are read.

use std::io::{self, Read};

use cooperage_blob::{Error, Progress, Root, Source};
use cooperage_image_spec::Descriptor;

/// A source whose layers are reported while somebody reads them.
pub(super) struct Watched<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) progress: &'a dyn Progress,
}

impl Source for Watched<'_> {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.source.roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        let inner = self.source.fetch(descriptor)?;
        if !descriptor.media_type.is_layer() {
            return Ok(inner);
        }
        let id = self
            .progress
            .start(descriptor.digest.short(), Some(descriptor.size));
        Ok(Box::new(Reader {
            inner,
            progress: self.progress,
            id,
        }))
    }
}

struct Reader<'a> {
    inner: Box<dyn Read + Send + 'a>,
    progress: &'a dyn Progress,
    id: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.progress.advance(self.id, n as u64);
        Ok(n)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.progress.finish(self.id);
    }
}
