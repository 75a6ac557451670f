//! Values read from documents, and written.

use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, DocumentError, FromJson, ImageConfig, Index, Json, Manifest, MediaType,
    Platform, ToJson, chain_ids,
};
use proptest::prelude::*;
use std::error::Error as _;

use crate::strategies;

const SHA: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn with_sha(text: &str) -> Vec<u8> {
    text.replace("$SHA", SHA).into_bytes()
}

#[track_caller]
fn refused<T: FromJson + std::fmt::Debug>(text: &str, expected: &str) {
    match Document::<T>::parse(with_sha(text)) {
        Err(error) => assert_eq!(error.to_string(), expected),
        Ok(document) => panic!("taken as {:?}", document.value()),
    }
}

/// A config as Docker 20.10 commits it: empty and `null` members, and what only Docker knows.
const DOCKER_CONFIG: &str = r#"{"architecture":"amd64","config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["PATH=/usr/bin","A=\u003cb\u003e"],"Cmd":["nginx"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Retries":3,"X":1.50},"ArgsEscaped":true,"Image":"sha256:00","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":["RUN x"],"Labels":null,"StopSignal":"SIGQUIT","Shell":["/bin/bash","-c"]},"container":"abc","container_config":{"Hostname":"abc","Cmd":null},"created":"2023-01-01T00:00:00.5Z","docker_version":"20.10.24","history":[{"created":"2023-01-01T00:00:00Z","created_by":"/bin/sh -c #(nop) ADD file","y":[1e2]},{"created_by":"CMD","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["$SHA"],"z":null},"variant":"v2"}"#;

#[test]
fn a_docker_config_is_read() {
    let document = Document::<ImageConfig>::parse(with_sha(DOCKER_CONFIG)).unwrap();
    let config = document.value();
    assert_eq!(config.platform.to_string(), "linux/amd64/v2");
    assert_eq!(config.created.as_deref(), Some("2023-01-01T00:00:00.5Z"));
    let run = &config.config;
    assert_eq!(run.user.as_deref(), Some(""));
    assert_eq!(run.env, ["PATH=/usr/bin", "A=<b>"]);
    assert_eq!(
        (&run.entrypoint, &run.cmd),
        (&None, &Some(vec!["nginx".to_owned()]))
    );
    assert!(run.volumes.is_empty() && run.labels.is_empty());
    assert!(run.exposed_ports.contains("80/tcp"));
    assert_eq!(run.stop_signal.as_deref(), Some("SIGQUIT"));
    let check = run.healthcheck.as_ref().unwrap();
    assert_eq!(check.test, ["CMD-SHELL", "true"]);
    assert_eq!(
        (check.interval, check.timeout),
        (Some(30_000_000_000), None)
    );
    assert_eq!(check.retries, Some(3));
    assert!(run.extra.contains_key("OnBuild") && run.extra.contains_key("Shell"));
    assert!(!run.extra.contains_key("Labels"));
    assert_eq!(config.history.len(), 2);
    assert!(!config.history[0].empty_layer && config.history[1].empty_layer);
    assert_eq!(config.rootfs.diff_ids, [SHA.parse::<Digest>().unwrap()]);
}

