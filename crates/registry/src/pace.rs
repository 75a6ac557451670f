//! Time, as far as it is needed: to wait, and to tell when a token has run out.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

/// Waits, and measures how much time passes. Nothing of it reaches a digest.
pub trait Pace: Send + Sync + Debug {
    /// The time since some moment before, always the same one.
    fn now(&self) -> Duration;

    /// Returns after that time.
    fn sleep(&self, time: Duration);

    /// Any time up to `most`, another one each time: many clients that were refused together are
    /// not to come back together.
    fn spread(&self, most: Duration) -> Duration;
}

/// The machine's time.
#[derive(Clone, Copy, Debug)]
pub struct SystemPace(Instant);

impl Default for SystemPace {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Pace for SystemPace {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn spread(&self, most: Duration) -> Duration {
        // Keyed anew each time, which is random enough to spread.
        let random = RandomState::new().build_hasher().finish();
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(random % most.saturating_add(1))
    }
}
