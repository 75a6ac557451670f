//! The workspace: generated, the same each time.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{COPIES, COPIES_WITH_TOOLCHAIN, OURS};

/// Images of three layers.
const IMAGES: usize = 100;
/// Length of each image's program, in bytes.
const PROGRAM: usize = 5_000_000;

const MODULE: &str = r#"
module(name = "bench")

bazel_dep(name = "cooperage", version = "0.1.0")

cooperage = use_extension("@cooperage//bazel:extensions.bzl", "cooperage")
cooperage.toolchain(tool = "//:cooperage")
"#;

/// An action that copies its inputs, and says of each how long it is and when it was changed, so that
/// whoever reads that alone has to run again when an input is another.
const COPY: &str = r#"
CopyInfo = provider(doc = "What was copied.", fields = {"listing": "File"})

def _copied_impl(ctx):
    copy = ctx.actions.declare_file(ctx.label.name + ".tar")
    listing = ctx.actions.declare_file(ctx.label.name + ".list")
    files = ctx.actions.args()
    files.add_all(depset(transitive = [target[DefaultInfo].files for target in ctx.attr.srcs]))
    files.add_all([target[CopyInfo].listing for target in ctx.attr.layers])
    files.set_param_file_format("multiline")
    files.use_param_file("--files-from=%s", use_always = True)
    ctx.actions.run(
        executable = "/bin/tar",
        arguments = [
            "--create",
            "--dereference",
            "--verbose",
            "--verbose",
            "--file=" + copy.path,
            "--index-file=" + listing.path,
            files,
        ],
        inputs = depset(
            [target[CopyInfo].listing for target in ctx.attr.layers],
            transitive = [target[DefaultInfo].files for target in ctx.attr.srcs],
        ),
        outputs = [copy, listing],
        mnemonic = "Copy",
    )
    return [DefaultInfo(files = depset([copy])), CopyInfo(listing = listing)]

ATTRS = {
    "layers": attr.label_list(providers = [CopyInfo]),
    "srcs": attr.label_list(allow_files = True),
}

_copied = rule(
    implementation = _copied_impl,
    attrs = ATTRS,
)

_copied_with_toolchain = rule(
    implementation = _copied_impl,
    attrs = ATTRS,
    toolchains = ["@cooperage//bazel/toolchain:toolchain_type"],
)

def copied(name, srcs = [], layers = []):
    _copied(name = name, srcs = srcs, layers = layers)
    _copied_with_toolchain(
        name = name + "_with_toolchain",
        srcs = srcs,
        layers = [layer + "_with_toolchain" for layer in layers],
    )
"#;

