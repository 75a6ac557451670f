//! `build` and `plan`.

use serde_json::json;

use crate::support::{PLAN, Project};

/// A plan of two platforms.
pub(crate) const INDEX: &str = r#"{"plan":"index","version":1,"names":["app:1.0"]}
{"image":{"platform":"linux/amd64"}}
{"layer":{"name":"amd"}}
{"path":"a","text":"1","mode":"0644"}
{"image":{"platform":"linux/arm64"}}
{"layer":{"name":"arm"}}
{"path":"a","text":"2","mode":"0644"}
"#;

#[test]
fn one_build_gives_one_digest_in_every_output() {
    let project = Project::new();
    let built = project
        .run(&[
            "build",
            "app.plan",
            "--format",
            "json",
            "-o",
            "docker-archive:a.tar",
            "-o",
            "oci:l",
            "-o",
            "oci-archive:o.tar:other",
            "--digest-file",
            "digest",
            "--metadata-file",
            "meta",
        ])
        .exits(0)
        .json();
    let digest = built["digest"].as_str().expect("it has a digest");
    assert_eq!(project.read("digest"), digest.as_bytes());
    assert_eq!(project.read_json("meta"), built);
    assert_eq!(built["images"][0]["layers"][1]["name"], "upper");
    assert_eq!(built["outputs"].as_array().map(Vec::len), Some(3));
    for location in [
        "oci:l:app:1.0",
        "docker-archive:a.tar:app:1.0",
        "oci-archive:o.tar:other",
    ] {
        assert_eq!(project.digest(location), digest, "{location}");
    }
}

/// Enough files that two threads make the tree.
#[test]
fn names_start_where_the_plan_lies_wherever_one_stands() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("below/files/deep")).expect("a directory can be made");
    for number in 0..500 {
        project.write(&format!("below/files/deep/{number}"), format!("{number}\n"));
    }
    let plan = r#"{"plan":"image","version":1}
{"layer":{}}
{"path":"srv","tree":"files","mode":"0644"}
"#;
    project.write("below/app.plan", plan);
    let whole = project.path("below/app.plan");
    let whole = whole.to_str().expect("text");
    for (plan, output) in [("below/app.plan", "oci:relative"), (whole, "oci:absolute")] {
        project.run(&["build", plan, "-q", "-o", output]).exits(0);
    }
    assert_eq!(
        project.digest("oci:relative"),
        project.digest("oci:absolute")
    );
    let listed = project.run(&["ls", "oci:relative"]).exits(0).text();
    assert!(listed.contains("srv/deep/499"), "{listed}");
}

#[test]
fn archives_alone_need_no_layout() {
    let project = Project::new();
    let outputs = [
        "-o",
        "docker-archive:a.tar",
        "-o",
        "docker-archive:b.tar:b:2",
    ];
    project
        .run(&[&["build", "app.plan"], &outputs[..]].concat())
        .exits(0);
    assert_eq!(
        project.digest("docker-archive:a.tar"),
        project.digest("docker-archive:b.tar:b:2")
    );
    assert_eq!(project.names(), ["a.tar", "app", "app.plan", "b.tar"]);
}

#[test]
fn the_plan_may_come_from_standard_input_and_threads_do_not_show() {
    let project = Project::built();
    let args = ["build", "-", "-q", "-j", "1", "-o", "oci:piped"];
    project.run_with(&args, PLAN.as_bytes()).exits(0);
    assert_eq!(project.digest("oci:piped"), project.digest("oci:image"));
}

#[test]
fn relative_names_start_from_the_plans_directory_or_the_root() {
    let project = Project::built();
    std::fs::create_dir(project.path("plans")).expect("a directory can be made");
    project.write("plans/app.plan", PLAN);
    project
        .run(&["build", "plans/app.plan", "-o", "oci:x"])
        .exits(1)
        .says(&[
            "cannot read `plans/app` for layer entry `app` (plan line 7)",
            "hint:",
            "--root",
        ]);
    project
        .run(&["build", "plans/app.plan", "--root", ".", "-o", "oci:x"])
        .exits(0);
    assert_eq!(project.digest("oci:x"), project.digest("oci:image"));
}

