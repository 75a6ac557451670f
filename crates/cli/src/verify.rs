//! `cooperage verify`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Read};

use anyhow::Result;
use clap::Args;
use cooperage_blob::{Error, Root, Source, open, read};
use cooperage_commit::{DEFAULT_TAR_LIMIT, LayerError, load_layer};
use cooperage_compress::{Detected, sniff};
use cooperage_daemon_archive::ReadError;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, ImageConfig, Index, Manifest};
use cooperage_transport::{FindError, Layers, Location, Network};
use serde_json::{Value, json};

use crate::context::{Context, Outcome};
use crate::text::{bytes, chain, count, printable};

/// Indexes in one another that are followed.
const MAX_DEPTH: usize = 8;

/// Read all of an image, and report everything that is wrong with it
///
/// Every blob is read and compared with its digest; every layer is unpacked and compared with its
/// diff ID, and must be a tar that makes a file tree; config, history and layers must agree. Exits
/// with 3 if there are faults.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The image; without a name, all that lie there
    #[arg(value_name = "LOCATION")]
    location: Location,
}

/// One thing that is wrong.
#[derive(Debug)]
struct Fault {
    /// The blob or document; none if it is the medium itself.
    digest: Option<Digest>,
    message: String,
}

pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    let whole = args.location.medium().is_local() && !args.location.is_one_image();
    // What the cache has says nothing of the registry.
    let network = if args.location.medium().is_local() {
        Network::default()
    } else {
        context.network()?.clone()
    };
    let opened = match args.location.open_with(&network, Layers::Fresh) {
        Ok(opened) => opened,
        // What is not there at all cannot be verified; what is there and cannot be opened was.
        Err(error) if is_no_fault(&error) => return Err(error.into()),
        Err(error) => return unreadable(args, context, &error),
    };
    let roots = match if whole {
        opened.roots()
    } else {
        opened.root().map(|root| vec![root])
    } {
        Ok(roots) => roots,
        Err(error @ FindError::Roots { .. }) => return unreadable(args, context, &error),
        Err(error) => return Err(error.into()),
    };
    let mut verifier = Verifier::new(opened.source(), context);
    for Root { descriptor, .. } in &roots {
        verifier.document(descriptor, 0)?;
    }
    finish(args, context, &verifier, roots.len())
}

/// Whether it is the machine that cannot read it: it is not there, or there is no room for
/// temporary files.
fn is_no_fault(error: &FindError) -> bool {
    if let FindError::Archive {
        source: ReadError::Spool { .. },
        ..
    } = error
    {
        return true;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let found = error.downcast_ref::<io::Error>();
        if found.is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            )
        }) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn unreadable(args: &VerifyArgs, context: &Context, error: &FindError) -> Result<Outcome> {
    let nothing = cooperage_blob::Memory::new();
    let mut verifier = Verifier::new(&nothing, context);
    verifier.faults.push(Fault {
        digest: None,
        message: chain(error),
    });
    finish(args, context, &verifier, 0)
}

fn finish(
    args: &VerifyArgs,
    context: &Context,
    verifier: &Verifier<'_>,
    roots: usize,
) -> Result<Outcome> {
    let faults: Vec<Value> = verifier
        .faults
        .iter()
        .map(|fault| {
            json!({
                "digest": fault.digest.as_ref().map(Digest::as_str),
                "message": fault.message,
            })
        })
        .collect();
    let json = || {
        json!({
            "location": args.location.to_string(),
            "roots": roots,
            "blobs": verifier.seen.len(),
            "bytes": verifier.read,
            "elsewhere": verifier.elsewhere,
            "faults": faults,
        })
    };
    let text = || {
        let mut out = String::new();
        for fault in &verifier.faults {
            let _ = writeln!(out, "fault: {}", printable(&fault.message));
        }
        let blobs = count(verifier.seen.len(), "blob");
        let size = bytes(verifier.read);
        if verifier.elsewhere > 0 {
            let layers = count(verifier.elsewhere, "layer");
            let _ = writeln!(
                out,
                "not looked at: {layers} that may be fetched from elsewhere"
            );
        }
        let result = match verifier.faults.len() {
            0 => "no fault".to_owned(),
            faults => count(faults, "fault"),
        };
        let _ = writeln!(
            out,
            "{result} in {} ({blobs}, {size})",
            count(roots, "root")
        );
        out
    };
    if verifier.faults.is_empty() {
        context.report(json, text)?;
        return Ok(Outcome::Done);
    }
    context.answer(json, text)?;
    Ok(Outcome::Faults)
}

