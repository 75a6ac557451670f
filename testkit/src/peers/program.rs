//! A program that can be started, whichever root it lives in.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// The script that gives a command another root; see its own words.
pub(crate) const INSIDE: &str = include_str!("inside.sh");

/// A program with what must stand before its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    words: Vec<OsString>,
}

impl Program {
    /// One of the machine itself, by its absolute path.
    pub(crate) fn of_machine(name: &str, path: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            words: vec![path.into()],
        }
    }

    /// One of another root, started by that root's loader: it sees the machine's own files.
    pub(crate) fn by_loader(name: &str, root: &Path, path: &Path) -> Self {
        let (loader, triple) = match std::env::consts::ARCH {
            "aarch64" => ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
            _ => ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
        };
        let mut libraries = root.join("lib").join(triple).into_os_string();
        libraries.push(":");
        libraries.push(root.join("usr/lib").join(triple));
        let path = in_root(root, path);
        let words = vec![
            root.join(loader).into(),
            "--library-path".into(),
            libraries,
            path.clone().into_os_string(),
        ];
        Self {
            name: name.to_owned(),
            path,
            words,
        }
    }

    /// One of another root with that root as its own; of the machine it sees the temporary
    /// directories and this workspace, under their own names.
    pub(crate) fn inside(name: &str, root: &Path, path: &Path) -> Self {
        Self::inside_seeing(name, root, path, &[])
    }

    /// As [`Program::inside`]; it sees `more` directories too, those that are there.
    pub(crate) fn inside_seeing(name: &str, root: &Path, path: &Path, more: &[PathBuf]) -> Self {
        let temporary = std::env::temp_dir();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = workspace
            .canonicalize()
            .expect("testkit lies in a workspace");
        let mut seen: Vec<&OsStr> = Vec::new();
        let always = [
            "/tmp".as_ref(),
            "/var/tmp".as_ref(),
            &*temporary,
            &workspace,
        ];
        let more = more
            .iter()
            .map(PathBuf::as_path)
            .filter(|path| path.is_dir());
        for path in always.into_iter().chain(more) {
            // What lies below another is seen through it.
            if !seen.iter().any(|top| path.starts_with(top)) {
                seen.push(path.as_os_str());
            }
        }
        let mut words: Vec<OsString> = [
            "/usr/bin/unshare",
            "--mount",
            "--propagation",
            "private",
            "/bin/bash",
            "-c",
        ]
        .map(OsString::from)
        .to_vec();
        words.extend([
            INSIDE.into(),
            "inside".into(),
            root.into(),
            seen.join(OsStr::new(":")),
        ]);
        words.push(path.into());
        Self {
            name: name.to_owned(),
            path: in_root(root, path),
            words,
        }
    }

    /// The same program with `arguments` before all others.
    #[must_use]
    pub fn with_arguments<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What the program is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's file, as the machine sees it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command line's first words, up to the program's own arguments.
    pub(crate) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// A command to be added to, with standard input empty and messages in English.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(arguments);
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end and gives what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it ends with anything but success.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, Failed> {
        finish(self.command(arguments)).map(|output| text(&output.stdout))
    }

    /// Runs the program with `input` as its standard input, and gives its standard output.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it ends with anything but success.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &mut dyn Read,
    ) -> Result<Output, Failed> {
        let mut command = self.command(arguments);
        // A file rather than a pipe: no thread is needed to feed it while the output is read.
        let mut spool = tempfile::tempfile().expect("a temporary file can be made");
        std::io::copy(input, &mut spool).expect("the input can be read");
        std::io::Seek::rewind(&mut spool).expect("a file can be rewound");
        command.stdin(Stdio::from(spool));
        finish(command)
    }
}

/// Where a path from within `root` lies for the machine.
fn in_root(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Runs `command` to its end.
///
/// # Errors
///
/// [`Failed`] when it ends with anything but success.
pub(crate) fn finish(mut command: Command) -> Result<Output, Failed> {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("cannot start {}: {why}", command.get_program().display()));
    if output.status.success() {
        return Ok(output);
    }
    Err(Failed {
        command: format!("{command:?}"),
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })
}

/// What a program printed, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program ended in failure; `{:?}` shows all it said, so that `expect` does.
#[derive(Clone)]
pub struct Failed {
    /// The whole command line.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.command)?;
        for said in [&self.stdout, &self.stderr] {
            if !said.trim().is_empty() {
                write!(f, "\n{}", said.trim_end())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {}
