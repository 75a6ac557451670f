//! Changes of `index.json`.

use cooperage_blob::{BlobWriter, Copied, CopyOptions, Error, Root, Sink, Source, copy};
use cooperage_digest::Algorithm;
use cooperage_image_spec::{Descriptor, Index, MAX_DOCUMENT_SIZE};

use crate::files::{self, Existing, Kind};
use crate::host::{Mode, Patience, Subject};
use crate::layout::{BLOBS, INDEX_FILE};
use crate::{Layout, host};

impl Layout {
    /// Copies a blob and all it refers to, and names none of it: [`Self::append`] or
    /// [`Self::replace`] comes next, through this same handle, which protects it from collection.
    ///
    /// [`cooperage_blob::copy`] does the same and publishes it.
    ///
    /// # Errors
    ///
    /// Those of [`cooperage_blob::copy`].
    pub fn import(
        &self,
        source: &(impl Source + ?Sized),
        descriptor: &Descriptor,
        options: &CopyOptions<'_>,
    ) -> Result<Copied, Error> {
        copy(
            source,
            &Root::unnamed(descriptor.clone()),
            &Unnamed(self),
            options,
        )
    }

    /// Adds an entry to `index.json`, after all others, whatever they are.
    ///
    /// Atomic. [`publish`](cooperage_blob::Sink::publish) is for names: it replaces and repeats
    /// well. The descriptor goes in as it is.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if the layout does not have the blob, and any failure to read, write
    /// or lock.
    pub fn append(&self, descriptor: Descriptor) -> Result<(), Error> {
        self.replace(&|_| false, descriptor)
    }

    /// Puts an entry in the place of those that match: of the first one, the others go; or after
    /// all, if none does. The blobs of those that go stay until [`Self::gc`].
    ///
    /// Atomic, and idempotent if the entry itself matches. [`Selector`](crate::Selector) has ready
    /// matchers.
    ///
    /// # Errors
    ///
    /// As for [`Self::append`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use cooperage_blob::put;
    /// # use cooperage_image_spec::MediaType;
    /// # use cooperage_layout::Layout;
    /// # let directory = tempfile::tempdir()?;
    /// # let layout = Layout::create(directory.path())?;
    /// let old = put(&layout, MediaType::new("text/plain"), b"old")?;
    /// let new = put(&layout, MediaType::new("text/plain"), b"new")?;
    /// layout.append(old.clone())?;
    /// layout.replace(&|entry| entry.digest == old.digest, new.clone())?;
    /// assert_eq!(layout.index()?.value().manifests, [new]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(
        &self,
        matches: &dyn Fn(&Descriptor) -> bool,
        descriptor: Descriptor,
    ) -> Result<(), Error> {
        self.update(Some(&descriptor.clone()), |index| {
            let at = index.manifests.iter().position(matches);
            index.manifests.retain(|old| !matches(old));
            // Before the first match nothing went.
            index
                .manifests
                .insert(at.unwrap_or(index.manifests.len()), descriptor);
        })
    }

    /// Removes the entries that match from `index.json`, and returns them. Their blobs stay until
    /// [`Self::gc`].
    ///
    /// Atomic and idempotent.
    ///
    /// # Errors
    ///
    /// Any failure to read, write or lock.
    pub fn remove(&self, matches: &dyn Fn(&Descriptor) -> bool) -> Result<Vec<Descriptor>, Error> {
        let mut removed = Vec::new();
        self.update(None, |index| {
            let (gone, kept) = std::mem::take(&mut index.manifests)
                .into_iter()
                .partition(matches);
            (removed, index.manifests) = (gone, kept);
        })?;
        Ok(removed)
    }

    /// Has the names of all blobs on disk, whoever wrote them: `index.json` is about to refer to
    /// some. One call does for all that were written since the last one.
    fn sync_names(&self) -> Result<(), Error> {
        let blobs = self.path().join(BLOBS);
        let sync = || {
            files::list(&blobs)?
                .iter()
                .filter(|listed| listed.kind == Kind::Directory)
                .try_for_each(|listed| host::sync_directory(&listed.path))
        };
        sync().map_err(|error| Error::io(format!("cannot write to `{}`", blobs.display()), error))
    }

    /// Reads, changes and writes `index.json` under its lock, with the blobs locked too so that
    /// none is collected that the new one is about to name.
    fn update(
        &self,
        names: Option<&Descriptor>,
        change: impl FnOnce(&mut Index),
    ) -> Result<(), Error> {
        // A lock of its own, which no collection by another thread can let go of.
        self.make_own_directory(BLOBS)?;
        let _blobs = self.lock(Subject::Blobs, Mode::Shared, Patience::Wait)?;
        if let Some(descriptor) = names {
            let path = self.blob_path(&descriptor.digest);
            if host::open_regular(&path).is_err() {
                return Err(Error::blob_not_found(descriptor, self.path().display()));
            }
            self.sync_names()?;
        }
        let _index = self.lock(Subject::Index, Mode::Exclusive, Patience::Wait)?;
        let before = self.index()?;
        let after = before.clone().edit(change);
        if after.raw() == before.raw() {
            return Ok(());
        }
        let path = self.path().join(INDEX_FILE);
        if after.size() > MAX_DOCUMENT_SIZE {
            return Err(Error::unsupported(format!(
                "`{}` would have {} bytes, more than the {MAX_DOCUMENT_SIZE} that are read: remove some entries first",
                path.display(),
                after.size()
            )));
        }
        files::write(self.path(), INDEX_FILE, after.raw(), Existing::Replace)
            .map_err(|error| Error::io(format!("cannot write `{}`", path.display()), error))
    }
}

/// Takes blobs for a layout and leaves `index.json` as it is.
struct Unnamed<'a>(&'a Layout);

impl Sink for Unnamed<'_> {
    fn has(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.0.has(descriptor)
    }

    fn create(&self, algorithm: Algorithm) -> Result<Box<dyn BlobWriter + '_>, Error> {
        self.0.create(algorithm)
    }

    fn publish(&self, _root: &Root) -> Result<(), Error> {
        Ok(())
    }
}
