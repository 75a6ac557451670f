//! Files that say how registries are reached.

use std::fs;
use std::path::PathBuf;

use cooperage_image_spec::Reference;
use cooperage_transport::{Network, NetworkError, NetworkOptions};
use tempfile::TempDir;

fn read(text: &str) -> (TempDir, Result<Network, NetworkError>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("registries.conf");
    fs::write(&path, text).unwrap();
    let network = Network::new(NetworkOptions {
        registries_conf: vec![path],
        ..NetworkOptions::default()
    });
    (directory, network)
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn a_blocked_registry_is_not_asked() {
    let text = "[[registry]]\nlocation = \"evil.io\"\nblocked = true\n";
    let (directory, network) = read(text);
    let network = network.unwrap();
    let error = network.repository(&reference("evil.io/app")).unwrap_err();
    let file = directory.path().join("registries.conf");
    let expected = format!("the registry `evil.io` is blocked in `{}`", file.display());
    assert_eq!(error.to_string(), expected);
    assert!(network.repository(&reference("good.io/app")).is_ok());
}

/// What is not understood is said, and nothing half of it is done.
#[test]
fn what_names_no_whole_registry_is_passed_over() {
    for (table, name) in [
        (
            "prefix = \"q.io/team\"\nlocation = \"r.io/team\"",
            "q.io/team",
        ),
        (
            "prefix = \"q.io\"\nlocation = \"r.io\"\nblocked = true",
            "q.io",
        ),
        ("prefix = \"*.q.io\"\nblocked = true", "*.q.io"),
        ("location = \"q.io/team\"\nblocked = true", "q.io/team"),
    ] {
        let (_directory, network) = read(&format!("[[registry]]\n{table}\n"));
        let network = network.unwrap();
        let warnings = network.take_warnings();
        let expected = format!("what it says of `{name}` is passed over");
        assert_eq!(warnings.len(), 1, "{table}");
        assert!(warnings[0].contains(&expected), "{warnings:?}");
        assert!(network.take_warnings().is_empty());
        assert!(network.repository(&reference("q.io/team/app")).is_ok());
    }
    let (_directory, network) = read("unqualified-search-registries = [\"q.io\"]\n[[registry]]\n");
    assert!(network.unwrap().take_warnings().is_empty());
}

#[test]
fn what_is_no_file_of_settings_is_refused() {
    for text in [
        "[[registry]\n",
        "registry = 5\n",
        "[[registry]]\nlocation = 5\n",
        "[[registry]]\nlocation = \"q.io\"\ninsecure = \"yes\"\n",
        "[[registry]]\nlocation = \"q.io\"\n[[registry.mirror]]\n",
    ] {
        let error = read(text).1.unwrap_err().to_string();
        assert!(error.contains("is no `registries.conf`"), "{text}: {error}");
    }
    let large = format!("#{}\n", "x".repeat(1 << 20));
    assert!(
        read(&large)
            .1
            .unwrap_err()
            .to_string()
            .contains("cannot read")
    );
    let mirror =
        "[[registry]]\nlocation = \"q.io\"\n[[registry.mirror]]\nlocation = \"not a host\"\n";
    let network = read(mirror).1.unwrap();
    let error = network.repository(&reference("q.io/app")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot reach the registry `q.io`"),
        "{error}"
    );
}

#[test]
fn certificates_have_keys() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let network = |cert_dir: PathBuf| {
        Network::new(NetworkOptions {
            cert_dir: Some(cert_dir),
            ..NetworkOptions::default()
        })
        .unwrap()
    };
    let refused = |cert_dir: PathBuf| {
        let error = network(cert_dir).repository(&reference("q.io/app"));
        error.unwrap_err().to_string()
    };
    assert!(refused(at("none")).contains("cannot read the certificates in"));
    for (there, missing) in [("a.cert", "a.key"), ("b.key", "b.cert")] {
        let dir = at(there.split('.').next().unwrap());
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("readme.txt"), "not looked at").unwrap();
        fs::write(dir.join(there), "").unwrap();
        let error = refused(dir);
        assert!(
            error.contains(there) && error.contains(&format!("no `{missing}`")),
            "{error}"
        );
    }
    let dir = at("c");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("ca.crt"), "no certificate").unwrap();
    assert!(refused(dir).contains("cannot reach the registry `q.io`"));
}
