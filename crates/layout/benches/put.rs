//! How long a blob takes to be in a layout, durably: what the disk takes, above all.

use cooperage_blob::put;
use cooperage_image_spec::MediaType;
use cooperage_layout::Layout;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn blobs(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let layout = Layout::create(directory.path()).expect("it is empty");
    let mut group = criterion.benchmark_group("put");
    group.sample_size(10);
    let mut number = 0_u64;
    for length in [1 << 10, 1 << 20, 16 << 20] {
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter(|| {
                // Another one each time: what is there already is not written.
                number += 1;
                let mut bytes = vec![0; length];
                bytes[..8].copy_from_slice(&number.to_le_bytes());
                put(&layout, MediaType::new("text/plain"), &bytes).expect("the disk has room")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, blobs);
criterion_main!(benches);
