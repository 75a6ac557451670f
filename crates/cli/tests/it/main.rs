//! The command as its users run it.

mod action;
#[cfg(unix)]
mod action_deliver;
mod action_expect;
mod action_facts;
mod action_write;
mod build;
mod compression;
mod copy;
mod cost;
#[cfg(unix)]
mod daemon;
mod docs;
mod launcher;
mod layers;
mod look;
#[cfg(unix)]
mod outputs;
mod pieces;
mod registry;
mod support;
mod unpack;
mod verify;
mod worker;
