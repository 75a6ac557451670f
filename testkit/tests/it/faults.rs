//! The proxy does what its rules say, and nothing else.

use std::io::ErrorKind;
use std::time::Duration;

use cooperage_testkit::faults::{Fault, Link, On, Proxy, ProxyOptions, Rule};
use cooperage_testkit::http::{self, Answer, Reply, Server};

const BLOB: &str = "/v2/a/blobs/sha256:00";
const MANIFEST: &str = "/v2/a/manifests/1";
const UPLOAD: &str = "/v2/a/blobs/uploads/1";

/// Answers with 100,000 bytes; to what has a body, with that body.
fn server() -> Server {
    Server::start(|request| {
        let body = match request.method() {
            "GET" | "HEAD" => vec![b'x'; 100_000],
            _ => request.body.clone(),
        };
        Reply::new(200)
            .with("Docker-Content-Digest", "sha256:00")
            .with("Location", "http://here/there?x=y")
            .with(
                "Seen-Authorization",
                request.head.field("Authorization").unwrap_or("none"),
            )
            .with_body("text/plain", body)
    })
}

fn behind(fault: Fault) -> (Server, Proxy) {
    let server = server();
    let proxy = Proxy::start(server.address(), vec![Rule::once(On::Any, fault)]);
    (server, proxy)
}

fn get(proxy: &Proxy, path: &str) -> std::io::Result<Answer> {
    http::request(proxy.address(), "GET", path, &[], &[])
}

#[track_caller]
fn whole(answer: &Answer) {
    assert_eq!(answer.status, 200);
    assert!(answer.body == vec![b'x'; 100_000]);
}

#[test]
fn without_rules_it_passes_everything_on() {
    let server = server();
    let proxy = Proxy::start(server.address(), Vec::new());
    whole(&get(&proxy, BLOB).unwrap());
    let body = vec![7; 300_000];
    let answer = http::request(proxy.address(), "PUT", UPLOAD, &[], &body).unwrap();
    assert!(answer.body == body);
    let answer = http::request(proxy.address(), "HEAD", BLOB, &[], &[]).unwrap();
    assert_eq!(answer.head.field("Content-Length"), Some("100000"));
    let seen = proxy.seen();
    let told: Vec<_> = seen
        .iter()
        .map(|it| (it.method(), it.received, it.sent))
        .collect();
    assert_eq!(told[0], ("GET", 0, 100_000));
    assert_eq!(told[1], ("PUT", 300_000, 300_000));
    assert_eq!(told[2], ("HEAD", 0, 0));
    assert!(
        seen.iter()
            .all(|it| it.status == Some(200) && it.fault.is_none())
    );
}

#[test]
fn answers_are_cut_where_it_is_said() {
    for after in [0, 20, 70_000, 100_050] {
        let (_server, proxy) = behind(Fault::CutAnswer { after });
        get(&proxy, BLOB).unwrap_err();
        whole(&get(&proxy, BLOB).unwrap());
        let sent = proxy.seen()[0].sent;
        assert!(sent <= after, "{sent} of {after}");
    }
}

#[test]
fn requests_are_cut_where_it_is_said() {
    for after in [0, 20, 70_000] {
        let (_server, proxy) = behind(Fault::CutRequest { after });
        let put = || http::request(proxy.address(), "PUT", UPLOAD, &[], &vec![7; 100_000]);
        put().unwrap_err();
        assert_eq!(put().unwrap().body.len(), 100_000);
    }
}

#[test]
fn bodies_and_lengths_are_wrong() {
    let (_server, proxy) = behind(Fault::FlipAnswer { at: 300_007 });
    let answer = get(&proxy, BLOB).unwrap();
    let wrong = |body: &[u8], is: u8| -> Vec<usize> {
        (0..body.len()).filter(|at| body[*at] != is).collect()
    };
    assert_eq!(wrong(&answer.body, b'x'), [7]);

    let (_server, proxy) = behind(Fault::FlipRequest { at: 70_000 });
    let answer = http::request(proxy.address(), "PUT", UPLOAD, &[], &vec![7; 100_000]).unwrap();
    assert_eq!(wrong(&answer.body, 7), [70_000]);

    let (_server, proxy) = behind(Fault::Length { by: 5 });
    assert_eq!(
        get(&proxy, BLOB).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );

    let (_server, proxy) = behind(Fault::Length { by: -5 });
    assert_eq!(get(&proxy, BLOB).unwrap().body.len(), 99_995);
}

