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
        let line = self.line(peer, absent);
        // Not `eprint!`: the test harness would keep it to itself, since the test passes.
        drop(std::io::stderr().write_all(format!("SKIPPED {line}").as_bytes()));
        self.note(&line);
    }

    fn line(&self, peer: &str, absent: &Absent) -> String {
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
        format!("{}: {peer} {why}\n", test_name())
    }

    fn note(&self, line: &str) {
        let Some(path) = &self.record else { return };
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|why| panic!("cannot note a skip in `{}`: {why}", path.display()));
    }
}

/// The running test as `PACKAGE::TEST`; the harness names its threads so.
fn test_name() -> String {
    let package = settings::text("CARGO_PKG_NAME").unwrap_or_else(|| "?".to_owned());
    format!(
        "{package}::{}",
        std::thread::current().name().unwrap_or("?")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written down about a peer that is `absent`.
    fn recorded(fails: bool, absent: &Absent) -> String {
        let record = tempfile::NamedTempFile::new().unwrap();
        let requirement = Requirement {
            fails,
            record: Some(record.path().to_owned()),
        };
        requirement.note(&requirement.line("skopeo (stable)", absent));
        std::fs::read_to_string(record.path()).unwrap()
    }

    #[test]
    fn a_skip_is_written_down() {
        let line = recorded(false, &Absent::Missing("is missing".to_owned()));
        assert!(
            line.starts_with("cooperage-testkit::peers::requirement::tests::"),
            "{line}"
        );
        assert!(
            line.ends_with("a_skip_is_written_down: skopeo (stable) is missing\n"),
            "{line}"
        );
    }

    #[test]
    #[should_panic(expected = "install it with `cargo xtask peers install`")]
    fn a_required_peer_fails_its_test() {
        recorded(true, &Absent::Missing("is missing".to_owned()));
    }

    #[test]
    fn a_root_that_cannot_be_made_is_excused() {
        let line = recorded(true, &Absent::Unavailable("no base system".to_owned()));
        assert!(
            line.ends_with("(stable) is unavailable today: no base system\n"),
            "{line}"
        );
    }
}
