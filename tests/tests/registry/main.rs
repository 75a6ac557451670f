//! Registries: what we push and what others push, real registries and their real clients.
//!
//! The registry is CNCF distribution of both generations, on the loopback interface; where a test
//! uses the small registry of the test kit's own, its name says so. Between us and the registry
//! stands, where a test wants faults, the proxy of the test kit (`cooperage_testkit::faults`).

#![cfg(unix)]

mod debian;
mod engines;
mod faults;
mod hosts;
mod images;
mod killed;
mod limits;
mod logins;
mod mounts;
mod peers;
mod shows;
mod support;
