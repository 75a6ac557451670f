//! Every seed, and every input that ever failed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cooperage_fuzz::TARGETS;

fn inputs(directory: &Path) -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "sorted before anyone sees it")]
    let listed = fs::read_dir(directory);
    let mut paths: Vec<_> = listed
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a directory that can be read").path())
        .collect();
    paths.sort();
    paths
}

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The seeds of a target.
pub(crate) fn seeds(target: &str) -> Vec<PathBuf> {
    inputs(&root("corpus").join(target))
}

#[test]
fn every_seed_and_every_input_that_ever_failed() {
    let mut failed = Vec::new();
    for target in TARGETS {
        let seeds = seeds(target.name);
        assert!(seeds.len() >= 3, "`{}` has too few seeds", target.name);
        for path in seeds
            .into_iter()
            .chain(inputs(&root("regressions").join(target.name)))
        {
            let bytes = fs::read(&path).expect("a seed that can be read");
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes))).is_err() {
                failed.push(format!("{}: {}", target.name, path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn no_input_belongs_to_a_target_that_is_not_there() {
    for kind in ["corpus", "regressions"] {
        for directory in inputs(&root(kind)) {
            let name = directory.file_name().and_then(|name| name.to_str());
            let name = name.expect("a name");
            assert!(
                cooperage_fuzz::find(name).is_some(),
                "`{kind}/{name}` belongs to no target"
            );
        }
    }
}
