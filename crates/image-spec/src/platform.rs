//! What an image runs on, and which of several images is the best for a machine.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fields::{At, Fields, Members, Read};
use crate::{Descriptor, DocumentError, Json, ToJson};

/// What an image runs on.
///
/// Written `os/architecture` or `os/architecture/variant` in Go's names, the operating system
/// with its version in brackets where there is one: `windows(10.0.20348)/amd64`. An architecture
/// alone means Linux. Reading it takes other names of architectures too (`aarch64`, `x86_64`,
/// `armhf`) and turns them into Go's; the variant stays as written.
///
/// Spec: image-spec v1.1, `image-index.md` § Platform Variants.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::Platform;
///
/// let pi: Platform = "linux/arm/v7".parse()?;
/// assert!("linux/arm/v6".parse::<Platform>()?.matches(&pi));
/// assert!(!"linux/arm64".parse::<Platform>()?.matches(&pi));
/// assert_eq!("x86_64".parse::<Platform>()?, Platform::linux_amd64());
///
/// let error = "linux/".parse::<Platform>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`linux/` is not a platform: its architecture is empty, expected `os/architecture[/variant]`"
/// );
/// # Ok::<(), cooperage_image_spec::ParsePlatformError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Platform {
    /// The operating system in Go's name: `linux`.
    pub os: String,
    /// The architecture in Go's name: `amd64`.
    pub architecture: String,
    /// The variant of the architecture: `v7` of `arm`.
    pub variant: Option<String>,
    /// The version of the operating system; only Windows' is ever compared.
    pub os_version: Option<String>,
    /// What the operating system must be able to do: `win32k`.
    pub os_features: Vec<String>,
    /// All other members, kept as they came.
    pub extra: BTreeMap<String, Json>,
}

impl Platform {
    /// A platform of an operating system and an architecture alone.
    #[must_use]
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self {
            os: os.into(),
            architecture: architecture.into(),
            ..Self::default()
        }
    }

    /// `linux/amd64`
    #[must_use]
    pub fn linux_amd64() -> Self {
        Self::new("linux", "amd64")
    }

    /// `linux/arm64`
    #[must_use]
    pub fn linux_arm64() -> Self {
        Self::new("linux", "arm64")
    }

    /// Linux on the architecture that this program was compiled for: the default where nothing
    /// else is said, on macOS and Windows too, since containers run on Linux there.
    #[must_use]
    pub fn host_linux() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86" => "386",
            "loongarch64" => "loong64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            other => other,
        };
        Self::new("linux", architecture).normalized()
    }

    /// The one form of platforms that mean the same: lower case, Go's names, and the variant left
    /// out where it is the lowest (`amd64/v1`, `arm64/v8`) but always there for `arm` (`v7`).
    #[must_use]
    pub fn normalized(&self) -> Self {
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".into(),
            other => other.into(),
        };
        let variant = self.variant.as_deref().unwrap_or("").to_ascii_lowercase();
        let (architecture, variant) = go_architecture(&self.architecture, variant);
        let variant = match (architecture.as_str(), with_v(variant)) {
            ("amd64", variant) if variant == "v1" => String::new(),
            ("arm64", variant) if variant == "v8" || variant == "v8.0" => String::new(),
            ("arm64", variant) if variant == "v9.0" => "v9".into(),
            ("arm", variant) if variant.is_empty() => "v7".into(),
            (_, variant) => variant,
        };
        Self {
            os,
            architecture,
            variant: (!variant.is_empty()).then_some(variant),
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
            extra: self.extra.clone(),
        }
    }

    /// Whether an image of this platform runs where `wanted` is asked for.
    ///
    /// As containerd decides: names are normalized first, and a machine of one variant runs
    /// images of the lower ones (`arm/v7` those of v6 and v5, `amd64/v3` those of v2 and v1,
    /// `arm64/v9.1` those of v9, v8.6, …). Windows' version must be the same up to the build if
    /// both say one; features are compared if `wanted` names any. Unlike containerd, an image of
    /// another architecture never matches, though a machine may run it (386 on amd64, arm on
    /// arm64): what is added to an image would not fit it.
    #[must_use]
    pub fn matches(&self, wanted: &Self) -> bool {
        self.rank(wanted).is_some()
    }

    /// How far from the best this one is where `wanted` is asked for; 0 is the best.
    fn rank(&self, wanted: &Self) -> Option<usize> {
        let (this, wanted) = (self.normalized(), wanted.normalized());
        let features = wanted.os_features.is_empty()
            || this
                .os_features
                .iter()
                .all(|feature| wanted.os_features.contains(feature));
        let same = this.os == wanted.os
            && this.architecture == wanted.architecture
            && versions_match(&this, &wanted)
            && features;
        let variant = this.variant.unwrap_or_default();
        let rank = || {
            variants(&wanted)
                .iter()
                .position(|candidate| *candidate == variant)
        };
        same.then(rank).flatten()
    }

    pub(crate) fn set_members(&self, members: &mut Members) {
        members.set("os", &self.os);
        members.set("architecture", &self.architecture);
        members.set_some("variant", self.variant.as_ref());
        members.set_some("os.version", self.os_version.as_ref());
        members.set_strings("os.features", &self.os_features);
    }
}