#[test]
fn a_failed_build_leaves_nothing_behind() {
    let project = Project::new();
    let before = project.names();
    let based = PLAN.replacen("\"config\"", "\"base\":\"oci:no-such\",\"config\"", 1);
    // A layer's metadata without its blob is found out when the first layer is already written.
    let late = format!("{PLAN}{}\n", r#"{"layer":{"metadata":"late.json"}}"#);
    let missing = PLAN.replace("\"file\":\"app\"", "\"file\":\"no-such\"");
    for (plan, words) in [
        (based.as_str(), "no-such/oci-layout"),
        (late.as_str(), "late.json"),
        (missing.as_str(), "no-such"),
        ("{\"plan\":\"image\"}", "`version` is missing"),
    ] {
        for output in ["oci:out", "docker-archive:out", "oci-archive:out"] {
            let args = ["build", "-", "-o", output, "--digest-file", "digest"];
            let ran = project.run_with(&args, plan.as_bytes()).exits(1);
            ran.says(&["error: ", words]);
            assert_eq!(project.names(), before, "{output}: {words}");
        }
    }
}

#[test]
fn a_failed_build_leaves_what_was_there() {
    let project = Project::built();
    project
        .run(&["copy", "oci:image", "docker-archive:a.tar"])
        .exits(0);
    let (archive, digest) = (project.read("a.tar"), project.digest("oci:image"));
    let late = format!("{PLAN}{}\n", r#"{"layer":{"metadata":"late.json"}}"#);
    for output in ["oci:image", "docker-archive:a.tar"] {
        project
            .run_with(&["build", "-", "-o", output], late.as_bytes())
            .exits(1);
    }
    assert_eq!(project.read("a.tar"), archive);
    assert_eq!(project.digest("oci:image"), digest);
    project.run(&["verify", "oci:image"]).exits(0);
}

#[test]
fn a_killed_build_leaves_no_archive() {
    let project = Project::new();
    // Bytes that do not compress fast, so that the build is still busy when it is killed.
    let mut seed = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    })
    .take(32 << 20)
    .collect();
    project.write("app", noise);
    project.write("out.tar", "what was there");
    let args = ["build", "app.plan", "-q", "-o", "docker-archive:out.tar"];
    let mut child = project
        .command()
        .args(args)
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_millis(100));
    child.kill().expect("it can be killed");
    let status = child.wait().expect("it ends");
    assert!(!status.success(), "it was too fast for this test");
    assert_eq!(project.read("out.tar"), b"what was there");
}

#[test]
fn wrong_command_lines_are_told_from_failures() {
    let project = Project::built();
    for (args, code, words) in [
        (&["build", "app.plan"][..], 2, "--output"),
        (&["build", "app.plan", "-o", "image"], 2, "names no medium"),
        (
            &["build", "app.plan", "-o", "oci:a", "-j", "0"],
            2,
            "--jobs",
        ),
        (&["no-such"], 2, "unrecognized subcommand"),
        (
            &["build", "no-such", "-o", "oci:a"],
            1,
            "cannot read the plan `no-such`",
        ),
        (
            &["build", "app.plan", "-o", "docker-archive:-"],
            1,
            "hint: `cooperage copy",
        ),
        (
            &["layer", "app.plan", "--blob", "b", "--metadata", "m"],
            1,
            "describes an image",
        ),
        (&["build", "app.plan", "-o", "oci:image:"], 2, "name"),
        (
            &["build", "app.plan", "-o", "oci:."],
            1,
            "hint: choose an empty",
        ),
    ] {
        project.run(args).exits(code).says(&[words]);
    }
}

