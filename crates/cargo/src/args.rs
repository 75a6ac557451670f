//! The flags of `image`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cooperage_compress::Encoding;
use cooperage_image_spec::{Healthcheck, Reference};
use cooperage_transport::Location;

use crate::metadata;
use crate::network::NetworkArgs;
use crate::rule_text;
use crate::settings::{FileRule, Mtime, Part, Settings, UserRule, Vocabulary};
use crate::target;
use crate::value;

/// What `image` is asked for: what cargo builds, what the image is, and where it goes.
///
/// Each key of `[package.metadata.image]` is a flag too, and the flag wins.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ImageArgs {
    /// What cargo builds.
    #[command(flatten)]
    pub cargo: CargoArgs,
    /// What the image is.
    #[command(flatten)]
    pub image: SettingArgs,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// More arguments for `cargo build`, after `--`
    #[arg(last = true, value_name = "CARGO ARGS")]
    pub rest: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  Build the package here in release and leave its image in target/image:
      cargo image
  Make a file for `docker load`:
      cargo image --output docker-archive:app.tar
  One image for two platforms, as an index:
      cargo image --target x86_64-unknown-linux-musl --target aarch64-unknown-linux-musl
  On a base image of a registry, and to a registry:
      cargo image --base debian:bookworm-slim --push registry.example.com/team/app:1.2
  Into the Docker Engine, to run it:
      cargo image --tag app:dev --load && docker run --rm app:dev
  On a base image that lies in a layout:
      cargo image --base oci:debian:13-slim
  Add configuration and a port:
      cargo image --file config/:/etc/app --port 8080 --env RUST_LOG=info
  See the plan without building the image:
      cargo image --print-plan

