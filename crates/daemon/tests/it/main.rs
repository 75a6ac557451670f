//! A daemon that says what it should not, and real ones of two generations.

mod common;
mod engines;
mod fake;
mod faults;
mod incremental;
mod memory;
mod podman;
mod saving;
mod tls;
