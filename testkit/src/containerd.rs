//! containerd by itself, with its own client `ctr`.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::peers::supervised::{Directory, Supervised};
use crate::peers::{self, Failed, Generation, Program, Way};

/// A running containerd. Dropping it ends it and removes its content.
#[derive(Debug)]
pub struct Containerd {
    daemon: Supervised,
    client: Program,
}

/// Starts containerd of `generation`, or says that it is missing.
#[must_use]
pub fn start(generation: Generation) -> Option<Containerd> {
    let daemon = peers::find(generation, "containerd", Way::Inside)?;
    let client = peers::find(generation, "ctr", Way::Direct)?;
    let directory = Directory::new();
    let path = directory.path().to_owned();
    let (file, socket) = (path.join("config.toml"), path.join("s"));
    // CRI wants networks and a sandbox image: neither is there, and nobody here asks for it.
    let configuration = format!(
        "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.images\", \
         \"io.containerd.cri.v1.runtime\"]\n[grpc]\naddress = \"{0}/s\"\n",
        path.display()
    );
    std::fs::write(&file, configuration).expect("a new directory takes files");
    let mut words = daemon.words().to_vec();
    words.extend(["--config".into(), file.into_os_string()]);
    let client = client.with_arguments(["--address".into(), socket.clone().into_os_string()]);
    let mut is_ready = |_: &str| socket.exists() && client.run(["version"]).is_ok();
    let name = format!("containerd ({generation})");
    let daemon = Supervised::start(&name, directory, &words, &[], &mut is_ready);
    Some(Containerd { daemon, client })
}

impl Containerd {
    /// `ctr`, already told the socket.
    #[must_use]
    pub fn client(&self) -> &Program {
        &self.client
    }

    /// What the daemon has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Imports an archive, layers unpacked, and gives the names of the images in it.
    ///
    /// # Errors
    ///
    /// [`Failed`] when containerd refuses the archive.
    pub fn import(&self, archive: &Path) -> Result<Vec<String>, Failed> {
        let path = archive.to_str().expect("tests name their files in UTF-8");
        self.client.run(["images", "import", path])?;
        let names = self.client.run(["images", "list", "--quiet"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Runs a container of `image` to its end and gives its standard output.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it cannot start or ends with anything but success.
    pub fn run(&self, image: &str, arguments: &[&str]) -> Result<String, Failed> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let id = format!("t{}", RUNS.fetch_add(1, Ordering::Relaxed));
        // `ctr` makes the pipes and the shim opens them: both have to see the directory.
        let pipes = self.daemon.directory().join("fifo");
        let pipes = pipes
            .to_str()
            .expect("temporary directories are named in UTF-8");
        let options = ["run", "--rm", "--fifo-dir", pipes];
        self.client
            .run([&options, [image, &id].as_slice(), arguments].concat())
    }
}
