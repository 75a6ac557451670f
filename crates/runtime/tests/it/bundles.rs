//! Certificates and time zones, read by others.

use std::fs;

use cooperage_runtime::{Features, RuntimeItem, ca_bundle, zoneinfo_version, zones};
use cooperage_tarball::{FoldOptions, Kind, Tree, TreePath, fold};
use cooperage_testkit::{golden, peers, sha256};

#[test]
fn python_trusts_every_certificate() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("bundle.pem");
    fs::write(&file, ca_bundle()).expect("written");
    let script = "import ssl, sys\n\
                  c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n\
                  c.load_verify_locations(sys.argv[1])\n\
                  print(len(c.get_ca_certs()))\n";
    let count = python
        .run(["-c", script, file.to_str().expect("text")])
        .expect("it is read");
    let expect = ca_bundle().matches("-----BEGIN CERTIFICATE-----").count();
    assert!(expect > 100, "{expect}");
    assert_eq!(count.trim(), expect.to_string());
}

#[test]
fn openssl_reads_the_bundle() {
    let Some(openssl) = peers::tool("openssl") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("bundle.pem");
    fs::write(&file, ca_bundle()).expect("written");
    let file = file.to_str().expect("text");
    let text = openssl
        .run(["storeutl", "-noout", "-certs", file])
        .expect("it is read");
    let expect = ca_bundle().matches("-----BEGIN CERTIFICATE-----").count();
    assert!(text.contains(&format!("Total found: {expect}")), "{text}");
}

#[test]
fn python_reads_every_zone() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, data) in zones() {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, data).expect("written");
    }
    let script = "import sys, zoneinfo, datetime as d\n\
                  zoneinfo.reset_tzpath([sys.argv[1]])\n\
                  names = zoneinfo.available_timezones()\n\
                  for n in names: zoneinfo.ZoneInfo(n)\n\
                  v = zoneinfo.ZoneInfo('Europe/Vienna')\n\
                  print(len(names), d.datetime(2026, 7, 1, tzinfo=v).utcoffset())\n";
    let text = python.run(["-c", script, directory.path().to_str().expect("text")]);
    let text = text.expect("python reads them");
    assert_eq!(text.trim(), format!("{} 2:00:00", zones().len()));
}

/// What images get besides their programs: a change of a crate's data, or of our text, is seen.
#[test]
fn golden_values_of_all_items() {
    for item in RuntimeItem::ALL {
        let features = Features {
            items: [item].into(),
            ..Features::default()
        };
        let mut tree = Tree::new();
        features.add_to(&mut tree).expect("an empty tree");
        let mut tar = Vec::new();
        let resolved = fold(&tree, &FoldOptions::default()).expect("a tree of bytes");
        resolved.write_to(&mut tar).expect("memory takes all");
        golden::check(&format!("runtime/{item}"), sha256(&tar));
    }
    golden::check("runtime/zoneinfo version", zoneinfo_version());
    let certificates = ca_bundle().matches("-----BEGIN CERTIFICATE-----").count();
    golden::check("runtime/ca-certificates count", certificates);
}

#[test]
fn items_come_with_the_right_modes() {
    let mut tree = Tree::new();
    Features::all().add_to(&mut tree).expect("an empty tree");
    let get = |path: &str| {
        let entry = tree.get(&TreePath::parse(path).expect("a good path"));
        entry.unwrap_or_else(|| panic!("{path} is missing"))
    };
    for (path, mode, uid) in [
        ("tmp", 0o1777, 0),
        ("root", 0o700, 0),
        ("home/nonroot", 0o700, 65_532),
        ("etc/passwd", 0o644, 0),
        ("etc/group", 0o644, 0),
        ("etc/nsswitch.conf", 0o644, 0),
        ("etc/ssl/certs/ca-certificates.crt", 0o644, 0),
        ("usr/share/zoneinfo/UTC", 0o644, 0),
        ("usr/share/zoneinfo/America/Argentina/Ushuaia", 0o644, 0),
    ] {
        let attributes = &get(path).attributes;
        assert_eq!(
            (attributes.mode, attributes.uid, attributes.gid),
            (mode, uid, uid),
            "{path}"
        );
    }
    let bundle = get("etc/pki/tls/certs/ca-bundle.crt");
    assert!(matches!(&bundle.kind, Kind::Symlink { target } if target.ends_with(b".crt")));
    assert_eq!(get("tmp").origin.to_string(), "run-time item `tmp`");

    // Twice is once; and what is not asked for is not there.
    let once = tree.clone();
    Features::all().add_to(&mut tree).expect("the same again");
    assert_eq!(tree, once);
    let mut tree = Tree::new();
    let features = Features {
        items: [RuntimeItem::Tmp].into(),
        ..Features::default()
    };
    features.add_to(&mut tree).expect("an empty tree");
    assert_eq!(tree.len(), 1);
}
