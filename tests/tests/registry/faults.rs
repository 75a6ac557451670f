//! Two hundred runs behind a proxy that cuts, delays, refuses and lies: either the right image
//! arrives, complete and verified, or an error says what went wrong and nothing is half published.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cooperage_layout::Layout;
use cooperage_registry::Client;
use cooperage_testkit::faults::{Proxy, Rule, seeded};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::Registry;

use crate::images::{Image, image};
use crate::support::{check_layout, client, options, pull, push, shared, words};

const RUNS: u64 = 200;
/// Lengths of the layers, in bytes: connections are cut in all of them, and between.
const LENGTHS: [usize; 4] = [3_000_000, 200_000, 30_000, 600];

/// How many runs ended how.
#[derive(Debug, Default)]
struct Count {
    befallen: AtomicU64,
    pushed: AtomicU64,
    pulled: AtomicU64,
    failed: AtomicU64,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

struct Run<'a> {
    seed: u64,
    registry: &'a Registry,
    elsewhere: &'a str,
    image: &'a Image,
    count: &'a Count,
}

#[test]
fn two_hundred_runs_end_well_or_clearly() {
    let Some(registry) = shared(Generation::Stable) else {
        return;
    };
    // Where clients are sent to: another way to the same registry.
    let elsewhere = Proxy::start(registry.address(), Vec::new());
    let images = [1, 2].map(|seed| image(seed, &LENGTHS));
    let (next, count) = (AtomicU64::new(0), Count::default());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= RUNS {
                        return;
                    }
                    let run = Run {
                        seed,
                        registry,
                        elsewhere: elsewhere.address(),
                        // Seeds of both parities get both.
                        image: &images[usize::from(seed / 2 % 2 == 1)],
                        count: &count,
                    };
                    // The other runs are made all the same, and each that fails has said why.
                    let run = AssertUnwindSafe(|| {
                        run.push();
                        run.pull();
                    });
                    if catch_unwind(run).is_err() {
                        failed.lock().expect("nobody panics here").push(seed);
                    }
                }
            });
        }
    });
    println!("{count:?}");
    let failed = failed.into_inner().expect("nobody panics here");
    assert_eq!(failed, Vec::<u64>::new(), "these seeds failed, see above");
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!(
        get(&count.pushed) + get(&count.pulled) + get(&count.failed),
        2 * RUNS
    );
    // A proxy that did nothing would prove nothing, and so would one that nothing gets past.
    assert!(get(&count.befallen) > RUNS, "{count:?}");
    assert!(get(&count.failed) > RUNS / 20, "{count:?}");
}

/// One that tries more often than the rules of one seed can take together.
fn patient() -> Client {
    let mut options = options();
    options.retry.attempts = NonZeroU32::new(9).expect("not zero");
    client(options)
}

impl Run<'_> {
    /// Even seeds have nothing but faults that pass.
    fn rules(&self, direction: u64) -> Vec<Rule> {
        seeded(self.seed + direction * 1000, self.elsewhere)
    }

    fn story(&self, proxy: &Proxy) -> String {
        let seen = proxy.seen();
        if seen.iter().any(|it| it.fault.is_some()) {
            add(&self.count.befallen);
        }
        let lines: Vec<_> = seen.iter().map(|seen| format!("  {seen}")).collect();
        format!("seed {}:\n{}", self.seed, lines.join("\n"))
    }

    /// An error names what it is about, and a fault that passes is none.
    #[track_caller]
    fn check_error(&self, error: &cooperage_blob::Error, address: &str, story: &str) {
        add(&self.count.failed);
        let said = words(error);
        assert!(self.seed % 2 == 1, "it passes by: {said}\n{story}");
        // Bytes that are wrong are noticed by who writes them, and told by their digest.
        let name = format!("{address}/run{}", self.seed);
        let is_clear = said.contains(&name) || (error.is_mismatch() && said.contains("sha256:"));
        assert!(is_clear, "`{name}` is not in: {said}\n{story}");
    }

    fn push(&self) {
        let proxy = Proxy::start(self.registry.address(), self.rules(0));
        let name = format!("run{}", self.seed);
        let result = push(
            self.image,
            &patient(),
            proxy.address(),
            &format!("{name}:1"),
        );
        let story = self.story(&proxy);
        match &result {
            Ok(_) => add(&self.count.pushed),
            Err(error) => self.check_error(error, proxy.address(), &story),
        }
        let there = self.registry.manifest(&name, "1").map(|it| it.0);
        match there {
            // An answer that was lost may have been a good one.
            None => assert!(result.is_err(), "it is not there\n{story}"),
            Some(digest) => {
                assert_eq!(digest, self.image.digest(), "{story}");
                let missing = self.registry.missing(&name, "1");
                assert_eq!(missing, Vec::<String>::new(), "{story}");
            }
        }
    }

    fn pull(&self) {
        let name = format!("run{}:1", self.seed);
        // Whatever became of the push.
        push(self.image, &patient(), self.registry.address(), &name).expect("no fault at all");
        let proxy = Proxy::start(self.registry.address(), self.rules(1));
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::create(&directory.path().join("layout")).expect("a layout");
        let result = pull(&patient(), proxy.address(), &name, &layout);
        let story = self.story(&proxy);
        match &result {
            Ok(_) => add(&self.count.pulled),
            Err(error) => self.check_error(error, proxy.address(), &story),
        }
        check_layout(&layout, result.is_ok().then_some(self.image));
        let seen = proxy.seen();
        let most = seen.iter().map(|seen| seen.sent).max().unwrap_or(0);
        // What lies about its length is not read to its end; buffers of both sides are in between.
        assert!(most < 64 << 20, "{most} bytes were taken\n{story}");
    }
}
