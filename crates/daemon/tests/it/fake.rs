//! Daemons that are not: one that says what it is told to, and one that stands in front of another
//! and looks on.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

/// A listener on a Unix socket; it goes with the test process.
pub(crate) struct Fake {
    directory: TempDir,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Answers every request by `answer`, which is given the request's method and path.
    pub(crate) fn start(
        answer: impl Fn(&str, &mut Talk) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let directory = tempfile::Builder::new().prefix("d").tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, list) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, list) = (Arc::clone(&answer), Arc::clone(&list));
                thread::spawn(move || {
                    let Ok(mut talk) = Talk::new(stream.unwrap()) else {
                        return;
                    };
                    let line = talk.line.clone();
                    list.lock().unwrap().push(line.clone());
                    // Who is hung up on hears nothing.
                    let _ = answer(&line, &mut talk);
                });
            }
        });
        Self { directory, seen }
    }

    /// An engine with a graph driver that knows `images` by their paths, takes all archives, and
    /// else does what `answer` does, which says `false` for what it leaves to this.
    pub(crate) fn engine(
        answer: impl Fn(&str, &mut Talk) -> io::Result<bool> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |line, talk| {
            if answer(line, talk)? {
                return Ok(());
            }
            match line {
                "GET /_ping" => {
                    talk.raw("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK")
                }
                "GET /v1.41/info" => talk.json(200, "{}"),
                "POST /v1.41/images/load?quiet=1" => {
                    talk.body()?;
                    talk.json(200, "{\"stream\":\"Loaded image\\n\"}\n")
                }
                _ if line.contains("/tag?") => talk.json(201, ""),
                _ => talk.json(404, r#"{"message":"no such thing"}"#),
            }
        })
    }

    /// Stands in front of a real daemon. `look` is told of every request before it goes on, and
    /// may answer it itself.
    pub(crate) fn in_front_of(
        socket: &Path,
        look: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let socket = socket.to_owned();
        Self::start(move |line, talk| match look(line) {
            Some(answer) => talk.raw(&answer),
            None => talk.pass_on(&socket),
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// Method and path of all requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn has_hung_up(stream: &UnixStream) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut all = [PollFd::new(stream, PollFlags::empty())];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let count = poll(&mut all, Some(&now)).unwrap();
    count > 0
}

/// A whole answer.
pub(crate) fn response(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// One request, and the way back.
pub(crate) struct Talk {
    stream: BufReader<UnixStream>,
    line: String,
    head: String,
}

impl Talk {
    fn new(stream: UnixStream) -> io::Result<Self> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let words: Vec<_> = head.split(' ').take(2).collect();
        let line = words.join(" ");
        Ok(Self { stream, line, head })
    }

    /// Reads the request's body, and whether it came to its end.
    pub(crate) fn body(&mut self) -> io::Result<(Vec<u8>, bool)> {
        assert!(
            self.head
                .to_lowercase()
                .contains("transfer-encoding: chunked")
        );
        let mut body = Vec::new();
        loop {
            let mut size = String::new();
            if self.stream.read_line(&mut size)? == 0 {
                return Ok((body, false));
            }
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            let start = body.len() as u64;
            (&mut self.stream).take(size).read_to_end(&mut body)?;
            if body.len() as u64 - start < size {
                return Ok((body, false));
            }
            self.stream.read_line(&mut String::new())?;
            if size == 0 {
                return Ok((body, true));
            }
        }
    }

    /// Reads all there is, and keeps nothing: for bodies that no memory is to hold.
    pub(crate) fn drain(&mut self) -> io::Result<u64> {
        let mut all = 0;
        loop {
            let mut size = String::new();
            if self.stream.read_line(&mut size)? == 0 {
                return Ok(all);
            }
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            all += io::copy(&mut (&mut self.stream).take(size), &mut io::sink())?;
            self.stream.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(all);
            }
        }
    }

    /// Reads so many bytes of the request, as they come.
    pub(crate) fn take(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.stream).take(bytes), &mut io::sink())
    }

    /// Says and takes nothing until the other side has hung up.
    pub(crate) fn wait_silently(&mut self) {
        while !has_hung_up(self.stream.get_ref()) {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn raw(&mut self, bytes: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_bytes())
    }

    pub(crate) fn json(&mut self, status: u16, body: &str) -> io::Result<()> {
        self.raw(&response(status, body))
    }

    fn pass_on(&mut self, socket: &Path) -> io::Result<()> {
        let mut real = UnixStream::connect(socket)?;
        real.write_all(self.head.as_bytes())?;
        real.write_all(self.stream.buffer())?;
        let (mut from, mut to) = (self.stream.get_ref().try_clone()?, real.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        io::copy(&mut real, self.stream.get_mut())?;
        self.stream.get_ref().shutdown(Shutdown::Both)
    }
}
