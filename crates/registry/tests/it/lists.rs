//! Tags and referrers, of honest registries and of others.

use cooperage_blob::{Root, Source as _, copy};
use cooperage_digest::Digest;

use crate::server::{Act, Server, answer};
use crate::{in_memory, one_job, options, repository, repository_with};

#[test]
fn tags_come_page_by_page() {
    let server = Server::standard();
    let (memory, root) = in_memory(&[b"x"]);
    let to = repository(&server, "app");
    for tag in ["a", "b", "c", "d", "e"] {
        let root = Root::named(tag, root.descriptor.clone());
        copy(&memory, &root, &to, &one_job()).unwrap();
    }
    let before = server.seen().len();
    assert_eq!(to.tags().unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(server.seen().len() - before, 3);
    let roots = to.roots().unwrap();
    let names: Vec<_> = roots
        .iter()
        .map(|root| root.name.clone().unwrap())
        .collect();
    assert_eq!(names[4], format!("{}/app:e", server.address));
    assert!(roots.iter().all(|it| it.descriptor == root.descriptor));
}

#[test]
fn lists_may_be_hostile() {
    let list = r#"{"name":"app","tags":["a"]}"#;
    let next = |link: &str| format!("<{link}>; rel=\"next\"");
    let page = |link: &str| answer(200).body(list).with("Link", next(link));
    for (what, answers, expected) in [
        (
            "another host",
            page("http://127.0.0.1:1/v2/app/tags/list"),
            "leads elsewhere",
        ),
        ("another scheme", page("https:///v2"), "leads elsewhere"),
        ("a circle", page("/v2/app/tags/list?last=a"), "in a circle"),
        ("no JSON", answer(200).body("<html>"), "is not valid"),
        (
            "no tag",
            answer(200).body(r#"{"tags":["../../etc"]}"#),
            "has `../../etc`",
        ),
        ("no text", answer(200).body(r#"{"tags":[7]}"#), "has ``"),
        (
            "much",
            answer(200).body("x".repeat(5 << 20)),
            "longer than 4194304 bytes",
        ),
        (
            "an endless body",
            answer(200)
                .with("Transfer-Encoding", "chunked")
                .body(b"100000\r\n")
                .cut(8),
            "the connection failed",
        ),
    ] {
        let server = Server::start(move |_, _| Act::Answer(answers.clone()));
        let (options, _) = options();
        let error = repository_with(&server, "app", options).tags().unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(server.seen().len() <= 5, "{what}");
    }
    // A list that goes on for ever, each page with tags of its own.
    let server = Server::start(|_, at| {
        let tags: Vec<_> = (0..10_000).map(|tag| format!("\"t{at}-{tag}\"")).collect();
        let body = format!(r#"{{"tags":[{}]}}"#, tags.join(","));
        let link = format!("</v2/app/tags/list?last={at}>; rel=\"next\"");
        Act::Answer(answer(200).body(body).with("Link", link))
    });
    let error = repository(&server, "app").tags().unwrap_err();
    assert!(
        error.to_string().contains("more than 100000 entries"),
        "{error}"
    );
    assert_eq!(server.seen().len(), 11);
    // The same with one tag on a page, and with none that is new.
    for fresh in [true, false] {
        let server = Server::start(move |_, at| {
            let body = format!(r#"{{"tags":["t{}"]}}"#, if fresh { at } else { 0 });
            let link = format!("</v2/app/tags/list?last={at}>; rel=\"next\"");
            Act::Answer(answer(200).body(body).with("Link", link))
        });
        let error = repository(&server, "app").tags().unwrap_err().to_string();
        assert!(error.contains("more than 100 pages, and"), "{error}");
        assert_eq!(server.seen().len(), 100);
    }
}

#[test]
fn a_list_may_have_nothing_in_it() {
    for body in [r#"{"name":"app","tags":null}"#, r#"{"tags":[]}"#, "{}"] {
        let server = Server::start(move |_, _| Act::Answer(answer(200).body(body)));
        assert_eq!(
            repository(&server, "app").tags().unwrap(),
            Vec::<String>::new()
        );
    }
    let server = Server::standard();
    let referrers = repository(&server, "app").referrers(&Digest::of(b"x"), None);
    assert_eq!(referrers.unwrap(), []);
}

#[test]
fn referrers_that_were_not_filtered_are() {
    let entry = |text: &str, kind: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":1,"artifactType":"{kind}"}}"#,
            Digest::of(text.as_bytes())
        )
    };
    let page = |entries: &[String]| {
        let entries = entries.join(",");
        answer(200).body(format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#))
    };
    let first =
        page(&[entry("a", "x/one"), entry("b", "x/two")]).with("Link", "<?page=2>; rel=next");
    let second = page(&[entry("a", "x/one"), entry("c", "x/one")]);
    let server = Server::start(move |seen, _| match seen.query("page") {
        None => Act::Answer(first.clone()),
        Some(_) => Act::Answer(second.clone()),
    });
    let found = repository(&server, "app")
        .referrers(&Digest::of(b"s"), Some("x/one"))
        .unwrap();
    let digests: Vec<_> = found.into_iter().map(|it| it.digest).collect();
    assert_eq!(digests, [Digest::of(b"a"), Digest::of(b"c")]);
    assert_eq!(
        server.seen()[0].query("artifactType").as_deref(),
        Some("x/one")
    );
}
