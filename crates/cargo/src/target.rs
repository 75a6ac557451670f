//! Cargo targets as image platforms.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::cargo_platform::Cfg;
use cooperage_image_spec::Platform;

/// Why a target cannot be built for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Images are of Linux only.
    #[error(
        "target `{triple}` is not Linux: give `--target` or `platforms` a Linux target, such as `x86_64-unknown-linux-musl`"
    )]
    NotLinux {
        /// The target.
        triple: String,
    },
    /// A platform stands where a target was meant.
    #[error(
        "`{platform}` is a platform: expected the cargo target to build for it{}",
        such_as(*target)
    )]
    Platform {
        /// What was given.
        platform: String,
        /// A target of that platform.
        target: Option<&'static str>,
    },
    /// An architecture that images have no name for.
    #[error(
        "target `{triple}`: image platforms have no name for the architecture `{architecture}`"
    )]
    Architecture {
        /// The target.
        triple: String,
        /// Its first part.
        architecture: String,
    },
    /// Its standard library is not there.
    #[error("target `{triple}` is not installed: run `rustup target add {triple}`")]
    NotInstalled {
        /// The target.
        triple: String,
    },
    /// `rustc` does not know it.
    #[error("`rustc` refuses the target `{triple}`: {message}")]
    Unknown {
        /// The target.
        triple: String,
        /// What `rustc` said.
        message: String,
    },
    /// `rustc` could not be run.
    #[error("cannot run `{}`", program.display())]
    Run {
        /// The compiler.
        program: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

fn such_as(target: Option<&str>) -> String {
    match target {
        Some(target) => format!(", such as `{target}`"),
        None => "; `rustc --print target-list` has them all".to_owned(),
    }
}

/// A target for a platform, static where there is one.
fn usual_target(platform: &Platform) -> Option<&'static str> {
    let platform = platform.normalized();
    if platform.os != "linux" {
        return None;
    }
    match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("amd64", _) => Some("x86_64-unknown-linux-musl"),
        ("386", _) => Some("i686-unknown-linux-musl"),
        ("arm64", _) => Some("aarch64-unknown-linux-musl"),
        ("arm", Some("v7")) => Some("armv7-unknown-linux-musleabihf"),
        ("arm", Some("v6")) => Some("arm-unknown-linux-musleabihf"),
        ("arm", Some("v5")) => Some("armv5te-unknown-linux-musleabi"),
        ("riscv64", _) => Some("riscv64gc-unknown-linux-musl"),
        ("ppc64le", _) => Some("powerpc64le-unknown-linux-musl"),
        ("s390x", _) => Some("s390x-unknown-linux-gnu"),
        ("loong64", _) => Some("loongarch64-unknown-linux-musl"),
        _ => None,
    }
}

/// The platform of programs of a target.
///
/// # Errors
///
/// A platform instead of a target; a target that is not Linux, or whose architecture has no name in
/// images.
///
/// Spec: image-spec v1.1, `image-index.md` § Platform Variants.
pub fn platform(triple: &str) -> Result<Platform, TargetError> {
    if let (true, Ok(platform)) = (triple.contains('/'), triple.parse::<Platform>()) {
        return Err(TargetError::Platform {
            platform: triple.to_owned(),
            target: usual_target(&platform),
        });
    }
    let mut parts = triple.split('-');
    let arch = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let linux = rest.contains(&"linux") || rest.iter().any(|part| part.starts_with("linux"));
    if !linux || rest.contains(&"android") || rest.iter().any(|part| part.starts_with("android")) {
        return Err(TargetError::NotLinux {
            triple: triple.to_owned(),
        });
    }
    let (architecture, variant) = match arch {
        "x86_64" => ("amd64", None),
        "i386" | "i586" | "i686" => ("386", None),
        "aarch64" => ("arm64", None),
        "armv7" | "thumbv7neon" | "armv7a" => ("arm", Some("v7")),
        "arm" | "armv6" => ("arm", Some("v6")),
        "armv5te" => ("arm", Some("v5")),
        "riscv64gc" | "riscv64a23" | "riscv64" => ("riscv64", None),
        "powerpc64le" => ("ppc64le", None),
        "powerpc64" => ("ppc64", None),
        "s390x" => ("s390x", None),
        "loongarch64" => ("loong64", None),
        "mips64el" => ("mips64le", None),
        "mips64" => ("mips64", None),
        "mipsel" => ("mipsle", None),
        "mips" => ("mips", None),
        _ => {
            return Err(TargetError::Architecture {
                triple: triple.to_owned(),
                architecture: arch.to_owned(),
            });
        }
    };
    let mut platform = Platform::linux_amd64();
    architecture.clone_into(&mut platform.architecture);
    platform.variant = variant.map(String::from);
    Ok(platform)
}

/// A target as a flag names it: one whose programs images can hold.
pub(crate) fn triple(text: &str) -> Result<String, TargetError> {
    platform(text).map(|_| text.to_owned())
}

/// What is asked of `rustc` about itself and a target.
#[derive(Clone, Debug)]
pub struct Toolchain {
    program: PathBuf,
    /// The triple it runs on.
    pub host: String,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// Where it is installed.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the compiler `program`.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub fn find(program: &Path) -> Result<Self, TargetError> {
        let version = ask(program, &["-vV"], "")?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned()).filter(|value| value != "unknown")
        };
        Ok(Self {
            program: program.to_path_buf(),
            host: field("host:").unwrap_or_default(),
            commit: field("commit-hash:"),
            sysroot: ask(program, &["--print", "sysroot"], "")?.trim().into(),
        })
    }

    /// Refuses a target whose standard library is not there.
    ///
    /// # Errors
    ///
    /// [`TargetError::NotInstalled`] with the command that installs it, or
    /// [`TargetError::Unknown`].
    pub fn check_installed(&self, triple: &str) -> Result<(), TargetError> {
        let arguments = ["--print", "target-libdir", "--target", triple];
        let dir = PathBuf::from(ask(&self.program, &arguments, triple)?.trim());
        // A directory may outlive the library, so that is looked for by its name.
        let installed = walkdir::WalkDir::new(dir)
            .min_depth(1)
            .max_depth(1)
            .into_iter()
            .any(|entry| {
                let name = entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
                name.is_ok_and(|name| name.starts_with("libcore-") || name.starts_with("libstd-"))
            });
        if installed {
            return Ok(());
        }
        Err(TargetError::NotInstalled {
            triple: triple.to_owned(),
        })
    }

    /// What `cfg(..)` is true for a target.
    ///
    /// # Errors
    ///
    /// When the compiler does not know it.
    pub fn cfgs(&self, triple: &str) -> Result<Vec<Cfg>, TargetError> {
        let text = ask(
            &self.program,
            &["--print", "cfg", "--target", triple],
            triple,
        )?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

fn ask(program: &Path, arguments: &[&str], triple: &str) -> Result<String, TargetError> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| TargetError::Run {
            program: program.to_path_buf(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let message = message
        .lines()
        .find(|line| line.contains("error"))
        .unwrap_or("")
        .to_owned();
    Err(TargetError::Unknown {
        triple: triple.to_owned(),
        message,
    })
}
