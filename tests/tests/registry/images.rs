//! What is pushed.

use std::collections::BTreeMap;

use cooperage_blob::{Memory, Root, put};
use cooperage_commit::{
    Edit, MediaTypes, PackOptions, Recipe, Step, form, form_index, pack, write,
};
use cooperage_compress::{Codec, Encoding};
use cooperage_image_spec::Descriptor;
use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};
use cooperage_testkit::peers;
use cooperage_testkit::ragged::Numbers;

/// An image or an index, in memory.
pub(crate) struct Image {
    pub(crate) memory: Memory,
    pub(crate) descriptor: Descriptor,
}

impl Image {
    pub(crate) fn root(&self, name: &str) -> Root {
        Root::named(name, self.descriptor.clone())
    }

    pub(crate) fn digest(&self) -> String {
        self.descriptor.digest.to_string()
    }
}

fn tree(path: &str, bytes: Vec<u8>, attributes: Attributes) -> Tree {
    let mut tree = Tree::new();
    let path = TreePath::parse(path).expect("a path");
    let entry = Entry::file(Content::bytes(bytes), attributes);
    tree.insert(path, entry).expect("the only one");
    tree
}

fn options(codec: Codec) -> PackOptions<'static> {
    PackOptions {
        encoding: Encoding::of(codec),
        ..PackOptions::default()
    }
}

/// A layer of one file of so many bytes, which depend on `seed` alone.
fn layer(seed: u64, length: usize, codec: Codec, memory: &Memory) -> Step {
    let bytes = Numbers::new(seed).bytes(length);
    let tree = tree(&format!("srv/{seed}"), bytes, Attributes::file());
    Step::layer(pack(&tree, &options(codec), memory).expect("it is packed"))
}

fn manifest(recipe: &Recipe, memory: &Memory) -> Descriptor {
    let image = form(None, recipe).expect("an image");
    write(&image, memory).expect("memory takes it")
}

/// An image whose layers have about these lengths, not compressed, and bytes that depend on `seed`
/// alone.
pub(crate) fn image(seed: u64, lengths: &[usize]) -> Image {
    let memory = Memory::new();
    let layers = (0..).zip(lengths);
    let layers =
        layers.map(|(number, length)| layer(seed * 100 + number, *length, Codec::None, &memory));
    let recipe = Recipe {
        steps: layers.collect(),
        ..Recipe::default()
    };
    let descriptor = manifest(&recipe, &memory);
    Image { memory, descriptor }
}

/// An image of two small layers, compressed by gzip.
pub(crate) fn compressed(seed: u64, media_types: MediaTypes) -> Image {
    let memory = Memory::new();
    let layers = [seed * 100, seed * 100 + 1];
    let recipe = Recipe {
        steps: layers
            .map(|seed| layer(seed, 50_000, Codec::Gzip, &memory))
            .to_vec(),
        media_types,
        ..Recipe::default()
    };
    let descriptor = manifest(&recipe, &memory);
    Image { memory, descriptor }
}

/// An index of images for two platforms, compressed by gzip.
pub(crate) fn index(seed: u64, media_types: MediaTypes) -> Image {
    let memory = Memory::new();
    let platforms = [(seed * 100, "linux/amd64"), (seed * 100 + 1, "linux/arm64")];
    let manifests = platforms.map(|(seed, platform)| {
        let recipe = Recipe {
            platform: Some(platform.parse().expect("a platform")),
            steps: vec![layer(seed, 10_000, Codec::Gzip, &memory)],
            media_types,
            ..Recipe::default()
        };
        manifest(&recipe, &memory)
    });
    let index = form_index(manifests.to_vec(), BTreeMap::new(), media_types).expect("an index");
    let media_type = index.value().media_type.clone().expect("it says its type");
    let descriptor = put(&memory, media_type, index.raw()).expect("memory takes it");
    Image { memory, descriptor }
}

/// An image that runs: busybox, which echoes `words`. `None` once its absence was reported.
pub(crate) fn runnable(words: &str) -> Option<Image> {
    let busybox = peers::tool("busybox")?;
    let bytes = std::fs::read(busybox.path()).expect("it can be read");
    let memory = Memory::new();
    let tree = tree("bin/busybox", bytes, Attributes::executable());
    let packed = pack(&tree, &PackOptions::default(), &memory).expect("it is packed");
    let mut recipe = Recipe::default();
    recipe.steps.push(Step::layer(packed));
    recipe.config.entrypoint =
        Edit::Set(["/bin/busybox", "echo", words].map(str::to_owned).to_vec());
    let descriptor = manifest(&recipe, &memory);
    Some(Image { memory, descriptor })
}
