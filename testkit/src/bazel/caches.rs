//! What Bazel asks over the network of a farm: caches, and an executor with a worker of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::host;
use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Generation, Way, finish, text};

/// An HTTP cache: nginx with `WebDAV`. Dropping it ends it and removes its content.
#[derive(Debug)]
pub struct HttpCache {
    daemon: Supervised,
    address: String,
}

impl HttpCache {
    /// Starts it on a free port, or says that nginx is missing.
    #[must_use]
    pub fn start() -> Option<Self> {
        let nginx = peers::find(Generation::Stable, "nginx", Way::Inside)?;
        let directory = Directory::new();
        let at = directory.path().to_owned();
        let address = free_address();
        for name in ["data", "temporary"] {
            fs::create_dir(at.join(name)).expect("a new directory takes files");
        }
        let file = at.join("nginx.conf");
        let text = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {0}/pid;\nerror_log stderr;\n\
             events {{}}\nhttp {{\n  access_log off;\n  client_max_body_size 0;\n\
             client_body_temp_path {0}/temporary;\n\
             server {{\n    listen {address};\n    root {0}/data;\n\
             location / {{ dav_methods PUT; create_full_put_path on; }}\n  }}\n}}\n",
            at.display()
        );
        fs::write(&file, text).expect("a new directory takes files");
        let mut words = nginx.words().to_vec();
        words.extend([
            "-e".into(),
            "stderr".into(),
            "-c".into(),
            file.into_os_string(),
        ]);
        let mut is_ready = |_: &str| TcpStream::connect(&address).is_ok();
        let daemon = Supervised::start("nginx", directory, &words, &[], &mut is_ready);
        Some(Self { daemon, address })
    }

    /// `http://127.0.0.1:PORT`, for `--remote_cache`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many blobs and results of actions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        let data = self.daemon.directory().join("data");
        let files = walkdir::WalkDir::new(data).into_iter().flatten();
        files.filter(|entry| entry.file_type().is_file()).count()
    }

    /// Whether nobody gave it anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `BuildGrid`: a cache over gRPC, and an executor as part of a [`Farm`]. Dropping it ends it and
/// removes its content.
#[derive(Debug)]
pub struct BuildGrid {
    daemon: Supervised,
    address: String,
}

/// What all configurations of the server begin with.
const SERVER: &str = "\
server:
  - !channel
    address: 'ADDRESS'
    insecure-mode: true
authorization:
  method: none
monitoring:
  enabled: false
thread-pool-size: 100
";

/// A cache, kept in memory.
const CACHE: &str = "\
storages:
  - !lru-storage &cas
    size: 2048M
caches:
  - !lru-action-cache &ac
    storage: *cas
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: false
instances:
  - name: ''
    services:
      - !action-cache
        cache: *ac
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
";

/// A cache, and a queue in a database.
const EXECUTOR: &str = "\
connections:
  - !sql-connection &sql
    connection-string: 'DATABASE'
    pool-size: 5
    pool-timeout: 30
    max-overflow: 10
storages:
  - !disk-storage &cas
    path: 'DIRECTORY/cas'
caches:
  - !lru-action-cache &ac
    storage: *cas
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *cas
    action-cache: *ac
    poll-interval: 0.1
    assigners:
      - !priority-age-assigner
        count: 1
        interval: 0.1
instances:
  - name: ''
    services:
      - !action-cache
        cache: *ac
      - !execution
        scheduler: *scheduler
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
";

impl BuildGrid {
    /// Starts a cache alone on a free port, or says that `BuildGrid` is missing.
    #[must_use]
    pub fn cache() -> Option<Self> {
        let program = peers::buildgrid()?;
        Some(Self::start(&program, Directory::new(), CACHE))
    }

    fn start(program: &Path, directory: Directory, rest: &str) -> Self {
        let address = free_address();
        let file = directory.path().join("bgd.yml");
        let text = format!("{SERVER}{rest}")
            .replace("ADDRESS", &address)
            .replace("DIRECTORY", &directory.path().to_string_lossy());
        fs::write(&file, text).expect("a new directory takes files");
        let words = [
            program.as_os_str(),
            "server".as_ref(),
            "start".as_ref(),
            file.as_ref(),
        ];
        let words = words.map(OsStr::to_owned);
        let mut is_ready = |_: &str| TcpStream::connect(&address).is_ok();
        let daemon = Supervised::start("BuildGrid", directory, &words, &[], &mut is_ready);
        Self { daemon, address }
    }

