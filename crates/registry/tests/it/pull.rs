//! Reading: what is asked for, how often, and what is believed.

use std::io::Read as _;

use cooperage_blob::{Memory, Root, Sink as _, Source as _, copy};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType, Platform};
use cooperage_registry::Reason;

use crate::server::{Act, Answer, Server, act_if, answer, change};
use crate::{image, in_memory, index, noise, one_job, repository};

const BIG: usize = 3 << 20;

fn layer(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER, Digest::of(bytes), bytes.len() as u64)
}

/// A server that has the image of one big layer under `app:v1`, put there by hand.
fn with_image(server: &Server) -> (Vec<u8>, Descriptor) {
    let bytes = noise(1, BIG);
    let (memory, root) = in_memory(&[&bytes]);
    for digest in memory.digests() {
        let blob = Descriptor::new(MediaType::OCI_LAYER, digest.clone(), 0);
        let mut held = Vec::new();
        memory.fetch(&blob).unwrap().read_to_end(&mut held).unwrap();
        if digest == root.descriptor.digest {
            let entry = (MediaType::OCI_MANIFEST.as_str().to_owned(), held);
            let manifests = &mut server.held().manifests;
            manifests.insert(format!("app@{digest}"), entry.clone());
            manifests.insert("app:v1".into(), entry);
        } else {
            server.put_blob("app", &held);
        }
    }
    (bytes, root.descriptor)
}

fn pull(server: &Server) -> Result<Memory, cooperage_blob::Error> {
    let from = repository(server, "app");
    let to = Memory::new();
    let root = Root::named("here", from.resolve("v1")?);
    copy(&from, &root, &to, &one_job())?;
    Ok(to)
}

#[test]
fn an_image_is_pulled_with_one_request_for_each_of_its_parts() {
    let server = Server::standard();
    let (bytes, root) = with_image(&server);
    let to = pull(&server).unwrap();
    assert!(to.has(&layer(&bytes)).unwrap());
    assert_eq!(to.roots().unwrap(), [Root::named("here", root.clone())]);
    let config = Digest::of(b"{}");
    let mut lines = server.lines();
    lines[2..].sort();
    let mut expected = vec![
        "HEAD /v2/app/manifests/v1".to_owned(),
        format!("GET /v2/app/manifests/{}", root.digest),
        format!("GET /v2/app/blobs/{config}"),
        format!("GET /v2/app/blobs/{}", Digest::of(&bytes)),
    ];
    expected[2..].sort();
    assert_eq!(lines, expected);
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    for cuts in [
        &[0][..],
        &[1],
        &[BIG - 1],
        &[700_000, 5, 0, 1_000_000],
        &[1 << 20; 2],
    ] {
        let left = std::sync::Mutex::new(cuts.to_vec());
        let server = Server::start(move |seen, _| {
            let is_layer = seen.method == "GET" && seen.path.contains("/blobs/");
            let mut left = left.lock().unwrap();
            if !is_layer || left.is_empty() || seen.path.contains(Digest::of(b"{}").as_str()) {
                return Act::Standard;
            }
            let after = left.remove(0);
            change(move |it| {
                let end = it.body.len();
                it.cut(after.min(end - 1))
            })
        });
        let (bytes, _) = with_image(&server);
        let to = pull(&server).unwrap();
        assert!(to.has(&layer(&bytes)).unwrap(), "{cuts:?}");
        let ranges: Vec<_> = server
            .seen()
            .into_iter()
            .filter(|it| it.headers.contains_key("range"))
            .collect();
        let resumed = cuts.iter().filter(|&&cut| cut > 0).count();
        assert!(ranges.len() >= resumed, "{cuts:?}");
        // No byte is asked for twice.
        let mut offset = 0;
        for (at, cut) in cuts.iter().enumerate() {
            offset += cut;
            let asked = ranges
                .iter()
                .any(|it| it.header("range") == format!("bytes={offset}-"));
            assert!(
                asked || offset == 0,
                "{cuts:?}: cut {at} was followed by {ranges:?}"
            );
        }
    }
}

#[test]
fn a_server_that_knows_no_ranges_may_send_everything_again() {
    let server = Server::start(|seen, _| {
        if !seen.path.contains("/blobs/") || seen.path.contains(Digest::of(b"{}").as_str()) {
            return Act::Standard;
        }
        if seen.headers.contains_key("range") {
            return Act::Answer(answer(200).body(noise(1, BIG)));
        }
        change(|it| it.cut(1_500_000))
    });
    let (bytes, _) = with_image(&server);
    assert!(pull(&server).unwrap().has(&layer(&bytes)).unwrap());
}

