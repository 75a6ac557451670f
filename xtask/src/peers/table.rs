//! What is there, as a table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::modern::Root;
use super::packages::{PEERS, Peer};
use super::place::Place;
use super::{registries, shell};

/// Which of `packages` are installed below `root`, each with its version; a package of another
/// architecture than the root's own is asked for as `package:architecture`.
pub(super) fn installed(
    root: &Path,
    packages: &[&str],
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut command = shell::command("dpkg-query", ["--show"]);
    command.arg("--admindir").arg(root.join("var/lib/dpkg"));
    command
        .args([
            "--showformat",
            "${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n",
        ])
        .args(packages);
    // It ends in failure as soon as one package is unknown, and lists the others all the same.
    let output = command.output().context("cannot start `dpkg-query`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().filter_map(|line| {
        let mut parts = line.split('\t');
        let (package, architecture) = (parts.next()?, parts.next()?);
        let (version, status) = (parts.next()?, parts.next()?);
        let qualified = format!("{package}:{architecture}");
        let asked = packages
            .iter()
            .find(|asked| **asked == qualified)
            .or_else(|| packages.iter().find(|asked| **asked == package))?;
        (status == "installed").then(|| ((*asked).to_owned(), version.to_owned()))
    });
    Ok(found.collect())
}

/// Starts a peer to see that it does; in a root, by that root's own loader.
pub(super) fn probe(root: Option<&Path>, peer: &Peer) -> anyhow::Result<()> {
    let path = root.unwrap_or(Path::new("/")).join(peer.program);
    let mut command = match root {
        None => shell::command(&path.to_string_lossy(), [peer.probe]),
        Some(root) => {
            let (loader, triple) = match std::env::consts::ARCH {
                "aarch64" => ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
                _ => ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
            };
            let mut command =
                shell::command(&root.join(loader).to_string_lossy(), ["--library-path"]);
            command
                .arg(root.join("usr/lib").join(triple))
                .arg(&path)
                .arg(peer.probe);
            command
        }
    };
    command.current_dir("/");
    shell::run(command).map(drop)
}

/// Prints one line a peer: what it is, and its version in either generation.
pub(super) fn print(place: &Place, root: Option<&Root>) -> anyhow::Result<()> {
    let packages: Vec<_> = PEERS.iter().map(|peer| peer.package).collect();
    let stable = installed(Path::new("/"), &packages)?;
    let modern = match root {
        Some(root) => installed(root.path(), &packages)?,
        None => BTreeMap::new(),
    };
    println!("{:18}{:28}modern root", "peer", "this machine");
    for peer in PEERS {
        let cell = |is_asked_for: bool, versions: &BTreeMap<String, String>| {
            let version = versions.get(peer.package).map(String::as_str);
            version.filter(|_| is_asked_for).map_or_else(
                || if is_asked_for { "missing" } else { "-" }.to_owned(),
                str::to_owned,
            )
        };
        let (stable, modern) = (
            cell(peer.stable, &stable),
            cell(peer.modern.is_some(), &modern),
        );
        println!("{:18}{stable:28}{modern}", peer.title);
    }
    for (title, found) in registries::list(place) {
        println!("{title:18}{found}");
    }
    if let Some(root) = root {
        println!("The modern root is {}.", root.path().display());
    }
    Ok(())
}
