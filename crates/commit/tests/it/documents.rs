use std::collections::BTreeMap;

use cooperage_blob::{Memory, put, read};
use cooperage_commit::{
    Base, ConfigEdit, Edit, FormError, Formed, MapEdit, MediaTypes, PackOptions, Recipe, SetEdit,
    Step, form, form_index, pack, write,
};
use cooperage_compress::{Codec, Encoding};
use cooperage_image_spec::{
    ContainerConfig, Descriptor, Document, Healthcheck, History, ImageConfig, Index, Manifest,
    MediaType, Platform,
};
use cooperage_tarball::Tree;

use crate::chain;

fn layer(memory: &Memory, codec: Codec) -> Step {
    let options = PackOptions {
        encoding: Encoding::of(codec),
        ..PackOptions::default()
    };
    Step::layer(pack(&Tree::new(), &options, memory).unwrap())
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect()
}

fn env(start: &[&str], clear: bool, set: &[(&str, Option<&str>)]) -> Vec<String> {
    let mut config = ContainerConfig {
        env: start.iter().map(ToString::to_string).collect(),
        ..ContainerConfig::default()
    };
    let set = set
        .iter()
        .map(|(key, value)| ((*key).into(), value.map(Into::into)))
        .collect();
    ConfigEdit {
        env: MapEdit { clear, set },
        ..ConfigEdit::default()
    }
    .apply(&mut config);
    config.env
}

#[test]
fn variables_keep_their_places() {
    assert_eq!(env(&["B=1", "A=2"], false, &[]), ["B=1", "A=2"]);
    assert_eq!(
        env(&["B=1", "A=2"], false, &[("A", Some("3"))]),
        ["B=1", "A=3"]
    );
    assert_eq!(env(&["B=1", "A=2"], false, &[("B", None)]), ["A=2"]);
    assert_eq!(
        env(&["B=1"], false, &[("Z", Some("")), ("C", Some("x=y"))]),
        ["B=1", "C=x=y", "Z="]
    );
    assert_eq!(
        env(
            &["B=1", "B=2", "C"],
            false,
            &[("B", Some("3")), ("C", Some("4"))]
        ),
        ["B=3", "C=4"]
    );
    assert_eq!(env(&["B=1"], true, &[("A", Some("2"))]), ["A=2"]);
}

#[test]
fn each_part_is_inherited_overridden_or_unset() {
    let full = || ContainerConfig {
        user: Some("u".into()),
        entrypoint: Some(vec!["e".into()]),
        cmd: Some(vec!["c".into()]),
        working_dir: Some("/w".into()),
        stop_signal: Some("SIGINT".into()),
        labels: map(&[("l", "m")]),
        exposed_ports: ["1/tcp".to_owned()].into(),
        volumes: ["/v".to_owned()].into(),
        healthcheck: Some(Healthcheck {
            test: vec!["NONE".into()],
            ..Healthcheck::default()
        }),
        ..ContainerConfig::default()
    };
    let mut kept = full();
    ConfigEdit::default().apply(&mut kept);
    assert_eq!(kept, full());
    let mut bare = full();
    let all = SetEdit {
        clear: true,
        ..SetEdit::default()
    };
    ConfigEdit {
        user: Edit::Unset,
        entrypoint: Edit::Unset,
        cmd: Edit::Unset,
        working_dir: Edit::Unset,
        stop_signal: Edit::Unset,
        healthcheck: Edit::Unset,
        labels: MapEdit {
            clear: true,
            ..MapEdit::default()
        },
        exposed_ports: all.clone(),
        volumes: all,
        ..ConfigEdit::default()
    }
    .apply(&mut bare);
    assert_eq!(bare, ContainerConfig::default());
    // Docker's rule: a command without its entrypoint makes no sense.
    let mut other = full();
    ConfigEdit {
        entrypoint: Edit::Set(vec!["x".into()]),
        ..ConfigEdit::default()
    }
    .apply(&mut other);
    assert_eq!(other.cmd, None);
    let mut both = full();
    ConfigEdit {
        entrypoint: Edit::Set(vec!["x".into()]),
        cmd: Edit::Set(vec!["y".into()]),
        ..ConfigEdit::default()
    }
    .apply(&mut both);
    assert_eq!(both.cmd, Some(vec!["y".into()]));
}

