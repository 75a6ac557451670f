//! The readers of docker archives and OCI archives.

use std::io::Read;

use cooperage_blob::{Memory, Root, Source, copy};
use cooperage_daemon_archive::{DockerArchive, OciArchive, ReadError, ReadOptions};
use cooperage_digest::Digest;
use cooperage_testkit::ragged::RaggedReader;

use crate::{memory, scratch};

/// What is unpacked of an archive that is compressed as a whole, at most.
const SPOOL: u64 = 1 << 20;

/// Both readers read every input: a `docker save` of today is both.
pub(crate) fn run(bytes: &[u8]) {
    let mut options = ReadOptions::default();
    options.spool_limit = SPOOL;
    // Beside what the documents hold: the limit on names, and a window of zstd.
    let limit = (4 << 20) + 512 * bytes.len();
    scratch::file(bytes, |path| {
        let docker = memory::within(limit, || DockerArchive::open(path, &options));
        let oci = memory::within(limit, || OciArchive::open(path, &options));
        if let Ok(archive) = &docker {
            check_docker(archive);
        }
        if let Ok(archive) = &oci {
            check_source(archive);
        }
        check_stream(bytes, &options, &docker, &oci);
    });
}

/// What can be verified can be copied, with all that it holds, and nothing else can.
fn check_docker(archive: &DockerArchive) {
    let copied = check_source(archive);
    assert_eq!(
        archive.verify().is_ok(),
        copied,
        "`verify` and `copy` see the same: {:?}",
        archive.verify()
    );
    for root in roots(archive) {
        let manifest = cooperage_blob::read(archive, &root.descriptor);
        let Ok(manifest) = manifest else { continue };
        assert_eq!(Digest::of(&manifest), root.descriptor.digest);
    }
}

fn roots(archive: &dyn Source) -> Vec<Root> {
    archive.roots().expect("they were read when it was opened")
}

/// Whether all its images can be copied.
fn check_source(archive: &dyn Source) -> bool {
    let mut all = true;
    for root in roots(archive) {
        let memory = Memory::new();
        match copy(
            archive,
            &root,
            &memory,
            &cooperage_blob::CopyOptions::default(),
        ) {
            Ok(_) => {
                let there = memory.roots().expect("memory");
                assert_eq!(there.len(), 1);
                assert_eq!(there[0].descriptor.digest, root.descriptor.digest);
                let read = |source: &dyn Source| {
                    let mut bytes = Vec::new();
                    cooperage_blob::open(source, &root.descriptor)
                        .expect("it was copied")
                        .read_to_end(&mut bytes)
                        .expect("it was verified");
                    bytes
                };
                assert_eq!(read(archive), read(&memory));
            }
            Err(_) => all = false,
        }
    }
    all
}

/// A pipe gives what the file gives; of a docker archive only what is right as a whole.
fn check_stream(
    bytes: &[u8],
    options: &ReadOptions,
    docker: &Result<DockerArchive, ReadError>,
    oci: &Result<OciArchive, ReadError>,
) {
    if docker.is_err() && oci.is_err() {
        return;
    }
    let stream = || RaggedReader::new(bytes, 3);
    let from_stream = DockerArchive::from_reader(stream(), options);
    match (docker, &from_stream) {
        (Ok(file), Ok(stream)) => assert_eq!(roots(file), roots(stream)),
        (Ok(file), Err(_)) => assert!(file.verify().is_err(), "{from_stream:?}"),
        (Err(error), Ok(_)) => panic!("the file alone is refused: {error}"),
        (Err(_), Err(_)) => {}
    }
    let from_stream = OciArchive::from_reader(stream(), options);
    match (oci, &from_stream) {
        (Ok(file), Ok(stream)) => assert_eq!(roots(file), roots(stream)),
        (Err(_), Err(_)) => {}
        (one, other) => panic!("file: {one:?}, stream: {other:?}"),
    }
}
