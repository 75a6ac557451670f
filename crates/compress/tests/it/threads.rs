//! Nothing hangs: not many blocks, not failures, not panics, not a slow sink.

use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cooperage_compress::{
    Blocks, Codec, EncodeError, Encoder, EncoderId, Encoding, MIN_BLOCK_SIZE, Workers,
    encode_blocks,
};
use cooperage_testkit::ragged::Numbers;

use crate::{decode, encode, every_codec, threads};

/// Runs `test`, and ends the process with a word when it does not end by itself.
fn watched(test: impl FnOnce()) {
    let (done, wait) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("?").to_owned();
    let watchdog = thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Not `eprintln!`: the test harness would keep it to itself.
            drop(writeln!(io::stderr(), "{name} hangs"));
            std::process::abort();
        }
    });
    test();
    drop(done);
    watchdog.join().unwrap();
}

/// Blocks made by a function, which fails or panics where it likes, and counts its calls.
struct Made<F> {
    count: usize,
    make: F,
    calls: AtomicUsize,
}

impl<F: Fn(usize, &mut Vec<u8>) -> Result<(), String> + Sync> Made<F> {
    fn new(count: usize, make: F) -> Self {
        Self {
            count,
            make,
            calls: AtomicUsize::new(0),
        }
    }
}

impl<F: Fn(usize, &mut Vec<u8>) -> Result<(), String> + Sync> Blocks for Made<F> {
    type Error = String;

    fn count(&self) -> usize {
        self.count
    }

    fn read(&self, index: usize, out: &mut Vec<u8>) -> Result<(), String> {
        assert!(out.is_empty());
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.make)(index, out)
    }
}

/// The prototype of this engine stood still on such a mix: a worker took a block before it had a
/// buffer for it.
#[test]
fn many_tiny_and_many_incompressible_blocks() {
    watched(|| {
        let noise = Numbers::new(1).bytes(128 << 10);
        let made = Made::new(5_000, |index, out| {
            match index % 8 {
                // The oldest block is often the slowest.
                0 if index % 64 == 0 => out.extend_from_slice(&noise),
                0 => out.extend_from_slice(&noise[..index % 30_000]),
                1 => {}
                _ => out.extend_from_slice(&index.to_le_bytes()[..index % 8]),
            }
            Ok(())
        });
        for encoding in every_codec() {
            let one = encode(&made, &encoding, 1);
            for n in [2, 3, 16] {
                assert!(encode(&made, &encoding, n) == one);
            }
        }
    });
}

#[test]
fn no_more_blocks_are_in_memory_than_promised() {
    watched(|| {
        for n in [2_usize, 5] {
            let read = AtomicUsize::new(0);
            let made = Made::new(400, |_, out| {
                read.fetch_add(1, Ordering::SeqCst);
                out.push(1);
                Ok(())
            });
            let mut written = 0;
            let encoding = Encoding::default();
            encode_blocks(&made, &encoding, threads(n), &mut |raw, _| {
                if written % 50 == 0 {
                    thread::sleep(Duration::from_millis(20));
                }
                let ahead = read.load(Ordering::SeqCst) - written;
                assert!(ahead <= n + 3, "{ahead} blocks for {n} threads");
                written += raw.len();
                Ok(())
            })
            .unwrap();
            assert_eq!(written, 400);
        }
    });
}

/// How many blocks are begun before the first one is stored, which takes far longer than the others
/// together.
fn begun_before_the_first_is_stored(small: &[u8]) -> usize {
    let large = Numbers::new(7).bytes(4 << 20);
    let made = Made::new(100, |index, out| {
        out.extend_from_slice(if index == 0 { &large } else { small });
        Ok(())
    });
    let encoding = Encoding::new(EncoderId::Zstd1, 19, 4 << 20).unwrap();
    let mut begun = None;
    encode_blocks(&made, &encoding, threads(2), &mut |_, stored| {
        if !stored.is_empty() {
            begun.get_or_insert(made.calls.load(Ordering::Relaxed));
        }
        Ok(())
    })
    .unwrap();
    begun.unwrap()
}

/// One slow block does not make the other threads wait, where what they make meanwhile is small.
#[test]
fn memory_is_counted_by_what_blocks_take_when_they_are_stored() {
    watched(|| {
        let noise = Numbers::new(8).bytes(64 << 10);
        assert!(begun_before_the_first_is_stored(&vec![0; 64 << 10]) > 50);
        assert!(begun_before_the_first_is_stored(&noise) <= 2 + 3);
    });
}

