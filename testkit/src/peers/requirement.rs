//! What a missing program means for the test that asked for it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use super::place::Absent;
use crate::settings;

/// What happens to a test whose peer is missing.
///
/// With `COOPERAGE_REQUIRE_PEERS=1` it fails; otherwise it is skipped *aloud*: a line on standard
/// error, past the test harness that would swallow it, and one in the file that
/// `COOPERAGE_MISSING_PEERS_FILE` names, for `cargo xtask test` to list at its end.
/// A peer of the modern root that could not be made on this day is always skipped in this way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// Whether a missing peer fails its test.
    pub fails: bool,
    /// Where skipped tests are written down, one a line, appended.
    pub record: Option<PathBuf>,
}

impl Requirement {
    /// As the two variables say.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            fails: settings::is_on("COOPERAGE_REQUIRE_PEERS"),
            record: settings::path("COOPERAGE_MISSING_PEERS_FILE"),
        }
    }

    /// Reports that `peer` is missing, by panicking where it must not be.
    pub(crate) fn report(&self, peer: &str, absent: &Absent) {
        let why = match absent {
            Absent::Missing(why) => {
                assert!(
                    !self.fails,
                    "{peer} {why}, and COOPERAGE_REQUIRE_PEERS is set: \
                     install it with `cargo xtask peers install`"
                );
                why.clone()
            }
            Absent::Unavailable(why) => format!("is unavailable today: {why}"),
        };
        let line = format!("{}: {peer} {why}\n", test_name());
        // Not `eprint!`: the test harness would keep it to itself, since the test passes.
        drop(std::io::stderr().write_all(format!("SKIPPED {line}").as_bytes()));
        if let Some(path) = &self.record {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes()))
                .unwrap_or_else(|why| panic!("cannot note a skip in `{}`: {why}", path.display()));
        }
    }
}

/// The running test as `BINARY::TEST`; the harness names its threads so.
fn test_name() -> String {
    let binary = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    // cargo appends `-` and a hash to the names of test binaries.
    let binary = binary
        .rsplit_once('-')
        .map_or(binary.as_str(), |(name, _)| name);
    format!("{binary}::{}", std::thread::current().name().unwrap_or("?"))
}
