//! How fast bytes are named.

use cooperage_digest::{Algorithm, Hasher};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn hash(criterion: &mut Criterion) {
    let bytes = vec![7; 1 << 20];
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for (name, algorithm) in [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&bytes);
                hasher.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hash);
criterion_main!(benches);
