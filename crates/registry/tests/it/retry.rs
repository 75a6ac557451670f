//! What is tried again, how often, how long after, and what is said in the end.

use std::num::NonZeroU32;
use std::time::Duration;

use cooperage_blob::copy;
use cooperage_registry::{Reason, Retry};

use crate::server::{Act, Answer, Server, act_if, answer, error};
use crate::{chain, in_memory, one_job, options, repository_with};

/// Answers so to the first requests, and then as it should.
fn failing(times: usize, failure: impl Fn() -> Act + Send + Sync + 'static) -> Server {
    Server::start(move |_, before| act_if(before < times, &failure))
}

fn fail(status: u16) -> Answer {
    error(status, "TOOMANYREQUESTS", "slow down")
}

#[test]
fn what_passes_is_tried_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = failing(3, move || Act::Answer(fail(status)));
        let (options, pace) = options();
        let (memory, root) = in_memory(&[b"x"]);
        copy(
            &memory,
            &root,
            &repository_with(&server, "app", options),
            &one_job(),
        )
        .unwrap();
        let millis: Vec<_> = pace
            .slept
            .lock()
            .unwrap()
            .iter()
            .map(Duration::as_millis)
            .collect();
        // Half of the doubled time, and half of the other half by chance.
        assert_eq!(millis, [187, 375, 750], "{status}");
    }
    let server = failing(3, || Act::Cut(0));
    let (options, _) = options();
    let (memory, root) = in_memory(&[b"x"]);
    copy(
        &memory,
        &root,
        &repository_with(&server, "app", options),
        &one_job(),
    )
    .unwrap();
}

#[test]
fn what_does_not_pass_is_not() {
    for status in [400, 403, 404, 410, 418, 501] {
        let server = failing(usize::MAX, move || Act::Answer(fail(status)));
        let (options, pace) = options();
        let from = repository_with(&server, "app", options);
        assert!(from.tags().is_err());
        assert_eq!(
            (server.seen().len(), pace.slept.lock().unwrap().len()),
            (1, 0),
            "{status}"
        );
    }
}

#[test]
fn the_end_is_bounded_and_says_everything() {
    let server = failing(usize::MAX, || Act::Answer(fail(429)));
    let (mut options, _) = options();
    options.retry.attempts = NonZeroU32::new(3).unwrap();
    let to = repository_with(&server, "team/app", options);
    let blob = cooperage_image_spec::Descriptor::empty();
    let from = cooperage_blob::Memory::new();
    let error = cooperage_blob::transfer(&from, &blob, &to, &mut |_| {}).unwrap_err();
    let expected = format!(
        "cannot look for `{}` at `{}/team/app`: status 429, TOOMANYREQUESTS `slow down` at the last of 3 attempts",
        blob.digest, server.address
    );
    assert!(chain(&error).ends_with(&expected), "{}", chain(&error));
    // And one more, for the words.
    assert_eq!((server.count("HEAD"), server.count("GET")), (3, 1));
}

#[test]
fn a_server_may_ask_for_time_within_limits() {
    for (header, waited) in [
        ("7", 7),
        ("3600", 30),
        ("99999999999999999999999", 30),
        ("soon", 0),
    ] {
        let server = failing(1, move || {
            Act::Answer(fail(429).with("Retry-After", header))
        });
        let (options, pace) = options();
        let _ = repository_with(&server, "app", options).tags();
        let slept = pace.slept.lock().unwrap().clone();
        assert_eq!(slept.len(), 1);
        assert_eq!(slept[0].as_secs(), waited, "{header}");
    }
}

#[test]
fn waits_stop_growing() {
    let server = failing(usize::MAX, || Act::Answer(answer(503)));
    let (mut options, pace) = options();
    options.retry = Retry {
        attempts: NonZeroU32::new(40).unwrap(),
        first: Duration::from_millis(250),
        most: Duration::from_secs(4),
    };
    let error = repository_with(&server, "app", options).tags().unwrap_err();
    assert!(matches!(
        error.reason(),
        Reason::Refused {
            status: 503,
            attempts: 40,
            ..
        }
    ));
    let slept = pace.slept.lock().unwrap();
    assert_eq!(slept.iter().max(), Some(&Duration::from_secs(3)));
    assert_eq!(slept.len(), 39);
}

#[test]
fn nobody_there_is_said_so() {
    let (mut options, pace) = options();
    options.retry.attempts = NonZeroU32::new(2).unwrap();
    let client = cooperage_registry::Client::new(options).unwrap();
    let from = client.repository(&"127.0.0.1:1/app".parse().unwrap());
    let error = from.resolve("v1").unwrap_err();
    let text = chain(&error);
    assert!(text.starts_with("cannot find manifest `v1` at `127.0.0.1:1/app`: the connection failed at the last of 2 attempts: "), "{text}");
    assert_eq!(pace.slept.lock().unwrap().len(), 1);
}

#[test]
fn errors_of_servers_are_read_to_a_limit() {
    let server = Server::start(|_, _| Act::Answer(answer(403).body("x".repeat(10 << 20))));
    let (options, _) = options();
    let error = repository_with(&server, "app", options).tags().unwrap_err();
    assert!(error.to_string().len() < 600, "{error}");
    let server = Server::start(|_, _| {
        Act::Answer((0..5000).fold(answer(200), |it, at| {
            it.with(&format!("X-{at}"), "y".repeat(100))
        }))
    });
    let (options, _) = crate::options();
    let error = repository_with(&server, "app", options).tags().unwrap_err();
    assert!(chain(&error).len() < 600, "{error}");
}
