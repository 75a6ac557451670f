//! Values that must not change unseen: digests, block tables, documents.
//!
//! They lie in `testkit/golden/STAGE.json`, one file a stage, and change by
//! `cargo xtask golden --bless` alone, together with a line in the changelog.
//!
//! ```no_run
//! # let diff_id = "sha256:0";
//! cooperage_testkit::golden::check("tar/folded", diff_id);
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::{host, settings};

/// Asserts that `value` is what is stored as `name`, which is `STAGE/NAME`.
///
/// With `COOPERAGE_BLESS=1` it is stored instead; any number of test processes may do so at once.
#[track_caller]
pub fn check(name: &str, value: impl Into<Value>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mode = if settings::is_on("COOPERAGE_BLESS") {
        Mode::Bless
    } else {
        Mode::Compare
    };
    check_in(&directory, name, value.into(), mode);
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Compare,
    Bless,
}

#[track_caller]
fn check_in(directory: &Path, name: &str, value: Value, mode: Mode) {
    let (stage, key) = name
        .split_once('/')
        .expect("a golden value is named STAGE/NAME");
    let file = directory.join(format!("{stage}.json"));
    if mode == Mode::Bless {
        bless(directory, &file, key, value)
            .unwrap_or_else(|why| panic!("cannot store `{name}` in {}: {why}", file.display()));
        return;
    }
    let stored = read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let Some(expected) = stored.get(key) else {
        panic!("there is no golden value `{name}`; it is {value}; store it: {HOW}")
    };
    assert!(
        *expected == value,
        "golden value `{name}` changed\n  stored: {expected}\n  actual: {value}\n\
         Users' digests change with it. If that is meant: {HOW}, and say so in the changelog."
    );
}

const HOW: &str = "`cargo xtask golden --bless`";

/// Every value of a stage; none when nothing was stored yet.
fn read(file: &Path) -> io::Result<BTreeMap<String, Value>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(why) => Err(why),
    }
}

fn bless(directory: &Path, file: &Path, key: &str, value: Value) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // The directory itself is the lock: no file beside the values has to be kept out of git.
    // It is opened here, so two threads of one process exclude each other too.
    let _held = host::lock_directory(directory)?;
    let mut values = read(file)?;
    if values.get(key) == Some(&value) {
        return Ok(());
    }
    values.insert(key.to_owned(), value);
    let mut text = serde_json::to_string_pretty(&values)?;
    text.push('\n');
    let mut young = host::temporary_file(directory)?;
    young.write_all(text.as_bytes())?;
    young.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blessing_at_once_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::thread::scope(|scope| {
            for n in 0..32 {
                scope.spawn(move || check_in(path, &format!("stage/{n}"), n.into(), Mode::Bless));
            }
        });
        for n in 0..32 {
            check_in(path, &format!("stage/{n}"), n.into(), Mode::Compare);
        }
    }

    #[test]
    #[should_panic(expected = "stored: 1\n  actual: 2")]
    fn a_change_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        check_in(directory.path(), "stage/value", 1.into(), Mode::Bless);
        check_in(directory.path(), "stage/value", 2.into(), Mode::Compare);
    }

    #[test]
    #[should_panic(expected = "no golden value `stage/value`; it is \"new\"")]
    fn a_new_value_is_not_taken_unasked() {
        let directory = tempfile::tempdir().unwrap();
        check_in(directory.path(), "stage/value", "new".into(), Mode::Compare);
    }
}