In Cargo.toml:
  [package.metadata.image]
  ports = [\"8080/tcp\"]
  env = { RUST_LOG = \"info\" }
  files = [{ from = \"config/\", to = \"/etc/app\" }]";

/// What is passed to `cargo build`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What cargo builds")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of cargo's")]
pub struct CargoArgs {
    /// The package's or workspace's Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    /// The package whose binary is packed [default: the one here, or the only one with a binary]
    #[arg(short, long, value_name = "SPEC")]
    pub package: Option<String>,
    /// The binary that is packed [default: the package's only one, or its `default-run`]
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,
    /// Build with this profile [default: release]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dev", "release"])]
    pub profile: Option<String>,
    /// Build with the profile `dev`
    #[arg(long, conflicts_with = "release")]
    pub dev: bool,
    /// Build with the profile `release`, which is the default
    #[arg(short, long)]
    pub release: bool,
    /// Build for this target; several make an index of several platforms (key `platforms`)
    #[arg(long, value_name = "TRIPLE", visible_alias = "platform", value_parser = target::triple)]
    pub target: Vec<String>,
    /// Activate these features
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Activate all features
    #[arg(long)]
    pub all_features: bool,
    /// Do not activate the feature `default`
    #[arg(long)]
    pub no_default_features: bool,
    /// Refuse to change Cargo.lock
    #[arg(long)]
    pub locked: bool,
    /// Do not access the network
    #[arg(long)]
    pub offline: bool,
    /// Both `--locked` and `--offline`
    #[arg(long)]
    pub frozen: bool,
    /// Number of parallel jobs
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub jobs: Option<String>,
    /// Directory for cargo's artifacts
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
}

/// One flag for each key of `[package.metadata.image]`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What the image is (each a key of `[package.metadata.image]` too)")]
pub struct SettingArgs {
    /// Stand on this image: a reference such as `debian:bookworm-slim`, `oci:DIR[:NAME]`,
    /// `oci-archive:FILE`, `docker-archive:FILE`, `docker-daemon:REFERENCE` [default: from scratch]
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<String>,
    /// Refuse a base of another digest
    #[arg(long, value_name = "DIGEST", requires = "base")]
    pub base_digest: Option<String>,
    /// Where the binary lies in the image [default: /usr/local/bin/NAME]
    #[arg(long, value_name = "PATH", value_parser = value::image_path)]
    pub bin_path: Option<String>,
    /// Who runs it: `USER[:GROUP]`, best as numbers [default from scratch: 65532:65532]
    #[arg(long, value_name = "USER", value_parser = value::user)]
    pub user: Option<String>,
    /// What is run, a word each time [default: the binary]
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub entrypoint: Vec<String>,
    /// A default argument (key `args`)
    #[arg(
        long,
        value_name = "WORD",
        allow_hyphen_values = true,
        visible_alias = "cmd"
    )]
    pub arg: Vec<String>,
    /// An environment variable
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = value::assignment)]
    pub env: Vec<(String, String)>,
    /// A port listened on: `8080`, `53/udp` (key `ports`)
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    pub port: Vec<String>,
    /// A label (key `labels`)
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = value::assignment)]
    pub label: Vec<(String, String)>,
    /// An annotation of the manifest (key `annotations`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::assignment)]
    pub annotation: Vec<(String, String)>,
    /// A directory for data that outlives the container (key `volumes`)
    #[arg(long, value_name = "PATH", value_parser = value::image_path)]
    pub volume: Vec<String>,
    /// The directory in which it runs
    #[arg(long, value_name = "PATH", value_parser = value::image_path)]
    pub working_dir: Option<String>,
    /// The signal that asks it to end: `SIGTERM`, or a number
    #[arg(long, value_name = "SIGNAL", value_parser = value::signal)]
    pub stop_signal: Option<String>,
    /// How to find out whether it is well: `["/bin/x","-v"]`, or a line for the shell
    #[arg(long, value_name = "COMMAND", value_parser = rule_text::healthcheck)]
    pub healthcheck: Option<Healthcheck>,
    /// Time between two checks: `30s`
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub healthcheck_interval: Option<i64>,
    /// Time one check may take
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub healthcheck_timeout: Option<i64>,
    /// Time in which a failed check does not count
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub healthcheck_start_period: Option<i64>,
    /// Time between two checks while it starts
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub healthcheck_start_interval: Option<i64>,
    /// Failed checks in a row until it is unwell
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    pub healthcheck_retries: Option<i64>,
    /// A file, directory or glob that goes in: `FROM:TO[:MODE]`, or
    /// `from=F,to=T,mode=M,dir-mode=M,uid=N,gid=N,layer=L,exclude=GLOB` (key `files`)
    #[arg(long, value_name = "FROM:TO", value_parser = rule_text::file)]
    pub file: Vec<FileRule>,
    /// The order of layers of files, lowest first (key `layers`)
    #[arg(long, value_name = "NAME")]
    pub layer: Vec<String>,
    /// How layers are stored: `gzip`, `zstd` or `none`, perhaps with a level: `zstd:19`
    #[arg(long, value_name = "CODEC", value_parser = value::compression)]
    pub compression: Option<Encoding>,
    /// Whether identical files become hard links [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub fold: Option<bool>,
    /// Time of all entries that files make: `epoch`, `source-date-epoch`, or seconds
    #[arg(long, value_name = "TIME", value_parser = metadata::mtime, allow_hyphen_values = true)]
    pub mtime: Option<Mtime>,
    /// When it was made, RFC 3339 [default: `SOURCE_DATE_EPOCH`, or the epoch]
    #[arg(long, value_name = "TIME", value_parser = value::timestamp)]
    pub created: Option<String>,
    /// Who made it
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Whether CA certificates go in [default: true from scratch]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub certificates: Option<bool>,
    /// Whether the time-zone database goes in [default: true from scratch]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub time_zones: Option<bool>,
    /// A library that is opened at run time: a name or a path (key `libraries`)
    #[arg(long, value_name = "LIBRARY")]
    pub library: Vec<String>,
    /// Where the program's libraries come from [default: `/`, or a cross compiler's directory]
    #[arg(long, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,
    /// A user beside root and nonroot: `NAME:UID[:GID[:HOME[:SHELL]]]` (key `users`)
    #[arg(long, value_name = "USER", value_parser = rule_text::user)]
    pub add_user: Vec<UserRule>,
    /// Whether paths of this machine are renamed in the binary [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub remap_paths: Option<bool>,
    /// Write labels from git, which change with each commit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub stamp: Option<bool>,
    /// Media types of the documents: `oci` or `docker`
    #[arg(long, value_name = "TYPES", value_parser = metadata::vocabulary)]
    pub media_types: Option<Vocabulary>,
    /// Take a part away: `args`, `env.PATH`, `labels`
    #[arg(long, value_name = "PART", value_parser = Part::parse)]
    pub unset: Vec<Part>,
    /// Keep a part as the base has it: `user`, `entrypoint`
    #[arg(long, value_name = "PART", value_parser = Part::parse)]
    pub inherit: Vec<Part>,
    /// A name for the image (key `tags`) [default: the package's name]
    #[arg(short, long, value_name = "REFERENCE")]
    pub tag: Vec<String>,
}

