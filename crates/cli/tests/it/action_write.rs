//! Actions that read and write images: `documents`, `fetch`, `write`.

use std::fs;

use cooperage_testkit::own_registry::{OwnRegistry, OwnRegistryOptions};
use serde_json::{Value, json};

use crate::pieces::{Pieces, Silent as _};
use crate::support::names;

const LAYOUT: &str = r#"{"output":"layout","file":"out/image"}"#;
const NAME: &str = r#"{"name":"app:latest"}"#;

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").expect("sha256")
}

#[test]
fn an_image_in_pieces_becomes_a_layout_or_an_archive() {
    let pieces = Pieces::new();
    let project = &pieces.project;
    pieces.act_on("write", &[LAYOUT, NAME]).silent();
    assert_eq!(project.digest("oci:out/image:app:latest"), pieces.digest());
    assert_eq!(names(&project.path("out")), ["image"]);
    let files = names(&project.path("out/image"));
    assert_eq!(files, ["blobs", "index.json", "oci-layout"]);
    project
        .run(&["verify", "oci:out/image"])
        .exits(0)
        .says(&["no fault"]);

    let archive = r#"{"output":"docker-archive","file":"app.tar"}"#;
    let second = r#"{"name":"registry.example/app:2"}"#;
    pieces.act_on("write", &[archive, NAME, second]).silent();
    for name in ["app:latest", "registry.example/app:2"] {
        let location = format!("docker-archive:app.tar:{name}");
        assert_eq!(project.digest(&location), pieces.digest(), "{name}");
    }
    let archive = r#"{"output":"oci-archive","file":"app-oci.tar"}"#;
    pieces.act_on("write", &[archive]).silent();
    assert_eq!(project.digest("oci-archive:app-oci.tar"), pieces.digest());

    // The same bytes a second time, wherever they lie.
    let first = project.read("app.tar");
    let archive = r#"{"output":"docker-archive","file":"again.tar"}"#;
    pieces.act_on("write", &[archive, second, NAME]).silent();
    assert_eq!(project.read("again.tar"), first);
}