/// Also when there are more layers than blocks may be in memory.
#[test]
fn layers_share_threads_and_memory() {
    watched(|| {
        for (n, layers) in [(1, 3), (2, 2), (2, 9), (5, 20)] {
            let workers = Workers::new(threads(n));
            let (ahead, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let check = |layer: usize| {
                let made = Made::new(30 + layer, |index, out| {
                    most.fetch_max(ahead.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    out.resize(1 + index * layer, 1);
                    Ok(())
                });
                let mut stored = Vec::new();
                let encoding = Encoding::default();
                let mut sink = |raw: &[u8], bytes: &[u8]| {
                    ahead.fetch_sub(usize::from(!raw.is_empty()), Ordering::SeqCst);
                    stored.extend_from_slice(bytes);
                    Ok(())
                };
                workers.encode_blocks(&made, &encoding, &mut sink).unwrap();
                let blocks: Vec<_> = (0..30 + layer).map(|at| vec![1; 1 + at * layer]).collect();
                let alone = encode(&blocks[..], &encoding, 1).stored;
                assert_eq!(stored, alone);
            };
            thread::scope(|scope| {
                for layer in 0..layers {
                    let check = &check;
                    scope.spawn(move || check(layer));
                }
            });
            let most = most.into_inner();
            assert!(most <= n + 3, "{most} blocks for {n} threads");
        }
    });
}

#[test]
fn the_first_failure_in_the_order_of_blocks_is_told() {
    watched(|| {
        for n in [1, 2, 5, 16] {
            let made = Made::new(10_000, |index, out| match index {
                // Later blocks fail sooner.
                40 => {
                    thread::sleep(Duration::from_millis(30));
                    Err("forty".into())
                }
                41..50 => Err(format!("{index}")),
                _ => {
                    out.push(0);
                    Ok(())
                }
            });
            let mut written = 0;
            let result = encode_blocks(&made, &Encoding::default(), threads(n), &mut |raw, _| {
                written += raw.len();
                Ok(())
            });
            match result {
                Err(EncodeError::Read { index: 40, source }) => assert_eq!(source, "forty"),
                other => panic!("{n} threads: {other:?}"),
            }
            assert_eq!(written, 40, "{n} threads");
            let calls = made.calls.load(Ordering::Relaxed);
            assert!(
                calls <= 40 + 2 * n + 3,
                "went on after the failure: {calls} calls"
            );
        }
    });
}

#[test]
fn a_failing_sink_ends_it() {
    watched(|| {
        for n in [1, 2, 16] {
            for at in [0, 1, 30] {
                let made = Made::new(100_000, |_, out| {
                    out.push(0);
                    Ok(())
                });
                let mut left = at;
                let result = encode_blocks(&made, &Encoding::default(), threads(n), &mut |_, _| {
                    if left == 0 {
                        return Err(io::ErrorKind::StorageFull.into());
                    }
                    left -= 1;
                    Ok(())
                });
                let Err(EncodeError::Write(error)) = result else {
                    panic!("{result:?}")
                };
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                assert!(made.calls.load(Ordering::Relaxed) <= at + 2 * n + 4);
            }
        }
    });
}

#[test]
fn a_panic_reaches_the_caller() {
    watched(|| {
        for n in [1, 2, 16] {
            let made = Made::new(1_000, |index, out| {
                assert!(index != 20, "block twenty");
                out.push(0);
                Ok(())
            });
            let encoding = Encoding::of(Codec::Zstd);
            let run = AssertUnwindSafe(|| {
                encode_blocks(&made, &encoding, threads(n), &mut |_, _| Ok(()))
            });
            let payload = panic::catch_unwind(run).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"block twenty"), "{n} threads");

            let made = Made::new(1_000, |_, out| {
                out.push(0);
                Ok(())
            });
            let run = AssertUnwindSafe(|| {
                encode_blocks(&made, &encoding, threads(n), &mut |_, _| panic!("full"))
            });
            let payload = panic::catch_unwind(run).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"full"), "{n} threads");
        }
    });
}

/// Fails once when it holds more than the header, then takes everything.
#[derive(Debug, Default)]
struct FailsOnce {
    held: usize,
    failed: bool,
}

impl io::Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held > 10 && !std::mem::replace(&mut self.failed, true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.held += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_encoder_that_failed_stays_failed() {
    let encoding = Encoding::default().with_block_size(MIN_BLOCK_SIZE).unwrap();
    let mut encoder = Encoder::new(FailsOnce::default(), encoding).unwrap();
    let noise = Numbers::new(3).bytes(1 << 20);
    let error = encoder.write_all(&noise).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(
        encoder
            .write_all(&noise)
            .unwrap_err()
            .to_string()
            .contains("earlier write")
    );
    assert!(
        encoder
            .finish()
            .unwrap_err()
            .to_string()
            .contains("earlier write")
    );
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    watched(|| {
        let made = Made::new(300, |index, out| {
            out.extend_from_slice(&[index as u8; 3_000]);
            Ok(())
        });
        thread::scope(|scope| {
            for encoding in every_codec().chain(every_codec()) {
                let made = &made;
                scope.spawn(move || {
                    let layer = encode(made, &encoding, 4);
                    assert_eq!(decode(encoding.codec(), &layer.stored).len(), 900_000);
                });
            }
        });
    });
}