#[test]
fn several_platforms_make_an_index() {
    let project = Project::new();
    project.write("index.plan", INDEX);
    project
        .run(&["build", "index.plan", "-o", "oci:image"])
        .exits(0);
    let inspected = project
        .run(&["inspect", "oci:image", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(inspected["images"][1]["platform"], "linux/arm64");
    project
        .run(&["ls", "oci:image"])
        .exits(1)
        .says(&["hint: `--platform`", "linux/arm64"]);
    project
        .run(&["ls", "oci:image", "--platform", "linux/arm64"])
        .exits(0);
    project
        .run(&["build", "index.plan", "-o", "docker-archive:a.tar"])
        .exits(1)
        .says(&["choose a platform", "hint: `--platform"]);
    let one = [
        "build",
        "index.plan",
        "-o",
        "docker-archive:a.tar",
        "--platform",
        "linux/arm64",
    ];
    project
        .run(&one)
        .exits(0)
        .says(&["dropped: the image for linux/amd64"]);
    project
        .run(&["copy", "oci:image", "oci:arm", "--platform", "linux/arm64"])
        .exits(0);
    assert_eq!(project.digest("oci:arm"), inspected["images"][1]["digest"]);
    let raw = project
        .run(&["inspect", "oci:image", "--raw", "index"])
        .exits(0);
    assert_eq!(raw.json()["manifests"].as_array().map(Vec::len), Some(2));
    let config = [
        "inspect",
        "oci:image",
        "--raw",
        "config",
        "--platform",
        "linux/arm64",
    ];
    assert_eq!(
        project.run(&config).exits(0).json()["architecture"],
        "arm64"
    );
}

#[test]
fn plan_check_reports_every_fault() {
    let project = Project::new();
    let ran = project
        .run(&["plan", "check", "app.plan", "--format", "json"])
        .exits(0);
    assert_eq!(ran.json()["faults"], json!([]));
    assert_eq!(ran.json()["plan"]["images"][0]["layers"][1]["entries"], 5);

    let mut plan = PLAN.replace("\"file\":\"app\"", "\"file\":\"gone\"");
    plan.push_str("{\"path\":\"b\",\"file\":\"away\"}\n{\"layer\":{\"tar\":\"no.tar\"}}\n");
    let args = ["plan", "check", "-", "--format", "json", "--require-modes"];
    let found = project.run_with(&args, plan.as_bytes()).exits(3).json();
    let faults: Vec<String> = found["faults"]
        .as_array()
        .expect("a list")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    for (fault, word) in faults.iter().zip(["gone", "away", "no.tar"]) {
        assert!(fault.contains(word), "{fault}");
    }
    let contradiction = "{\"path\":\"app\",\"text\":\"x\"}\n";
    let plan = format!("{PLAN}{contradiction}");
    project
        .run_with(&["plan", "check", "-"], plan.as_bytes())
        .exits(3)
        .says(&["given twice"]);
    let base = PLAN.replacen("\"config\"", "\"base\":\"oci:none\",\"config\"", 1);
    project
        .run_with(&["plan", "check", "-"], base.as_bytes())
        .exits(3)
        .says(&["base `oci:none`"]);
    project
        .run_with(&["plan", "check", "-"], b"{")
        .exits(3)
        .says(&["line 1"]);
    project.run(&["plan", "check", "no-such"]).exits(1);
}

/// What `build` refuses before or behind the packing of layers, `plan check` finds, in the same
/// words.
#[test]
fn plan_check_finds_what_build_would() {
    let project = Project::built();
    project.write("no.tar", [b'x'; 2048]);
    project.write("no.json", cooperage_testkit::layer_metadata(b"other bytes"));
    let image = |members: &str, lines: &str| {
        format!("{{\"plan\":\"image\",\"version\":1{members}}}\n{lines}\n")
    };
    let index = |lines: &str| format!("{{\"plan\":\"index\",\"version\":1}}\n{lines}\n");
    let annotated = r#""media_types":"docker","annotations":{"a":"b"}"#;
    for (plan, words) in [
        (
            image(r#","created":"soon""#, ""),
            &["line 1: `created`", "`soon`"][..],
        ),
        (
            image("", r#"{"layer":{"created":"soon"}}"#),
            &["line 2: `layer.created`", "`soon`"],
        ),
        (
            image(&format!(",{annotated}"), ""),
            &["Docker media types carry no annotations, `a`"],
        ),
        (
            image(
                r#","media_types":"docker""#,
                r#"{"layer":{"annotations":{"a":"b"}}}"#,
            ),
            &["Docker media types carry no annotations, `a`"],
        ),
        (
            image(r#","base":"oci:image","platform":"linux/s390x""#, ""),
            &["the base runs on `linux/amd64`, the image is to run on `linux/s390x`"],
        ),
        (
            image(r#","base":"oci:none""#, ""),
            &["cannot use `base` (plan line 1)", "`oci:none`"],
        ),
        (
            image("", r#"{"layer":{"tar":"no.tar","form":"canonical"}}"#),
            &["cannot use `tar` (plan line 2)", "no.tar"],
        ),
        (
            image("", r#"{"layer":{"tar":"no.tar"}}"#),
            &["cannot use `tar` (plan line 2)", "expected a tar"],
        ),
        (
            image("", r#"{"layer":{"metadata":"none.json"}}"#),
            &["cannot use `metadata` (plan line 2)", "none.json"],
        ),
        (
            image("", r#"{"layer":{"metadata":"no.json","blob":"no.tar"}}"#),
            &[
                "cannot use `blob` (plan line 2)",
                "`no.tar` is not the blob",
            ],
        ),
        (
            index("{\"image\":{}}\n{\"image\":{\"base\":\"oci:image\"}}"),
            &["two images for `linux/amd64`"],
        ),
        (index(""), &["line 1: `image` is missing"]),
        (
            format!("{{\"plan\":\"index\",\"version\":1,{annotated}}}\n{{\"image\":{{}}}}\n"),
            &["Docker media types carry no annotations, `a`"],
        ),
    ] {
        let plan = plan.as_bytes();
        let built = project.run_with(&["build", "-", "-o", "oci:new"], plan);
        built.exits(1).says(words);
        let checked = project.run_with(&["plan", "check", "-"], plan);
        checked.exits(3).says(words).says(&["1 fault"]);
    }
    // No fault: `commit` needs no blob, and `build` none where the output has it.
    let plan = image("", r#"{"layer":{"metadata":"no.json"}}"#);
    let checked = project.run_with(&["plan", "check", "-"], plan.as_bytes());
    checked
        .exits(0)
        .says(&["metadata no.json without its blob"]);
}

#[test]
fn plan_check_reports_all_faults_of_a_layer() {
    let project = Project::new();
    let plan = "{\"plan\":\"layer\",\"version\":1}\n\
        {\"path\":\".wh.x\",\"text\":\"\"}\n\
        {\"path\":\"l\",\"hardlink\":\"gone\"}\n\
        {\"path\":\"f\",\"file\":\"away\"}\n\
        {\"path\":\"g\",\"hardlink\":\"f\"}\n\
        {\"path\":\"m\",\"hardlink\":\"lost\"}\n\
        {\"path\":\"l\",\"text\":\"\"}\n";
    let args = ["plan", "check", "-", "--format", "json"];
    let found = project.run_with(&args, plan.as_bytes()).exits(3).json();
    let faults = found["faults"].as_array().expect("a list");
    let words = [
        "`.wh.x` (plan line 2)",
        "away` for layer entry `f` (plan line 4)",
        "by plan line 3 and by plan line 7",
        "`l` (from plan line 3) is a hard link to `gone`",
        "`m` (from plan line 6) is a hard link to `lost`",
    ];
    assert_eq!(faults.len(), words.len(), "{faults:#?}");
    for (fault, word) in faults.iter().zip(words) {
        assert!(
            fault.as_str().is_some_and(|fault| fault.contains(word)),
            "{fault}"
        );
    }
}

#[test]
fn a_closure_is_lines_of_a_plan() {
    let project = Project::new();
    let program = env!("CARGO_BIN_EXE_cooperage");
    let placed = format!("{program}=/usr/bin/cooperage");
    let text = project.run(&["plan", "closure", &placed]).exits(0).text();
    let json = project
        .run(&["plan", "closure", &placed, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        json["entries"].as_array().map(Vec::len),
        Some(text.lines().count())
    );
    assert!(text.contains("libc") || text.is_empty(), "{text}");
    let plan = format!("{{\"plan\":\"layer\",\"version\":1}}\n{text}");
    let args = ["plan", "check", "-", "--require-modes"];
    project.run_with(&args, plan.as_bytes()).exits(0);
    project
        .run(&["plan", "closure", "no-such=/a"])
        .exits(1)
        .says(&["no-such"]);
    project
        .run(&["plan", "closure", "no-such"])
        .exits(2)
        .says(&["image path"]);
    project
        .run(&["plan", "closure", &placed, "--library", "libnone.so.9"])
        .exits(1);
}
