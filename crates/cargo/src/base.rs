//! The image that an image stands on: where it lies, and which one its name means.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cooperage_image_spec::Reference;
use cooperage_staging::{StagedFile, parent};
use cooperage_transport::{Layers, Location, Network, ParseLocationError, Reach};

use crate::ImageArgs;
use crate::lock::{FILE_NAME, Lock};
use crate::report::Reporter;
use crate::settings::Settings;

/// Where a base lies: a medium and a place, or an image reference, which is one of a registry.
///
/// # Errors
///
/// What the text lacks to be either.
pub(crate) fn location(text: &str) -> Result<Location> {
    let fault = match text.parse::<Location>() {
        Ok(location) => return Ok(location),
        Err(fault) => fault,
    };
    // `docker:dind` is an image too.
    let bare = matches!(
        fault,
        ParseLocationError::UnknownMedium { .. } | ParseLocationError::NoSlashes { .. }
    );
    if !bare {
        return Err(fault.into());
    }
    match text.parse::<Reference>() {
        Ok(reference) => Ok(Location::registry(reference)),
        Err(error) => Err(anyhow::Error::new(error).context(format!(
            "`{text}` is no base: expected an image reference, `oci:DIR[:NAME]`, \
             `oci-archive:FILE`, `docker-archive:FILE` or `docker-daemon:REFERENCE`"
        ))),
    }
}

/// The same base, with paths that start from `root`; a text that means no base stays as it is.
pub(crate) fn rebase(text: &str, root: &Path) -> String {
    match text.parse::<Location>() {
        Ok(location) => location.below(root).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Has the settings' base say which image exactly it is, if it lies in a registry: by the digest
/// that they or the lockfile give, or by what its tag means now.
pub(crate) fn pin(
    settings: &mut Settings,
    args: &ImageArgs,
    root: &Path,
    network: &Network,
    reporter: &Reporter,
) -> Result<()> {
    let Some(text) = &settings.base else {
        if args.output.update {
            bail!("`--update` looks up the base's tag, and this image has no base");
        }
        return Ok(());
    };
    let location = location(text)?;
    let Some(reference) = location.reference() else {
        if args.output.update {
            bail!("`--update` looks up the base's tag, and `{text}` is not in a registry");
        }
        return Ok(());
    };
    let pins = Pins {
        path: lock_path(args, root),
        args,
        network,
        reporter,
    };
    let digest = settings.base_digest.as_deref();
    let pinned = pins.resolve(reference, digest)?;
    settings.base = Some(Location::registry(pinned).to_string());
    Ok(())
}

/// Where the lockfile is.
pub(crate) fn lock_path(args: &ImageArgs, root: &Path) -> PathBuf {
    let named = args.output.lock.clone();
    named.unwrap_or_else(|| root.join(FILE_NAME))
}

/// Replaces the lockfile in one step.
pub(crate) fn write_lock(path: &Path, lock: &Lock) -> Result<()> {
    let write = || -> Result<()> {
        std::fs::create_dir_all(parent(path))?;
        let mut file = StagedFile::new(path)?;
        file.put(lock.to_text().as_bytes())?;
        file.show()?.keep();
        Ok(())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

struct Pins<'a> {
    path: PathBuf,
    args: &'a ImageArgs,
    network: &'a Network,
    reporter: &'a Reporter,
}

impl Pins<'_> {
    fn resolve(&self, name: &Reference, digest: Option<&str>) -> Result<Reference> {
        let cargo = &self.args.cargo;
        if name.digest().is_some() {
            return Ok(name.clone());
        }
        let name = name.clone().with_default_tag();
        if let Some(digest) = digest {
            let digest = digest
                .parse()
                .with_context(|| format!("`{digest}` cannot be the digest of the base"))?;
            return Ok(name.with_digest(digest));
        }
        let mut lock = Lock::read(&self.path)?;
        if let (false, Some(pinned)) = (self.args.output.update, lock.pinned(&name)) {
            return Ok(pinned.clone());
        }
        let file = self.path.display();
        if cargo.locked || cargo.frozen {
            bail!(
                "`{file}` does not say which image `{name}` is, and `--locked` forbids to look \
                 it up: run with `--update` once"
            );
        }
        if self.network.reach() == Reach::Offline {
            bail!(
                "`{file}` does not say which image `{name}` is, and it cannot be looked up \
                 offline: run with `--update` once"
            );
        }
        let found = self.look_up(&name)?;
        if self.args.output.update {
            if lock.pin(&found) {
                write_lock(&self.path, &lock)?;
            }
        } else {
            self.reporter.note(&format!(
                "`{name}` is {} now; `--update` pins it in `{file}`",
                found.digest().map(ToString::to_string).unwrap_or_default()
            ));
        }
        Ok(found)
    }

    fn look_up(&self, name: &Reference) -> Result<Reference> {
        let location = Location::registry(name.clone());
        let opened = location.open_with(self.network, Layers::Streamed)?;
        let root = opened.root().context("cannot look up the base")?;
        Ok(name.clone().with_digest(root.descriptor.digest))
    }
}
