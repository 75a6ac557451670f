//! What is built of plans.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use cooperage_blob::{Memory, Source, read};
use cooperage_image_spec::{Document, ImageConfig, Json, Manifest};
use cooperage_layout::Layout;
use cooperage_plan::{
    Bases, BuildOptions, LayerMetadata, Modes, Plan, PlanFile, build, build_image, build_layer,
    check_base,
};

fn plan(text: &str) -> Plan {
    match PlanFile::parse(text.as_bytes()).expect(text) {
        PlanFile::Plan(plan) => plan,
        PlanFile::Layer(_) => panic!("a layer plan"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(source) = at {
        text = format!("{text}: {source}");
        at = source.source();
    }
    text
}

fn options(root: &Path) -> BuildOptions<'_> {
    BuildOptions {
        root,
        ..BuildOptions::default()
    }
}

fn refused(root: &Path, text: &str, reason: &str) {
    let sink = Memory::new();
    let error = build(&plan(text), &sink, &options(root)).expect_err(text);
    assert!(
        chain(&error).contains(reason),
        "{}\nexpected {reason}",
        chain(&error)
    );
    assert!(
        sink.roots().unwrap().is_empty(),
        "a failed build published something"
    );
}

const HEAD: &str =
    r#"{"plan":"image","version":1,"names":["app:1","app:2"],"config":{"user":"7"}}"#;

#[test]
fn modes_and_times_of_the_machine_do_not_reach_a_digest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    fs::write(&file, "content").unwrap();
    let text = format!(
        "{HEAD}\n{{\"layer\":{{}}}}\n{{\"path\":\"f\",\"file\":\"f\"}}\n{{\"path\":\"t\",\"tree\":\"sub\"}}"
    );
    fs::create_dir_all(dir.path().join("sub/empty")).unwrap();
    fs::write(dir.path().join("sub/x"), "x").unwrap();
    let one = build(&plan(&text), &Memory::new(), &options(dir.path()))
        .unwrap()
        .descriptor;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, mode) in [
            ("f", 0o4555),
            ("sub/x", 0o700),
            ("sub/empty", 0o500),
            ("sub", 0o700),
        ] {
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let later = fs::File::options().write(true).open(&file).unwrap();
    later
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(5))
        .unwrap();
    let two = build(&plan(&text), &Memory::new(), &options(dir.path()))
        .unwrap()
        .descriptor;
    assert_eq!(one, two);
}

#[test]
fn faults_name_the_entry_and_publish_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("dir")).unwrap();
    fs::write(dir.path().join("f"), "f").unwrap();
    let layer = format!("{HEAD}\n{{\"layer\":{{\"name\":\"L\"}}}}");
    let cases = [
        (
            r#"{"path":"a/b","file":"nowhere"}"#,
            "nowhere` for layer entry `a/b` (plan line 3)",
        ),
        (
            r#"{"path":"a","file":"dir"}"#,
            "expected a file, found a directory",
        ),
        (
            r#"{"path":"a","tree":"f"}"#,
            "expected a directory, found a file",
        ),
        (
            "{\"path\":\"a\",\"text\":\"1\"}\n{\"path\":\"a\",\"text\":\"2\"}",
            "plan line 4",
        ),
        (
            "{\"path\":\"a\",\"text\":\"1\"}\n{\"path\":\"a/b\",\"text\":\"2\"}",
            "plan line 4",
        ),
        (
            "{\"path\":\"a\",\"text\":\"1\"}\n{\"path\":\"a\",\"whiteout\":true}",
            "`a`",
        ),
        (
            r#"{"path":".wh.x","text":"1"}"#,
            "`.wh.x` (plan line 3) cannot stand in a layer: `.wh.x` has a name",
        ),
        (
            r#"{"path":".wh.x","opaque":true}"#,
            "`.wh.x` (plan line 3) cannot stand in a layer",
        ),
        (
            r#"{"path":"a","hardlink":"a"}"#,
            "`a` (plan line 3) cannot stand in a layer: `a` is a hard link to itself",
        ),
        (
            r#"{"path":"a","symlink":""}"#,
            "`a` (plan line 3) cannot stand in a layer: `a` is a symbolic link",
        ),
    ];
    for (entries, reason) in cases {
        refused(dir.path(), &format!("{layer}\n{entries}"), reason);
    }
    let image = r#"{"plan":"image","version":1}"#;
    fs::write(dir.path().join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    for (text, reason) in [
        (
            r#"{"plan":"image","version":1,"base":"oci:x"}"#.into(),
            "cannot use `base` (plan line 1): cannot open the base `oci:x`",
        ),
        (
            format!("{image}\n{{\"layer\":{{\"tar\":\"x.tar\"}}}}"),
            "cannot use `tar` (plan line 2): cannot read",
        ),
        (
            format!("{image}\n{{\"layer\":{{\"tar\":\"passwd\"}}}}"),
            "passwd` cannot be a layer: expected a tar: the tar is cut short",
        ),
        (
            format!("{image}\n{{\"layer\":{{\"tar\":\"passwd\",\"form\":\"canonical\"}}}}"),
            "cannot use `tar` (plan line 2): layer `",
        ),
        (
            format!("{image}\n{{\"layer\":{{\"metadata\":\"x.json\"}}}}"),
            "cannot use `metadata` (plan line 2): cannot read",
        ),
        (
            "{\"plan\":\"index\",\"version\":1}\n{\"image\":{}}\n{\"image\":{\"platform\":\"linux/amd64/v1\"}}"
                .into(),
            "the index has two images for `linux/amd64`: expected one for each platform",
        ),
    ] {
        refused(dir.path(), &text, reason);
    }
}

