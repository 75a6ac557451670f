//! Daemons that say what they should not, or nothing.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cooperage_blob::Memory;
use cooperage_compress::Codec;
use cooperage_daemon::{Endpoint, Engine, Error, LoadOptions, Loaded, Options};
use cooperage_daemon_archive::ReadOptions;
use cooperage_digest::Digest;

use crate::common::{Built, causes, connect, image, motd, name, noise};
use crate::fake::{Fake, response};

/// More than what sockets and pipes on the way can hold.
const LARGE: usize = 8 << 20;

const LOAD: &str = "POST /v1.41/images/load?quiet=1";

/// A large image, made once.
fn large() -> &'static (Memory, Built) {
    static IMAGE: OnceLock<(Memory, Built)> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let memory = Memory::new();
        let built = image(&memory, &[(Codec::None, &noise(100, LARGE))]);
        (memory, built)
    })
}

fn load(fake: &Fake, memory: &Memory, built: &Built) -> Result<Loaded, Error> {
    let images = [built.named(&["app:dev"])];
    connect(&fake.socket()).load(memory, &images, &LoadOptions::default())
}

/// What loading a large image fails with, if a daemon answers `answer` once it has taken so many
/// bytes, and then hangs up or waits.
fn refused_with(taken: u64, answer: &str, hangs_up: bool) -> String {
    let answer = answer.to_owned();
    let (memory, built) = large();
    let fake = Fake::engine(move |line, talk| {
        if line != LOAD {
            return Ok(false);
        }
        talk.take(taken)?;
        talk.raw(&answer)?;
        if !hangs_up {
            talk.wait_silently();
        }
        Ok(true)
    });
    let error = load(&fake, memory, built).unwrap_err();
    // It was not tried again, and no name was given.
    let loads = fake.seen().iter().filter(|line| *line == LOAD).count();
    assert_eq!(loads, 1);
    assert!(fake.seen().iter().all(|line| !line.contains("/tag?")));
    let text = causes(&error);
    text.replace(&format!("unix://{}", fake.socket().display()), "X")
}

#[test]
fn an_answer_in_the_middle_of_the_archive_is_read() {
    let full = response(507, r#"{"message":"no more space"}"#);
    let chunked = "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\n{\"m\r\n10\r\nessage\":\"sorry\"}\r\n0\r\n\r\n";
    let words =
        "{\"errorDetail\":{\"message\":\"unexpected EOF\"},\"error\":\"unexpected EOF\"}\r\n";
    let stream = response(200, words);
    for taken in [0, 1000, 2_000_000] {
        for hangs_up in [true, false] {
            assert_eq!(
                refused_with(taken, &full, hangs_up),
                "`X` refused `POST /images/load` with status 507: no more space",
                "{taken} {hangs_up}"
            );
        }
        assert_eq!(
            refused_with(taken, chunked, true),
            "`X` refused `POST /images/load` with status 500: sorry",
            "{taken}"
        );
        assert_eq!(
            refused_with(taken, &stream, true),
            "`X` could not load the images: unexpected EOF",
            "{taken}"
        );
    }
}

#[test]
fn a_connection_that_is_cut_is_no_success() {
    for (taken, answer) in [
        (0, ""),
        (2_000_000, ""),
        (2_000_000, "HTTP/1.1 200 OK\r\n"),
        (
            2_000_000,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            0,
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"stream\":\"x\"}\n",
        ),
    ] {
        let error = refused_with(taken, answer, true);
        let expected = "`X` did not answer `POST /images/load` to the end: ";
        assert!(error.starts_with(expected), "{taken} {answer:?}: {error}");
    }
    // All is well, it says, before it has seen it all.
    let early = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        refused_with(1000, early, true),
        "what `X` answered to `POST /images/load` cannot be used: \
         it came before the archive was sent to its end"
    );
}

