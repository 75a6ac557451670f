//! Progress bars, for those who look at a terminal.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;

use cooperage_blob::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows a bar for each piece of work on standard error.
#[derive(Debug, Default)]
pub struct Bars {
    all: MultiProgress,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    last: u64,
    bars: BTreeMap<u64, ProgressBar>,
}

impl Bars {
    /// Bars, if somebody can see them.
    #[must_use]
    pub fn for_terminal() -> Option<Self> {
        std::io::stderr().is_terminal().then(Self::default)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        // A bar drawn wrong is all that a panic elsewhere can have left behind.
        act(&mut self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Progress for Bars {
    fn start(&self, what: &str, total: Option<u64>) -> u64 {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg:30!} {bar:30} {bytes:>11} / {total_bytes}",
            ),
            None => (ProgressBar::new_spinner(), "{msg:30!} {bytes:>11}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = self
            .all
            .add(bar.with_style(style).with_message(what.to_owned()));
        self.with(|running| {
            running.last += 1;
            running.bars.insert(running.last, bar);
            running.last
        })
    }

    fn advance(&self, id: u64, bytes: u64) {
        if let Some(bar) = self.with(|running| running.bars.get(&id).cloned()) {
            bar.inc(bytes);
        }
    }

    fn finish(&self, id: u64) {
        if let Some(bar) = self.with(|running| running.bars.remove(&id)) {
            bar.finish_and_clear();
        }
    }
}
