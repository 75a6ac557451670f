//! Layers that are made at the same time.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use cooperage_blob::{Memory, Progress};
use cooperage_plan::{BuildOptions, PlanFile, build};

/// No layer goes on before `wanted` of them have begun, or a minute has passed.
struct Meeting {
    wanted: usize,
    /// How many are being made, and how many were at one time at most.
    counts: Mutex<(usize, usize)>,
    more: Condvar,
}

impl Meeting {
    fn of(wanted: usize) -> Self {
        Self {
            wanted,
            counts: Mutex::default(),
            more: Condvar::new(),
        }
    }
}

impl Progress for Meeting {
    fn start(&self, _what: &str, _total: Option<u64>) -> u64 {
        let mut counts = self.counts.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        self.more.notify_all();
        let patience = Duration::from_secs(60);
        let wait = |counts: &mut (usize, usize)| counts.1 < self.wanted;
        drop(
            self.more
                .wait_timeout_while(counts, patience, wait)
                .unwrap(),
        );
        0
    }

    fn advance(&self, _id: u64, _bytes: u64) {}

    fn finish(&self, _id: u64) {
        self.counts.lock().unwrap().0 -= 1;
    }
}

/// Two of an image's layers, if there are two threads; never three, which would need their blocks'
/// memory.
#[test]
fn two_layers_are_made_at_the_same_time() {
    let head = r#"{"plan":"image","version":1}"#;
    let layers = ["a", "b", "c", "d"]
        .map(|name| format!("{{\"layer\":{{}}}}\n{{\"path\":\"{name}\",\"text\":\"{name}\"}}"));
    let text = format!("{head}\n{}", layers.join("\n"));
    let PlanFile::Plan(plan) = PlanFile::parse(text.as_bytes()).unwrap() else {
        panic!("a layer plan");
    };
    let digests = [(1, 1), (2, 2), (7, 2)].map(|(threads, most)| {
        let meeting = Meeting::of(most);
        let options = BuildOptions {
            root: Path::new(""),
            threads: NonZeroUsize::new(threads).unwrap(),
            progress: &meeting,
            ..BuildOptions::default()
        };
        let built = build(&plan, &Memory::new(), &options).unwrap();
        assert_eq!(*meeting.counts.lock().unwrap(), (0, most), "{threads}");
        built.descriptor.digest
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}
