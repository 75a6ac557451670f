//! Images sent to a daemon.

mod known;
mod pipe;
mod said;
mod send;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cooperage_blob::{NoProgress, Progress, Source};
use cooperage_daemon_archive::{Contents, Image, LayerForm, WriteOptions, WrittenImage, contents};
use cooperage_digest::Digest;
use cooperage_image_spec::{Platform, Reference};

use crate::{Engine, Error, ImageName, Inspected, RemoveOptions, Store};
use watch::Watched;

/// How images are sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoadOptions<'a> {
    /// Which image of an index is taken; `None` takes an index that has one image only.
    pub platform: Option<Platform>,
    /// Images in the daemon that may share layers with those that are sent: the base, a previous
    /// build under another name. An image that has one of the new names now is looked at in any
    /// case. Those that are not there do no harm.
    pub related: Vec<ImageName>,
    /// What is sent of what the daemon has.
    pub send: Send,
    /// Where layers that have to be recompressed are kept until they are sent, which is zstd layers
    /// for Docker before 23 and for podman; `None` for the system's directory for temporary files.
    /// All else goes without a copy.
    pub spool_dir: Option<PathBuf>,
    /// Who is told of the layers that are sent.
    pub progress: &'a dyn Progress,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        Self {
            platform: None,
            related: Vec::new(),
            send: Send::default(),
            spool_dir: None,
            progress: &NoProgress,
        }
    }
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadOptions")
            .field("platform", &self.platform)
            .field("related", &self.related)
            .field("send", &self.send)
            .field("spool_dir", &self.spool_dir)
            .finish_non_exhaustive()
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Send {
    /// Images that the daemon has not got whole, without the layers that it has.
    #[default]
    Missing,
    /// All images, whole.
    Everything,
}

/// What became of images that were sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The images, in an order that depends on them alone.
    pub images: Vec<LoadedImage>,
    /// How many bytes of archives the daemon was sent, those of an archive that was sent in vain
    /// too. 0 if it had all images.
    pub bytes_sent: u64,
    /// How many archives it was sent: 0, 1, or 2 if a layer was left out that turned out to be
    /// missing.
    pub archives: u32,
    /// What the daemon said, but for which images it loaded.
    pub notes: Vec<String>,
}

/// An image that is in the daemon now, whole.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadedImage {
    /// By which the daemon knows it.
    pub id: Digest,
    /// The manifest in the source.
    pub manifest: Digest,
    /// Names that are its own now; some may have been before.
    pub names: Vec<Reference>,
    /// Names that it was not given, each with the reason.
    pub failures: Vec<NotTagged>,
    /// What of it was sent, the second time if it had to be sent twice; `None` if the daemon had
    /// it.
    pub sent: Option<WrittenImage>,
}

/// A name that an image was not given.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotTagged {
    /// The name.
    pub name: Reference,
    /// Why.
    pub error: Error,
}

impl Engine {
    /// Sends images to the daemon and gives them their names.
    ///
    /// One archive is streamed for all of them, an image layout with a `manifest.json`, which every
    /// daemon reads; nothing is copied to disk, and memory is bounded whatever the layers' sizes.
    /// Left out are the layers that the daemon has, which it is asked of the images that have the
    /// names now and of [`LoadOptions::related`], never of all images. Images that it has whole are
    /// not sent at all.
    ///
    /// The archive has no names in it. Only when the daemon has been asked whether each image is
    /// there, whole, are the names given to it, so that a name never stands for a broken image: until
    /// then, and if this fails, it stands for what it did before. If something is missing, because
    /// the daemon removed a layer meanwhile or has it in another form than it seemed, everything is
    /// sent once more. What is not whole even then is removed.
    ///
    /// A name that cannot be given is reported in [`LoadedImage::failures`], and the others are
    /// given all the same.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] for images that cannot be read or that no daemon takes;
    /// [`Error::Refused`] with all that the daemon said; [`Error::Incomplete`]; those of
    /// [`Engine::inspect`].
    pub fn load(
        &self,
        source: &dyn Source,
        images: &[Image],
        options: &LoadOptions<'_>,
    ) -> Result<Loaded, Error> {
        let mut write = WriteOptions::default();
        write.platform.clone_from(&options.platform);
        write.spool_dir.clone_from(&options.spool_dir);
        if self.reads_zstd() {
            write.layers = LayerForm::Keep;
        }
        let loading = Loading {
            engine: self,
            store: self.store()?,
            source: &Watched {
                source,
                progress: options.progress,
            },
            images: contents(source, images, &write)?,
        };
        loading.run(write, options)
    }
}

/// One call of [`Engine::load`].
struct Loading<'a> {
    engine: &'a Engine,
    store: Store,
    source: &'a Watched<'a>,
    images: Vec<Contents>,
}

/// What the daemon had before.
type Before = BTreeMap<ImageName, Option<Inspected>>;

