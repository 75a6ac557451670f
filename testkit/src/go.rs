//! Programs in Go, for what only its own library shows.

use std::path::Path;
use std::process::Command;

use crate::peers;

/// Builds a program of one file, with nothing but Go's own library; `false` where there is no Go
/// and it need not be there. `kept` is a directory that outlives the test: Go compiles its library
/// into it.
#[must_use]
pub fn build(source: &Path, program: &Path, kept: &Path) -> bool {
    // Where Go's own archive puts it, else where a distribution does.
    let own = Path::new("/usr/local/go/bin/go");
    let go = if own.is_file() {
        own.to_owned()
    } else if let Some(go) = peers::tool("go") {
        go.path().to_owned()
    } else {
        return false;
    };
    let path = tempfile::tempdir().expect("room for a directory");
    let built = Command::new(go)
        .arg("build")
        .arg("-o")
        .args([program, source])
        .env("GOCACHE", kept.join("go-cache"))
        .env("GOPATH", path.path())
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "off")
        .output()
        .expect("go starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    true
}
