//! Images of ours, read by others.

mod archives;
mod crane;
mod engines;
mod layers;
mod layouts;
mod lines;
mod pushed;

use std::fmt;

use cooperage_testkit::peers::Generation;

pub(crate) use layouts::oci;
pub(crate) use pushed::pushed;

use crate::forms::Form;
use crate::matrix::{Rows, Table};

pub(crate) fn tables() -> Vec<Table> {
    let mut layouts = Rows::new(
        "layouts",
        "Our layouts, read by others",
        include_str!("ours/layouts.md"),
        &Form::ALL,
    );
    layouts::rows(&mut layouts);
    let mut archives = Rows::new(
        "archives",
        "Our archives, read by others",
        include_str!("ours/archives.md"),
        &Form::ALL,
    );
    archives::rows(&mut archives);
    engines::rows(&mut archives);
    let mut copied = Rows::new(
        "copied",
        "Our archives, copied by skopeo",
        include_str!("ours/copied.md"),
        &[layouts::Origin::OciArchive, layouts::Origin::DockerArchive],
    );
    archives::copied(&mut copied);
    let mut zstd = Rows::new(
        "zstd",
        "Our docker archives with zstd layers as they are",
        "What `cooperage copy --keep-zstd` writes, loaded and run as above.",
        &engines::Loader::ALL,
    );
    engines::as_it_is(&mut zstd);
    let mut pushed = Rows::new(
        "pushed",
        "Our images, pushed to a registry by others and read there",
        include_str!("ours/pushed.md"),
        &Form::ALL,
    );
    pushed::rows(&mut pushed);
    crane::rows(&mut layouts, &mut archives);
    let mut layer_rows = Rows::new(
        "layers",
        "Our layers, read by others",
        include_str!("ours/layers.md"),
        &layers::columns(),
    );
    layers::rows(&mut layer_rows);
    vec![
        layouts.finish(),
        archives.finish(),
        copied.finish(),
        zstd.finish(),
        pushed.finish(),
        layer_rows.finish(),
    ]
}

/// `row` once for each generation, which stands behind its name.
fn both<C: Copy + fmt::Display + Send + Sync + 'static>(
    rows: &mut Rows<C>,
    name: &str,
    row: impl Fn(Generation, C) -> crate::matrix::Seen + Copy + Send + Sync + 'static,
) {
    for generation in Generation::ALL {
        rows.row(format!("{name}/{generation}"), move |column| {
            row(generation, column)
        });
    }
}
