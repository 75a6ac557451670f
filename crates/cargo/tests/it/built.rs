//! Images of small projects.

use serde_json::{Value, json};

use crate::project::{HELLO, Project, finish};

fn layers(summary: &Value) -> Vec<(&str, &str)> {
    let layers = summary["images"][0]["layers"].as_array().expect("layers");
    layers
        .iter()
        .map(|layer| {
            let field = |key: &str| layer[key].as_str().expect("text");
            (field("name"), field("digest"))
        })
        .collect()
}

const SERVICE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"
            [workspace]
            resolver = "3"
            members = ["service", "assets"]
            [workspace.metadata.image]
            package = "service"
            labels = { team = "a" }
            files = [{ from = "LICENSE", to = "/usr/share/doc/service/" }]
        "#,
    ),
    ("LICENSE", "free\n"),
    (
        "service/Cargo.toml",
        r#"
            [package]
            name = "service"
            version = "1.2.3"
            edition = "2024"
            description = "A service\n  of two lines"
            license = "MIT/Apache-2.0"
            authors = ["A", "B"]
            repository = "https://example.com/r"
            [dependencies]
            assets = { path = "../assets" }
            [package.metadata.image]
            ports = [8080]
            env = { A = "1" }
            args = ["serve"]
            working-dir = "/srv"
            volumes = ["/data"]
            stop-signal = "SIGINT"
            healthcheck = { cmd = ["/usr/local/bin/service", "check"], interval = "5s" }
            annotations = { note = "n" }
            author = "A"
            tags = ["service:1.2", "example.com/service"]
            files = [
                { from = "etc/", to = "/etc/service", exclude = ["*.bak"] },
                { from = "etc/*.sh", to = "/usr/bin", layer = "scripts" },
            ]
            users = [{ name = "app", uid = 1000 }]
        "#,
    ),
    (
        "service/src/main.rs",
        "fn main() { println!(\"{}\", assets::NAME); }\n",
    ),
    ("service/etc/a.conf", "a\n"),
    ("service/etc/a.bak", "old\n"),
    ("service/etc/run.sh", "#!/bin/sh\n"),
    (
        "assets/Cargo.toml",
        r#"
            [package]
            name = "assets"
            version = "0.1.0"
            edition = "2024"
            [package.metadata.image]
            files = [{ from = "data", to = "/usr/share/assets" }]
        "#,
    ),
    ("assets/src/lib.rs", "pub const NAME: &str = \"assets\";\n"),
    ("assets/data/one.txt", "1\n"),
];

#[test]
fn metadata_become_a_config_and_layers() {
    let project = Project::new(SERVICE);
    let summary = project.run(&["--env=B=2"]);
    let names: Vec<&str> = layers(&summary).iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "run time",
            "scripts",
            "workspace files",
            "dependencies' files",
            "files",
            "binary"
        ]
    );
    assert_eq!(
        summary["names"],
        json!(["service:1.2", "example.com/service:latest"])
    );
    let config = project.config(&summary);
    assert_eq!(
        (&config["author"], &config["created"]),
        (&json!("A"), &json!("1970-01-01T00:00:00Z"))
    );
    let run = &config["config"];
    assert_eq!(run["User"], "65532:65532");
    assert_eq!(run["Entrypoint"], json!(["/usr/local/bin/service"]));
    assert_eq!(run["Cmd"], json!(["serve"]));
    assert_eq!(run["WorkingDir"], "/srv");
    assert_eq!(run["StopSignal"], "SIGINT");
    assert_eq!(run["ExposedPorts"], json!({ "8080/tcp": {} }));
    assert_eq!(run["Volumes"], json!({ "/data": {} }));
    assert_eq!(run["Healthcheck"]["Interval"], 5_000_000_000_u64);
    let env = run["Env"].as_array().expect("an array");
    assert!(
        env.contains(&json!("A=1")) && env.contains(&json!("B=2")),
        "{env:?}"
    );
    assert!(
        env.contains(&json!("SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")),
        "{env:?}"
    );
    let image = "org.opencontainers.image";
    assert_eq!(
        run["Labels"],
        json!({
            format!("{image}.authors"): "A, B",
            format!("{image}.description"): "A service of two lines",
            format!("{image}.licenses"): "MIT OR Apache-2.0",
            format!("{image}.source"): "https://example.com/r",
            format!("{image}.title"): "service",
            format!("{image}.url"): "https://example.com/r",
            format!("{image}.version"): "1.2.3",
            "team": "a",
        })
    );
    let manifest = project.blob(summary["digest"].as_str().expect("a digest"));
    assert_eq!(manifest["annotations"], json!({ "note": "n" }));

    // What a plan prints is what was built, and every file's mode stands in it.
    let plan = project
        .command(&["--print-plan", "--quiet"])
        .output()
        .expect("it runs")
        .stdout;
    let plan = String::from_utf8(plan).expect("text");
    for line in plan.lines().filter(|line| line.contains("\"file\":")) {
        assert!(line.contains("\"mode\":\"0"), "{line}");
    }
    assert!(
        plan.contains("\"path\":\"etc/service/a.conf\"") && !plan.contains("a.bak"),
        "{plan}"
    );
    assert!(plan.contains("\"path\":\"usr/bin/run.sh\""), "{plan}");
    assert!(
        plan.contains("\"path\":\"usr/share/doc/service/LICENSE\""),
        "{plan}"
    );
    assert!(plan.contains("\"path\":\"etc/passwd\""), "{plan}");
}

