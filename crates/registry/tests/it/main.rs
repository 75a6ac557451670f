//! What a client does with a registry that does as it should, and with one that does not.

mod auth;
mod lists;
mod pull;
mod push;
mod real;
mod retry;
mod security;
mod server;
mod wire;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cooperage_blob::{CopyOptions, Memory, Root, Sink, put};
use cooperage_image_spec::{Descriptor, Document, Index, Manifest, MediaType, Reference};
use cooperage_registry::{Client, Options, Pace, Repository};

use server::Server;

/// Time that passes only when somebody sleeps.
#[derive(Debug, Default)]
pub(crate) struct TestPace {
    pub(crate) slept: Mutex<Vec<Duration>>,
    now: Mutex<Duration>,
}

impl TestPace {
    pub(crate) fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }
}

impl Pace for TestPace {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }
    fn sleep(&self, time: Duration) {
        self.slept.lock().unwrap().push(time);
        self.pass(time);
    }
    fn spread(&self, most: Duration) -> Duration {
        most / 2
    }
}

pub(crate) fn options() -> (Options, Arc<TestPace>) {
    let pace = Arc::new(TestPace::default());
    let mut options = Options::default();
    options.pace = Arc::<TestPace>::clone(&pace);
    (options, pace)
}

pub(crate) fn repository(server: &Server, path: &str) -> Repository {
    repository_with(server, path, options().0)
}

pub(crate) fn repository_with(server: &Server, path: &str, options: Options) -> Repository {
    let client = Client::new(options).unwrap();
    client.repository(&reference(server, path))
}

pub(crate) fn reference(server: &Server, path: &str) -> Reference {
    format!("{}/{path}", server.address).parse().unwrap()
}

/// Bytes that look like nothing else, so many of them.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn image(medium: &dyn Sink, layers: &[&[u8]]) -> Descriptor {
    let config = put(medium, MediaType::OCI_CONFIG, b"{}").unwrap();
    let layers = layers
        .iter()
        .map(|layer| put(medium, MediaType::OCI_LAYER, layer).unwrap())
        .collect();
    let manifest = Document::new(Manifest::new(config, layers));
    put(medium, MediaType::OCI_MANIFEST, manifest.raw()).unwrap()
}

pub(crate) fn index(medium: &dyn Sink, manifests: Vec<Descriptor>) -> Descriptor {
    let document = Document::new(Index::new(manifests));
    put(medium, MediaType::OCI_INDEX, document.raw()).unwrap()
}

/// An image in memory, named `v1`.
pub(crate) fn in_memory(layers: &[&[u8]]) -> (Memory, Root) {
    let memory = Memory::new();
    let root = Root::named("v1", image(&memory, layers));
    (memory, root)
}

pub(crate) fn one_job() -> CopyOptions<'static> {
    CopyOptions {
        jobs: std::num::NonZeroUsize::MIN,
        ..CopyOptions::default()
    }
}

/// An error and all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        write!(text, ": {error}").unwrap();
        at = error.source();
    }
    text
}
