//! Files and directories that a target needs, made once for each thread.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

thread_local! {
    static FILE: RefCell<Option<tempfile::NamedTempFile>> = const { RefCell::new(None) };
    static DIRECTORY: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// Gives `use_it` the path of a file with these bytes.
pub(crate) fn file<T>(bytes: &[u8], use_it: impl FnOnce(&Path) -> T) -> T {
    FILE.with_borrow_mut(|kept| {
        let file =
            kept.get_or_insert_with(|| tempfile::NamedTempFile::new().expect("a temporary file"));
        let handle: &mut File = file.as_file_mut();
        handle.set_len(0).expect("a file that can be cut");
        handle.rewind().expect("a file that can be rewound");
        handle.write_all(bytes).expect("room for a small file");
        use_it(file.path())
    })
}

/// Gives `use_it` a directory, empty but for what it left there itself.
pub(crate) fn directory<T>(use_it: impl FnOnce(&Path) -> T) -> T {
    DIRECTORY.with_borrow_mut(|kept| {
        let directory =
            kept.get_or_insert_with(|| tempfile::tempdir().expect("a temporary directory"));
        use_it(directory.path())
    })
}

/// Writes a file below `directory`, with its parents.
pub(crate) fn put(directory: &Path, path: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(path);
    if fs::write(&path, bytes).is_err() {
        let parent = path.parent().expect("it is below a directory");
        fs::create_dir_all(parent).expect("a directory that can be made");
        fs::write(&path, bytes).expect("room for a small file");
    }
    path
}