/// The best of `descriptors` for `wanted`; of equally good ones the first, as the spec says.
///
/// A descriptor without a platform is never chosen: only its config says what it runs on.
#[must_use]
pub fn select<'a>(descriptors: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let ranked = descriptors.iter().filter_map(|descriptor| {
        let rank = descriptor.platform.as_ref()?.rank(wanted)?;
        Some((rank, descriptor))
    });
    ranked
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, descriptor)| descriptor)
}

/// Other names of an architecture, and what they say of the variant.
fn go_architecture(name: &str, variant: String) -> (String, String) {
    let name = name.to_ascii_lowercase();
    let (name, variant) = match name.as_str() {
        "i386" => ("386", String::new()),
        "x86_64" | "x86-64" => ("amd64", variant),
        "aarch64" => ("arm64", variant),
        "armhf" => ("arm", "v7".into()),
        "armel" => ("arm", "v6".into()),
        other => (other, variant),
    };
    (name.into(), variant)
}

/// `8` is `v8`.
fn with_v(variant: String) -> String {
    match variant.as_bytes().first() {
        Some(b'0'..=b'9') => format!("v{variant}"),
        _ => variant,
    }
}

/// Windows containers run on their own build of it only.
fn versions_match(this: &Platform, wanted: &Platform) -> bool {
    match (&this.os_version, &wanted.os_version) {
        (Some(this), Some(wanted_version)) if wanted.os == "windows" => this
            .split('.')
            .take(3)
            .eq(wanted_version.split('.').take(3)),
        _ => true,
    }
}

/// The variants that a normalized platform runs, best first, normalized.
fn variants(wanted: &Platform) -> Vec<String> {
    let own = wanted.variant.clone().unwrap_or_default();
    let number = |text: &str| text.parse::<u8>().ok().filter(|&number| number < 100);
    let (major, minor) = match own.trim_start_matches('v').split_once('.') {
        Some((major, minor)) => (number(major), number(minor)),
        None => (number(own.trim_start_matches('v')), Some(0)),
    };
    let mut all = vec![own];
    match (wanted.architecture.as_str(), major, minor) {
        ("amd64", Some(major), _) => {
            all.extend((2..major).rev().map(|lower| format!("v{lower}")));
            all.push(String::new());
        }
        ("arm", Some(major), _) => all.extend((5..major).rev().map(|lower| format!("v{lower}"))),
        ("arm64", Some(8), Some(minor)) => all.extend(arm64_v8_below(minor)),
        ("arm64", Some(9), Some(minor)) => {
            all.extend((1..minor).rev().map(|lower| format!("v9.{lower}")));
            all.extend((minor > 0).then(|| "v9".into()));
            // v9.0 has what v8.5 has, and so on upwards.
            all.extend(arm64_v8_below(minor + 6));
        }
        _ => {}
    }
    all
}

