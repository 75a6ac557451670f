//! A Debian of real size: packed by us, unpacked by others and by us, run and changed by Docker.

mod changes;
mod images;
mod same;

use std::fmt;
use std::sync::Arc;

use cooperage_tarball::{UnpackOptions, overlay, unpack};
use cooperage_testkit::docker::Store;
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::tree_listing;

use crate::matrix::{Here as _, Otherwise, Rows, Seen, Table};
use crate::unpackers::short;
use images::Packed;

/// Which root.
#[derive(Clone, Copy, Debug)]
enum Root {
    Debian12,
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian12 => f.write_str("debian-12"),
        }
    }
}

pub(crate) fn tables() -> Vec<Table> {
    let mut rows = Rows::new(
        "debian",
        "A Debian of real size",
        include_str!("debian/debian.md"),
        &[Root::Debian12],
    );
    for generation in Generation::ALL {
        let name = format!("umoci-unpacks/{generation}");
        rows.row(name, move |_| umoci_unpacks(generation));
    }
    rows.row("cooperage-unpacks", |_| we_unpack());
    for store in [Store::Stable, Store::ModernContainerd] {
        let name = short(store).trim_start_matches("docker-");
        let name = format!("docker-commits-what-we-see/{name}");
        rows.row(name, move |_| changes::are_seen_by(store));
    }
    vec![rows.finish()]
}

fn packed() -> Result<Arc<Packed>, Otherwise> {
    Packed::shared().here()
}

fn umoci_unpacks(generation: Generation) -> Seen {
    let umoci = peers::umoci(generation).here()?;
    let debian = packed()?;
    let made = tempfile::tempdir().unwrap();
    let bundle = made.path().join("bundle");
    let words = ["unpack", "--image", &debian.tag(), bundle.to_str().unwrap()];
    umoci.run(words).unwrap();
    let listing = tree_listing(&bundle.join("rootfs"));
    debian
        .listing
        .assert_same(&listing, &format!("umoci ({generation})"));
    Ok(())
}

fn we_unpack() -> Seen {
    let debian = packed()?;
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    let tree = overlay([debian.base.tree()]).unwrap();
    let unpacked = unpack(&tree, &out, &UnpackOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(unpacked.left_out, []);
    debian
        .listing
        .assert_same(&tree_listing(&out), "the Debian root and ours");
    Ok(())
}
