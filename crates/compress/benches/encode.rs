//! How fast blocks are compressed, on one thread and on two; and by other libraries, on one:
//! `gzip-1` is zlib-rs, and `miniz_oxide` is here by itself.

use std::num::NonZeroUsize;

use cooperage_compress::{Codec, EncoderId, Encoding, encode_blocks};
use cooperage_testkit::ragged::Numbers;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn encode(criterion: &mut Criterion) {
    let text = Numbers::new(1).text(16 << 20);
    let mut group = criterion.benchmark_group("encode");
    group
        .throughput(Throughput::Bytes(text.len() as u64))
        .sample_size(10);
    let level = |id: EncoderId, level| {
        Encoding::new(id, level, id.default_block_size()).expect("it is a level")
    };
    let others = [Encoding::of(Codec::None), Encoding::of(Codec::Zstd)].into_iter();
    let gzip = [1, 3, 5, 6, 7].into_iter();
    let gzip = gzip.flat_map(|n| [EncoderId::Gzip1, EncoderId::Gzip2].map(|id| level(id, n)));
    for encoding in others.chain(gzip) {
        let blocks: Vec<_> = text.chunks(encoding.block_size() as usize).collect();
        for threads in [1, 2] {
            let id = BenchmarkId::new(
                format!("{} {}", encoding.encoder(), encoding.level()),
                threads,
            );
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
    for level in [1, 3, 5, 6, 9] {
        group.bench_function(
            BenchmarkId::new(format!("miniz_oxide {level}"), 1),
            |bencher| {
                let deflate = |block| miniz_oxide::deflate::compress_to_vec(block, level).len();
                bencher.iter(|| text.chunks(1 << 20).map(deflate).sum::<usize>());
            },
        );
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