struct Verifier<'a> {
    source: &'a dyn Source,
    context: &'a Context,
    faults: Vec<Fault>,
    seen: BTreeSet<Digest>,
    layers: BTreeSet<(Digest, Option<Digest>)>,
    read: u64,
    elsewhere: usize,
}

impl<'a> Verifier<'a> {
    fn new(source: &'a dyn Source, context: &'a Context) -> Self {
        Self {
            source,
            context,
            faults: Vec::new(),
            seen: BTreeSet::new(),
            layers: BTreeSet::new(),
            read: 0,
            elsewhere: 0,
        }
    }

    fn fault(&mut self, digest: &Digest, message: String) {
        self.faults.push(Fault {
            digest: Some(digest.clone()),
            message,
        });
    }

    /// Whether it is the first time that this blob is met; it counts as read then.
    fn is_new(&mut self, descriptor: &Descriptor) -> bool {
        let is_new = self.seen.insert(descriptor.digest.clone());
        if is_new {
            self.read = self.read.saturating_add(descriptor.size);
        }
        is_new
    }

    /// An index, a manifest, or any other blob that something names. Only the machine makes it
    /// fail.
    fn document(&mut self, at: &Descriptor, depth: usize) -> Result<(), LayerError> {
        if !self.is_new(at) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            let text = format!("`{}` lies more than {MAX_DEPTH} indexes deep", at.digest);
            self.fault(&at.digest, text);
            return Ok(());
        }
        if at.media_type.is_index() {
            if let Some(index) = self.parse::<Index>(at) {
                for child in &index.value().manifests {
                    self.document(child, depth + 1)?;
                }
            }
        } else if at.media_type.is_manifest() {
            if let Some(manifest) = self.parse::<Manifest>(at) {
                self.manifest(at, manifest.value())?;
            }
        } else {
            self.blob(at);
        }
        Ok(())
    }

    fn parse<T: cooperage_image_spec::FromJson>(&mut self, at: &Descriptor) -> Option<Document<T>> {
        let bytes = read(self.source, at)
            .map_err(|error| self.fault(&at.digest, chain(&error)))
            .ok()?;
        Document::parse(bytes)
            .map_err(|error| {
                let kind = at.media_type.as_str();
                let text = format!("`{}` is no valid `{kind}`: {}", at.digest, chain(&error));
                self.fault(&at.digest, text);
            })
            .ok()
    }

    fn manifest(&mut self, at: &Descriptor, manifest: &Manifest) -> Result<(), LayerError> {
        let config = &manifest.config;
        if !config.media_type.is_config() {
            // An artifact: what its blobs hold is its own affair.
            for blob in manifest.children() {
                if self.is_new(blob) {
                    self.blob(blob);
                }
            }
            return Ok(());
        }
        self.is_new(config);
        let parsed = self.parse::<ImageConfig>(config);
        let diff_ids = match &parsed {
            Some(parsed) => {
                self.counts(at, manifest, parsed.value());
                parsed.value().rootfs.diff_ids.clone()
            }
            None => Vec::new(),
        };
        for (number, layer) in manifest.layers.iter().enumerate() {
            self.is_new(layer);
            self.layer(layer, diff_ids.get(number))?;
        }
        Ok(())
    }

    /// Config, history, layers and platform must agree.
    fn counts(&mut self, at: &Descriptor, manifest: &Manifest, config: &ImageConfig) {
        let layers = manifest.layers.len();
        let diff_ids = config.rootfs.diff_ids.len();
        if layers != diff_ids {
            let text = format!(
                "`{}` has {layers} layers, its config {diff_ids} diff IDs",
                at.digest
            );
            self.fault(&at.digest, text);
        }
        let made = config
            .history
            .iter()
            .filter(|entry| !entry.empty_layer)
            .count();
        if !config.history.is_empty() && made != layers {
            let text = format!(
                "`{}` has {layers} layers, its history {made} entries that made one",
                at.digest
            );
            self.fault(&at.digest, text);
        }
        if let Some(said) = &at.platform
            && (said.normalized().os, said.normalized().architecture)
                != (
                    config.platform.normalized().os,
                    config.platform.normalized().architecture,
                )
        {
            let text = format!(
                "`{}` is listed for {said}, its config says {}",
                at.digest, config.platform
            );
            self.fault(&at.digest, text);
        }
    }

    fn layer(&mut self, layer: &Descriptor, diff_id: Option<&Digest>) -> Result<(), LayerError> {
        if !self.layers.insert((layer.digest.clone(), diff_id.cloned())) {
            return Ok(());
        }
        match self.source.fetch(layer) {
            Err(error) if error.is_not_found() && may_be_elsewhere(layer) => {
                self.elsewhere += 1;
                return Ok(());
            }
            Ok(mut reader) => self.media_type(layer, &mut *reader),
            Err(_) => {}
        }
        let progress = self.context.progress();
        let id = progress.start(
            &format!("verify {}", layer.digest.short()),
            Some(layer.size),
        );
        let loaded = load_layer(self.source, layer, None, DEFAULT_TAR_LIMIT);
        progress.advance(id, layer.size);
        progress.finish(id);
        let error = match loaded {
            Ok(loaded) => match diff_id {
                Some(expected) if expected != loaded.diff_id() => LayerError::DiffId {
                    origin: layer.digest.to_string(),
                    expected: expected.clone(),
                    actual: loaded.diff_id().clone(),
                },
                _ => return Ok(()),
            },
            Err(error @ LayerError::Spool { .. }) => return Err(error),
            Err(error) => error,
        };
        match &error {
            // The tar was read to its end, and its diff ID can be wrong besides.
            LayerError::Tar { .. } => {
                let again = load_layer(self.source, layer, diff_id, DEFAULT_TAR_LIMIT);
                if let Err(error @ LayerError::DiffId { .. }) = again {
                    self.fault(&layer.digest, chain(&error));
                }
            }
            LayerError::DiffId { .. } | LayerError::Blob { .. } => {}
            // The decoder stopped: only the whole blob says whether it is the right one.
            _ => self.blob(layer),
        }
        self.fault(&layer.digest, chain(&error));
        Ok(())
    }

    /// What the descriptor says of the compression must be so: readers go by it.
    fn media_type(&mut self, layer: &Descriptor, reader: &mut dyn Read) {
        let mut start = Vec::new();
        if reader.take(512).read_to_end(&mut start).is_err() {
            return;
        }
        let kind = layer.media_type.as_str();
        let said = match kind {
            _ if kind.ends_with("gzip") => Detected::Gzip,
            _ if kind.ends_with("zstd") => Detected::Zstd,
            _ if kind.ends_with("tar") => Detected::None,
            _ => return,
        };
        let found = sniff(&start);
        if found != said {
            let text = format!(
                "layer `{}` is called `{kind}`, found {found:?}",
                layer.digest
            );
            self.fault(&layer.digest, text.to_lowercase());
        }
    }

    fn blob(&mut self, descriptor: &Descriptor) {
        let verified = open(self.source, descriptor).and_then(|mut reader| {
            io::copy(&mut reader, &mut io::sink()).map_err(|error| Error::read(descriptor, error))
        });
        if let Err(error) = verified {
            self.fault(&descriptor.digest, chain(&error));
        }
    }
}

fn may_be_elsewhere(layer: &Descriptor) -> bool {
    !layer.urls.is_empty() || layer.media_type.is_nondistributable()
}
