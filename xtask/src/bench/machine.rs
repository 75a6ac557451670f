//! The machine that measures.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// What figures depend on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    /// In bytes.
    pub(super) memory: u64,
    pub(super) kernel: String,
    pub(super) file_system: String,
}

impl Machine {
    /// This one, with the file system that `directory` is on. What the system does not say is
    /// `unknown`.
    pub(super) fn this(directory: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let kibibytes = value(&memory, "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
            .unwrap_or(0);
        let processor = value(&processors, "model name").map(|name| {
            let number = |key| value(&processors, key).unwrap_or_default();
            let (family, model) = (number("cpu family"), number("model\t"));
            format!("{name}, family {family}, model {model}")
        });
        Self {
            processor: processor.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: kibibytes * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(directory, &read("/proc/mounts")).unwrap_or_else(unknown),
        }
    }
}

/// The type of the file system whose mount point is the nearest above.
fn file_system(directory: &Path, mounts: &str) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            directory.starts_with(point).then_some((point.len(), kind))
        })
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind.to_owned())
}
