//! A Debian of real size: packed by us, unpacked by others and by us, run and changed by Docker.

mod changes;
mod images;
mod same;

use cooperage_tarball::{UnpackOptions, overlay, unpack};
use cooperage_testkit::docker::Store;
use cooperage_testkit::peers::{self, Generation};
use cooperage_testkit::tree_listing;

use crate::images::Packed;

#[test]
fn unpacked_by_umoci_it_is_what_was_packed() {
    let Some(debian) = Packed::shared() else {
        return;
    };
    for generation in Generation::ALL {
        let Some(umoci) = peers::umoci(generation) else {
            continue;
        };
        let made = tempfile::tempdir().unwrap();
        let bundle = made.path().join("bundle");
        let words = ["unpack", "--image", &debian.tag(), bundle.to_str().unwrap()];
        umoci.run(words).unwrap();
        let listing = tree_listing(&bundle.join("rootfs"));
        debian
            .listing
            .assert_same(&listing, &format!("umoci ({generation})"));
    }
}

#[test]
fn unpacked_by_us_it_is_what_was_packed() {
    let Some(debian) = Packed::shared() else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    let tree = overlay([debian.base.tree()]).unwrap();
    let unpacked = unpack(&tree, &out, &UnpackOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(unpacked.left_out, []);
    debian
        .listing
        .assert_same(&tree_listing(&out), "the Debian root and ours");
}

#[test]
fn what_a_container_changed_is_what_docker_20_commits() {
    changes::are_seen_by(Store::Stable);
}

#[test]
fn what_a_container_changed_is_what_docker_28_commits() {
    changes::are_seen_by(Store::ModernContainerd);
}
