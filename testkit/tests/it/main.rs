//! The test kit against the machine: every peer starts, does what it is for, and ends.

#![allow(
    clippy::unwrap_used,
    reason = "what helpers of tests unwrap is an assertion too"
)]

mod bazel;
mod engines;
mod faults;
mod programs;
mod registries;
mod streams;