#[test]
fn documents_are_the_same_bytes_each_time() {
    let memory = Memory::new();
    let recipe = Recipe {
        config: ConfigEdit {
            labels: MapEdit {
                clear: false,
                set: (0..20)
                    .map(|n| (format!("k{n}"), Some("v".into())))
                    .collect(),
            },
            ..ConfigEdit::default()
        },
        annotations: map(&[("b", "2"), ("a", "1")]),
        steps: vec![
            Step::Empty {
                history: History {
                    created_by: Some("ENV".into()),
                    ..History::default()
                },
            },
            layer(&memory, Codec::Gzip),
        ],
        ..Recipe::default()
    };
    let one = form(None, &recipe).unwrap();
    let two = form(None, &recipe).unwrap();
    assert_eq!(one.manifest.raw(), two.manifest.raw());
    let config = one.config.value();
    assert_eq!(config.created.as_deref(), Some("1970-01-01T00:00:00Z"));
    let empty: Vec<bool> = config
        .history
        .iter()
        .map(|entry| entry.empty_layer)
        .collect();
    assert_eq!(empty, [true, false]);
    assert_eq!(
        config.history[0].created.as_deref(),
        Some("1970-01-01T00:00:00Z")
    );
    let descriptor = write(&one, &memory).unwrap();
    assert_eq!(descriptor.platform, Some(Platform::linux_amd64()));
    assert_eq!(read(&memory, &descriptor).unwrap(), one.manifest.raw());
}

#[test]
fn docker_media_types_are_used_throughout_or_refused() {
    let memory = Memory::new();
    let docker = |steps, annotations| Recipe {
        steps,
        annotations,
        media_types: MediaTypes::Docker,
        ..Recipe::default()
    };
    let formed = form(
        None,
        &docker(vec![layer(&memory, Codec::Gzip)], BTreeMap::new()),
    )
    .unwrap();
    let manifest = formed.manifest.value();
    assert_eq!(manifest.media_type, Some(MediaType::DOCKER_MANIFEST));
    assert_eq!(manifest.config.media_type, MediaType::DOCKER_CONFIG);
    assert_eq!(manifest.layers[0].media_type, MediaType::DOCKER_LAYER_GZIP);
    let error = form(None, &docker(vec![], map(&[("a", "b")]))).unwrap_err();
    assert!(matches!(error, FormError::Annotation { .. }), "{error}");
    let index = form_index(vec![], map(&[]), MediaTypes::Docker).unwrap();
    assert_eq!(index.value().media_type, Some(MediaType::DOCKER_LIST));
    assert!(form_index(vec![], map(&[("a", "b")]), MediaTypes::Docker).is_err());
}

#[test]
fn times_are_rfc_3339() {
    for (text, ok) in [
        ("1970-01-01T00:00:00Z", true),
        ("2026-11-21T22:56:03.123456789+01:00", true),
        ("2026-11-21 22:56:03Z", false),
        ("2026-13-21T22:56:03Z", false),
        ("2026-00-21T22:56:03Z", false),
        ("2026-11-21T22:56:03", false),
        ("2026-11-21T22:56:03.Z", false),
        ("2026-11-21T22:56:03+1:00", false),
        ("yesterday", false),
        ("", false),
        ("２026-11-21T22:56:03Z", false),
    ] {
        let recipe = Recipe {
            created: Some(text.into()),
            ..Recipe::default()
        };
        assert_eq!(form(None, &recipe).is_ok(), ok, "{text}");
    }
}

fn base_of(memory: &Memory, config: &str, layers: usize) -> Descriptor {
    let config = put(memory, MediaType::DOCKER_CONFIG, config.as_bytes()).unwrap();
    let layer = put(memory, MediaType::DOCKER_LAYER_GZIP, b"layer").unwrap();
    let mut manifest = Manifest::new(config, vec![layer; layers]);
    manifest.media_type = Some(MediaType::DOCKER_MANIFEST);
    put(
        memory,
        MediaType::DOCKER_MANIFEST,
        Document::new(manifest).raw(),
    )
    .unwrap()
}

