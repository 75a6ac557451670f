//! Every parser of the workspace under libFuzzer, and all its inputs as plain tests.
//!
//! A [`Target`] takes any bytes and panics when a parser does what it must not: it asserts more
//! than that the parser does not panic. `cargo xtask fuzz` runs targets under libFuzzer; the tests
//! of this crate put every seed of `corpus/` and every input that ever failed, `regressions/`,
//! through the same functions.

mod archive;
mod closure;
mod codec;
mod deflate;
mod document;
mod layout;
mod memory;
mod mutate;
mod plan;
mod reference;
mod registry;
mod scratch;
mod tar;

pub use deflate::{check_plain, encode as encode_deflate};
pub use mutate::tar::{mutate as mutate_tar, repair as repair_tar};

/// One parser, or several that read the same bytes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// What `cargo xtask fuzz` calls it; its seeds are in `corpus/NAME`.
    pub name: &'static str,
    /// Which parsers it is for.
    pub about: &'static str,
    /// Panics if they do what they must not.
    pub run: fn(&[u8]),
    /// Changes an input with knowledge of its format, for a seed; at most so many bytes come out.
    pub mutate: Option<fn(&mut Vec<u8>, usize, u64)>,
    /// Puts checksums, lengths and digests right again, so that what is behind them is reached.
    pub repair: Option<fn(&mut Vec<u8>)>,
    /// The longest input, in bytes, that is tried.
    pub max_len: usize,
}

const fn target(name: &'static str, about: &'static str, run: fn(&[u8]), max_len: usize) -> Target {
    let (mutate, repair) = (None, None);
    Target {
        name,
        about,
        run,
        mutate,
        repair,
        max_len,
    }
}

/// All targets.
pub const TARGETS: [Target; 13] = [
    Target {
        mutate: Some(mutate::tar::mutate),
        repair: Some(|tar| mutate::tar::repair(tar)),
        ..target(
            "tar",
            "`TarReader` and `Tree::from_tar`",
            tar::run,
            16 << 10,
        )
    },
    Target {
        mutate: Some(mutate::tar::mutate),
        repair: Some(mutate::archive::repair),
        ..target(
            "archive",
            "`DockerArchive` and `OciArchive`",
            archive::run,
            32 << 10,
        )
    },
    target(
        "layout",
        "`Layout`: `oci-layout`, `index.json`, what they lead to",
        layout::run,
        8 << 10,
    ),
    target("config", "`ImageConfig`", document::config, 8 << 10),
    target(
        "manifest",
        "`Manifest` and `Index`",
        document::manifest,
        8 << 10,
    ),
    target(
        "reference",
        "`Reference`, `Digest` and `Platform`",
        reference::run,
        512,
    ),
    target(
        "registry",
        "`wire`: challenges, links, ranges, waits, tokens, errors",
        registry::run,
        4 << 10,
    ),
    target("plan", "`PlanFile`", plan::run, 8 << 10),
    Target {
        repair: Some(mutate::gzip::repair),
        ..target("gzip", "the gzip reader", codec::gzip, 8 << 10)
    },
    target("zstd", "the zstd reader", codec::zstd, 8 << 10),
    target(
        "deflate",
        "`gzip-2`, the encoder of our own",
        deflate::run,
        // A copy may come from 32 KiB before it.
        48 << 10,
    ),
    target(
        "elf",
        "`BinaryInfo`, and `closure` over what it read",
        closure::elf,
        16 << 10,
    ),
    target(
        "ld",
        "`ld.so.cache`, and `ld.so.conf` through `closure`",
        closure::ld,
        4 << 10,
    ),
];

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
