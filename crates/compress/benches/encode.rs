//! How fast blocks are compressed, on one thread and on two.

use std::num::NonZeroUsize;

use cooperage_compress::{Codec, Encoding, encode_blocks};
use cooperage_testkit::ragged::Numbers;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn encode(criterion: &mut Criterion) {
    let text = Numbers::new(1).text(16 << 20);
    let mut group = criterion.benchmark_group("encode");
    group
        .throughput(Throughput::Bytes(text.len() as u64))
        .sample_size(10);
    for codec in Codec::ALL {
        let encoding = Encoding::of(codec);
        let blocks: Vec<_> = text.chunks(encoding.block_size() as usize).collect();
        for threads in [1, 2] {
            let id = BenchmarkId::new(codec.as_str(), threads);
            let threads = NonZeroUsize::new(threads).expect("it is one or two");
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let mut stored = 0;
                    let mut sink = |_: &[u8], bytes: &[u8]| {
                        stored += bytes.len();
                        Ok(())
                    };
                    encode_blocks(&blocks[..], &encoding, threads, &mut sink)
                        .expect("nothing here can fail");
                    stored
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
