//! What need not travel: blobs that another repository has, and what is there already. What was
//! asked is read from the registry's own log.

use cooperage_blob::{CopyOptions, Root, copy};
use cooperage_testkit::faults::Proxy;
use cooperage_testkit::peers::Generation;
use cooperage_testkit::registry;

use crate::images::image;
use crate::support::{client, options, push, reference, repository, resolve, words};

#[test]
fn from_one_repository_to_another_blobs_are_mounted() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let address = registry.address();
        let image = image(41, &[300_000, 20_000, 500]);
        let client = client(options());
        push(&image, &client, address, "base/app:1").expect("it takes it");
        let before = registry.log().len();
        let from = repository(&client, address, "base/app");
        let to = repository(&client, address, "team/app");
        let root = Root::named(
            reference(address, "team/app:1").to_string(),
            resolve(&client, address, "base/app:1").expect("it is there"),
        );
        let copied = copy(&from, &root, &to, &CopyOptions::default());
        copied.unwrap_or_else(|error| panic!("{}", words(&error)));
        assert_eq!(registry.missing("team/app", "1"), Vec::<String>::new());
        let log = registry.log().split_off(before);
        let lines = |part: &str| log.lines().filter(|line| line.contains(part)).count();
        // Three layers and the configuration, each of them there at once.
        assert_eq!(lines("POST /v2/team/app/blobs/uploads/?"), 4, "{log}");
        let mounted = log.lines().filter(|line| {
            line.contains("mount=sha256") && line.contains("base%2Fapp") && line.contains("\" 201 ")
        });
        assert_eq!(mounted.count(), 4, "{log}");
        assert_eq!(
            lines("PATCH /v2/") + lines("GET /v2/base/app/blobs/"),
            0,
            "{log}"
        );
    }
}

#[test]
fn what_is_there_is_asked_for_once_and_not_sent() {
    for generation in Generation::ALL {
        let Some(registry) = registry::start(generation) else {
            continue;
        };
        let image = image(42, &[1_000; 10]);
        push(&image, &client(options()), registry.address(), "team/app:1").expect("it takes it");
        let proxy = Proxy::start(registry.address(), Vec::new());
        let copied = push(&image, &client(options()), proxy.address(), "team/app:1");
        copied.unwrap_or_else(|error| panic!("{}", words(&error)));
        let seen = proxy.seen();
        let asked: Vec<_> = seen.iter().map(|it| (it.method(), it.target())).collect();
        assert_eq!(asked, [("HEAD", "/v2/team/app/manifests/1")]);
    }
}
