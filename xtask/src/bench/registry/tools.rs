//! Who pushes, pulls and copies.

use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::peers::{self, Generation, Program};

use super::super::figures::Row;
use super::super::tools::first_line;
use crate::peers::shell;

/// A client of registries.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    version: String,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Cooperage(PathBuf),
    Skopeo(Program),
    Crane(Program),
}

/// Cooperage, then all that are found.
pub(super) fn all(cooperage: &Path) -> anyhow::Result<Vec<Tool>> {
    let version = shell::run(shell::command(&cooperage.to_string_lossy(), ["--version"]))?;
    let mut tools = vec![Tool {
        version: version.trim().to_owned(),
        ..plain(cooperage)
    }];
    let mut add = |name: &str, version, way| {
        let name = name.to_owned();
        tools.push(Tool { name, version, way });
    };
    if let Some(crane) = peers::crane() {
        add("crane", first_line(&crane, &["version"]), Way::Crane(crane));
    }
    for (generation, name) in [
        (Generation::Modern, "skopeo, modern"),
        (Generation::Stable, "skopeo, elder"),
    ] {
        if let Some(skopeo) = peers::skopeo(generation) {
            add(
                name,
                first_line(&skopeo, &["--version"]),
                Way::Skopeo(skopeo),
            );
        }
    }
    Ok(tools)
}

/// Cooperage, which is not asked for its version.
pub(super) fn plain(cooperage: &Path) -> Tool {
    Tool {
        name: "cooperage".to_owned(),
        version: String::new(),
        way: Way::Cooperage(cooperage.to_owned()),
    }
}

impl Tool {
    pub(super) fn row(&self) -> Row {
        Row {
            tool: self.name.clone(),
            version: self.version.clone(),
            is_ours: matches!(self.way, Way::Cooperage(_)),
            runs: Vec::new(),
        }
    }

    /// The only image of a layout to a registry.
    pub(super) fn push(&self, layout: &Path, to: &str) -> Command {
        let path = layout.display().to_string();
        match &self.way {
            Way::Crane(crane) => crane.command(["push", "--insecure", &path, to]),
            _ => self.between(&format!("oci:{path}:bench"), &format!("docker://{to}")),
        }
    }

    /// An image to a layout that is not there yet.
    pub(super) fn pull(&self, from: &str, layout: &Path) -> Command {
        let path = layout.display().to_string();
        match &self.way {
            Way::Crane(crane) => crane.command(["pull", "--insecure", "--format=oci", from, &path]),
            _ => self.between(&format!("docker://{from}"), &format!("oci:{path}:bench")),
        }
    }

    /// An image from one registry to another.
    pub(super) fn copy(&self, from: &str, to: &str) -> Command {
        match &self.way {
            Way::Crane(crane) => crane.command(["copy", "--insecure", from, to]),
            _ => self.between(&format!("docker://{from}"), &format!("docker://{to}")),
        }
    }

    fn between(&self, from: &str, to: &str) -> Command {
        match &self.way {
            Way::Cooperage(program) => {
                let mut command = Command::new(program);
                command.args(["--quiet", "copy", from, to]);
                command
            }
            Way::Skopeo(program) | Way::Crane(program) => program.command([
                "copy",
                "--quiet",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                from,
                to,
            ]),
        }
    }
}