#[test]
fn links_out_of_a_tree_are_what_they_point_to() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("sub")).unwrap();
        fs::write(dir.path().join("outside"), "content").unwrap();
        symlink(dir.path().join("outside"), tree.join("absolute")).unwrap();
        symlink("../../outside", tree.join("sub/leaving")).unwrap();
        symlink("../absolute", tree.join("sub/inside")).unwrap();
        let text = format!("{HEAD}\n{{\"layer\":{{}}}}\n{{\"path\":\"t\",\"tree\":\"tree\"}}");
        let with_links = build(&plan(&text), &Memory::new(), &options(dir.path())).unwrap();
        let spelt_out = format!(
            "{HEAD}\n{{\"layer\":{{}}}}\n{}",
            r#"{"path":"t","dir":true}
            {"path":"t/sub","dir":true}
            {"path":"t/absolute","file":"outside"}
            {"path":"t/sub/leaving","file":"outside"}
            {"path":"t/sub/inside","symlink":"../absolute"}"#
        );
        let built = build(&plan(&spelt_out), &Memory::new(), &options(dir.path())).unwrap();
        assert_eq!(with_links.descriptor, built.descriptor);
        symlink(dir.path(), tree.join("loop")).unwrap();
        refused(dir.path(), &text, "a link to a directory elsewhere");
    }
}

