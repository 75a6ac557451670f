//! What is called before a process makes its first temporary file: it has but one.

use std::sync::atomic::{AtomicUsize, Ordering};

use cooperage_staging::{TemporaryDirectory, TemporaryFile, before_the_first};

static CALLS: AtomicUsize = AtomicUsize::new(0);

fn prepare() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn it_is_called_once_before_the_first_and_at_once_after_it() {
    let calls = || CALLS.load(Ordering::Relaxed);
    before_the_first(|| unreachable!("another one took its place"));
    before_the_first(prepare);
    assert_eq!(calls(), 0);
    let directory = TemporaryDirectory::private().unwrap();
    assert_eq!(calls(), 1);
    TemporaryFile::beside(&directory.path().join("file")).unwrap();
    assert_eq!(calls(), 1);
    before_the_first(prepare);
    assert_eq!(calls(), 2);
}
