//! A registry on the loopback interface that does what a test says, and otherwise what the
//! specification says. It keeps partial uploads, unlike CNCF distribution 2.8.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use cooperage_digest::Digest;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        let pair = query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })?;
        Some(unescape(pair))
    }

    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next().unwrap() == path
    }
}

pub(crate) fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(b) = rest.next() {
        let hex = |b: u8| char::from(b).to_digit(16).unwrap() as u8;
        bytes.push(match b {
            b'%' => hex(rest.next().unwrap()) << 4 | hex(rest.next().unwrap()),
            b'+' => b' ',
            b => b,
        });
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    pub(crate) cut: Option<usize>,
}

/// The value of a header, whatever it is made of.
pub(crate) struct Value(String);

impl<T: std::fmt::Display> From<T> for Value {
    fn from(value: T) -> Self {
        Self(value.to_string())
    }
}

pub(crate) fn answer(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

impl Answer {
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.headers.push((name.into(), value.into().0));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(crate) fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

/// What a test has the server do with a request.
pub(crate) enum Act {
    /// As the specification says.
    Standard,
    /// Reads the body, and answers so.
    Answer(Answer),
    /// Answers so, without the body having been read, and ends the connection.
    Early(Answer),
    /// Answers as the specification says, but changed so.
    Change(Box<dyn FnOnce(Answer) -> Answer>),
    /// Takes so many bytes of the body as the specification says, and ends the connection.
    Cut(usize),
    /// Does all that the specification says but answer, and ends the connection.
    Silent,
}

/// That, if it is so, and else what the specification says.
pub(crate) fn act_if(condition: bool, act: impl FnOnce() -> Act) -> Act {
    if condition { act() } else { Act::Standard }
}

pub(crate) fn change(change: impl FnOnce(Answer) -> Answer + 'static) -> Act {
    Act::Change(Box::new(change))
}

/// Is told of a request before its body was read, and how many came before it.
pub(crate) type Hook = dyn Fn(&Seen, usize) -> Act + Send + Sync;

#[derive(Default)]
pub(crate) struct Held {
    /// By `repository@digest`.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// By `repository:tag` and `repository@digest`.
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    uploads: BTreeMap<usize, Vec<u8>>,
    next: usize,
    pub(crate) has_referrers_api: bool,
}

pub(crate) struct Server {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    hook: Box<Hook>,
    seen: Mutex<Vec<Seen>>,
    held: Mutex<Held>,
}

impl Server {
    pub(crate) fn standard() -> Self {
        Self::start(|_, _| Act::Standard)
    }

    pub(crate) fn start(hook: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            hook: Box::new(hook),
            seen: Mutex::default(),
            held: Mutex::default(),
        });
        let of_thread = Arc::clone(&shared);
        // Ends with the process: tests have no more than a few servers each.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || drop(serve(&shared, &stream)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.shared.held.lock().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// `METHOD path` of all requests so far, without query.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |seen: Seen| {
            let path = seen.path.split('?').next().unwrap();
            format!("{} {path}", seen.method)
        };
        self.seen().into_iter().map(line).collect()
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        let seen = self.seen();
        seen.iter().filter(|it| it.method == method).count()
    }

    pub(crate) fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let key = format!("{repository}@{digest}");
        self.held().blobs.insert(key, bytes.to_vec());
        digest
    }
}

fn serve(shared: &Shared, stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let mut seen = Seen {
            method: words.next().unwrap_or_default().into(),
            path: words.next().unwrap_or_default().into(),
            ..Seen::default()
        };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            seen.headers
                .insert(name.to_ascii_lowercase(), value.trim().into());
        }
        if let Some(end) = one(shared, &mut reader, stream, seen)? {
            return end;
        }
    }
}