#[test]
fn heads_are_wrong() {
    let field = |fault, path, field: &str| {
        let (_server, proxy) = behind(fault);
        let answer = get(&proxy, path).unwrap();
        (answer.status, answer.head.field(field).map(str::to_owned))
    };
    let digest = "Docker-Content-Digest";
    assert_eq!(field(Fault::NoDigest, MANIFEST, digest), (200, None));
    let other = field(Fault::OtherDigest, MANIFEST, digest).1.unwrap();
    assert!(other.starts_with("sha256:e3b0c442"), "{other}");
    let status = Fault::Status {
        status: 429,
        retry_after: Some("7".to_owned()),
    };
    assert_eq!(
        field(status, BLOB, "Retry-After"),
        (429, Some("7".to_owned()))
    );
    let to = Fault::Redirect("127.0.0.1:1".to_owned());
    let location = format!("http://127.0.0.1:1{BLOB}");
    assert_eq!(field(to, BLOB, "Location"), (307, Some(location)));
    let elsewhere = Fault::Elsewhere("127.0.0.1:1".to_owned());
    let location = "http://127.0.0.1:1/there?x=y".to_owned();
    assert_eq!(field(elsewhere, UPLOAD, "Location"), (200, Some(location)));
    let challenge = Fault::Challenge("Bearer realm=\"x\"".to_owned());
    let found = field(challenge, BLOB, "WWW-Authenticate");
    assert_eq!(found, (401, Some("Bearer realm=\"x\"".to_owned())));
}

#[test]
fn pages_lead_on_and_on() {
    let server = server();
    let always = Rule::always(On::Tags, Fault::Link(Link::Endless));
    let proxy = Proxy::start(server.address(), vec![always]);
    let mut path = "/v2/a/tags/list".to_owned();
    for page in 0..5 {
        let answer = get(&proxy, &path).unwrap();
        let tag = format!("tag{page}");
        assert!(String::from_utf8(answer.body).unwrap().contains(&tag));
        let link = answer.head.field("Link").unwrap();
        path = link[1..].split('>').next().unwrap().to_owned();
    }
}

#[test]
fn bodies_have_no_end() {
    let huge = Fault::Huge {
        size: 3_000_000,
        is_announced: true,
    };
    let (_server, proxy) = behind(huge);
    let body = get(&proxy, MANIFEST).unwrap().body;
    assert_eq!(body.len(), 3_000_000);
    serde_json::from_slice::<serde_json::Value>(&body).unwrap();

    let (_server, proxy) = behind(Fault::Endless);
    let mut stream = std::net::TcpStream::connect(proxy.address()).unwrap();
    let request = format!("GET {BLOB} HTTP/1.1\r\nHost: x\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut bytes = vec![0; 10_000_000];
    std::io::Read::read_exact(&mut stream, &mut bytes).unwrap();
    drop(stream);
    // Another connection is served meanwhile.
    whole(&get(&proxy, BLOB).unwrap());
}

#[test]
fn slow_answers_come_whole() {
    let (_server, proxy) = behind(Fault::Slow {
        pieces: 9,
        pause: 1,
    });
    whole(&get(&proxy, BLOB).unwrap());
}

#[test]
fn a_place_to_be_sent_to_has_a_login_of_its_own() {
    let server = server();
    let options = ProxyOptions {
        authorization: Some("Basic eDp5".to_owned()),
    };
    let proxy = Proxy::start_with(server.address(), Vec::new(), options);
    let answer = get(&proxy, BLOB).unwrap();
    assert_eq!(answer.head.field("Seen-Authorization"), Some("Basic eDp5"));
    assert_eq!(proxy.seen()[0].head.field("Authorization"), None);
}

#[test]
fn a_server_that_is_not_there_is_no_answer() {
    let address = format!("127.0.0.1:{}", http::free_port());
    let proxy = Proxy::start(&address, Vec::new());
    get(&proxy, BLOB).unwrap_err();
    http::get(&address, "/", Duration::ZERO).unwrap_err();
}