impl Loading<'_> {
    fn run(self, mut write: WriteOptions, options: &LoadOptions<'_>) -> Result<Loaded, Error> {
        let before = self.look(options)?;
        let had = |image: &&Contents| {
            let there = before.get(&self.id(image).into());
            there.is_some_and(|there| self.lack(image, there.as_ref()).is_none())
        };
        let missing: Vec<_> = self
            .images
            .iter()
            .filter(|image| options.send == Send::Everything || !had(image))
            .collect();
        if options.send == Send::Missing {
            let there: Vec<_> = before.values().flatten().collect();
            write.leave_out = known::layers(self.store, &missing, &there, self.source.source);
        }
        let sent = self.send(&missing, write, &before)?;
        let mut loaded = Loaded {
            images: Vec::new(),
            bytes_sent: sent.bytes,
            archives: sent.archives,
            notes: sent.notes,
        };
        for image in &self.images {
            let written = sent.images.iter();
            let mut written = written.filter(|sent| sent.source.digest == image.manifest.digest);
            loaded
                .images
                .push(self.tag(image, &before, written.next().cloned()));
        }
        Ok(loaded)
    }

    /// By which the daemon knows an image, or will know it.
    fn id(&self, image: &Contents) -> Digest {
        match self.store {
            Store::Containerd => image.manifest.digest.clone(),
            Store::Graph | Store::Podman => image.config.digest.clone(),
        }
    }

    /// Inspects what may have layers of ours: the images themselves, those that have their names,
    /// and what the caller named.
    fn look(&self, options: &LoadOptions<'_>) -> Result<Before, Error> {
        let mut names = BTreeSet::new();
        for image in &self.images {
            names.insert(self.id(image).into());
            names.extend(image.names.iter().cloned().map(ImageName::from));
        }
        if self.store != Store::Podman {
            names.extend(options.related.iter().cloned());
        }
        let inspect = |name: ImageName| {
            let inspected = self.engine.inspect(&name)?;
            Ok((name, inspected))
        };
        names.into_iter().map(inspect).collect()
    }

    /// What of an image is not there, in words; `None` if it is whole.
    fn lack(&self, image: &Contents, there: Option<&Inspected>) -> Option<String> {
        let Some(there) = there else {
            return Some("there is no such image".into());
        };
        let id = self.id(image);
        if there.id != id {
            return Some(format!("expected ID `{id}`, found `{}`", there.id));
        }
        if self.store != Store::Containerd {
            return None;
        }
        let mut states = there.manifests.iter();
        match states.find(|state| state.descriptor.digest == image.manifest.digest) {
            Some(state) if state.available => None,
            Some(_) => Some("some of its blobs are missing".into()),
            // Nobody asked for them.
            None if !self.engine.tells_what_is_there() => None,
            None => Some("its manifest is not listed".into()),
        }
    }

    /// Sends images, once or twice, until all of them are there.
    fn send(
        &self,
        images: &[&Contents],
        mut write: WriteOptions,
        before: &Before,
    ) -> Result<send::Sent, Error> {
        let mut all = send::Sent::default();
        if images.is_empty() {
            return Ok(all);
        }
        loop {
            let (sent, result) = self.send_once(images, &write);
            all.add(sent);
            match result {
                Ok(()) => return Ok(all),
                // The source, or nobody there: once more changes nothing.
                Err(error)
                    if write.leave_out.is_empty()
                        || matches!(error, Error::Write(_) | Error::Connect { .. }) =>
                {
                    self.clean_up(images, before);
                    return Err(error);
                }
                Err(_) => write.leave_out.clear(),
            }
        }
    }

    /// Sends one archive, and looks whether all is there.
    fn send_once(
        &self,
        images: &[&Contents],
        write: &WriteOptions,
    ) -> (send::Sent, Result<(), Error>) {
        let (sent, result) = send::archive(&self.engine.client, self.source, images, write);
        let checked = result.and_then(|()| {
            for image in images {
                let there = self.engine.inspect(&self.id(image).into())?;
                if let Some(found) = self.lack(image, there.as_ref()) {
                    return Err(Error::Incomplete {
                        endpoint: self.engine.endpoint().clone(),
                        manifest: image.manifest.digest.clone(),
                        found,
                    });
                }
            }
            Ok(())
        });
        (sent, checked)
    }

    /// Takes away what is broken and was not there before. Names have not been given yet.
    fn clean_up(&self, images: &[&Contents], before: &Before) {
        for image in images {
            let id = ImageName::from(self.id(image));
            if before.get(&id).is_some_and(Option::is_some) {
                continue;
            }
            if let Ok(Some(there)) = self.engine.inspect(&id)
                && self.lack(image, Some(&there)).is_some()
            {
                let options = RemoveOptions {
                    force: true,
                    ..RemoveOptions::default()
                };
                // The load has failed, and its error is what counts.
                let _ = self.engine.remove(&id, &options);
            }
        }
    }

    fn tag(&self, image: &Contents, before: &Before, sent: Option<WrittenImage>) -> LoadedImage {
        let id = self.id(image);
        let mut loaded = LoadedImage {
            id: id.clone(),
            manifest: image.manifest.digest.clone(),
            names: Vec::new(),
            failures: Vec::new(),
            sent,
        };
        for name in &image.names {
            let there = before.get(&ImageName::from(name.clone()));
            let result = match there.and_then(Option::as_ref) {
                Some(there) if there.id == id => Ok(()),
                _ => self.engine.tag(&id.clone().into(), name),
            };
            match result {
                Ok(()) => loaded.names.push(name.clone()),
                Err(error) => loaded.failures.push(NotTagged {
                    name: name.clone(),
                    error,
                }),
            }
        }
        loaded
    }
}
