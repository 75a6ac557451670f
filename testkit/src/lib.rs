//! What the tests of all crates share: real counterparts, golden values, ragged streams.
//!
//! - [`peers`] finds the programs that images must be right for (skopeo, umoci, …) in both of their
//!   generations, and says aloud when one is missing.
//! - [`docker`], [`containerd`], [`podman`] and [`registry`] start the real thing and end it again.
//! - [`bazel`] runs Bazel without a network, and reads its execution log.
//! - [`faults`] stands between a registry and its client and does what networks and liars do.
//! - [`tokens`] hands out tokens for a registry, [`certificates`] makes certificates, and
//!   [`own_registry`] is a small registry of the test kit's own.
//! - [`again`] runs a test's own program once more, to be killed or limited.
//! - [`go`] builds programs in Go, for what only its own library shows.
//! - [`golden`] holds what must never change unseen.
//! - [`program`] runs the workspace's own programs as their users do.
//! - [`layer_metadata`] lets a layer be what no packer makes.
//! - [`listing`] and [`ragged`] compare unpacked trees and feed streams in uneven pieces.
//!
//! A helper of tests says what went wrong by panicking, with the words of the program that failed;
//! where a failure is what a test wants to see, it gets a [`peers::Failed`].

#![expect(clippy::missing_panics_doc, reason = "see the last paragraph above")]

pub mod peers;

pub mod docker;

pub mod bazel;
pub mod containerd;
pub mod podman;
pub mod registry;

pub mod certificates;
pub mod faults;
pub mod own_registry;
pub mod tokens;

pub mod again;
pub mod go;
pub mod golden;
pub mod http;
mod layer;
pub mod listing;
pub mod program;
pub mod ragged;

mod host;
mod settings;

pub use layer::{layer_metadata, sha256};
pub use listing::tree_listing;
