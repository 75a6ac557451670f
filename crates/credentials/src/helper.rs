//! Programs that know logins: `docker-credential-NAME`.
//!
//! The protocol is docker's (docker-credential-helpers): `NAME get` is told a server's name on
//! standard input, and answers on standard output with JSON, or with a message and an exit code.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::file::append;
use crate::{Login, Secret};

/// The name that stands for none: then the secret is an identity token.
const TOKEN_USERNAME: &str = "<token>";
/// What a helper says that knows no login for the server; exactly so in docker's own library.
const NOT_FOUND: [&str; 2] = [
    "credentials not found in native keychain",
    "no credentials server url",
];
/// How much of a helper's own message is told, in characters.
const SHOWN: usize = 200;

/// Where helpers are found, and what they may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Helpers {
    /// Directories to look in, as in `PATH`; `None` for `PATH` itself.
    pub path: Option<OsString>,
    /// How long one may take until it is ended. Some ask a person.
    pub time: Duration,
    /// How much one may answer, in bytes.
    pub output: usize,
}

impl Default for Helpers {
    /// `PATH`, 60 s, 64 KiB.
    fn default() -> Self {
        Self {
            path: None,
            time: Duration::from_secs(60),
            output: 64 << 10,
        }
    }
}

/// Why a helper gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperFault {
    /// Its name is not one of a program in `PATH`.
    #[error("its name is not that of a program: expected letters, digits, `-`, `_` and `.`")]
    Name,
    /// There is no such program.
    #[error("there is no such program in `PATH`")]
    NotInstalled,
    /// It could not be run, or talked with.
    #[error("it cannot be run: {0}")]
    Run(#[source] io::Error),
    /// It took too long, and was ended.
    #[error("it did not answer within {} s and was ended", .limit.as_secs_f64())]
    Slow {
        /// The time that it had.
        limit: Duration,
    },
    /// It answered too much, and was ended.
    #[error("it answered with more than {limit} bytes and was ended")]
    Long {
        /// How many are read.
        limit: usize,
    },
    /// It failed.
    #[error("it failed with {status}{}", said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The first line of what it said, unless that may hold a secret.
        said: Option<String>,
    },
    /// Its answer is not the JSON that it should be.
    #[error("its answer is not an object with `Username` and `Secret`")]
    Answer,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: Secret,
}

impl Helpers {
    /// Asks `docker-credential-NAME` for a server's login; none if it knows of none.
    pub(crate) fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, HelperFault> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if helper.is_empty() || !helper.bytes().all(is_plain) {
            return Err(HelperFault::Name);
        }
        let (status, said) = self.run(&program(helper), server)?;
        if !status.success() {
            let text = String::from_utf8_lossy(&said);
            let text = text.trim();
            if NOT_FOUND.iter().any(|words| text.starts_with(words)) {
                return Ok(None);
            }
            let said = telling(text);
            return Err(HelperFault::Failed { status, said });
        }
        // The library's own words would quote what it found.
        let answer: Answer = serde_json::from_slice(&said).map_err(|_| HelperFault::Answer)?;
        Ok(match (answer.username, answer.secret) {
            (_, secret) if secret.is_empty() => None,
            (username, token) if username == TOKEN_USERNAME => Some(Login::IdentityToken(token)),
            (username, _) if username.is_empty() => None,
            (username, password) => Some(Login::Basic { username, password }),
        })
    }

    fn run(
        &self,
        program: &str,
        server: &str,
    ) -> Result<(ExitStatus, Zeroizing<Vec<u8>>), HelperFault> {
        let deadline = Instant::now() + self.time;
        let mut command = Command::new(program);
        command
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // As docker has it: who uses a helper sees what it has to say.
            .stderr(Stdio::inherit());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let mut child = Running(command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HelperFault::NotInstalled,
            _ => HelperFault::Run(error),
        })?);
        if let Some(mut stdin) = child.0.stdin.take() {
            match stdin.write_all(server.as_bytes()) {
                // It need not read what it does not want to know.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(HelperFault::Run(error));
                }
                _ => {}
            }
        }
        let Some(stdout) = child.0.stdout.take() else {
            return Err(HelperFault::Answer);
        };
        let said = self.listen(stdout, deadline)?;
        let status = self.wait(&mut child.0, deadline)?;
        Ok((status, said))
    }

    /// All that it says, within the limits.
    ///
    /// Whoever the helper started may hold its standard output open for longer than it lives
    /// itself. So the thread that reads is not waited for: it ends with the last of them.
    fn listen(
        &self,
        stdout: impl Read + Send + 'static,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, HelperFault> {
        let (sender, pieces) = channel();
        let limit = self.output as u64 + 1;
        std::thread::Builder::new()
            .name("credential helper".into())
            .spawn(move || read_to(&sender, stdout.take(limit)))
            .map_err(HelperFault::Run)?;
        let said = self.collect(&pieces, deadline)?;
        if said.len() > self.output {
            return Err(HelperFault::Long { limit: self.output });
        }
        Ok(said)
    }

    fn collect(
        &self,
        pieces: &Receiver<io::Result<Zeroizing<Vec<u8>>>>,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, HelperFault> {
        let mut said = Zeroizing::new(Vec::new());
        loop {
            match pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => append(&mut said, &piece.map_err(HelperFault::Run)?),
                Err(RecvTimeoutError::Disconnected) => return Ok(said),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(HelperFault::Slow { limit: self.time });
                }
            }
        }
    }

    fn wait(&self, child: &mut Child, deadline: Instant) -> Result<ExitStatus, HelperFault> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait().map_err(HelperFault::Run)? {
                return Ok(status);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(HelperFault::Slow { limit: self.time });
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// The program that a helper's short name means.
pub(crate) fn program(helper: &str) -> String {
    format!("docker-credential-{helper}")
}

fn read_to(pieces: &Sender<io::Result<Zeroizing<Vec<u8>>>>, mut stdout: impl Read) {
    let mut buffer = Zeroizing::new(vec![0; 4096]);
    loop {
        let piece = match stdout.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => Ok(Zeroizing::new(buffer[..n].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        // Nobody listens any longer, or nothing more is to be read.
        let last = piece.is_err();
        if pieces.send(piece).is_err() || last {
            return;
        }
    }
}

/// A helper that is ended if nobody waited for its end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already, both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of a helper's message. One that looks like an answer is not told: a helper that
/// fails after all may have printed the secret before.
fn telling(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    if text.contains(['{', '"']) || line.is_empty() {
        return None;
    }
    let plain = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    Some(plain.take(SHOWN).collect())
}
