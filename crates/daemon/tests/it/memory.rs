//! How much memory a load takes, whatever the size of a layer.

use std::fs::File;
use std::io::{BufWriter, Read as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use cooperage_blob::{Memory, Root, Source, put};
use cooperage_daemon_archive::{Image, WriteOptions, write};
use cooperage_digest::{Algorithm, Hasher};
use cooperage_image_spec::{Descriptor, Document, Manifest, MediaType};

use crate::fake::Fake;

/// The layer's size in bytes; many times what is allowed.
const SIZE: u64 = 256 << 20;
/// The most resident memory, in KiB: 24 MiB, of which a program of this kind, unoptimised, is the
/// larger part.
const LIMIT: u64 = 24 << 10;

/// A layer of zeros, which is an empty tar with much padding.
struct Zeros {
    memory: Memory,
    layer: Descriptor,
}

impl Source for Zeros {
    fn roots(&self) -> Result<Vec<Root>, cooperage_blob::Error> {
        self.memory.roots()
    }

    fn fetch(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Box<dyn std::io::Read + Send + '_>, cooperage_blob::Error> {
        if descriptor.digest == self.layer.digest {
            return Ok(Box::new(std::io::repeat(0).take(SIZE)));
        }
        self.memory.fetch(descriptor)
    }
}

fn zeros() -> (Zeros, Image) {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let piece = vec![0; 1 << 20];
    for _ in 0..SIZE / piece.len() as u64 {
        hasher.update(&piece);
    }
    let layer = Descriptor::new(MediaType::OCI_LAYER, hasher.finish(), SIZE);
    let memory = Memory::new();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        layer.digest
    );
    let config = put(&memory, MediaType::OCI_CONFIG, config.as_bytes()).unwrap();
    let mut manifest = Manifest::new(config, vec![layer.clone()]);
    manifest.media_type = Some(MediaType::OCI_MANIFEST);
    let manifest = Document::new(manifest);
    let manifest = put(&memory, MediaType::OCI_MANIFEST, manifest.raw()).unwrap();
    let image = Image {
        descriptor: manifest,
        names: vec!["zeros".parse().unwrap()],
    };
    (Zeros { memory, layer }, image)
}

/// The most memory that a process has had, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

#[test]
fn a_layer_takes_no_more_memory_than_its_way_through() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zeros.tar");
    let (source, image) = zeros();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    write(&source, &[image], &mut file, &WriteOptions::default()).unwrap();
    drop(file);

    let process: Arc<Mutex<Option<u32>>> = Arc::default();
    let measured: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
    let (of, to) = (Arc::clone(&process), Arc::clone(&measured));
    let fake = Fake::engine(move |line, talk| {
        if !line.contains("/images/load") {
            return Ok(false);
        }
        let taken = talk.drain()?;
        // It waits for the answer, so it is still there.
        let process = loop {
            if let Some(process) = *of.lock().unwrap() {
                break process;
            }
        };
        to.lock().unwrap().push((taken, peak(process)));
        talk.json(200, "")?;
        Ok(true)
    });
    // Cargo builds examples with the tests, beside them.
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/load");
    let mut child = Command::new(&program)
        .arg(&path)
        .arg("zeros")
        .env_clear()
        .env("DOCKER_HOST", format!("unix://{}", fake.socket().display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{}: {why}", program.display()));
    *process.lock().unwrap() = Some(child.id());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    let measured = measured.lock().unwrap();
    let [(taken, peak)] = measured[..] else {
        panic!("{measured:?}: {said}");
    };
    assert!(taken > SIZE, "{taken} bytes");
    assert!(peak < LIMIT, "{peak} KiB");
    // The fake has nothing to show afterwards.
    assert!(said.contains("Incomplete"), "{said}");
}