/// Serves one request; `Some` if the connection ends with it.
fn one(
    shared: &Shared,
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
    mut seen: Seen,
) -> std::io::Result<Option<std::io::Result<()>>> {
    let before = shared.seen.lock().unwrap().len();
    let act = (shared.hook)(&seen, before);
    shared.seen.lock().unwrap().push(seen.clone());
    if let Act::Early(answer) = act {
        send(stream, &seen.method, &answer)?;
        return Ok(Some(Ok(())));
    }
    if seen.header("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length: usize = seen.header("content-length").parse().unwrap_or(0);
    let taken = match act {
        Act::Cut(bytes) => bytes.min(length),
        _ => length,
    };
    seen.body = vec![0; taken];
    reader.read_exact(&mut seen.body)?;
    shared.seen.lock().unwrap()[before]
        .body
        .clone_from(&seen.body);
    let answer = match act {
        Act::Cut(_) => {
            standard(&mut shared.held.lock().unwrap(), &seen, false);
            return Ok(Some(Ok(())));
        }
        Act::Answer(answer) => answer,
        Act::Silent => {
            standard(&mut shared.held.lock().unwrap(), &seen, true);
            return Ok(Some(Ok(())));
        }
        Act::Change(change) => change(standard(&mut shared.held.lock().unwrap(), &seen, true)),
        Act::Standard | Act::Early(_) => standard(&mut shared.held.lock().unwrap(), &seen, true),
    };
    send(stream, &seen.method, &answer)?;
    Ok(answer.cut.map(|_| Ok(())))
}

fn send(mut stream: &TcpStream, method: &str, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Whatever\r\n", answer.status);
    let says_length = answer.headers.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    });
    if !says_length && answer.status != 204 {
        write!(head, "Content-Length: {}\r\n", answer.body.len()).unwrap();
    }
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        let upto = answer.cut.unwrap_or(answer.body.len());
        stream.write_all(&answer.body[..upto])?;
    }
    stream.flush()
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}","detail":{{}}}}]}}"#);
    answer(status)
        .with("Content-Type", "application/json")
        .body(body)
}

/// What the specification says; `whole` if the body is.
fn standard(held: &mut Held, seen: &Seen, whole: bool) -> Answer {
    let path = seen.path.split('?').next().unwrap();
    let Some(rest) = path.strip_prefix("/v2/") else {
        return error(404, "UNSUPPORTED", "no such path");
    };
    if let Some((repository, name)) = rest.rsplit_once("/manifests/") {
        return manifest(held, seen, repository, name);
    }
    if let Some((repository, id)) = rest.rsplit_once("/blobs/uploads/") {
        return upload(held, seen, repository, id, whole);
    }
    if let Some((repository, digest)) = rest.rsplit_once("/blobs/") {
        return blob(held, seen, &format!("{repository}@{digest}"));
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        return tags(held, seen, repository);
    }
    if let Some((repository, digest)) = rest.rsplit_once("/referrers/") {
        return referrers(held, repository, digest);
    }
    answer(200)
}