#[test]
fn a_change_of_source_changes_the_last_layer_alone() {
    let project = Project::new(SERVICE);
    let before = project.run(&[]);
    project.write(
        "service/src/main.rs",
        "fn main() { println!(\"changed: {}\", assets::NAME); }\n",
    );
    let after = project.run(&[]);
    let (before, after) = (layers(&before), layers(&after));
    let differ: Vec<&str> = before
        .iter()
        .zip(&after)
        .filter(|(a, b)| a != b)
        .map(|(a, _)| a.0)
        .collect();
    assert_eq!(differ, ["binary"]);
}

#[test]
fn a_second_run_replaces_the_first_and_leaves_nothing_behind() {
    let project = Project::new(HELLO);
    let blobs = || {
        walkdir::WalkDir::new(project.target().join("image/blobs"))
            .into_iter()
            .filter(|entry| {
                entry
                    .as_ref()
                    .is_ok_and(|entry| entry.file_type().is_file())
            })
            .count()
    };
    let first = project.run(&[]);
    assert_eq!(blobs(), 4);
    project.write("src/main.rs", "fn main() { println!(\"other\"); }\n");
    let second = project.run(&[]);
    assert_ne!(first["digest"], second["digest"]);
    assert_eq!(blobs(), 4);
    assert_eq!(
        project.run(&[])["digest"],
        second["digest"],
        "the same again"
    );
}

#[test]
fn times_come_from_the_plan_alone() {
    let project = Project::new(HELLO);
    let at = |epoch: &str, arguments: &[&str]| {
        let mut command = project.command(arguments);
        finish(command.arg("--format=json").env("SOURCE_DATE_EPOCH", epoch))
    };
    let plain = project.run(&[]);
    let (first, second) = (at("1000000000", &[]), at("1100000000", &[]));
    assert_eq!(layers(&first), layers(&plain));
    assert_eq!(layers(&first), layers(&second));
    assert_ne!(first["digest"], second["digest"]);
    let config = project.config(&second);
    assert_eq!(config["created"], "2004-11-09T11:33:20Z");
    for step in config["history"].as_array().expect("history") {
        assert_eq!(step["created"], "2004-11-09T11:33:20Z");
    }
    let asked = at("1000000000", &["--mtime=source-date-epoch"]);
    assert_ne!(layers(&asked).last(), layers(&first).last());
    let output = project
        .command(&[])
        .env("SOURCE_DATE_EPOCH", "soon")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("`SOURCE_DATE_EPOCH` is `soon`"), "{said}");
}

#[test]
fn files_beside_the_image_say_what_was_made() {
    let project = Project::new(HELLO);
    let summary = project.run(&[
        "--digest-file=out/digest",
        "--metadata-file=out/metadata.json",
        "--plan-file=out/plan",
        "--output=docker-archive:out.tar",
        "--output=oci:layout:v1",
        "--output=oci-archive:oci.tar",
    ]);
    let read = |path: &str| std::fs::read_to_string(project.path(path)).expect("it is written");
    assert_eq!(
        read("out/digest"),
        summary["digest"].as_str().expect("a digest")
    );
    let written: Value = serde_json::from_str(&read("out/metadata.json")).expect("JSON");
    assert_eq!(written, summary);
    let plan = cooperage_plan::PlanFile::parse(read("out/plan").as_bytes()).expect("a plan");
    let cooperage_plan::PlanFile::Plan(plan) = plan else {
        panic!("an image plan")
    };
    let memory = cooperage_blob::Memory::new();
    let built = cooperage_plan::build(&plan, &memory, &cooperage_plan::BuildOptions::default())
        .expect("it builds");
    assert_eq!(
        built.descriptor.digest.to_string(),
        summary["digest"],
        "the plan says it all"
    );
    for output in [
        "docker-archive:out.tar",
        "oci:layout:v1",
        "oci-archive:oci.tar",
    ] {
        let output = output.replacen(':', &format!(":{}/", project.path("").display()), 1);
        let location: cooperage_transport::Location = output.parse().expect("a location");
        let root = location
            .open()
            .expect("it opens")
            .root()
            .expect("it holds one image");
        assert_eq!(
            root.descriptor.digest.to_string(),
            summary["digest"],
            "{output}"
        );
    }
    assert!(
        !project.target().join("image").exists(),
        "nobody asked for it"
    );
}