const HEAD: &str = "\
load(\"@cooperage//bazel:defs.bzl\", \"image\", \"image_layer\")
load(\"//:copied.bzl\", \"copied\")

package(default_visibility = [\"//visibility:public\"])
";

const SHARED: &str = r#"
filegroup(name = "files", srcs = glob(["files/**"]))
image_layer(name = "layer", srcs = {":files": "/srv/shared/"}, strip_prefix = "files")
copied(name = "layer_copy", srcs = [":files"])
"#;

const IMAGE: &str = r#"
filegroup(name = "own", srcs = glob(["own/**"]))
image_layer(name = "files", srcs = {":own": "/srv/own/"}, strip_prefix = "own")
image_layer(name = "program", srcs = {"program.bin": "/app/program"}, modes = {"/app/program": "0755"})
image(name = "image", entrypoint = ["/app/program"], layers = ["//shared:layer", ":files", ":program"])
copied(name = "files_copy", srcs = [":own"])
copied(name = "program_copy", srcs = ["program.bin"])
copied(name = "copy", layers = ["//shared:layer_copy", ":files_copy", ":program_copy"])
"#;

const BIG: &str = r#"
filegroup(name = "all_files", srcs = glob(["files/**"]))
image_layer(name = "files", srcs = {":all_files": "/srv/big/"}, strip_prefix = "files")
image(name = "image", layers = [":files"])
copied(name = "files_copy", srcs = [":all_files"])
copied(name = "copy", layers = [":files_copy"])
"#;

const DICTIONARY: &str = r#"
FILES = ["files/d%d/f%d.txt" % (number // 1000, number % 1000) for number in range(30000)]
image_layer(name = "files", srcs = {file: "/srv/" + file for file in FILES})
image(name = "image", layers = [":files"])
copied(name = "files_copy", srcs = FILES)
copied(name = "copy", layers = [":files_copy"])
"#;

/// Makes it in `directory`, with `cooperage` as its tool.
pub(super) fn make(directory: &Path, cooperage: &Path) -> Result<()> {
    let write = |path: &str, text: &str| put(&directory.join(path), text.as_bytes());
    write("MODULE.bazel", MODULE)?;
    write("copied.bzl", COPY)?;
    let tool = directory.join("cooperage");
    fs::copy(cooperage, &tool).with_context(|| format!("cannot copy to `{}`", tool.display()))?;
    write("shared/BUILD.bazel", &format!("{HEAD}{SHARED}"))?;
    for number in 0..200 {
        write(
            &format!("shared/files/f{number:03}.txt"),
            &text(number, 2_000),
        )?;
    }
    let mut program = program();
    for image in 0..IMAGES {
        let at = format!("images/i{image:03}");
        write(&format!("{at}/BUILD.bazel"), &format!("{HEAD}{IMAGE}"))?;
        for number in 0..100 {
            let path = format!("{at}/own/f{number:02}.txt");
            write(&path, &text(1_000 + image * 100 + number, 2_000))?;
        }
        program[..8].copy_from_slice(format!("{image:08}").as_bytes());
        put(&directory.join(format!("{at}/program.bin")), &program)?;
    }
    write("big/BUILD.bazel", &format!("{HEAD}{BIG}"))?;
    for number in 0..10_000 {
        let path = format!("big/files/d{:02}/f{:02}.txt", number / 100, number % 100);
        write(&path, &text(100_000 + number, 1_000))?;
    }
    write("dictionary/BUILD.bazel", &format!("{HEAD}{DICTIONARY}"))?;
    for number in 0..30_000 {
        let path = format!("dictionary/files/d{}/f{}.txt", number / 1000, number % 1000);
        write(&path, &text(200_000 + number, 500))?;
    }
    write("BUILD.bazel", &root())
}

/// All images, and all copies.
fn root() -> String {
    let mut text = String::from("exports_files([\"cooperage\"])\n");
    for target in [OURS, COPIES, COPIES_WITH_TOOLCHAIN] {
        let _ = writeln!(
            text,
            "filegroup(name = \"{target}\", srcs = [\"//big:{target}\"] + ["
        );
        for image in 0..IMAGES {
            let _ = writeln!(text, "    \"//images/i{image:03}:{target}\",");
        }
        text.push_str("])\n");
    }
    text
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().context("a file lies in a directory")?;
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Words in an order that only `seed` says: they compress as text does.
fn text(seed: usize, length: usize) -> String {
    const WORDS: [&str; 16] = [
        "stave", "hoop", "barrel", "head", "croze", "bung", "chime", "bilge", "oak", "adze",
        "toast", "truss", "joint", "rivet", "keg", "firkin",
    ];
    let mut numbers = Numbers::new(seed);
    let mut text = String::with_capacity(length + 8);
    while text.len() < length {
        text.push_str(WORDS[numbers.next() as usize % WORDS.len()]);
        text.push(if numbers.next().is_multiple_of(12) {
            '\n'
        } else {
            ' '
        });
    }
    text
}

/// Bytes that compress to about half, as those of programs do.
fn program() -> Vec<u8> {
    let mut numbers = Numbers::new(7);
    let mut bytes = Vec::with_capacity(PROGRAM + 64);
    while bytes.len() < PROGRAM {
        // Now a copy of what stood before, now something new.
        let length = 4 + numbers.next() as usize % 28;
        if bytes.len() > 4_096 && numbers.next().is_multiple_of(2) {
            let from = bytes.len() - 4_096 + numbers.next() as usize % 2_048;
            bytes.extend_from_within(from..from + length);
        } else {
            bytes.extend((0..length).map(|_| (numbers.next() % 200) as u8));
        }
    }
    bytes.truncate(PROGRAM);
    bytes
}

/// Numbers that look like chance and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}