#[cfg(unix)]
#[test]
fn a_symlink_is_taken_over_wherever_it_leads() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    symlink("../../nowhere", dir.path().join("dangling")).unwrap();
    symlink("/etc/passwd", dir.path().join("absolute")).unwrap();
    fs::write(dir.path().join("file"), "content").unwrap();
    let layer = |lines: &str| format!("{HEAD}\n{{\"layer\":{{}}}}\n{lines}");
    let of_links = layer(
        r#"{"path":"a","symlink_of":"dangling","mtime":3}
        {"path":"b","symlink_of_b64":"YWJzb2x1dGU="}"#,
    );
    let of_targets = layer(
        r#"{"path":"a","symlink":"../../nowhere","mtime":3}
        {"path":"b","symlink":"/etc/passwd"}"#,
    );
    let options = BuildOptions {
        modes: Modes::Required,
        ..options(dir.path())
    };
    let [taken, given] = [of_links, of_targets].map(|text| {
        let built = build(&plan(&text), &Memory::new(), &options);
        built.unwrap().descriptor
    });
    assert_eq!(taken, given);
    for (name, reason) in [
        ("file", "expected a symlink, found a file"),
        (".", "expected a symlink, found a directory"),
        ("missing", "cannot read"),
    ] {
        let line = format!(r#"{{"path":"a","symlink_of":"{name}"}}"#);
        refused(dir.path(), &layer(&line), reason);
    }

    // What a sandbox makes of files, and what it leaves as it is.
    fs::create_dir_all(dir.path().join("out/any/bin")).unwrap();
    for (name, target, is_shown) in [
        ("shown", "/elsewhere/shown", true),
        ("renamed", "/elsewhere/shown", false),
        ("out/any/bin/x", "/elsewhere/out/any/bin/x", true),
        ("out/any/bin/y", "/elsewhere/out/fast/bin/y", true),
        ("out/any/bin/z", "/out/any/bin/other", false),
        ("out/any/bin/sh", "/usr/bin/sh", false),
        ("out/any/bin/up", "../out/any/bin/up", false),
    ] {
        symlink(target, dir.path().join(name)).unwrap();
        let line = format!(r#"{{"path":"a","symlink_of":"{name}"}}"#);
        let shown = plan(&layer(&line));
        build(&shown, &Memory::new(), &self::options(dir.path())).unwrap();
        let built = build(&shown, &Memory::new(), &options);
        assert_eq!(built.is_err(), is_shown, "{name} {target}");
        if let Err(error) = built {
            let expected = "expected a symlink, found a file that is shown by a link";
            assert!(chain(&error).contains(expected), "{}", chain(&error));
        }
    }
}

/// Large enough that listing and looking go on side by side.
#[test]
fn of_a_large_directory_all_is_taken_and_the_first_fault_told() {
    const FILES: usize = 1000;
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    for part in ["a", "b"] {
        fs::create_dir_all(tree.join(part)).unwrap();
    }
    let mut lines = format!("{HEAD}\n{{\"layer\":{{}}}}\n");
    for number in 0..FILES {
        let (path, text) = (format!("{}/{number:04}", ["a", "b"][number % 2]), number);
        fs::write(tree.join(&path), text.to_string()).unwrap();
        writeln!(lines, r#"{{"path":"{path}","text":"{text}"}}"#).unwrap();
    }
    for part in ["a", "b"] {
        writeln!(lines, r#"{{"path":"{part}","dir":true}}"#).unwrap();
    }
    let options = options(dir.path());
    let whole = format!("{HEAD}\n{{\"layer\":{{}}}}\n{{\"tree\":\"tree\"}}");
    let of_lines = build(&plan(&lines), &Memory::new(), &options).unwrap();
    let of_tree = build(&plan(&whole), &Memory::new(), &options).unwrap();
    assert_eq!(
        of_tree.images[0].layers[0].layer.diff_id,
        of_lines.images[0].layers[0].layer.diff_id
    );

    // In whichever order the system lists them, and whichever thread meets them.
    for broken in ["b/0999-late", "a/0500-early"] {
        std::os::unix::fs::symlink("/nowhere", tree.join(broken)).unwrap();
        refused(dir.path(), &whole, &tree.join(broken).display().to_string());
    }
}

#[test]
fn modes_can_be_required() {
    let dir = tempfile::tempdir().unwrap();
    let required = BuildOptions {
        modes: Modes::Required,
        ..options(dir.path())
    };
    for (entry, ok) in [
        (r#"{"path":"a","text":""}"#, false),
        (r#"{"path":"a","dir":true}"#, false),
        (r#"{"path":"a","text":"","mode":"0600"}"#, true),
        (r#"{"path":"a","symlink":"b"}"#, true),
        (r#"{"path":"a","whiteout":true}"#, true),
        (r#"{"runtime":"tmp"}"#, true),
    ] {
        let plan = plan(&format!("{HEAD}\n{{\"layer\":{{}}}}\n{entry}"));
        let result = build(&plan, &Memory::new(), &required);
        assert_eq!(result.is_ok(), ok, "{entry}: {result:?}");
        if let Err(error) = result {
            assert!(
                chain(&error).contains("modes are required"),
                "{}",
                chain(&error)
            );
        }
    }
}

#[test]
fn the_two_halves_make_the_same_image_as_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), vec![7; 3 << 20]).unwrap();
    let text = format!(
        "{HEAD}\n{{\"layer\":{{\"name\":\"one\",\"annotations\":{{\"a\":\"b\"}}}}}}\n{{\"path\":\"f\",\"file\":\"f\"}}\n{{\"layer\":{{\"encoder\":\"zstd-1\",\"comment\":\"c\"}}}}\n{{\"path\":\"g\",\"text\":\"g\"}}"
    );
    let whole_sink = Memory::new();
    let whole = build(&plan(&text), &whole_sink, &options(dir.path())).unwrap();
    assert_eq!(whole_sink.roots().unwrap().len(), 2);

    let image = &plan(&text).images[0];
    let blobs = Memory::new();
    let metadata: Vec<LayerMetadata> = image
        .layers
        .iter()
        .map(|layer| {
            let metadata = build_layer(layer, &blobs, &options(dir.path())).unwrap();
            let again = LayerMetadata::parse(&metadata.to_bytes()).unwrap();
            assert_eq!(again, metadata);
            again
        })
        .collect();
    assert!(metadata[0].layer.blocks.len() >= 3);
    fs::remove_file(dir.path().join("f")).unwrap();
    let formed = build_image(image, &metadata, None).unwrap();
    assert_eq!(formed.manifest.digest(), whole.descriptor.digest);

    // The same once more, as a build system would: metadata and blobs in files.
    for (at, layer) in metadata.iter().enumerate() {
        fs::write(dir.path().join(format!("{at}.json")), layer.to_bytes()).unwrap();
        let mut bytes = Vec::new();
        blobs
            .fetch(&layer.layer.descriptor)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        fs::write(dir.path().join(format!("{at}.blob")), bytes).unwrap();
    }
    let reuse = |blob: &str| {
        format!(
            "{HEAD}\n{{\"layer\":{{\"metadata\":\"0.json\"{blob}}}}}\n{{\"layer\":{{\"metadata\":\"1.json\",\"blob\":\"1.blob\"}}}}"
        )
    };
    let sink = Memory::new();
    let text = reuse(",\"blob\":\"0.blob\"");
    let again = build(&plan(&text), &sink, &options(dir.path())).unwrap();
    assert_eq!(again.descriptor.digest, whole.descriptor.digest);
    assert_eq!(sink.digests(), whole_sink.digests());
    refused(
        dir.path(),
        &reuse(""),
        "cannot use `metadata` (plan line 2): the image needs layer",
    );
    fs::write(dir.path().join("0.blob"), "other bytes").unwrap();
    refused(dir.path(), &text, "cannot use `blob` (plan line 2)");
}

#[test]
fn metadata_that_is_none_is_refused() {
    for (text, reason) in [
        ("", "not JSON"),
        ("{}", "`layer_metadata`"),
        (r#"{"layer_metadata":2}"#, "version 2 is not known"),
        (r#"{"layer_metadata":1}"#, "`diff_id`"),
    ] {
        let error = LayerMetadata::parse(text.as_bytes()).unwrap_err();
        assert!(chain(&error).contains(reason), "{}", chain(&error));
    }
}

/// A layout beside the plan, as a base.
struct LayoutBase(std::path::PathBuf);

impl Bases for LayoutBase {
    fn open(
        &self,
        reference: &str,
    ) -> Result<(Box<dyn Source>, cooperage_image_spec::Descriptor), cooperage_blob::Error> {
        let layout =
            Layout::open(&self.0).map_err(|e| cooperage_blob::Error::malformed(e.to_string()))?;
        let roots = layout.roots()?;
        let root = roots
            .into_iter()
            .find(|root| root.name.as_deref() == Some(reference));
        let root = root.ok_or_else(|| cooperage_blob::Error::not_found(reference, "the layout"))?;
        Ok((Box::new(layout), root.descriptor))
    }
}

#[test]
fn a_base_keeps_all_that_is_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(&dir.path().join("base")).unwrap();
    let base = r#"{"plan":"image","version":1,"names":["base"],"platform":"linux/arm64","author":"them","config":{"env":{"PATH":"/bin","X":"1"},"cmd":["bash"],"labels":{"a":"1","b":"2"},"healthcheck":{"test":["CMD","x"]}}}
        {"layer":{}}
        {"path":"bin/tool","text":"tool"}"#;
    build(&plan(base), &layout, &options(dir.path())).unwrap();
    let bases = LayoutBase(dir.path().join("base"));
    let with_base = BuildOptions {
        bases: &bases,
        ..options(dir.path())
    };
    let text = r#"{"plan":"image","version":1,"base":"base","config":{"entrypoint":["/app"],"env":{"X":null,"B":"2","A":"1"},"labels":{"b":"3"}}}
        {"layer":{"name":"app"}}
        {"path":"app","text":"app","mode":"0755"}"#;
    let sink = Memory::new();
    let built = build(&plan(text), &sink, &with_base).unwrap();
    assert_eq!(
        (built.images[0].base_layers, built.images[0].layers.len()),
        (1, 1)
    );
    let config = built.images[0].formed.config.value();
    assert_eq!(config.platform.to_string(), "linux/arm64");
    assert_eq!(config.author.as_deref(), Some("them"));
    assert_eq!(config.config.env, ["PATH=/bin", "A=1", "B=2"]);
    assert_eq!(config.config.cmd, None, "written for another program");
    assert_eq!(config.config.labels["b"], "3");
    assert_eq!(
        config.config.healthcheck.as_ref().unwrap().test,
        ["CMD", "x"]
    );
    assert_eq!((config.rootfs.diff_ids.len(), config.history.len()), (2, 2));
    // All of it is in the sink, the base's layer too.
    cooperage_blob::walk(&sink, &built.descriptor, &mut |descriptor, _| {
        assert!(cooperage_blob::open(&sink, descriptor).is_ok());
        Ok(())
    })
    .unwrap();

    let pinned = |digest: &str| {
        text.replace(
            r#""base":"base""#,
            &format!(r#""base":{{"reference":"base","digest":"{digest}"}}"#),
        )
    };
    let real = layout.roots().unwrap()[0].descriptor.digest.to_string();
    assert!(build(&plan(&pinned(&real)), &Memory::new(), &with_base).is_ok());
    let other = format!("sha256:{}", "0".repeat(64));
    let error = build(&plan(&pinned(&other)), &Memory::new(), &with_base).unwrap_err();
    let said = format!("(plan line 1): the base `base` is pinned to `{other}`");
    assert!(chain(&error).contains(&said), "{}", chain(&error));
    let wrong = text.replace(
        r#""base":"base""#,
        r#""base":"base","platform":"linux/amd64""#,
    );
    let error = build(&plan(&wrong), &Memory::new(), &with_base).unwrap_err();
    assert!(chain(&error).contains("`linux/arm64`"), "{}", chain(&error));
}

#[test]
fn what_a_base_says_and_nobody_knows_survives() {
    let memory = Memory::new();
    let config = br#"{"architecture":"amd64","os":"linux","config":{"OnBuild":["RUN x"],"Shell":["/bin/zsh"],"ArgsEscaped":true},"rootfs":{"type":"layers","diff_ids":[]},"future":{"n":1.50}}"#;
    let config =
        cooperage_blob::put(&memory, cooperage_image_spec::MediaType::OCI_CONFIG, config).unwrap();
    let manifest = Document::new(Manifest::new(config, Vec::new()));
    let manifest = cooperage_blob::put(
        &memory,
        cooperage_image_spec::MediaType::OCI_MANIFEST,
        manifest.raw(),
    )
    .unwrap();
    let platform = cooperage_image_spec::Platform::linux_amd64();
    let base = cooperage_commit::Base::read(&memory, &manifest, &platform).unwrap();
    let image = &plan(r#"{"plan":"image","version":1,"config":{"user":"1"}}"#).images[0];
    let formed = build_image(image, &[], Some(&base)).unwrap();
    let json = Json::parse(formed.config.raw()).unwrap();
    let inner = json.get("config").unwrap();
    for key in ["OnBuild", "Shell", "ArgsEscaped", "User"] {
        assert!(inner.get(key).is_some(), "{key} is gone");
    }
    assert_eq!(json.get("future").unwrap().to_canonical(), br#"{"n":1.50}"#);
    let again: Document<ImageConfig> = Document::parse(formed.config.raw().to_vec()).unwrap();
    assert_eq!(again.value(), formed.config.value());
}

#[test]
fn a_foreign_tar_is_taken_in_each_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Vec::new();
    // An old tar by hand: one file, header in v7 form, with no end blocks' padding beyond two.
    let mut header = [0_u8; 512];
    header[..5].copy_from_slice(b"hello");
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(b"00000000002");
    header[136..147].copy_from_slice(b"00000000000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    builder.write_all(&header).unwrap();
    builder.write_all(b"hi").unwrap();
    builder.resize(512 + 512 + 1024, 0);
    fs::write(dir.path().join("x.tar"), &builder).unwrap();
    let digest = cooperage_digest::Digest::of(&builder);
    let build_form = |form: &str| {
        let text = format!("{HEAD}\n{{\"layer\":{{\"tar\":\"x.tar\",\"form\":\"{form}\"}}}}");
        let sink = Memory::new();
        let built = build(&plan(&text), &sink, &options(dir.path())).unwrap();
        let layer = built.images[0].layers[0].layer.clone();
        (layer.descriptor, layer.diff_id)
    };
    for form in ["keep", "uncompress"] {
        let (descriptor, diff_id) = build_form(form);
        assert_eq!((&descriptor.digest, &diff_id), (&digest, &digest));
    }
    let (descriptor, diff_id) = build_form("recompress");
    assert_eq!(diff_id, digest);
    assert_eq!(
        descriptor.media_type.as_str(),
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    let (_, canonical) = build_form("canonical");
    assert_ne!(canonical, digest);
    let text = format!("{HEAD}\n{{\"layer\":{{}}}}\n{{\"path\":\"hello\",\"text\":\"hi\"}}");
    let ours = build(&plan(&text), &Memory::new(), &options(dir.path())).unwrap();
    assert_eq!(ours.images[0].layers[0].layer.diff_id, canonical);
    fs::write(dir.path().join("x.tar"), b"BZh91AY&SY").unwrap();
    refused(
        dir.path(),
        &format!("{HEAD}\n{{\"layer\":{{\"tar\":\"x.tar\"}}}}"),
        "bzip2, for which no layer media type exists",
    );
    fs::write(dir.path().join("x.tar"), b"\xfd7zXZ\0rest").unwrap();
    refused(
        dir.path(),
        &format!("{HEAD}\n{{\"layer\":{{\"tar\":\"x.tar\"}}}}"),
        "xz, for which no layer media type exists",
    );
}

#[test]
fn a_program_that_its_base_cannot_run_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(&dir.path().join("base")).unwrap();
    let empty = r#"{"plan":"image","version":1,"names":["base"]}
        {"layer":{}}
        {"path":"etc/motd","text":"no libraries here"}"#;
    build(&plan(empty), &layout, &options(dir.path())).unwrap();
    let program = std::env::current_exe().unwrap();
    let text = format!(
        "{{\"plan\":\"image\",\"version\":1,\"base\":\"base\"}}\n{{\"layer\":{{}}}}\n{{\"path\":\"app\",\"file\":{:?}}}",
        program.to_str().unwrap()
    );
    let bases = LayoutBase(dir.path().join("base"));
    let with_base = BuildOptions {
        bases: &bases,
        ..options(dir.path())
    };
    let missing = check_base(&plan(&text).images[0], &with_base).unwrap();
    let said: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert!(
        !said.is_empty() && said.iter().any(|line| line.contains("/app")),
        "{said:?}"
    );
    let from_scratch = text.replace(r#","base":"base""#, "");
    assert!(
        check_base(&plan(&from_scratch).images[0], &with_base)
            .unwrap()
            .is_empty()
    );
    let read = read(&layout, &layout.roots().unwrap()[0].descriptor).unwrap();
    assert!(!read.is_empty());
}