/// Where the image goes, and what is said.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Where the image goes")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, and clap has them so"
)]
pub struct OutputArgs {
    /// Write the image there: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`,
    /// `docker-archive:FILE[:REFERENCE]`, `docker://REFERENCE`, `docker-daemon:[REFERENCE]`;
    /// several appear together, at the end, and daemons and registries last
    /// [default: `image` in cargo's target directory, as a layout]
    #[arg(short, long, value_name = "MEDIUM")]
    pub output: Vec<Location>,
    /// Push the image to a registry, the same as `--output docker://REFERENCE`; may be given
    /// several times
    #[arg(long, value_name = "REFERENCE", value_parser = pushed)]
    pub push: Vec<Reference>,
    /// Load the image into the Docker Engine, or into podman's service, under the image's names; only
    /// layers that it lacks are sent
    #[arg(long)]
    pub load: bool,
    /// Look up what the base's tag means now, and write that to the lockfile
    #[arg(long, conflicts_with_all = ["locked", "offline", "frozen"])]
    pub update: bool,
    /// The lockfile [default: `image.lock` in the workspace's root]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Fetch a registry base's layers to find out whether the binary runs on it
    #[arg(long)]
    pub check_base: bool,
    /// Write the image's digest to a file
    #[arg(long, value_name = "FILE")]
    pub digest_file: Option<PathBuf>,
    /// Write what was made, with layers, digests and sizes, to a JSON file
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Write the plan to a file; `cooperage build` builds it again
    #[arg(long, value_name = "FILE")]
    pub plan_file: Option<PathBuf>,
    /// Print the plan and stop before the image is built
    #[arg(long)]
    pub print_plan: bool,
    /// What stands on standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Threads that compress [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// A name to push to.
fn pushed(text: &str) -> Result<Reference, String> {
    let bare = text.strip_prefix("docker://").unwrap_or(text);
    let reference: Reference = bare.parse().map_err(|error| format!("{error}"))?;
    if reference.digest().is_some() {
        return Err("it names a digest: expected a repository, or a name with a tag".into());
    }
    Ok(reference)
}

/// What stands on standard output.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

impl ImageArgs {
    /// What the flags say of the image.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let args = self.image.clone();
        let list = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        Settings {
            package: self.cargo.package.clone(),
            bin: self.cargo.bin.clone(),
            platforms: list(&self.cargo.target),
            entrypoint: list(&args.entrypoint),
            args: list(&args.arg),
            tags: list(&args.tag),
            healthcheck: args.healthcheck(),
            base: args.base,
            base_digest: args.base_digest,
            bin_path: args.bin_path,
            user: args.user,
            env: args.env.into_iter().collect(),
            labels: args.label.into_iter().collect(),
            annotations: args.annotation.into_iter().collect(),
            ports: args.port.into_iter().collect(),
            volumes: args.volume.into_iter().collect(),
            working_dir: args.working_dir,
            stop_signal: args.stop_signal,
            files: args.file,
            layers: args.layer,
            compression: args.compression,
            fold: args.fold,
            mtime: args.mtime,
            created: args.created,
            author: args.author,
            certificates: args.certificates,
            time_zones: args.time_zones,
            libraries: args.library.into_iter().collect(),
            sysroot: args.sysroot,
            users: args.add_user,
            remap_paths: args.remap_paths,
            stamp: args.stamp,
            media_types: args.media_types,
            unset: args.unset.into_iter().collect(),
            inherit: args.inherit.into_iter().collect(),
        }
    }
}

impl SettingArgs {
    /// A check without a command changes the times of the one in the metadata.
    fn healthcheck(&self) -> Option<Healthcheck> {
        let times = Healthcheck {
            interval: self.healthcheck_interval,
            timeout: self.healthcheck_timeout,
            start_period: self.healthcheck_start_period,
            start_interval: self.healthcheck_start_interval,
            retries: self.healthcheck_retries,
            ..Healthcheck::default()
        };
        match &self.healthcheck {
            Some(check) => Some(Healthcheck {
                test: check.test.clone(),
                ..times
            }),
            None => (times != Healthcheck::default()).then_some(times),
        }
    }
}
