//! How fast a tree becomes a layer: all of it, but for a disk.

use cooperage_blob::Memory;
use cooperage_commit::{PackOptions, pack};
use cooperage_compress::{Codec, Encoding};
use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};
use cooperage_testkit::ragged::Numbers;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn layer(criterion: &mut Criterion) {
    let mut numbers = Numbers::new(1);
    let mut tree = Tree::new();
    let mut bytes = 0;
    for number in 0..500 {
        let length = if number % 50 == 0 { 500_000 } else { 8_000 };
        let path = format!("srv/{number}");
        let path = TreePath::parse(&path).expect("it is a good path");
        let content = Content::bytes(numbers.text(length));
        tree.insert(path, Entry::file(content, Attributes::file()))
            .expect("no two are the same");
        bytes += length as u64;
    }
    let mut group = criterion.benchmark_group("pack");
    group.throughput(Throughput::Bytes(bytes)).sample_size(10);
    for codec in Codec::ALL {
        let options = PackOptions {
            encoding: Encoding::of(codec),
            ..PackOptions::default()
        };
        group.bench_function(codec.as_str(), |bencher| {
            bencher.iter(|| pack(&tree, &options, &Memory::new()).expect("all is in memory"));
        });
    }
    group.finish();
}

criterion_group!(benches, layer);
criterion_main!(benches);
