//! Identical files that became hard links, as Docker, umoci and podman unpack them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cooperage_testkit::listing::{Entry, Listing};
use cooperage_testkit::peers;

use crate::images::{Below as _, Image, busybox};
use crate::matrix::{self, Here as _, Otherwise, Rows};
use crate::room::{self, Shared};
use crate::unpackers::{Unpacker, cases, steady};

/// `cap_dac_override=ep` as the kernel keeps it.
const CAPABILITY: &str = r#""xattrs":{"security.capability":"AQAAAgIAAAAAAAAAAAAAAAAAAAA="}"#;
/// `cap_net_bind_service=ep`.
const OTHER_CAPABILITY: &str = r#""xattrs":{"security.capability":"AQAAAgAEAAAAAAAAAAAAAAAAAAA="}"#;

const NAME: &str = "folding";

/// The image, built once for all cells.
fn folded() -> Result<Arc<Image>, Otherwise> {
    static FOLDED: Shared<(), Arc<Image>> = Shared::new();
    let busybox = busybox().here()?;
    Ok(FOLDED.get((), || Arc::new(build(&busybox))))
}

fn build(busybox_lines: &str) -> Image {
    let program = peers::tool("busybox").expect("it was there before");
    let program = program.path().to_str().unwrap();
    let files = room::directory();
    let write = |name: &str, bytes: &[u8]| fs::write(files.join(name), bytes).unwrap();
    let large: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    write("large", &large);
    // One file is given twice as two files of this machine: content counts, not where it is from.
    write("large-again", &large);
    let mut other = large.clone();
    other[200_000] ^= 1;
    write("other", &other);
    write("least", &large[..64 << 10]);
    write("small", &large[..(64 << 10) - 1]);
    let pair = |name: &str, file: &str, members: &str| {
        ["one", "two"].map(|which| {
            format!("{{\"path\":\"cases/{name}-{which}\",\"file\":{file:?},{members}}}\n")
        })
    };
    let mut plan = String::from("{\"layer\":{}}\n");
    plan.push_str(busybox_lines);
    for (name, file, members) in [
        ("plain", "large", r#""mode":"0644""#),
        ("setuid", "large", r#""mode":"6755""#),
        (
            "capable",
            "large",
            &format!(r#""mode":"0755",{CAPABILITY}"#),
        ),
        ("least", "least", r#""mode":"0644""#),
        ("small", "small", r#""mode":"0644""#),
        ("group-writable", "large", r#""mode":"0664""#),
        ("world-writable", "large", r#""mode":"0646""#),
        ("owned", "large", r#""mode":"0644","uid":5"#),
        ("grouped", "large", r#""mode":"0644","gid":5"#),
        ("unfolded", "large", r#""mode":"0600","fold":false"#),
        (
            "busybox",
            program,
            &format!(r#""mode":"0711",{CAPABILITY}"#),
        ),
    ] {
        plan.extend(pair(name, file, members));
    }
    write!(
        plan,
        r#"
        {{"path":"cases/plain-three","file":"large-again","mode":"0644"}}
        {{"path":"cases/other-content","file":"other","mode":"0644"}}
        {{"path":"cases/other-time","file":"large","mode":"0644","mtime":1}}
        {{"path":"cases/other-capability","file":"large","mode":"0755",{OTHER_CAPABILITY}}}
        {{"path":"cases/secret","text":"told\n","mode":"0600"}}
        {{"path":"cases/stays-one","file":"large","mode":"0444"}}
        {{"path":"cases/stays-two","file":"large","mode":"0444"}}
        {{"path":"cases/broken-one","file":"large","mode":"0440"}}
        {{"path":"cases/broken-two","file":"large","mode":"0440"}}
        {{"layer":{{"fold":false}}}}
        {{"path":"cases/off/one","file":"large","mode":"0644"}}
        {{"path":"cases/off/two","file":"large","mode":"0644"}}
        {{"layer":{{}}}}
        {{"path":"cases/plain-four","file":"large","mode":"0644"}}
        {{"path":"cases/stays-one","whiteout":true}}
        {{"path":"cases/broken-one","text":"newer","mode":"0440"}}
        "#
    )
    .unwrap();
    Image::build(NAME, "", &plan, &files)
}

/// What lies below `cases`, and what getcap says of it.
struct Seen {
    listing: Listing,
    capabilities: BTreeMap<String, String>,
}

fn look(root: &Path) -> Seen {
    let directory = root.join("cases");
    let getcap = peers::tool("getcap").expect("found before");
    let said = getcap.run(["-r".as_ref(), directory.as_os_str()]).unwrap();
    let lines = said.lines().map(|line| {
        let (path, capability) = line.rsplit_once(' ').unwrap();
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        (name.to_owned(), capability.to_owned())
    });
    Seen {
        listing: cases(root),
        capabilities: lines.collect(),
    }
}

/// What an unpacker makes of the image; unpacked once for all cells.
fn seen(unpacker: Unpacker) -> Result<Arc<Seen>, Otherwise> {
    static SEEN: Shared<Unpacker, Arc<Seen>> = Shared::new();
    // Asked every time: each cell that goes without is to be listed.
    unpacker.is_there()?;
    peers::tool("getcap").here()?;
    let image = folded()?;
    Ok(SEEN.get(unpacker, || Arc::new(unpacker.unpack(&image, look))))
}

#[track_caller]
fn entry<'a>(unpacker: Unpacker, seen: &'a Seen, name: &str) -> &'a Entry {
    let entry = seen.listing.get(name);
    entry.unwrap_or_else(|| panic!("{unpacker}: no {name} in {:?}", seen.listing))
}

/// The names that are one file with `name`.
fn links(seen: &Seen, name: &str) -> Vec<String> {
    let first = seen.listing.get(name).and_then(|it| it.linked.clone());
    let Some(first) = first else {
        return Vec::new();
    };
    let entries = seen.listing.0.iter();
    let same = entries.filter(|it| it.linked.as_ref() == Some(&first));
    same.map(|it| it.path.clone()).collect()
}

fn identical_files_are_one_file_when_unpacked(unpacker: Unpacker) -> matrix::Seen {
    let seen = seen(unpacker)?;
    for names in [
        &["plain-one", "plain-three", "plain-two"][..],
        &["setuid-one", "setuid-two"],
        &["capable-one", "capable-two"],
        &["least-one", "least-two"],
        &["busybox-one", "busybox-two"],
    ] {
        assert_eq!(links(&seen, names[0]), names, "{unpacker}");
    }
    Ok(())
}

fn what_may_not_be_shared_is_a_file_of_its_own(unpacker: Unpacker) -> matrix::Seen {
    let seen = seen(unpacker)?;
    for name in [
        "small",
        "group-writable",
        "world-writable",
        "owned",
        "grouped",
        "unfolded",
    ] {
        let (one, two) = (format!("{name}-one"), format!("{name}-two"));
        assert_eq!(links(&seen, &one), [""; 0], "{unpacker}: {name}");
        let (one, two) = (entry(unpacker, &seen, &one), entry(unpacker, &seen, &two));
        assert_eq!(one.kind, two.kind, "{unpacker}: {name}");
    }
    for name in ["other-content", "other-time", "other-capability"] {
        assert_eq!(links(&seen, name), [""; 0], "{unpacker}: {name}");
    }
    Ok(())
}

fn capabilities_are_right_on_every_name(unpacker: Unpacker) -> matrix::Seen {
    let seen = seen(unpacker)?;
    let expected = [
        ("busybox-one", "cap_dac_override=ep"),
        ("busybox-two", "cap_dac_override=ep"),
        ("capable-one", "cap_dac_override=ep"),
        ("capable-two", "cap_dac_override=ep"),
        ("other-capability", "cap_net_bind_service=ep"),
    ]
    .map(|(name, capability)| (name.to_owned(), capability.to_owned()));
    assert_eq!(seen.capabilities, expected.into(), "{unpacker}");
    Ok(())
}

fn setuid_and_setgid_are_right_on_every_name(unpacker: Unpacker) -> matrix::Seen {
    let seen = seen(unpacker)?;
    for name in ["setuid-one", "setuid-two"] {
        let entry = entry(unpacker, &seen, name);
        let owner = (entry.uid, entry.gid);
        assert_eq!((entry.mode, owner), (0o6755, (0, 0)), "{unpacker}: {name}");
    }
    Ok(())
}

fn unpacked_files_are_what_the_layers_say(unpacker: Unpacker) -> matrix::Seen {
    let ours = folded()?.listing().below("cases");
    let seen = seen(unpacker)?;
    let what = format!("{unpacker} (-) and our overlay (+)");
    // See `steady`: times of directories are the unpacker's.
    steady(seen.listing.clone()).assert_same(&steady(ours), &what);
    Ok(())
}

fn folding_is_off_for_a_layer_by_one_key(unpacker: Unpacker) -> matrix::Seen {
    let seen = seen(unpacker)?;
    assert_eq!(links(&seen, "off/one"), [""; 0], "{unpacker}");
    let one = entry(unpacker, &seen, "off/one");
    assert_eq!(
        one.kind,
        entry(unpacker, &seen, "off/two").kind,
        "{unpacker}"
    );
    Ok(())
}

fn a_folded_name_can_be_removed_or_replaced_above_without_the_other(
    unpacker: Unpacker,
) -> matrix::Seen {
    let seen = seen(unpacker)?;
    let large = &entry(unpacker, &seen, "plain-one").kind;
    assert!(seen.listing.get("stays-one").is_none(), "{unpacker}");
    for name in ["stays-two", "broken-two", "plain-four"] {
        assert_eq!(
            &entry(unpacker, &seen, name).kind,
            large,
            "{unpacker}: {name}"
        );
    }
    assert_ne!(
        &entry(unpacker, &seen, "broken-one").kind,
        large,
        "{unpacker}"
    );
    Ok(())
}

/// The kernel itself says whether the capability is there: without it nobody but root reads the
/// secret.
fn a_capability_works_by_either_name(unpacker: Unpacker) -> matrix::Seen {
    let docker = unpacker.docker()?;
    docker.load(&folded()?.docker_archive()).unwrap();
    let cat = |program: &str| {
        let options = ["--network", "none", "--user", "1000:1000"];
        docker.run_with(&options, NAME, &[program, "cat", "/cases/secret"])
    };
    for program in ["/cases/busybox-one", "/cases/busybox-two"] {
        assert_eq!(cat(program).unwrap(), "told\n", "{program}");
    }
    let refused = cat("/bin/busybox").unwrap_err();
    assert!(refused.stderr.contains("Permission denied"), "{refused}");
    Ok(())
}

pub(crate) fn rows(rows: &mut Rows<Unpacker>) {
    type See = fn(Unpacker) -> matrix::Seen;
    let all: [(&str, See); 8] = [
        (
            "identical-files-are-one-file",
            identical_files_are_one_file_when_unpacked,
        ),
        (
            "what-may-not-be-shared-is-not",
            what_may_not_be_shared_is_a_file_of_its_own,
        ),
        (
            "capabilities-on-every-name",
            capabilities_are_right_on_every_name,
        ),
        (
            "setuid-and-setgid-on-every-name",
            setuid_and_setgid_are_right_on_every_name,
        ),
        (
            "every-attribute-as-the-layers-say",
            unpacked_files_are_what_the_layers_say,
        ),
        (
            "off-for-a-layer-by-one-key",
            folding_is_off_for_a_layer_by_one_key,
        ),
        (
            "one-name-removed-or-replaced-above",
            a_folded_name_can_be_removed_or_replaced_above_without_the_other,
        ),
        (
            "a-capability-works-by-either-name",
            a_capability_works_by_either_name,
        ),
    ];
    for (name, see) in all {
        rows.row(format!("folding/{name}"), see);
    }
}
