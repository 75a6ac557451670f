//! Each encoder's bytes at each level, and that the processor does not reach them.

use std::env;
use std::process::Command;

use cooperage_compress::{EncoderId, Encoding};
use cooperage_digest::Digest;
use cooperage_testkit::{golden, peers};

use crate::{corpus, encode, every_encoding};

#[test]
fn every_level_gives_its_golden_bytes() {
    let blocks = corpus::blocks();
    golden::check("compress/corpus", Digest::of(&blocks.concat()).to_string());
    check(|encoding| !is_ours(encoding));
}

#[test]
fn every_level_of_our_own_encoder_gives_its_golden_bytes() {
    check(is_ours);
}

fn is_ours(encoding: &Encoding) -> bool {
    encoding.encoder() == EncoderId::Gzip2
}

fn check(which: impl Fn(&Encoding) -> bool) {
    let blocks = corpus::blocks();
    for encoding in every_encoding().filter(which) {
        let layer = encode(&blocks[..], &encoding, 2);
        let digest = Digest::of(&layer.stored).to_string();
        golden::check(
            &format!("compress/{} {}", encoding.encoder(), encoding.level()),
            digest,
        );
    }
}

/// Runs both tests once more on another processor: zlib-ng, which zlib-rs descends from, chooses its
/// hash by what the processor can do, and so must no library of ours.
fn golden_bytes_on(processor: &str) {
    let Some(qemu) = peers::tool("qemu-x86_64") else {
        return;
    };
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let this = env::current_exe().unwrap();
    let mut command: Command = qemu.command(["-cpu", processor]);
    command
        .arg(this)
        .arg("--exact")
        .arg("golden::every_level_gives_its_golden_bytes")
        .arg("golden::every_level_of_our_own_encoder_gives_its_golden_bytes");
    // What an emulated processor makes is compared, never stored.
    command.env_remove("COOPERAGE_BLESS");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("2 passed"),
        "on a {processor}: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn golden_bytes_on_a_processor_of_2003() {
    // No more than x86-64 itself asks for: SSE2.
    golden_bytes_on("Opteron_G1");
}

#[test]
fn golden_bytes_on_the_newest_processor_known() {
    // With AVX2 and BMI2, whatever this machine has.
    golden_bytes_on("max");
}
