//! A binary for another platform is refused before it lies in an image that cannot start it.

use std::path::{Path, PathBuf};

use crate::elf::{BinaryInfo, ElfError, Format};

/// Why a file cannot be part of an image for a platform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// It could not be read.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// It is for another operating system or processor.
    #[error(
        "`{}` is a binary for `{found}` ({format}), expected one for `{expected}`: \
         build it for that target, or change the image's platform",
        path.display()
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its container format.
        format: Format,
        /// The platform it is for; unknown parts are `?`.
        found: String,
        /// The image's platform.
        expected: String,
    },
}

/// Checks that a file, if it is a binary at all, can run on `os`/`architecture`/`variant` (OCI's
/// words).
///
/// Files that are no binary (scripts, data) pass. A variant is compared for 32-bit ARM alone, and
/// only where the file says which it is: a `v6` binary may lie in a `v7` image, not the reverse.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dir = tempfile::tempdir()?;
/// let file = dir.path().join("app");
/// std::fs::write(&file, [0xcf, 0xfa, 0xed, 0xfe, 12, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0])?;
/// let error = cooperage_runtime::check_platform(&file, "linux", "amd64", None).unwrap_err();
/// assert!(error.to_string().contains("`darwin/arm64` (Mach-O), expected one for `linux/amd64`"));
/// # Ok(())
/// # }
/// ```
pub fn check_platform(
    path: &Path,
    os: &str,
    architecture: &str,
    variant: Option<&str>,
) -> Result<(), PlatformError> {
    let info = BinaryInfo::read(path)?;
    if suits(&info, os, architecture, variant) {
        return Ok(());
    }
    let mut expected = format!("{os}/{architecture}");
    if let Some(variant) = variant {
        expected.push('/');
        expected.push_str(variant);
    }
    Err(PlatformError::Wrong {
        path: path.to_owned(),
        format: info.format,
        found: info.platform(),
        expected,
    })
}

fn suits(info: &BinaryInfo, os: &str, architecture: &str, variant: Option<&str>) -> bool {
    if info.format == Format::Other {
        return true;
    }
    // An unknown system of an ELF file is some embedded ABI: no image has it.
    if info.os.as_deref() != Some(os) || info.architecture.as_deref() != Some(architecture) {
        return false;
    }
    match (architecture, info.variant.as_deref(), variant) {
        // «v5» < «v6» < «v7» < «v8».
        ("arm", Some(found), Some(wanted)) => found <= wanted,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variant: Option<&str>, image: (&str, &str, Option<&str>), expect: bool) {
        let info = BinaryInfo {
            format: Format::Elf,
            os: Some("linux".to_owned()),
            architecture: Some("arm".to_owned()),
            variant: variant.map(str::to_owned),
            ..BinaryInfo::default()
        };
        assert_eq!(
            suits(&info, image.0, image.1, image.2),
            expect,
            "{variant:?} in {image:?}"
        );
    }

    #[test]
    fn an_older_variant_runs_on_a_newer_processor() {
        check(Some("v6"), ("linux", "arm", Some("v7")), true);
        check(Some("v7"), ("linux", "arm", Some("v6")), false);
        check(Some("v7"), ("linux", "arm", None), true);
        check(None, ("linux", "arm", Some("v5")), true);
        check(Some("v7"), ("linux", "arm64", Some("v8")), false);
        check(Some("v7"), ("windows", "arm", None), false);
    }
}