#[test]
fn what_is_not_the_blob_is_an_error() {
    fn wrong_byte(mut it: Answer) -> Answer {
        if let Some(byte) = it.body.get_mut(100) {
            *byte ^= 1;
        }
        it
    }
    type Case = (&'static str, fn(Answer) -> Answer, &'static str);
    let cases: [Case; 5] = [
        ("another byte", wrong_byte, "expected digest"),
        (
            "too short",
            |it| {
                let body = it.body[..it.body.len() / 2].to_vec();
                answer(200).body(body)
            },
            "expected 3145728",
        ),
        (
            "too long",
            |it| {
                let body = [&it.body[..], b"x"].concat();
                answer(200).body(body)
            },
            "expected 3145728",
        ),
        ("nothing", |_| answer(200), "expected 3145728"),
        (
            "another range",
            |it| {
                answer(206)
                    .with("Content-Range", "bytes 5-9/10")
                    .body(it.body)
            },
            "expected what begins at 0",
        ),
    ];
    for (what, changed, expected) in cases {
        let server = Server::start(move |seen, _| {
            let config = Digest::of(b"{}");
            if seen.path.contains("/blobs/") && !seen.path.contains(config.as_str()) {
                return change(changed);
            }
            Act::Standard
        });
        with_image(&server);
        let error = pull(&server).unwrap_err();
        let text = crate::chain(&error);
        assert!(text.contains(expected), "{what}: {text}");
    }
}

#[test]
fn a_body_without_an_end_is_read_no_further_than_it_should_be() {
    let server = Server::start(|seen, _| {
        if !seen.path.contains("/blobs/") {
            return Act::Standard;
        }
        // Chunks, and no last one: more than was asked for.
        let chunk = [b"100000\r\n", &vec![7; 0x10_0000][..], b"\r\n"].concat();
        let body = chunk.repeat(8);
        Act::Answer(
            answer(200)
                .with("Transfer-Encoding", "chunked")
                .body(&body)
                .cut(body.len()),
        )
    });
    with_image(&server);
    let error = pull(&server).unwrap_err();
    assert!(error.is_mismatch(), "{}", crate::chain(&error));
}

#[test]
fn manifests_are_what_their_digests_say() {
    let server = Server::start(|seen, _| {
        if seen.method == "GET" && seen.path.contains("/manifests/") {
            return change(|mut it| {
                it.body.push(b' ');
                answer(200)
                    .with("Content-Type", MediaType::OCI_MANIFEST)
                    .body(it.body)
            });
        }
        Act::Standard
    });
    with_image(&server);
    let error = pull(&server).unwrap_err();
    assert!(error.is_mismatch(), "{}", crate::chain(&error));
}

#[test]
fn a_head_that_says_too_little_is_followed_by_a_get() {
    type Change = fn(Answer) -> Answer;
    let cases: [Change; 4] = [
        |_| answer(405),
        |mut it| {
            it.headers
                .retain(|(name, _)| name != "Docker-Content-Digest");
            it
        },
        |mut it| {
            it.headers.retain(|(name, _)| name != "Content-Type");
            it
        },
        |mut it| {
            for header in &mut it.headers {
                if header.0 == "Content-Type" {
                    header.1 = "text/plain".into();
                }
            }
            it
        },
    ];
    for changed in cases {
        let server = Server::start(move |seen, _| match &*seen.method {
            "HEAD" => change(changed),
            _ => Act::Standard,
        });
        let (_, root) = with_image(&server);
        assert_eq!(repository(&server, "app").resolve("v1").unwrap(), root);
        assert_eq!((server.count("HEAD"), server.count("GET")), (1, 1));
    }
}

#[test]
fn a_manifest_of_100_mb_is_not_read() {
    let server = Server::start(|seen, _| match &*seen.method {
        "HEAD" => Act::Answer(answer(405)),
        _ => change(|it| {
            let length = 100 << 20;
            answer(200)
                .with("Content-Type", MediaType::OCI_MANIFEST)
                .with("Content-Length", length)
                .body(it.body)
        }),
    });
    with_image(&server);
    let error = repository(&server, "app").resolve("v1").unwrap_err();
    assert!(
        matches!(error.reason(), Reason::TooLarge { limit } if *limit == 4 << 20),
        "{error}"
    );
    assert_eq!(server.count("GET"), 1);
}