    /// `grpc://127.0.0.1:PORT`, for `--remote_cache` or `--remote_executor`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

/// Remote execution on one machine: a server, its database, and a worker that runs each action in a
/// sandbox. Dropping it ends all of them.
#[derive(Debug)]
pub struct Farm {
    // In the order in which they have to end.
    _workers: Vec<Supervised>,
    grid: BuildGrid,
    _database: Supervised,
}

impl Farm {
    /// Starts all, `workers` many that take an action each, or says what is missing.
    #[must_use]
    pub fn start(workers: usize) -> Option<Self> {
        let program = peers::buildgrid()?;
        let worker = peers::find(Generation::Modern, "buildbox-worker", Way::Inside)?;
        peers::find(Generation::Modern, "bwrap", Way::Inside)?;
        let (database, port) = database()?;
        let url = format!("postgresql+psycopg2://bgd@127.0.0.1:{port}/bgd");
        let mut migrate = Command::new(&program);
        migrate.args(["migrate", "apply", &url]);
        finish(migrate).expect("the database can be set up");
        let grid = BuildGrid::start(
            &program,
            Directory::new(),
            &EXECUTOR.replace("DATABASE", &url),
        );
        let workers = (1..=workers)
            .map(|number| {
                let registered =
                    format!("select count(*) >= {number} from bots where bot_status = 1");
                let mut is_ready = |_: &str| ask(port, "bgd", &registered) == Some("t".to_owned());
                let directory = Directory::new();
                let words = worker_words(&worker, &grid, directory.path(), number);
                Supervised::start("buildbox-worker", directory, &words, &[], &mut is_ready)
            })
            .collect();
        Some(Self {
            _workers: workers,
            grid,
            _database: database,
        })
    }

    /// `grpc://127.0.0.1:PORT`, for `--remote_executor`.
    #[must_use]
    pub fn url(&self) -> String {
        self.grid.url()
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.grid.log()
    }
}

/// A database, and its port.
fn database() -> Option<(Supervised, u16)> {
    let programs = Path::new("/usr/lib/postgresql/15/bin");
    peers::find(Generation::Stable, "psql", Way::Inside)?;
    let directory = Directory::new();
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a new directory takes files");
    // It runs as nobody who may do more.
    let own = |path: &Path| {
        let mut command = Command::new("chown");
        command.arg("postgres:").arg(path);
        finish(command).expect("PostgreSQL's package makes its user");
    };
    own(&data);
    host::let_pass(directory.path());
    let as_postgres = |program: &str| {
        let words: [OsString; 5] = [
            "/usr/sbin/runuser".into(),
            "-u".into(),
            "postgres".into(),
            "--".into(),
            programs.join(program).into(),
        ];
        words
    };
    let words = as_postgres("initdb");
    let mut initdb = Command::new(&words[0]);
    initdb
        .args(&words[1..])
        .args(["-A", "trust", "-U", "bgd", "-N", "-D"]);
    initdb.arg(&data).current_dir("/");
    finish(initdb).expect("a database can be made");
    let port = free_port();
    let mut words = as_postgres("postgres").to_vec();
    words.extend(["-D".into(), data.into_os_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        &format!("port={port}"),
        "unix_socket_directories=",
        "fsync=off",
    ] {
        words.extend(["-c".into(), setting.into()]);
    }
    let mut is_ready = |_: &str| ask(port, "postgres", "select 't'") == Some("t".to_owned());
    let daemon = Supervised::start("PostgreSQL", directory, &words, &[], &mut is_ready);
    ask(port, "postgres", "create database bgd").expect("a database can be made");
    Some((daemon, port))
}

/// What the database answers, if it does.
fn ask(port: u16, database: &str, question: &str) -> Option<String> {
    let output = Command::new("psql")
        .args(["-h", "127.0.0.1", "-U", "bgd", "-d", database, "-p"])
        .arg(port.to_string())
        .args(["-Atqc", question])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| text(&output.stdout).trim().to_owned())
}

/// A worker in the modern root, whose actions see its programs and nothing of the machine's own.
fn worker_words(
    worker: &peers::Program,
    grid: &BuildGrid,
    directory: &Path,
    number: usize,
) -> Vec<OsString> {
    let mut words = worker.words().to_vec();
    let program = words.pop().expect("the program is the last word");
    let workspace = directory.join("w");
    fs::create_dir(&workspace).expect("a new directory takes files");
    // The sandbox takes the targets of links such as `/bin` for names in the current directory.
    words.extend(["/usr/bin/env", "--ignore-environment", "--chdir=/"].map(OsString::from));
    words.extend(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"].map(OsString::from));
    words.push(pair("HOME=", directory));
    words.push(program);
    words.push(format!("--remote=http://{}", grid.address).into());
    let run = "--buildbox-run=/usr/bin/buildbox-run-bubblewrap";
    words.extend(["--concurrent-jobs=1", "--max-wait-time=20", run].map(OsString::from));
    words.push("--runner-arg=--disable-localcas".into());
    words.push(pair("--runner-arg=--workspace-path=", &workspace));
    for seen in ["usr", "bin", "lib", "lib64", "etc"] {
        words.push(format!("--runner-arg=--ro-bind-mount=/{seen}:/{seen}").into());
    }
    words.extend(["--platform", "OSFamily=linux"].map(OsString::from));
    words.push(format!("worker-{number}").into());
    words
}

fn pair(name: &str, path: &Path) -> OsString {
    let mut pair = OsString::from(name);
    pair.push(path);
    pair
}

/// A port of the loopback interface that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    address.port()
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
