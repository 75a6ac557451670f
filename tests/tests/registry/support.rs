//! Clients, and what is asked of what they did.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use cooperage_blob::{Copied, CopyOptions, Error, Root, Sink, Source, copy, walk};
use cooperage_image_spec::{Descriptor, Reference};
use cooperage_layout::{Layout, Severity};
use cooperage_registry::{Client, Login, Options, Pace, Repository, Secret};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, Registry};

use crate::images::Image;

/// Waits for nothing, and tells a time that passes by waiting alone.
#[derive(Debug, Default)]
struct NoTime(std::sync::Mutex<Duration>);

impl Pace for NoTime {
    fn now(&self) -> Duration {
        *self.0.lock().expect("nobody panics while adding")
    }

    fn sleep(&self, time: Duration) {
        *self.0.lock().expect("nobody panics while adding") += time;
    }

    fn spread(&self, most: Duration) -> Duration {
        most / 2
    }
}

/// As users have it, but that no time is waited between attempts.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.pace = Arc::new(NoTime::default());
    options
}

/// The same, for somebody whom every registry knows as this.
pub(crate) fn options_of(login: Login) -> Options {
    let mut options = options();
    options.authenticate = Some(Arc::new(move |_: &str, _: &str| Some(login.clone())));
    options
}

/// A name and a password.
pub(crate) fn basic(username: &str, password: &str) -> Login {
    Login::Basic {
        username: username.to_owned(),
        password: Secret::new(password),
    }
}

pub(crate) fn client(options: Options) -> Client {
    Client::new(options).expect("the options are right")
}

/// `name` is as in `REGISTRY/NAME:TAG`.
pub(crate) fn repository(client: &Client, address: &str, name: &str) -> Repository {
    client.repository(&reference(address, name))
}

/// `ADDRESS/NAME`, or `ADDRESS/NAME:TAG`.
pub(crate) fn reference(address: &str, name: &str) -> Reference {
    let text = format!("{address}/{name}");
    text.parse().expect("a reference")
}

/// Pushes as `ADDRESS/NAME:TAG`.
pub(crate) fn push(
    image: &Image,
    client: &Client,
    address: &str,
    name: &str,
) -> Result<Copied, Error> {
    let to = repository(client, address, name);
    let root = image.root(&reference(address, name).to_string());
    copy(&image.memory, &root, &to, &CopyOptions::default())
}

/// What `ADDRESS/NAME:TAG` names.
pub(crate) fn resolve(client: &Client, address: &str, name: &str) -> Result<Descriptor, Error> {
    let reference = reference(address, name);
    let tag = reference.tag().expect("the name has a tag");
    Ok(client.repository(&reference).resolve(tag)?)
}

/// Pulls `ADDRESS/NAME:TAG` and gives what it was.
pub(crate) fn pull(
    client: &Client,
    address: &str,
    name: &str,
    to: &dyn Sink,
) -> Result<Descriptor, Error> {
    let from = repository(client, address, name);
    let descriptor = resolve(client, address, name)?;
    let root = Root::named("pulled", descriptor.clone());
    copy(&from, &root, to, &CopyOptions::default())?;
    Ok(descriptor)
}

/// The registry of a generation, that of all tests, or `None` once its absence was reported.
pub(crate) fn shared(generation: Generation) -> Option<&'static Registry> {
    use std::sync::OnceLock;
    static REGISTRIES: [OnceLock<Option<Registry>>; 2] = [OnceLock::new(), OnceLock::new()];
    let at = Generation::ALL.iter().position(|it| *it == generation);
    let registry = &REGISTRIES[at.expect("all are in the list")];
    let registry = registry
        .get_or_init(|| registry::start(generation))
        .as_ref();
    // Asked again, so that each test that goes without is listed.
    registry.or_else(|| {
        let found = registry::start(generation);
        assert!(found.is_none(), "it is there now");
        None
    })
}

/// An error with all its causes, as users read it.
pub(crate) fn words(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whatever is in the layout is whole and right, and if `image` is named, all of it is there.
#[track_caller]
pub(crate) fn check_layout(layout: &Layout, image: Option<&Image>) {
    let faults = layout.fsck();
    let bad: Vec<_> = faults
        .iter()
        .filter(|fault| fault.severity() == Severity::Error)
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    let roots = layout.roots().expect("an index");
    let Some(image) = image else {
        assert!(roots.is_empty(), "published: {roots:?}");
        return;
    };
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0].descriptor.digest, image.descriptor.digest);
    assert_eq!(
        blobs(layout, &roots[0].descriptor),
        blobs(&image.memory, &image.descriptor)
    );
}

/// The digests of all that a root refers to, each of which was read and verified.
#[track_caller]
pub(crate) fn blobs(source: &dyn Source, root: &Descriptor) -> BTreeSet<String> {
    let mut blobs = BTreeSet::new();
    walk(source, root, &mut |descriptor, _| {
        let mut reader = cooperage_blob::open(source, descriptor)?;
        std::io::copy(&mut reader, &mut std::io::sink())
            .map_err(|error| Error::read(descriptor, error))?;
        blobs.insert(descriptor.digest.to_string());
        Ok(())
    })
    .expect("all of it is there");
    blobs
}
