//! The tests of unpacking once more, by someone who is not root.

use std::os::unix::fs::PermissionsExt as _;

use cooperage_testkit::peers;

#[test]
fn all_of_it_again() {
    let Some(setpriv) = peers::tool_of_root("setpriv") else {
        return;
    };
    // Where the tests were built, a user may have no access.
    let made = tempfile::tempdir().unwrap();
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(made.path(), open(0o755)).unwrap();
    let program = made.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, open(0o755)).unwrap();
    let own = made.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::os::unix::fs::chown(&own, Some(12_345), Some(12_345)).unwrap();
    let user = [
        "--reuid=12345",
        "--regid=12345",
        "--clear-groups",
        "--no-new-privs",
        "--",
    ];
    let output = setpriv
        .command(user)
        .arg(&program)
        .args(["unpack::", "--skip", "as_a_user", "--skip", "as_root"])
        .env("TMPDIR", &own)
        .current_dir(&own)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("test unpack::a_tree_goes_there_and_back ... ok"),
        "{said}"
    );
}