const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn read_base(memory: &Memory, config: &str, layers: usize) -> Result<Base, String> {
    let descriptor = base_of(memory, config, layers);
    Base::read(memory, &descriptor, &Platform::linux_amd64()).map_err(|error| chain(&error))
}

#[test]
fn history_and_layers_are_counted() {
    let memory = Memory::new();
    let config = |history: &str| {
        format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{ZEROS}"]}}{history}}}"#
        )
    };
    let error = read_base(&memory, &config(""), 2).unwrap_err();
    assert!(
        error.contains("has 2 layers, its config has 1 diff IDs"),
        "{error}"
    );
    let two = r#","history":[{"created_by":"a"},{"created_by":"b"}]"#;
    let error = read_base(&memory, &config(two), 1).unwrap_err();
    assert!(
        error.contains("has 1 layers, its history has 2 entries"),
        "{error}"
    );
    let fits = r#","history":[{"created_by":"a","empty_layer":true},{"created_by":"b"}]"#;
    let base = read_base(&memory, &config(fits), 1).unwrap();
    assert_eq!(
        form(Some(&base), &Recipe::default())
            .unwrap()
            .config
            .value()
            .history
            .len(),
        2
    );
    let none = read_base(&memory, &config(""), 1).unwrap();
    let recipe = Recipe {
        steps: vec![layer(&memory, Codec::Zstd)],
        ..Recipe::default()
    };
    let formed: Formed = form(Some(&none), &recipe).unwrap();
    assert_eq!(formed.config.value().history.len(), 2);
    // A Docker base in an OCI image: no mixture.
    let types: Vec<_> = formed
        .manifest
        .value()
        .layers
        .iter()
        .map(|l| l.media_type.as_str())
        .collect();
    assert!(
        types.iter().all(|t| t.starts_with("application/vnd.oci.")),
        "{types:?}"
    );
}

#[test]
fn a_base_is_chosen_by_platform_and_what_is_none_is_refused() {
    let memory = Memory::new();
    let config = |arch: &str| {
        format!(
            r#"{{"architecture":"{arch}","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}}}}"#
        )
    };
    let of = |arch: &str| {
        base_of(&memory, &config(arch), 0)
            .with(|d| d.platform = Some(format!("linux/{arch}").parse().unwrap()))
    };
    let index = Document::new(Index::new(vec![of("amd64"), of("arm64")]));
    let index = put(&memory, MediaType::OCI_INDEX, index.raw()).unwrap();
    let arm: Platform = "linux/arm64".parse().unwrap();
    let base = Base::read(&memory, &index, &arm).unwrap();
    assert_eq!(base.config.value().platform.architecture, "arm64");
    let error = Base::read(&memory, &index, &"linux/riscv64".parse().unwrap()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has `linux/amd64`, `linux/arm64`"),
        "{error}"
    );
    let wrong = Recipe {
        platform: Some(Platform::linux_amd64()),
        ..Recipe::default()
    };
    assert!(matches!(
        form(Some(&base), &wrong),
        Err(FormError::Platform { .. })
    ));
    let text = put(&memory, MediaType::new("text/plain"), b"x").unwrap();
    assert!(
        Base::read(&memory, &text, &arm)
            .unwrap_err()
            .to_string()
            .contains("is no image")
    );
    let broken = put(&memory, MediaType::OCI_MANIFEST, b"{}").unwrap();
    assert!(Base::read(&memory, &broken, &arm).is_err());
}

#[test]
fn a_config_keeps_its_author_unless_told() {
    let memory = Memory::new();
    let config = r#"{"architecture":"amd64","os":"linux","author":"them","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let base = read_base(&memory, config, 0).unwrap();
    let author = |recipe: &Recipe| -> Option<String> {
        let formed = form(Some(&base), recipe).unwrap();
        let again: Document<ImageConfig> = Document::parse(formed.config.raw().to_vec()).unwrap();
        again.value().author.clone()
    };
    assert_eq!(author(&Recipe::default()).as_deref(), Some("them"));
    let mine = Recipe {
        author: Edit::Set("me".into()),
        ..Recipe::default()
    };
    assert_eq!(author(&mine).as_deref(), Some("me"));
    let nobodys = Recipe {
        author: Edit::Unset,
        ..Recipe::default()
    };
    assert_eq!(author(&nobodys), None);
}