fn manifest(held: &mut Held, seen: &Seen, repository: &str, name: &str) -> Answer {
    let key = |name: &str| {
        let between = if name.contains(':') { '@' } else { ':' };
        format!("{repository}{between}{name}")
    };
    if seen.method == "PUT" {
        let media_type = seen.header("content-type").to_owned();
        let digest = Digest::of(&seen.body).to_string();
        for name in [name, &digest] {
            let entry = (media_type.clone(), seen.body.clone());
            held.manifests.insert(key(name), entry);
        }
        return answer(201).with("Docker-Content-Digest", digest);
    }
    match held.manifests.get(&key(name)) {
        Some((media_type, bytes)) => answer(200)
            .with("Content-Type", media_type)
            .with("Content-Length", bytes.len())
            .with("Docker-Content-Digest", Digest::of(bytes))
            .body(bytes),
        None => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

fn blob(held: &Held, seen: &Seen, key: &str) -> Answer {
    let Some(bytes) = held.blobs.get(key) else {
        return error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    };
    let first = seen.header("range");
    let first = first
        .strip_prefix("bytes=")
        .map(|it| it.trim_end_matches('-'));
    match first.map(|first| first.parse::<usize>().unwrap()) {
        Some(first) if first >= bytes.len() => error(416, "SIZE_INVALID", "no such range"),
        Some(first) => answer(206)
            .with(
                "Content-Range",
                format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len()),
            )
            .body(&bytes[first..]),
        None => answer(200).with("Content-Length", bytes.len()).body(bytes),
    }
}

fn upload(held: &mut Held, seen: &Seen, repository: &str, id: &str, whole: bool) -> Answer {
    let location = |id: usize| format!("/v2/{repository}/blobs/uploads/{id}?state=x");
    if seen.method == "POST" {
        if let Some(digest) = seen.query("mount") {
            let from = seen.query("from").unwrap_or_default();
            if let Some(bytes) = held.blobs.get(&format!("{from}@{digest}")).cloned() {
                held.blobs.insert(format!("{repository}@{digest}"), bytes);
                return answer(201);
            }
        }
        held.next += 1;
        held.uploads.insert(held.next, Vec::new());
        return answer(202).with("Location", location(held.next));
    }
    let id: usize = id.parse().unwrap();
    let Some(bytes) = held.uploads.get_mut(&id) else {
        return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown");
    };
    let first = seen.header("content-range").split('-').next().unwrap();
    if first.parse().is_ok_and(|first: usize| first != bytes.len()) {
        return error(416, "RANGE_INVALID", "out of order");
    }
    bytes.extend_from_slice(&seen.body);
    let range = format!("0-{}", bytes.len().saturating_sub(1));
    match &*seen.method {
        "PUT" if whole => {
            let digest = seen.query("digest").unwrap();
            let bytes = held.uploads.remove(&id).unwrap();
            if Digest::of(&bytes).as_str() != digest {
                return error(400, "DIGEST_INVALID", "provided digest did not match");
            }
            held.blobs.insert(format!("{repository}@{digest}"), bytes);
            answer(201).with("Docker-Content-Digest", digest)
        }
        "DELETE" => {
            held.uploads.remove(&id);
            answer(204)
        }
        "GET" => answer(204)
            .with("Location", location(id))
            .with("Range", range),
        _ => answer(202)
            .with("Location", location(id))
            .with("Range", range),
    }
}

fn tags(held: &Held, seen: &Seen, repository: &str) -> Answer {
    let prefix = format!("{repository}:");
    let last = seen.query("last").unwrap_or_default();
    let all: Vec<_> = held
        .manifests
        .keys()
        .filter_map(|key| key.strip_prefix(&prefix))
        .filter(|tag| **tag > *last)
        .collect();
    // Two a page, whatever is asked for.
    let page: Vec<_> = all.iter().take(2).map(|tag| format!("\"{tag}\"")).collect();
    let body = format!(r#"{{"name":"{repository}","tags":[{}]}}"#, page.join(","));
    let answer = answer(200).body(body);
    match all.get(1) {
        Some(last) if all.len() > 2 => answer.with(
            "Link",
            format!("</v2/{repository}/tags/list?n=2&last={last}>; rel=\"next\""),
        ),
        _ => answer,
    }
}

fn referrers(held: &Held, repository: &str, digest: &str) -> Answer {
    if !held.has_referrers_api {
        return error(404, "UNSUPPORTED", "no referrers");
    }
    let of = held.manifests.iter().filter(|(key, (_, bytes))| {
        let text = String::from_utf8_lossy(bytes);
        let subject = text.split("\"subject\"").nth(1);
        key.starts_with(&format!("{repository}@")) && subject.is_some_and(|it| it.contains(digest))
    });
    let listed: Vec<_> = of
        .map(|(_, (media_type, bytes))| {
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":{},"artifactType":"application/x.note"}}"#,
                Digest::of(bytes),
                bytes.len()
            )
        })
        .collect();
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}}"#,
        listed.join(",")
    );
    answer(200)
        .with("Content-Type", "application/vnd.oci.image.index.v1+json")
        .body(body)
}
