//! Engines and registries that all cells share: started by whoever asks first, and ended by their
//! supervisors when this process is gone.

use cooperage_testkit::containerd::{self, Containerd};
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry::{self, Registry};

use crate::matrix::Otherwise;
use crate::room::Shared;

/// The containerd of a generation.
pub(crate) fn containerd(generation: Generation) -> Result<&'static Containerd, Otherwise> {
    static ENGINES: Shared<Generation, Option<&'static Containerd>> = Shared::new();
    let start = || containerd::start(generation).map(leak);
    ENGINES.get(generation, start).ok_or(Otherwise::Absent)
}

/// The registry of a generation.
pub(crate) fn registry(generation: Generation) -> Result<&'static Registry, Otherwise> {
    static REGISTRIES: Shared<Generation, Option<&'static Registry>> = Shared::new();
    let start = || registry::start(generation).map(leak);
    REGISTRIES.get(generation, start).ok_or(Otherwise::Absent)
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
