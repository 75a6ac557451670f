//! Values for property tests.

use std::collections::{BTreeMap, BTreeSet};

use cooperage_digest::Digest;
use cooperage_image_spec::{
    ContainerConfig, Descriptor, Healthcheck, History, ImageConfig, Index, Json, Manifest,
    MediaType, Platform, RootFs,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;

/// Short texts with everything in them that has to be escaped or sorts oddly.
pub(crate) fn text() -> impl Strategy<Value = String> {
    "[a-cA-C0-9\\x00-\\x1f\"\\\\/<é€\u{fb33}\u{fffd}😀𐀀\u{301}]{0,6}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::from),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?"
            .prop_map(|number| Json::Number(number.into())),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Json::Array),
            btree_map(text(), inner, 0..6).prop_map(Json::Object),
        ]
    })
}

/// JSON with a byte or two changed, and runs of its tokens.
pub(crate) fn nearly_json() -> impl Strategy<Value = String> {
    let tokens = vec(
        proptest::sample::select(
            &[
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "\"a\"",
                "\"",
                "\\",
                "\\u12",
                "1",
                "-",
                ".5",
                "e3",
                "0",
                "true",
                "null",
                " ",
                "\n",
                "x",
                "é",
                "\"\\ud83d\\ude00\"",
                "\t",
            ][..],
        ),
        0..12,
    );
    let changed = (
        json(),
        any::<prop::sample::Index>(),
        "[\\[\\]{},:\"\\\\0-9a-f ]?",
    )
        .prop_map(|(json, index, with)| {
            let mut text: Vec<char> = String::from_utf8(json.to_canonical())
                .unwrap()
                .chars()
                .collect();
            let at = index.index(text.len());
            text.splice(at..=at, with.chars());
            text.into_iter().collect()
        });
    prop_oneof![tokens.prop_map(|tokens| tokens.concat()), changed]
}

/// Members whose names no specification has.
fn extra() -> impl Strategy<Value = BTreeMap<String, Json>> {
    btree_map("x-[a-z]{1,3}", json(), 0..3)
}

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Digest::sha256),
        any::<[u8; 64]>().prop_map(Digest::sha512),
        Just("blake3:AB=".parse().unwrap()),
    ]
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn set() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(text(), 0..3)
}

fn platform_without_extra() -> impl Strategy<Value = Platform> {
    (text(), text(), of(text()), of(text()), texts()).prop_map(
        |(os, architecture, variant, os_version, os_features)| Platform {
            os,
            architecture,
            variant,
            os_version,
            os_features,
            extra: BTreeMap::new(),
        },
    )
}

pub(crate) fn platform() -> impl Strategy<Value = Platform> {
    (platform_without_extra(), extra()).prop_map(|(platform, extra)| Platform { extra, ..platform })
}

pub(crate) fn descriptor() -> impl Strategy<Value = Descriptor> {
    let size = 0..=i64::MAX.unsigned_abs();
    let rest = (of(text()), of(text()), of(platform()), extra());
    (text(), digest(), size, texts(), map(), rest).prop_map(
        |(media_type, digest, size, urls, annotations, rest)| Descriptor {
            media_type: MediaType::new(media_type),
            digest,
            size,
            urls,
            annotations,
            data: rest.0,
            artifact_type: rest.1,
            platform: rest.2,
            extra: rest.3,
        },
    )
}

fn media_type(of_two: &[MediaType; 2]) -> impl Strategy<Value = Option<MediaType>> {
    of(proptest::sample::select(of_two.to_vec()))
}

pub(crate) fn manifest() -> impl Strategy<Value = Manifest> {
    let media_type = media_type(&[MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST]);
    let descriptors = (descriptor(), vec(descriptor(), 0..4), of(descriptor()));
    (media_type, of(text()), descriptors, map(), extra()).prop_map(
        |(media_type, artifact_type, (config, layers, subject), annotations, extra)| Manifest {
            media_type,
            artifact_type,
            config,
            layers,
            subject,
            annotations,
            extra,
        },
    )
}

pub(crate) fn index() -> impl Strategy<Value = Index> {
    let media_type = media_type(&[MediaType::OCI_INDEX, MediaType::DOCKER_LIST]);
    (
        media_type,
        of(text()),
        vec(descriptor(), 0..4),
        of(descriptor()),
        map(),
        extra(),
    )
        .prop_map(
            |(media_type, artifact_type, manifests, subject, annotations, extra)| Index {
                media_type,
                artifact_type,
                manifests,
                subject,
                annotations,
                extra,
            },
        )
}

fn healthcheck() -> impl Strategy<Value = Healthcheck> {
    let number = || of(any::<i64>());
    (
        texts(),
        number(),
        number(),
        number(),
        number(),
        number(),
        extra(),
    )
        .prop_map(
            |(test, interval, timeout, start_period, start_interval, retries, extra)| Healthcheck {
                test,
                interval,
                timeout,
                start_period,
                start_interval,
                retries,
                extra,
            },
        )
}

fn container_config() -> impl Strategy<Value = ContainerConfig> {
    let first = (of(text()), set(), texts(), of(texts()), of(texts()));
    let second = (
        set(),
        of(text()),
        map(),
        of(text()),
        of(healthcheck()),
        extra(),
    );
    (first, second).prop_map(|(first, second)| ContainerConfig {
        user: first.0,
        exposed_ports: first.1,
        env: first.2,
        entrypoint: first.3,
        cmd: first.4,
        volumes: second.0,
        working_dir: second.1,
        labels: second.2,
        stop_signal: second.3,
        healthcheck: second.4,
        extra: second.5,
    })
}

fn history() -> impl Strategy<Value = History> {
    (
        of(text()),
        of(text()),
        of(text()),
        of(text()),
        any::<bool>(),
        extra(),
    )
        .prop_map(
            |(created, created_by, author, comment, empty_layer, extra)| History {
                created,
                created_by,
                author,
                comment,
                empty_layer,
                extra,
            },
        )
}

pub(crate) fn config() -> impl Strategy<Value = ImageConfig> {
    let rootfs =
        (vec(digest(), 0..3), extra()).prop_map(|(diff_ids, extra)| RootFs { diff_ids, extra });
    let head = (platform_without_extra(), of(text()), of(text()));
    (
        head,
        container_config(),
        rootfs,
        vec(history(), 0..3),
        extra(),
    )
        .prop_map(
            |((platform, created, author), config, rootfs, history, extra)| ImageConfig {
                platform,
                created,
                author,
                config,
                rootfs,
                history,
                extra,
            },
        )
}
