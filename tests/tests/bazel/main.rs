//! The Bazel rules as their users have them: Bazel itself, without a network, on `bazel/tests` and on
//! the examples.

mod actions;
mod attributes;
mod digests;
mod engine;
mod examples;
mod failures;
mod format;
mod later;
mod names;
mod parity;
mod pulled;
mod remote;
mod support;
mod tools;