#[test]
fn a_base_is_built_on_and_checked() {
    let project = Project::new(HELLO);
    let full = project.run(&["--output=oci:full:base", "--env=FROM=base", "--label=l=1"]);
    let on = project.run(&["--base=oci:full:base", "--unset=labels.l"]);
    let config = project.config(&on);
    let run = &config["config"];
    assert_eq!(
        layers(&on)
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>(),
        ["binary"]
    );
    assert_eq!(on["images"][0]["base_layers"], 2);
    assert_eq!(run["User"], "65532:65532", "the base's");
    assert!(
        run["Env"]
            .as_array()
            .is_some_and(|env| env.contains(&json!("FROM=base")))
    );
    assert!(run["Labels"].get("l").is_none());
    let pin = full["digest"].as_str().expect("a digest");
    project.run(&["--base=oci:full:base", "--base-digest", pin]);

    // A base of another program, without the libraries this one needs.
    let bare = Project::new(&[
        HELLO[0],
        HELLO[1],
        (
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\n",
        ),
    ]);
    let plan = "{\"plan\":\"image\",\"version\":1,\"names\":[\"bare\"]}\n{\"layer\":{}}\n{\"path\":\"etc/x\",\"text\":\"x\"}\n";
    let cooperage_plan::PlanFile::Plan(plan) =
        cooperage_plan::PlanFile::parse(plan.as_bytes()).expect("a plan")
    else {
        panic!("an image plan")
    };
    let layout = cooperage_layout::Layout::create(&bare.path("bare")).expect("a layout");
    cooperage_plan::build(&plan, &layout, &cooperage_plan::BuildOptions::default()).expect("built");
    drop(layout);
    bare.refused(
        &["--base=oci:bare:bare"],
        "the base `oci:bare:bare` lacks what the program needs:",
    );
    let other = format!("--base-digest=sha256:{}", "0".repeat(64));
    bare.refused(
        &["--base=oci:bare:bare", &other],
        "the base `oci:bare:bare` is pinned to `sha256:0000",
    );
    bare.refused(
        &["--base=oci:bare", "--library=x.so"],
        "key `libraries` is for images from scratch",
    );
    bare.refused(
        &["--base=oci:bare", "--add-user=a:1"],
        "key `users` is for images from scratch",
    );
}

/// What a linker leaves, by its first bytes, and how the refusal names it.
const FOREIGN: [(&[u8], &str); 3] = [
    (
        &[0xcf, 0xfa, 0xed, 0xfe, 12, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0],
        "is a binary for `darwin/arm64` (Mach-O), expected one for `linux/",
    ),
    (
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x16\0\x01\0\0\0",
        "is a binary for `linux/s390x` (ELF), expected one for `linux/",
    ),
    (b"MZ", "is a binary for `windows/"),
];

#[cfg(unix)]
#[test]
fn a_binary_of_another_platform_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    for (bytes, expect) in FOREIGN {
        let project = Project::new(HELLO);
        let mut binary = bytes.to_vec();
        binary.resize(0x1000, 0);
        if bytes == b"MZ" {
            // A signature where the DOS header says, and the processor behind it.
            binary[0x3c] = 0x80;
            binary[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
            binary[0x98..0x9a].copy_from_slice(b"\x0b\x02");
        } else if bytes.starts_with(b"\x7fELF") {
            // Big-endian, as that processor is; a header of its size, and no segments.
            binary[5] = 2;
            binary[16..20].copy_from_slice(&[0, 2, 0, 22]);
            binary[0x34..0x36].copy_from_slice(&[0, 64]);
        }
        let made = project.path("made.bin");
        std::fs::write(&made, binary).expect("written");
        let linker = project.path("linker");
        let script = format!(
            "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\ncp '{}' \"$2\"\n",
            made.display()
        );
        std::fs::write(&linker, script).expect("written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&linker, executable).expect("it is ours");
        project.write(
            ".cargo/config.toml",
            &format!("[target.'cfg(unix)']\nlinker = '{}'\n", linker.display()),
        );
        project.refused(&[], expect);
    }
}
