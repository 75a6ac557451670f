//! Loads the image of an archive into the daemon that is found, and says what was sent:
//! `cargo run --example load -- app.tar app:dev debian:bookworm`.
//!
//! Images named behind the first name are those that may share layers with it.

use std::error::Error;
use std::path::Path;

use cooperage_blob::Source;
use cooperage_daemon::{Endpoint, Engine, Image, LoadOptions, Options};
use cooperage_daemon_archive::{DockerArchive, ReadOptions};

#[expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]
#[expect(clippy::print_stdout, reason = "a program may print")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name, related @ ..] = &arguments[..] else {
        return Err("usage: load ARCHIVE NAME [RELATED…]".into());
    };
    let home = std::env::var_os("HOME").unwrap_or_default();
    let endpoint = Endpoint::find(|name| std::env::var_os(name), Path::new(&home))?;
    let engine = Engine::connect(&endpoint, &Options::default())?;

    let archive = DockerArchive::open(Path::new(path), &ReadOptions::default())?;
    let root = archive.roots()?.into_iter().next();
    let image = Image {
        descriptor: root.ok_or("the archive is empty")?.descriptor,
        names: vec![name.parse()?],
    };
    let mut options = LoadOptions::default();
    for name in related {
        options.related.push(name.parse()?);
    }
    let loaded = engine.load(&archive, &[image], &options)?;
    println!(
        "{}: {} bytes sent to {endpoint} (API {}) in {} archives",
        loaded.images[0].id,
        loaded.bytes_sent,
        engine.api_version(),
        loaded.archives,
    );
    for failure in &loaded.images[0].failures {
        println!("not tagged: {}: {}", failure.name, failure.error);
    }
    Ok(())
}
