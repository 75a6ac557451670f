//! The command as its users run it.

mod build;
mod compression;
mod copy;
mod cost;
#[cfg(unix)]
mod daemon;
mod docs;
mod layers;
mod look;
#[cfg(unix)]
mod outputs;
mod registry;
mod support;
mod unpack;
mod verify;