#[test]
fn unknown_members_survive_an_edit_at_every_level() {
    let edited = Document::<ImageConfig>::parse(with_sha(DOCKER_CONFIG))
        .unwrap()
        .edit(|config| {
            config.config.env.push("NEW=1".into());
            config.config.healthcheck.as_mut().unwrap().retries = Some(5);
            config.history[0].comment = Some("c".into());
        });
    // The edit alone, made on the text: all other members are to be there, `null` ones of known
    // names excepted, since they say nothing.
    let expected = DOCKER_CONFIG
        .replace(r#""A=\u003cb\u003e""#, r#""A=<b>","NEW=1""#)
        .replace(r#""Retries":3"#, r#""Retries":5"#)
        .replace(r#""y":[1e2]"#, r#""y":[1e2],"comment":"c""#)
        .replace(r#""Volumes":null,"#, "")
        .replace(r#""Entrypoint":null,"#, "")
        .replace(r#""Labels":null,"#, "");
    let expected = Json::parse(&with_sha(&expected)).unwrap();
    assert_eq!(
        String::from_utf8_lossy(edited.raw()),
        String::from_utf8_lossy(&expected.to_canonical())
    );
    // What is written is what is read again.
    let again = Document::<ImageConfig>::parse(edited.raw().to_vec()).unwrap();
    assert_eq!(again.value(), edited.value());
}

#[test]
fn unknown_members_of_manifests_and_descriptors_survive_an_edit() {
    let manifest = r#"{"a":1.0,"config":{"b":[],"digest":"$SHA","mediaType":"m","platform":{"architecture":"x","c":{},"features":["f"],"os":"y"},"size":2},"layers":[{"d":null,"digest":"$SHA","mediaType":"n","size":3}],"schemaVersion":2,"subject":{"digest":"$SHA","e":"e","mediaType":"s","size":4}}"#;
    let edited = Document::<Manifest>::parse(with_sha(manifest))
        .unwrap()
        .edit(|manifest| manifest.layers[0].size = 5);
    assert_eq!(
        String::from_utf8_lossy(edited.raw()),
        manifest
            .replace("\"size\":3", "\"size\":5")
            .replace("$SHA", SHA)
    );

    let index = r#"{"f":1E2,"manifests":[{"digest":"$SHA","g":-0,"mediaType":"m","size":1}],"schemaVersion":2}"#;
    let edited = Document::<Index>::parse(with_sha(index))
        .unwrap()
        .edit(|index| index.manifests[0].platform = Some(Platform::linux_amd64()));
    assert_eq!(
        String::from_utf8_lossy(edited.raw()),
        index
            .replace(
                r#""size":1"#,
                r#""platform":{"architecture":"amd64","os":"linux"},"size":1"#
            )
            .replace("$SHA", SHA)
    );
}

#[test]
fn an_unchanged_document_keeps_its_bytes() {
    let raw = with_sha(&format!("\n{DOCKER_CONFIG}  \n"));
    let document = Document::<ImageConfig>::parse(raw.clone()).unwrap();
    assert_eq!(
        (document.raw(), document.digest()),
        (&raw[..], Digest::of(&raw))
    );
    assert_eq!(document.size(), raw.len() as u64);
    let same = document.edit(|config| {
        config.config.env.push("A=1".into());
        config.config.env.pop();
    });
    assert_eq!(same.raw(), raw);
    let descriptor = same.descriptor(MediaType::OCI_CONFIG);
    assert_eq!(
        (descriptor.digest, descriptor.size),
        (Digest::of(&raw), raw.len() as u64)
    );
    assert_eq!(same.into_parts().0, raw);
}

#[test]
fn null_is_as_good_as_nothing() {
    let nulls = with_sha(
        r#"{"author":null,"config":null,"created":null,"history":null,"os":null,"os.features":null,
           "architecture":"arm","rootfs":{"diff_ids":null,"type":"layers"},"variant":null}"#,
    );
    let config = Document::<ImageConfig>::parse(nulls).unwrap();
    let nothing =
        Document::<ImageConfig>::parse(br#"{"architecture":"arm","rootfs":{}}"#.to_vec()).unwrap();
    assert_eq!(config.value(), nothing.value());
    assert_eq!(
        config.value().to_json().to_canonical(),
        br#"{"architecture":"arm","config":{},"os":"","rootfs":{"diff_ids":[],"type":"layers"}}"#
    );
    let manifest = r#"{"schemaVersion":2,"config":{"mediaType":"m","digest":"$SHA","size":0,
        "annotations":null,"urls":null,"platform":null},"layers":null,"manifests":null,
        "annotations":null,"subject":null}"#;
    let manifest = Document::<Manifest>::parse(with_sha(manifest)).unwrap();
    assert!(manifest.value().layers.is_empty());
}

#[test]
fn empty_lists_and_texts_are_not_nothing() {
    let config = br#"{"config":{"Entrypoint":[],"Cmd":"one","User":""},"rootfs":{}}"#;
    let config = Document::<ImageConfig>::parse(config.to_vec()).unwrap();
    assert_eq!(config.value().config.entrypoint, Some(vec![]));
    // Docker reads one string as a list of one.
    assert_eq!(config.value().config.cmd, Some(vec!["one".to_owned()]));
    let json = config.value().to_json();
    let run = json.get("config").unwrap();
    assert_eq!(run.get("Entrypoint"), Some(&Json::Array(vec![])));
    assert_eq!(run.get("User").and_then(Json::as_str), Some(""));
}

#[test]
fn a_known_field_wins_over_an_extra_member_of_its_name() {
    let mut config = ImageConfig::default();
    config.config.extra.insert("User".into(), "root".into());
    config.extra.insert("os".into(), "plan9".into());
    assert_eq!(
        config.to_json().to_canonical(),
        br#"{"architecture":"","config":{},"os":"","rootfs":{"diff_ids":[],"type":"layers"}}"#
    );
}

#[test]
fn errors_name_the_place() {
    let layer = r#"{"mediaType":"m","digest":"$SHA","size":1}"#;
    let manifest =
        |layers: &str| format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{layers}]}}"#);
    for (layers, expected) in [
        (
            format!(r#"{layer},{layer},{layer},{{"mediaType":"m","digest":"$SHA","size":"x"}}"#),
            "manifest.layers[3].size: expected a whole number of bytes, found \"x\"",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA","size":-1}"#.into(),
            "manifest.layers[0].size: expected a whole number of bytes, found -1",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA","size":1.0}"#.into(),
            "manifest.layers[0].size: expected a whole number of bytes, found 1.0",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA","size":9223372036854775808}"#.into(),
            "manifest.layers[0].size: expected a whole number of bytes, found 9223372036854775808",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA"}"#.into(),
            "manifest.layers[0].size: expected a whole number of bytes, found nothing",
        ),
        (
            r#"{"mediaType":null,"digest":"$SHA","size":1}"#.into(),
            "manifest.layers[0].mediaType: expected a media type, found nothing",
        ),
        (
            "7".into(),
            "manifest.layers[0]: expected an object, found 7",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA","size":1,"annotations":{"a.b":{}}}"#.into(),
            "manifest.layers[0].annotations[\"a.b\"]: expected a string, found an empty object",
        ),
        (
            r#"{"mediaType":"m","digest":"$SHA","size":1,"platform":{"os":"linux"}}"#.into(),
            "manifest.layers[0].platform.architecture: expected a string, found nothing",
        ),
        (
            r#"{"mediaType":"m","digest":"../../etc","size":1}"#.into(),
            "manifest.layers[0].digest: expected a digest",
        ),
    ] {
        refused::<Manifest>(&manifest(&layers), expected);
    }
    refused::<ImageConfig>(
        r#"{"rootfs":{"type":"layers+base"}}"#,
        "config.rootfs.type: expected \"layers\", found \"layers+base\"",
    );
    refused::<ImageConfig>("{}", "config.rootfs: expected an object, found nothing");
    refused::<ImageConfig>(
        r#"{"config":{"Env":["A=1",null]},"rootfs":{}}"#,
        "config.config.Env[1]: expected a string, found null",
    );
    refused::<ImageConfig>(
        r#"{"config":{"ExposedPorts":{"80/tcp":{"x":1}}},"rootfs":{}}"#,
        "config.config.ExposedPorts[\"80/tcp\"]: expected an empty object, found an object",
    );
    refused::<ImageConfig>(
        r#"{"config":{"Healthcheck":{"Interval":"30s"}},"rootfs":{}}"#,
        "config.config.Healthcheck.Interval: expected a whole number, found \"30s\"",
    );
    refused::<ImageConfig>(
        r#"{"history":[{},{"empty_layer":1}],"rootfs":{}}"#,
        "config.history[1].empty_layer: expected true or false, found 1",
    );
    refused::<Index>("[]", "index: expected an object, found an empty array");
}

#[test]
fn an_error_has_its_cause_and_a_bounded_length() {
    let error = Document::<Manifest>::parse(b"{".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "the manifest cannot be parsed as JSON");
    let cause = error.source().unwrap().to_string();
    assert_eq!(
        cause,
        "line 1, column 2: expected a key, found the end of the document"
    );

    let error = Document::<Descriptor>::parse(
        br#"{"mediaType":"m","digest":"sha256:zz","size":1}"#.to_vec(),
    );
    let DocumentError::Digest { place, source } = error.unwrap_err() else {
        panic!()
    };
    assert_eq!(place, "descriptor.digest");
    assert!(source.to_string().contains("`z` may not stand"), "{source}");

    let long = "x\\n".repeat(100_000);
    let text = format!(r#"{{"rootfs":{{}},"config":{{"ExposedPorts":{{"{long}":"{long}"}}}}}}"#);
    let error = Document::<ImageConfig>::parse(text.into_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}

/// Two readers are never to see two different documents in the same bytes (CVE-2021-41190).
#[test]
fn a_document_of_two_kinds_is_refused() {
    let layer = r#"{"mediaType":"m","digest":"$SHA","size":1}"#;
    refused::<Manifest>(
        &format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[],"manifests":[]}}"#),
        "manifest.manifests: expected no member of an index, found an empty array",
    );
    refused::<Index>(
        &format!(r#"{{"schemaVersion":2,"manifests":[],"config":{layer}}}"#),
        "index.config: expected no member of a manifest, found an object",
    );
    refused::<Index>(
        r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
        "index.layers: expected no member of a manifest, found an empty array",
    );
    refused::<Manifest>(
        &format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{layer}}}"#,
            MediaType::OCI_INDEX
        ),
        "manifest.mediaType: expected the media type of a manifest, \
         found \"application/vnd.oci.image.index.v1+json\"",
    );
    refused::<Index>(
        &format!(
            r#"{{"schemaVersion":2,"mediaType":"{}"}}"#,
            MediaType::DOCKER_MANIFEST
        ),
        "index.mediaType: expected the media type of an index, \
         found \"application/vnd.docker.distribution.manifest.v2+json\"",
    );
    for (version, found) in [("1", "1"), ("\"2\"", "\"2\""), ("2.0", "2.0")] {
        refused::<Index>(
            &format!(r#"{{"schemaVersion":{version},"manifests":[]}}"#),
            &format!("index.schemaVersion: expected 2, found {found}"),
        );
    }
    refused::<Index>("{}", "index.schemaVersion: expected 2, found nothing");
}

#[test]
fn the_empty_descriptor_is_that_of_the_spec() {
    let empty = Descriptor::empty();
    assert_eq!(
        empty.to_json().to_canonical(),
        concat!(
            r#"{"data":"e30=","digest":"sha256:"#,
            r#"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","#,
            r#""mediaType":"application/vnd.oci.empty.v1+json","size":2}"#
        )
        .as_bytes()
    );
}

/// Made with Python: `hashlib.sha256(f"{chain} {diff_id}".encode())`.
#[test]
fn chain_ids_of_three_layers() {
    let digest = |c: &str| {
        format!("sha256:{}", c.repeat(64))
            .parse::<Digest>()
            .unwrap()
    };
    let chain = chain_ids(&[digest("a"), digest("b"), digest("c")]);
    assert_eq!(
        chain.iter().map(Digest::as_str).collect::<Vec<_>>(),
        [
            "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c",
            "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588"
        ]
    );
    assert!(chain_ids(&[]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn manifests_round_trip(value in strategies::manifest()) {
        round_trip(&value)?;
    }

    #[test]
    fn indexes_round_trip(value in strategies::index()) {
        round_trip(&value)?;
    }

    #[test]
    fn configs_round_trip(value in strategies::config()) {
        round_trip(&value)?;
    }

    #[test]
    fn any_json_is_read_or_refused(json in strategies::json()) {
        let _ = Manifest::from_json(&json);
        let _ = Index::from_json(&json);
        let _ = ImageConfig::from_json(&json);
    }
}

fn round_trip<T>(value: &T) -> Result<(), TestCaseError>
where
    T: FromJson + ToJson + Clone + PartialEq + std::fmt::Debug,
{
    let document = Document::new(value.clone());
    let again = Document::<T>::parse(document.raw().to_vec());
    prop_assert_eq!(again.as_ref().map(Document::value), Ok(value));
    prop_assert_eq!(
        again.unwrap().value().to_json().to_canonical(),
        document.raw()
    );
    Ok(())
}
