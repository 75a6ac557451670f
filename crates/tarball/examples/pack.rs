//! Packs a directory into a canonical tar on standard output: `pack DIRECTORY > layer.tar`.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;

use cooperage_tarball::{FoldOptions, ScanOptions, fold, scan};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os()
        .nth(1)
        .ok_or("usage: pack DIRECTORY > layer.tar")?;
    let tree = scan(&PathBuf::from(directory), &ScanOptions::default())?;
    let resolved = fold(&tree, &FoldOptions::default())?;
    let mut out = io::stdout().lock();
    resolved.write_to(&mut out)?;
    out.flush()?;
    Ok(())
}