#[test]
fn the_platform_chooses_in_an_index() {
    let server = Server::standard();
    let to = repository(&server, "multi");
    let memory = Memory::new();
    let mut manifests = Vec::new();
    for (layer, platform) in [
        ("amd", Platform::linux_amd64()),
        ("arm", Platform::linux_arm64()),
    ] {
        let mut manifest = image(&memory, &[layer.as_bytes()]);
        manifest.platform = Some(platform);
        manifests.push(manifest);
    }
    let root = Root::named("v1", index(&memory, manifests.clone()));
    copy(&memory, &root, &to, &one_job()).unwrap();
    let find = |platform: &str| to.find("v1", Some(&platform.parse().unwrap()));
    assert_eq!(find("linux/arm64").unwrap().digest, manifests[1].digest);
    assert_eq!(to.find("v1", None).unwrap().digest, root.descriptor.digest);
    let error = find("linux/s390x").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has `linux/amd64`, `linux/arm64`"),
        "{error}"
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let server = Server::standard();
    let from = repository(&server, "app");
    let error = from.resolve("v1").unwrap_err();
    assert!(error.is_not_found());
    let expected = format!(
        "cannot find manifest `v1` at `{}/app`: the registry does not have it",
        server.address
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    let missing = layer(b"x");
    let error = from.fetch(&missing).err().unwrap();
    assert!(error.is_not_found(), "{}", crate::chain(&error));
    for name in ["", "../v1", "a?b", "sha256:short", "a b"] {
        assert!(from.resolve(name).is_err(), "{name}");
    }
}

#[test]
fn schema_1_is_named_and_refused() {
    let server = Server::standard();
    let entry = (
        MediaType::DOCKER_SCHEMA1_SIGNED.as_str().to_owned(),
        b"{}".to_vec(),
    );
    server.held().manifests.insert("app:v1".into(), entry);
    let error = repository(&server, "app").resolve("v1").unwrap_err();
    assert!(error.to_string().contains("schema 1"), "{error}");
}

#[test]
fn a_document_is_read_once_whoever_asks() {
    let server = Server::standard();
    let (_, root) = with_image(&server);
    let from = repository(&server, "app");
    let config = Descriptor::new(MediaType::OCI_CONFIG, Digest::of(b"{}"), 2);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                cooperage_blob::read(&from, &root).unwrap();
                assert_eq!(cooperage_blob::read(&from, &config).unwrap(), b"{}");
            });
        }
    });
    assert_eq!(server.count("GET"), 2, "{:?}", server.lines());
}

#[test]
fn mirrors_come_first_and_may_be_broken() {
    let origin = Server::standard();
    let (bytes, _) = with_image(&origin);
    let mirror = Server::start(|seen, _| {
        assert!(seen.path.starts_with("/v2/hub/app/"), "{}", seen.path);
        act_if(seen.path.contains("/manifests/"), || {
            Act::Answer(answer(500))
        })
    });
    mirror.put_blob("hub/app", &bytes);
    let (mut options, _) = crate::options();
    let host = cooperage_registry::HostOptions {
        mirrors: vec![
            cooperage_registry::Mirror {
                location: format!("{}/hub/", mirror.address),
                serves: cooperage_registry::Serves::All,
            },
            cooperage_registry::Mirror {
                location: "127.0.0.1:1".into(),
                serves: cooperage_registry::Serves::Digests,
            },
        ],
        ..Default::default()
    };
    options.hosts.insert(origin.address.clone(), host);
    let from = crate::repository_with(&origin, "app", options);
    let to = Memory::new();
    let root = Root::named("v1", from.resolve("v1").unwrap());
    copy(&from, &root, &to, &one_job()).unwrap();
    assert!(to.has(&layer(&bytes)).unwrap());
    let of_layer = format!("GET /v2/hub/app/blobs/{}", Digest::of(&bytes));
    assert!(mirror.lines().contains(&of_layer), "{:?}", mirror.lines());
    assert!(
        !origin
            .lines()
            .iter()
            .any(|line| line.contains(Digest::of(&bytes).as_str()))
    );
}