fn arm64_v8_below(minor: u8) -> impl Iterator<Item = String> {
    let lower = (1..minor).rev().map(|lower| format!("v8.{lower}"));
    lower.chain((minor > 0).then(String::new))
}

/// Why a text is not a platform.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePlatformError {
    /// Too many parts.
    #[error("`{text}` is not a platform: {parts} parts, expected `os/architecture[/variant]`")]
    Parts {
        /// What was read.
        text: String,
        /// How many parts it has.
        parts: usize,
    },
    /// Nothing where a part must be.
    #[error(
        "`{text}` is not a platform: its {part} is empty, expected `os/architecture[/variant]`"
    )]
    Empty {
        /// What was read.
        text: String,
        /// `operating system`, `architecture`, `variant`.
        part: &'static str,
    },
    /// An operating system alone.
    #[error("`{text}` names an operating system alone: expected `{text}/architecture`")]
    NoArchitecture {
        /// What was read.
        text: String,
    },
    /// A character that no part has.
    #[error("`{text}` is not a platform: `{found}` may not stand in its {part}")]
    Character {
        /// What was read.
        text: String,
        /// `operating system`, `architecture`, `variant`.
        part: &'static str,
        /// The character.
        found: char,
    },
}

/// Operating systems that are known by name, so that they are not taken for an architecture.
const SYSTEMS: [&str; 9] = [
    "linux", "windows", "darwin", "macos", "freebsd", "netbsd", "openbsd", "solaris", "illumos",
];

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [alone] if SYSTEMS.contains(&alone.to_ascii_lowercase().as_str()) => {
                return Err(ParsePlatformError::NoArchitecture { text: text.into() });
            }
            [architecture] => ("linux", architecture, None),
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => {
                return Err(ParsePlatformError::Parts {
                    text: text.into(),
                    parts: parts.len(),
                });
            }
        };
        let (os, version) = match os.strip_suffix(')').and_then(|os| os.split_once('(')) {
            Some((os, version)) => (os, Some(version)),
            None => (os, None),
        };
        check_part(text, "operating system", os)?;
        check_part(text, "architecture", architecture)?;
        for (part, value) in [
            ("variant", variant),
            ("operating system's version", version),
        ] {
            value.map_or(Ok(()), |value| check_part(text, part, value))?;
        }
        let (architecture, variant) =
            go_architecture(architecture, variant.unwrap_or("").to_ascii_lowercase());
        Ok(Self {
            os: Self::new(os, "").normalized().os,
            architecture,
            variant: (!variant.is_empty()).then_some(variant),
            os_version: version.map(Into::into),
            os_features: Vec::new(),
            extra: BTreeMap::new(),
        })
    }
}

fn check_part(text: &str, part: &'static str, value: &str) -> Result<(), ParsePlatformError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    match value.chars().find(|&c| !allowed(c)) {
        _ if value.is_empty() => Err(ParsePlatformError::Empty {
            text: text.into(),
            part,
        }),
        Some(found) => Err(ParsePlatformError::Character {
            text: text.into(),
            part,
            found,
        }),
        None => Ok(()),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if let Some(version) = &self.os_version {
            write!(f, "({version})")?;
        }
        write!(f, "/{}", self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Read for Platform {
    fn read(json: &Json, at: &At<'_>) -> Result<Self, DocumentError> {
        let mut fields = Fields::new(json, at)?;
        Ok(Self {
            os: fields.required("os", "a string")?,
            architecture: fields.required("architecture", "a string")?,
            variant: fields.optional("variant")?,
            os_version: fields.optional("os.version")?,
            os_features: fields.or_default("os.features")?,
            extra: fields.extra(),
        })
    }
}

impl ToJson for Platform {
    fn to_json(&self) -> Json {
        let mut members = Members::new(&self.extra);
        self.set_members(&mut members);
        members.finish()
    }
}

/// As text: `linux/arm64/v8`.
impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