#[test]
fn an_empty_directory_is_filled_and_nothing_else_is_overwritten() {
    let pieces = Pieces::new();
    let project = &pieces.project;
    fs::create_dir_all(project.path("out/image")).expect("a directory");
    pieces.act_on("write", &[LAYOUT, NAME]).silent();
    let before = project.snapshot();
    // Of another image nothing is added.
    let ran = pieces.act_on("write", &[LAYOUT, r#"{"name":"other:1"}"#]);
    ran.fails(&["cannot write `out/image`: expected nothing there"]);
    let mut after = project.snapshot();
    after.insert(
        project.path("request"),
        before[&project.path("request")].clone(),
    );
    assert_eq!(after, before);
}

#[test]
fn an_index_goes_whole_into_a_layout_and_by_platform_into_a_docker_archive() {
    let mut pieces = Pieces::new();
    pieces.index();
    let project = &pieces.project;
    pieces.act_on("write", &[LAYOUT]).silent();
    assert_eq!(project.digest("oci:out/image"), pieces.digest());
    let archive = r#"{"output":"docker-archive","file":"app.tar"}"#;
    pieces.act_on("write", &[archive, NAME]).fails(&[
        "linux/amd64",
        "linux/arm64",
        "choose a platform",
    ]);
    assert!(!project.path("app.tar").exists());
    let arm = r#"{"platform":"linux/arm64"}"#;
    pieces.act_on("write", &[archive, NAME, arm]).silent();
    let inspected = project.run(&["inspect", "docker-archive:app.tar", "--format", "json"]);
    let arm = project.read_json("arm.descriptor");
    assert_eq!(inspected.exits(0).json()["digest"], arm["digest"]);
}

/// Fails to write, and leaves nothing.
#[track_caller]
fn refused(change: &dyn Fn(&mut Pieces), lines: &[&str], said: &[&str]) {
    let mut pieces = Pieces::new();
    change(&mut pieces);
    let before = pieces.project.names();
    let ran = pieces.act_on("write", lines);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    ran.fails(said);
    let mut after = pieces.project.names();
    after.retain(|name| name != "request" && name != "out" && name != "home");
    let mut before = before;
    before.retain(|name| name != "request");
    assert_eq!(after, before);
    if pieces.project.path("out").exists() {
        assert_eq!(names(&pieces.project.path("out")), Vec::<String>::new());
    }
}

#[test]
fn what_is_wrong_with_parts_is_said_and_nothing_is_left() {
    let without = |part: &'static str| {
        move |pieces: &mut Pieces| {
            let lines = pieces.lines.lines().filter(|line| !line.contains(part));
            pieces.lines = lines.collect::<Vec<_>>().join("\n");
        }
    };

    refused(
        &without("layer"),
        &[LAYOUT],
        &[
            "is not in any of the image's parts",
            "`app.manifest` lists it",
        ],
    );
    refused(
        &without("app.config"),
        &[LAYOUT],
        &["`app.manifest` lists it"],
    );
    refused(
        &without("root"),
        &[LAYOUT],
        &["expected one line `{\"part\":\"root\",\"file\":…}`"],
    );
    let damaged = |pieces: &mut Pieces| {
        let mut bytes = pieces.project.read("app.blob");
        bytes[20] ^= 1;
        pieces.project.write("app.blob", bytes);
    };
    refused(&damaged, &[LAYOUT], &["the part `app.blob` is damaged"]);
    let archive = r#"{"output":"docker-archive","file":"app.tar"}"#;
    refused(
        &damaged,
        &[archive, NAME],
        &["the part `app.blob` is damaged"],
    );
    let short = |pieces: &mut Pieces| pieces.project.write("app.blob", b"short");
    refused(&short, &[LAYOUT], &["the part `app.blob` is damaged", "5"]);
    let gone = |pieces: &mut Pieces| {
        fs::remove_file(pieces.project.path("app.blob")).expect("it is there");
        pieces.project.write("app.blob2", b"");
    };
    refused(
        &gone,
        &[LAYOUT],
        &["cannot open `app.blob`, which is to hold `sha256:"],
    );
}

#[test]
fn what_is_wrong_with_lines_is_said_and_nothing_is_left() {
    let archive = r#"{"output":"docker-archive","file":"app.tar"}"#;
    let replaced = |from: &'static str, to: &'static str| {
        move |pieces: &mut Pieces| pieces.lines = pieces.lines.replacen(from, to, 1)
    };
    let nothing = |_: &mut Pieces| {};
    refused(
        &replaced("app.layer", "app.manifest"),
        &[LAYOUT],
        &[
            "`app.manifest` is of no layer",
            "`layer_metadata`: expected `1`",
        ],
    );
    refused(
        &replaced("app.descriptor", "app.manifest"),
        &[LAYOUT],
        &["`app.manifest` holds no descriptor"],
    );
    refused(
        &replaced("\"document\"", "\"documnet\""),
        &[LAYOUT],
        &[
            "line 3: `part` is not valid",
            "no kind `documnet` of part is known: did you mean `document`?",
        ],
    );
    refused(
        &replaced("\"metadata\"", "\"metdata\""),
        &[LAYOUT],
        &["line 5: unknown field `metdata`: did you mean `metadata`?"],
    );
    refused(
        &nothing,
        &[NAME],
        &["expected one output of `layout`", "found 0"],
    );
    refused(&nothing, &[LAYOUT, archive], &["found 2"]);
    refused(
        &nothing,
        &[archive, r#"{"name":"no NAME"}"#],
        &["`no NAME` cannot name an image of a docker archive"],
    );
    refused(
        &nothing,
        &[LAYOUT, r#"{"name":""}"#],
        &["a `name` is empty"],
    );
    refused(
        &nothing,
        &[LAYOUT, r#"{"part":"source","reference":"ocl:x"}"#],
        &["`ocl:x` is no location"],
    );
}

#[test]
fn base_layers_come_from_where_the_base_is() {
    let mut pieces = Pieces::new();
    pieces
        .act_on("write", &[r#"{"output":"layout","file":"base"}"#])
        .silent();
    pieces.layer(
        "own",
        "{\"path\":\"own\",\"text\":\"own\",\"mode\":\"0644\"}",
    );
    pieces.image("own", r#","base":"oci:base""#, &["own"]);
    pieces.act_on("write", &[LAYOUT]).fails(&[
        "is not in any of the image's parts",
        "`own.manifest` lists it",
    ]);
    let elsewhere = r#"{"part":"source","reference":"oci:nothing"}"#;
    let source = r#"{"part":"source","reference":"oci:base"}"#;
    pieces
        .act_on("write", &[LAYOUT, elsewhere])
        .fails(&["cannot open the source `oci:nothing`"]);
    pieces
        .act_on("write", &[LAYOUT, elsewhere, source])
        .silent();
    let project = &pieces.project;
    assert_eq!(project.digest("oci:out/image"), pieces.digest());
    project.run(&["verify", "oci:out/image"]).exits(0);
}

/// `documents` of the layout `from`, into `docs`.
fn documents(pieces: &Pieces, reference: &str) -> Value {
    let request = format!(
        "{}\n{}\n{reference}",
        r#"{"action":"documents","version":1}"#, r#"{"output":"documents","file":"docs"}"#
    );
    pieces.act(&request).silent();
    pieces.project.read_json("docs/documents.json")
}

#[test]
fn documents_of_an_index_are_kept_without_a_layer() {
    let mut pieces = Pieces::new();
    pieces.index();
    let project = &pieces.project;
    pieces
        .act_on("write", &[r#"{"output":"layout","file":"from"}"#])
        .silent();
    let reference = format!(
        r#"{{"reference":"oci:from","digest":"{}"}}"#,
        pieces.digest()
    );
    let found = documents(&pieces, &reference);
    assert_eq!(found["documents"], 1);
    assert_eq!(found["digest"], pieces.digest());
    assert_eq!(project.read("docs/root.json"), project.read("all.index"));
    assert_eq!(found["size"], project.read("all.index").len());
    let images = found["images"].as_array().expect("a list");
    let platforms: Vec<_> = images.iter().map(|image| &image["platform"]).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    for (image, name) in images.iter().zip(["app", "arm"]) {
        let file = |key: &str| format!("docs/{}", image[key].as_str().expect("a file"));
        assert_eq!(
            project.read(&file("manifest")),
            project.read(&format!("{name}.manifest"))
        );
        assert_eq!(
            project.read(&file("config")),
            project.read(&format!("{name}.config"))
        );
        let layer = project.read_json("app.layer");
        let expected = json!([{
            "digest": layer["descriptor"]["digest"],
            "size": layer["descriptor"]["size"],
            "media_type": layer["descriptor"]["mediaType"],
            "diff_id": layer["diff_id"],
        }]);
        assert_eq!(image["layers"], expected);
    }
    let manifests = found["manifests"].as_array().expect("a list");
    assert_eq!(manifests.len(), 3);
    // Two configs and three manifests, and no layer.
    assert_eq!(names(&project.path("docs/blobs/sha256")).len(), 5);
    // Canonical: nothing but the order of the keys makes the bytes.
    let bytes = project.read("docs/documents.json");
    let again = documents_again(&pieces, &reference);
    assert_eq!(bytes, again);
}

fn documents_again(pieces: &Pieces, reference: &str) -> Vec<u8> {
    fs::remove_dir_all(pieces.project.path("docs")).expect("it is there");
    fs::create_dir(pieces.project.path("docs")).expect("an empty one may be there");
    documents(pieces, reference);
    pieces.project.read("docs/documents.json")
}

#[test]
fn documents_of_one_platform_are_files_of_their_own() {
    let mut pieces = Pieces::new();
    pieces.index();
    pieces
        .act_on("write", &[r#"{"output":"layout","file":"from"}"#])
        .silent();
    let act = |more: &str| {
        let request = [
            r#"{"action":"documents","version":1}"#,
            r#"{"output":"manifest","file":"m"}"#,
            r#"{"output":"config","file":"c"}"#,
            r#"{"output":"descriptor","file":"d"}"#,
            more,
        ];
        pieces.act(&request.join("\n"))
    };
    let project = &pieces.project;
    let from = r#"{"reference":"oci:from"}"#;
    act(from).fails(&[
        "is an index of images for `linux/amd64`, `linux/arm64`",
        "a line `{\"platform\":\"OS/ARCH\"}` chooses one",
    ]);
    act(&format!("{from}\n{}", r#"{"platform":"linux/riscv64"}"#)).fails(&["linux/riscv64"]);
    assert!(!project.path("m").exists());
    act(&format!("{from}\n{}", r#"{"platform":"linux/arm64"}"#)).silent();
    for (mine, theirs) in [
        ("m", "arm.manifest"),
        ("c", "arm.config"),
        ("d", "arm.descriptor"),
    ] {
        assert_eq!(project.read(mine), project.read(theirs), "{mine}");
    }
    // An image below the index, by its digest alone.
    let arm = project.read_json("app.descriptor")["digest"].clone();
    act(&format!(r#"{{"reference":"oci:from","digest":{arm}}}"#)).silent();
    assert_eq!(project.read("m"), project.read("app.manifest"));
    let other = format!("sha256:{}", "0".repeat(64));
    act(&format!(r#"{{"reference":"oci:from","digest":"{other}"}}"#))
        .fails(&["`oci:from` has no image", &pieces.digest()]);
    act("").fails(&["a line with `reference` is missing"]);
    act(r#"{"reference":"oci:from","digest":"sha256:1"}"#)
        .fails(&["line 5: `digest` is not valid"]);
    act(&format!("{from}\n{}", r#"{"platform":"linux"}"#))
        .fails(&["line 6: `platform` is not valid"]);
    act(&format!(
        "{from}\n{}",
        r#"{"output":"documents","file":"docs"}"#
    ))
    .fails(&["`documents` holds the documents of all platforms"]);
    assert!(!project.path("docs").exists());
}

#[test]
fn documents_and_blobs_come_from_a_registry() {
    let pieces = Pieces::new();
    let project = &pieces.project;
    let registry = OwnRegistry::start(OwnRegistryOptions::default());
    pieces.act_on("write", &[LAYOUT]).silent();
    let to = format!("docker://{}/team/app:1", registry.address());
    project.run(&["copy", "oci:out/image", &to, "-q"]).exits(0);
    let repository = format!("docker://{}/team/app", registry.address());
    let before = registry.asked().len();
    let found = documents(
        &pieces,
        &format!(
            r#"{{"reference":"{repository}","digest":"{}"}}"#,
            pieces.digest()
        ),
    );
    assert_eq!(found["images"][0]["digest"], pieces.digest());
    let layer = &found["images"][0]["layers"][0];
    let digest = layer["digest"].as_str().expect("a digest");
    let asked = registry.asked().split_off(before);
    assert!(asked.iter().all(|line| !line.contains(digest)), "{asked:?}");
    assert_eq!(asked.len(), 2, "{asked:?}");

    let fetch = |digest: &str, size: u64| {
        pieces.act(&format!(
            "{}\n{}\n{{\"reference\":\"{repository}\"}}\n{}",
            r#"{"action":"fetch","version":1}"#,
            r#"{"output":"blob","file":"fetched"}"#,
            format_args!(r#"{{"digest":"{digest}","size":{size},"media_type":"x/y"}}"#),
        ))
    };
    let size = layer["size"].as_u64().expect("a size");
    fetch(digest, size).silent();
    // As in a sandbox: with no home, no cache and nobody's login.
    fs::remove_file(project.path("fetched")).expect("it is there");
    let mut command = project.command();
    command.env_clear().args(["action", "@request"]);
    cooperage_testkit::program::run(&mut command, b"").silent();
    assert_eq!(project.read("fetched"), project.read("app.blob"));
    fs::remove_file(project.path("fetched")).expect("it is there");
    let before = project.names();
    fetch(digest, size + 1).fails(&["cannot fetch", digest]);
    let missing = format!("sha256:{}", "0".repeat(64));
    fetch(&missing, size).fails(&["cannot fetch", &missing, &repository]);
    registry.insert_unverified(
        "team/app",
        &missing,
        &vec![0; usize::try_from(size).expect("small")],
    );
    fetch(&missing, size).fails(&["cannot fetch", hex(&missing)]);
    assert_eq!(project.names(), before);
    fetch("sha512:12", size).fails(&["line 4: `digest` is not valid"]);
}

#[test]
fn attestations_are_kept_as_manifests_alone() {
    let mut pieces = Pieces::new();
    pieces.index();
    let project = &pieces.project;
    pieces
        .act_on("write", &[r#"{"output":"layout","file":"from"}"#])
        .silent();
    // What docker buildx adds to an index: a manifest for `unknown/unknown`, whose layer is a
    // statement; neither that nor its config is there.
    let nowhere = |name: &str| {
        json!({
            "mediaType": name,
            "digest": format!("sha256:{}", "ab".repeat(32)),
            "size": 7,
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": nowhere("application/vnd.oci.image.config.v1+json"),
        "layers": [nowhere("application/vnd.in-toto+json")],
    });
    let mut index = project.read_json("all.index");
    let put = |value: &Value| {
        let bytes = serde_json::to_vec(value).expect("JSON");
        let digest = cooperage_testkit::sha256(&bytes);
        project.write(&format!("from/blobs/sha256/{}", hex(&digest)), &bytes);
        (digest, bytes.len())
    };
    let (digest, size) = put(&manifest);
    index["manifests"]
        .as_array_mut()
        .expect("a list")
        .push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": size,
            "platform": {"os": "unknown", "architecture": "unknown"},
        }));
    let (root, size) = put(&index);
    let listed = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": root,
            "size": size,
        }],
    });
    project.write(
        "from/index.json",
        serde_json::to_vec(&listed).expect("JSON"),
    );
    let found = documents(&pieces, r#"{"reference":"oci:from"}"#);
    assert_eq!(found["images"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["manifests"].as_array().map(Vec::len), Some(4));
    assert!(
        project
            .path(&format!("docs/blobs/sha256/{}", hex(&digest)))
            .is_file()
    );
    assert_eq!(names(&project.path("docs/blobs/sha256")).len(), 6);
}
