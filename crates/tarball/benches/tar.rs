//! How fast trees are made, resolved and written, and tars read.

use cooperage_tarball::{
    Attributes, BlockRules, Content, Entry, FoldOptions, ReadOptions, TarReader, Tree, TreePath,
    fold, plan_blocks,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ENTRIES: u64 = 10_000;

fn tree() -> Tree {
    let mut tree = Tree::new();
    for number in 0..ENTRIES {
        let path = format!("usr/lib/package-{}/module-{number}.py", number / 50);
        let path = TreePath::parse(&path).expect("it is a good path");
        let content = Content::bytes(vec![b'x'; number as usize % 2000]);
        tree.insert(path, Entry::file(content, Attributes::file()))
            .expect("no two are the same");
    }
    tree
}

fn tar(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tar");
    group
        .throughput(Throughput::Elements(ENTRIES))
        .sample_size(20);
    group.bench_function("a tree of 10,000 files", |bencher| bencher.iter(tree));

    let tree = tree();
    let resolve = || fold(&tree, &FoldOptions::default()).expect("the tree is sound");
    group.bench_function("resolve and plan", |bencher| {
        bencher.iter(|| {
            let resolved = resolve();
            plan_blocks(
                &resolved,
                BlockRules {
                    block_size: 1 << 20,
                },
            )
            .len()
        });
    });

    let resolved = resolve();
    group.throughput(Throughput::Bytes(resolved.tar_len()));
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            resolved
                .write_to(&mut std::io::sink())
                .expect("all is in memory");
        });
    });

    let mut tar = Vec::new();
    resolved.write_to(&mut tar).expect("all is in memory");
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let mut reader = TarReader::new(&tar[..], ReadOptions::default());
            let mut count = 0;
            while reader.next_entry().expect("the tar is sound").is_some() {
                count += 1;
            }
            count
        });
    });
    group.finish();
}

criterion_group!(benches, tar);
criterion_main!(benches);
