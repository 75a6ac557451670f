//! What attributes say reaches layers and configs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{workspace, write};

#[test]
fn attributes_reach_the_image() {
    let Some(workspace) = workspace() else { return };
    let words = ["test", "--test_output=errors", "//attributes/..."];
    workspace.ran(&words).exits(0).says(&["9 tests pass"]);
}

#[test]
fn stamps_come_from_the_workspace_status() {
    let Some(workspace) = workspace() else { return };
    let status = workspace.path().join("status");
    write(&status, "#!/bin/sh\necho STABLE_WORD cask\n");
    fs::set_permissions(&status, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let status = format!("--workspace_status_command={}", status.display());
    let words = ["test", "--test_output=errors", &status];
    workspace
        .ran(&[&words[..], &["//attributes:stamped_test"]].concat())
        .exits(0);
    // Nothing is stamped by the way.
    workspace
        .ran(&[&words[..], &["//attributes:config_test"]].concat())
        .exits(0);
}
