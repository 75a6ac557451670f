//! Turns a cargo build and its image metadata into a plan, and the plan into an image.
//!
//! [`image()`] runs `cargo build`, reads `[workspace.metadata.image]` and
//! `[package.metadata.image]`, and writes the image to an image layout, an archive or a registry. No
//! daemon, no root; no network beyond cargo's own, unless a registry is named.
//!
//! A workspace gets its own `cargo xtask image` from a package with this `main.rs`:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     cooperage_cargo::xtask_main()
//! }
//! ```
//!
//! # The same image everywhere
//!
//! The plan says everything that reaches a digest, and the binary is built so that it does not
//! name the machine ([`remap`]). What is left is the C library of a dynamic program, which is this
//! machine's: its image's digest is this distribution's. A static one is everyone's.
//!
//! # Examples
//!
//! How keys are understood, without building anything:
//!
//! ```
//! use std::path::Path;
//!
//! use cooperage_cargo::metadata::{Scope, read};
//! use serde_json::json;
//!
//! let manifest = Path::new("app/Cargo.toml");
//! let settings = read(&json!({"image": {"ports": [8080]}}), manifest, Scope::Package)?;
//! assert!(settings.ports.contains("8080/tcp"));
//!
//! let error = read(&json!({"image": {"port": 8080}}), manifest, Scope::Package).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "`app/Cargo.toml`: `package.metadata.image` has an unknown key `port`; \
//!      did you mean `ports`?"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/cargo.md` describes every key and flag.

pub mod advice;
mod args;
pub mod assemble;
mod base;
pub mod build;
pub mod cargo_config;
pub mod check;
mod commands;
pub mod env;
pub mod files;
mod host;
mod image;
pub mod labels;
pub mod leaks;
pub mod lock;
pub mod metadata;
pub mod network;
pub mod once;
mod output;
pub mod progress;
pub mod project;
pub mod remap;
mod report;
mod rule_text;
pub mod settings;
pub mod signals;
pub mod stderr;
pub mod stdout;
pub mod surroundings;
mod table;
pub mod target;
mod value;
pub mod write;

pub use args::{CargoArgs, Format, ImageArgs, OutputArgs, SettingArgs};
pub use commands::{cargo_image_command, cargo_image_main, run, xtask_main};
pub use image::image;
pub use network::NetworkArgs;
pub use report::{ImageSummary, LayerSummary, PushSummary, Summary};
pub use table::MetadataError;