#[test]
fn what_it_says_while_it_loads_has_limits() {
    for (body, expected) in [
        (
            "{\"stream\":\"Loaded image\"}\nnot JSON\n",
            "cannot be used: it is not valid JSON: line 1, column 1: ",
        ),
        (
            "{\"error\":\"first\"}\nnot JSON\n",
            "could not load the images: first",
        ),
        (
            "{\"errorDetail\":{\"message\":\"one\"}}\n{\"error\":\"two\\u001b[2J\"}\n",
            "could not load the images: one; two [2J",
        ),
    ] {
        let fake = Fake::engine(move |line, talk| {
            if line == LOAD {
                talk.body()?;
                talk.json(200, body)?;
            }
            Ok(line == LOAD)
        });
        let memory = Memory::new();
        let built = image(&memory, &[(Codec::Gzip, &motd("limits"))]);
        let error = causes(&load(&fake, &memory, &built).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }

    // Neither a line nor the whole is read for ever.
    for (line_, expected) in [
        ("x", "a line of it has more than 262144 bytes"),
        (
            "{\"stream\":\"a\"}                                                                                                                                                                                                                                    \n",
            "it has more than 67108864 bytes",
        ),
    ] {
        let fake = Fake::engine(move |line, talk| {
            if line == LOAD {
                talk.body()?;
                talk.raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                let lines = line_.repeat(4096);
                while talk.raw(&lines).is_ok() {}
            }
            Ok(line == LOAD)
        });
        let memory = Memory::new();
        let built = image(&memory, &[(Codec::Gzip, &motd("endless"))]);
        let error = causes(&load(&fake, &memory, &built).unwrap_err());
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn an_image_that_is_not_there_afterwards_is_an_error() {
    let memory = Memory::new();
    let built = image(&memory, &[(Codec::Gzip, &motd("gone"))]);
    let other = Digest::of(b"other");
    let fake = Fake::engine(|_, _| Ok(false));
    let error = causes(&load(&fake, &memory, &built).unwrap_err());
    let manifest = &built.manifest.digest;
    let expected = format!("took all of `{manifest}` and does not have it: there is no such image");
    assert!(error.ends_with(&expected), "{error}");

    // One with another ID is taken away again, if it was not there before.
    for was_there in [true, false] {
        let looked = AtomicUsize::new(usize::from(was_there));
        let other = other.clone();
        let fake = Fake::engine(move |line, talk| {
            let inspects = line.starts_with("GET /v1.41/images/sha256:");
            if inspects && looked.fetch_add(1, Ordering::SeqCst) > 0 {
                talk.json(200, &format!("{{\"Id\":\"{other}\"}}"))?;
                return Ok(true);
            }
            if line.starts_with("DELETE ") {
                talk.json(200, "[]")?;
                return Ok(true);
            }
            Ok(false)
        });
        let error = causes(&load(&fake, &memory, &built).unwrap_err());
        assert!(error.contains("expected ID `"), "{error}");
        let deletes = fake.seen().iter().any(|line| line.starts_with("DELETE"));
        assert_eq!(deletes, !was_there, "{:?}", fake.seen());
        assert!(fake.seen().iter().all(|line| !line.contains("/tag?")));
    }
}

/// The source breaks off: the daemon must not take what it got for the whole.
#[test]
fn a_broken_source_ends_no_archive() {
    let memory = Memory::new();
    let built = image(&memory, &[(Codec::None, &noise(101, LARGE))]);
    memory.insert_unverified(built.layers[0].digest.clone(), &b"short"[..]);
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    let fake = Fake::engine(move |line, talk| {
        if line == LOAD {
            let (_, whole) = talk.body()?;
            counted.fetch_add(1 + usize::from(whole), Ordering::SeqCst);
        }
        Ok(line == LOAD)
    });
    let error = load(&fake, &memory, &built).unwrap_err();
    assert!(matches!(error, Error::Write(_)), "{error:?}");
    let text = causes(&error);
    assert!(text.contains(built.layers[0].digest.as_str()), "{text}");
    while ended.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(ended.load(Ordering::SeqCst), 1, "the daemon saw an end");
}

#[test]
fn a_daemon_that_cannot_be_reached_is_said_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let absent = Endpoint::Unix {
        path: directory.path().join("absent"),
    };
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = format!("127.0.0.1:{}", cooperage_testkit::http::free_port());
    let tcp: Endpoint = format!("tcp://{refused}").parse().unwrap();
    for (endpoint, expected) in [
        (
            absent,
            "start it, or say in `DOCKER_HOST` where it is: No such file",
        ),
        (
            Endpoint::Unix { path: file },
            "start it, or say in `DOCKER_HOST` where it is: Connection refused",
        ),
        (
            tcp,
            "start it, or say in `DOCKER_HOST` where it is: Connection refused",
        ),
    ] {
        let error = Engine::connect(&endpoint, &Options::default()).unwrap_err();
        let text = causes(&error);
        let expected = format!("cannot reach a daemon at `{endpoint}`: {expected}");
        assert!(text.starts_with(&expected), "{text}");
    }
}

fn connected(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let fake = Fake::start(move |_, talk| talk.raw(&answer));
    let error = try_connect(&fake.socket()).unwrap_err();
    let text = causes(&error);
    text.replace(&format!("unix://{}", fake.socket().display()), "X")
}

fn try_connect(socket: &Path) -> Result<Engine, Error> {
    let path = socket.to_owned();
    Engine::connect(&Endpoint::Unix { path }, &Options::default())
}

#[test]
fn who_is_no_docker_engine_is_told_so() {
    let version = |version: &str| {
        format!("HTTP/1.1 200 OK\r\nApi-Version: {version}\r\nContent-Length: 0\r\n\r\n")
    };
    for (answer, expected) in [
        (
            response(200, "hello"),
            "what `X` answered to `GET /_ping` cannot be used: there is no version of the API in it",
        ),
        (
            version("one"),
            "what `X` answered to `GET /_ping` cannot be used: there is no version of the API in it",
        ),
        (
            version("1.12"),
            "what `X` answered to `GET /_ping` cannot be used: its API is version 1.12: at least 1.30 is needed",
        ),
        (
            response(404, "no\tpage\u{1b}[31m"),
            "`X` refused `GET /_ping` with status 404: no page [31m",
        ),
        (
            response(503, ""),
            "`X` refused `GET /_ping` with status 503: it said nothing",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
                .into(),
            "`X` refused `GET /_ping` with status 302: it said nothing",
        ),
        (
            "SSH-2.0-OpenSSH\r\n".into(),
            "`X` did not answer `GET /_ping` to the end: ",
        ),
        (
            String::new(),
            "`X` did not answer `GET /_ping` to the end: ",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(1 << 20)),
            "`X` did not answer `GET /_ping` to the end: ",
        ),
    ] {
        let error = connected(answer.clone());
        assert!(error.starts_with(expected), "{answer:.60}: {error}");
    }
    // The newest that both speak.
    let fake = Fake::start(move |_, talk| talk.raw(&version("1.999")));
    let engine = try_connect(&fake.socket()).unwrap();
    assert_eq!(engine.api_version().to_string(), "1.51");
}

#[test]
fn documents_are_bounded_and_of_the_right_shape() {
    let id = Digest::of(b"id");
    let huge = format!("{{\"Id\":\"{id}\",\"x\":\"{}\"}}", "y".repeat(17 << 20));
    let deep = format!("{{\"Id\":\"{id}\",\"x\":{}}}", "[".repeat(100_000));
    for (body, expected) in [
        (huge.as_str(), "it has more than 16777216 bytes"),
        (
            &deep,
            "it is not valid JSON: line 1, column 148: nested deeper than 64 levels",
        ),
        ("", "it is not valid JSON: "),
        ("[]", "`.`: expected an object"),
        ("{}", "`Id`: expected a digest"),
        (r#"{"Id":"sha256:7"}"#, "`Id`: expected a digest"),
        (
            &format!(r#"{{"Id":"{id}","RootFS":{{"Layers":["{id}",7]}}}}"#),
            "`RootFS.Layers[1]`: expected a digest",
        ),
        (
            &format!(r#"{{"Id":"{id}","RootFS":{{"Layers":7}}}}"#),
            "`RootFS.Layers`: expected a list of digests",
        ),
        (
            &format!(r#"{{"Id":"{id}","Manifests":[{{"Available":true}}]}}"#),
            "`Manifests[0].Descriptor`: expected a descriptor",
        ),
        (
            &format!(r#"{{"Id":"{id}","RepoTags":{{}}}}"#),
            "`RepoTags`: expected a list of names",
        ),
    ] {
        let answer = body.to_owned();
        let fake = Fake::engine(move |line, talk| {
            let inspects = line.ends_with("/json");
            if inspects {
                talk.json(200, &answer)?;
            }
            Ok(inspects)
        });
        let error = connect(&fake.socket()).inspect(&name("app")).unwrap_err();
        let error = causes(&error);
        let expected = format!(
            "answered to `GET /images/docker.io/library/app:latest/json` cannot be used: {expected}"
        );
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn where_a_daemon_is_has_a_platform_or_an_error() {
    let platform = |answer: &'static str| {
        let fake = Fake::engine(move |line, talk| {
            if line != "GET /v1.41/version" {
                return Ok(false);
            }
            talk.json(200, answer)?;
            Ok(true)
        });
        let found = connect(&fake.socket()).platform();
        found
            .map(|platform| platform.to_string())
            .map_err(|error| causes(&error))
    };
    let said = platform(r#"{"Os":"linux","Arch":"aarch64"}"#);
    assert_eq!(said.as_deref(), Ok("linux/arm64"));
    for (answer, words) in [
        (r#"{"Os":"linux"}"#, "`Arch`: expected a word"),
        (r#"{"Os":7,"Arch":"amd64"}"#, "`Os`: expected a word"),
        ("[", "it is not valid JSON"),
    ] {
        let error = platform(answer).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn archives_that_break_off_are_said_in_the_daemons_words() {
    let with = |body: &str| {
        let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
        let fake = Fake::engine(move |line, talk| {
            let saves = line.ends_with("/get");
            if saves {
                talk.raw(&answer)?;
            }
            Ok(saves)
        });
        let engine = connect(&fake.socket());
        let error = engine.save(&[name("app")], &ReadOptions::default());
        let text = causes(&error.unwrap_err());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.tar");
        let exported = engine.export(&[name("app")], &path).unwrap_err();
        assert!(!path.exists());
        let exported = causes(&exported);
        (text, exported)
    };
    let words = "{\"errorDetail\":{\"message\":\"layer is gone\"},\"error\":\"layer is gone\"}\r\n";
    for before in [String::new(), "\0".repeat(1024), "x".repeat(100_000)] {
        for text in <[String; 2]>::from(with(&(before.clone() + words))) {
            assert!(
                text.ends_with("could not save the images: layer is gone"),
                "{text}"
            );
        }
    }
    for body in ["", "no tar", &"\0".repeat(1024)] {
        for text in <[String; 2]>::from(with(body)) {
            assert!(text.starts_with("cannot read what `unix://"), "{text}");
        }
    }
}

/// Nobody waits for ever.
#[test]
fn a_silent_daemon_is_given_up() {
    let fake = Fake::engine(|line, talk| {
        let silent = line == LOAD || line.ends_with("/json") || line.ends_with("/get");
        if silent {
            talk.wait_silently();
        }
        Ok(silent)
    });
    let mut options = Options::default();
    options.quick = Duration::from_millis(50);
    options.long = Duration::from_millis(50);
    let path = fake.socket();
    let engine = Engine::connect(&Endpoint::Unix { path }, &options).unwrap();
    let inspected = engine.inspect(&name("app")).unwrap_err();
    let saved = engine
        .save(&[name("app")], &ReadOptions::default())
        .unwrap_err();
    for error in [inspected, saved] {
        let error = causes(&error);
        assert!(error.ends_with("to the end: timed out"), "{error}");
    }

    // One that takes nothing, too.
    let fake = Fake::engine(|line, talk| {
        if line == LOAD {
            talk.wait_silently();
        }
        Ok(line == LOAD)
    });
    let path = fake.socket();
    let engine = Engine::connect(&Endpoint::Unix { path }, &options).unwrap();
    let (memory, built) = large();
    let images = [built.named(&["app"])];
    let error = engine
        .load(memory, &images, &LoadOptions::default())
        .unwrap_err();
    let error = causes(&error);
    assert!(
        error.ends_with("`POST /images/load` to the end: timed out"),
        "{error}"
    );
}
